/**
 * Full-text search over everything said; a hit opens at its message.
 *
 * Only the answer to the newest query is shown.
 */

import { formatWhen } from '../format.js';
import { formatRoute } from '../router.js';
import { byId, fromTemplate, messageOf, part } from './markup.js';
import { moveByArrows } from './sidebar-view.js';

/** @import { SearchHit } from '../../client.js' */
/** @import { Connection } from '../connection.js' */

const LIMIT = 40;

/** After the last key, before the database is asked. */
const PAUSE_MS = 90;

export class SearchView {
  #form = byId('search', HTMLFormElement);
  #input = byId('search-input', HTMLInputElement);
  #hits = byId('hits');
  #nav = byId('conversation-nav');
  #status = byId('search-status');

  /** @type {Connection} */
  #connection;

  #newest = 0;
  #timer = 0;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.#input.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#search(), PAUSE_MS);
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#input.value !== '') {
        event.preventDefault();
        event.stopPropagation();
        this.#input.value = '';
        void this.#search();
      } else if (event.key === 'ArrowDown') {
        event.preventDefault();
        const first = document.querySelector('.hit, .conversation-link');
        if (first instanceof HTMLElement) first.focus();
      }
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const first = this.#hits.querySelector('a');
      if (first && !this.#hits.hidden) first.click();
    });
    moveByArrows(this.#hits, '.hit', () => this.focus());
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  async #search() {
    const query = this.#input.value.trim();
    const mine = ++this.#newest;
    if (query === '') {
      this.#showList();
      return;
    }
    try {
      const { storage } = await this.#connection.opened();
      const hits = await storage.conversations.search(query, { limit: LIMIT });
      if (mine === this.#newest) this.#show(hits);
    } catch (error) {
      if (mine === this.#newest) this.#showText(messageOf(error));
    }
  }

  #showList() {
    this.#hits.hidden = true;
    this.#nav.hidden = false;
    this.#status.textContent = '';
    this.#hits.replaceChildren();
  }

  /** @param {readonly SearchHit[]} hits */
  #show(hits) {
    if (hits.length === 0) {
      this.#showText('Nothing said matches.');
      return;
    }
    this.#nav.hidden = true;
    this.#hits.hidden = false;
    const now = Date.now();
    this.#hits.replaceChildren(...hits.map((hit) => hitElement(hit, now)));
    const count = hits.length === LIMIT ? `${LIMIT} or more` : hits.length;
    this.#status.textContent = `${count} found.`;
  }

  /** @param {string} text */
  #showText(text) {
    this.#nav.hidden = true;
    this.#hits.hidden = false;
    const item = document.createElement('li');
    item.className = 'quiet hits-empty';
    item.textContent = text;
    this.#hits.replaceChildren(item);
    this.#status.textContent = text;
  }
}

/**
 * @param {SearchHit} hit
 * @param {number} now
 */
function hitElement(hit, now) {
  const element = fromTemplate('hit-template');
  const link = part(element, 'link', HTMLAnchorElement);
  link.href = formatRoute(hit.conversationId, hit.eventId);
  part(element, 'title').textContent = hit.title || 'Untitled conversation';
  part(element, 'when').textContent = formatWhen(hit.timestamp, now);
  part(element, 'snippet').append(...highlighted(hit.snippet, hit.highlights));
  return element;
}

/**
 * *snippet* with each range in a `<mark>`.
 *
 * @param {string} snippet
 * @param {readonly (readonly number[])[]} ranges  Start and end, in order,
 *   counted in code points as Python counts.
 * @returns {(string | HTMLElement)[]}
 */
function highlighted(snippet, ranges) {
  const characters = [...snippet];
  /** @type {(string | HTMLElement)[]} */
  const parts = [];
  let at = 0;
  for (const [start, end] of ranges) {
    const mark = document.createElement('mark');
    mark.textContent = characters.slice(start, end).join('');
    parts.push(characters.slice(at, start).join(''), mark);
    at = end;
  }
  parts.push(characters.slice(at).join(''));
  return parts;
}
