/** The list of conversations: open, rename, delete, load more. */

import { titleOf } from '../conversation-index.js';
import { formatAge, formatWhen } from '../format.js';
import { formatRoute } from '../router.js';
import { byId, fromTemplate, part } from './markup.js';
import { told } from './toasts.js';

/** @import { Conversation } from '../../client.js' */
/** @import { ConversationIndex, LoadedList } from '../conversation-index.js' */
/** @import { OpenConversation } from '../open-conversation.js' */

/**
 * @typedef {object} SidebarActions
 * @property {(conversation: Conversation) => void} onRename
 * @property {(conversation: Conversation) => void} onDelete
 * @property {(personaId: string) => string} nameOfPersona
 */

export class SidebarView {
  #list = byId('conversations');
  #empty = byId('conversations-empty');
  #more = byId('load-more', HTMLButtonElement);

  /** @type {OpenConversation} */
  #open;

  /** @type {SidebarActions} */
  #actions;

  /**
   * @param {ConversationIndex} index
   * @param {OpenConversation} open
   * @param {SidebarActions} actions
   */
  constructor(index, open, actions) {
    this.#open = open;
    this.#actions = actions;
    this.#more.addEventListener(
      'click',
      () => void told(() => index.loadMore()),
    );
    index.list.subscribe((list) => this.#show(list));
    open.state.subscribe(() => this.#markCurrent());
    moveByArrows(byId('conversation-nav'), '.conversation-link');
  }

  /** @param {LoadedList} list */
  #show({ items, hasMore, isLoaded }) {
    const focused = focusedId(this.#list);
    const now = Date.now();
    /** @type {HTMLElement[]} */
    const rows = [];
    let age = '';
    for (const conversation of items) {
      const nextAge = formatAge(conversation.updatedAt, now);
      if (nextAge !== age) rows.push(heading(nextAge));
      age = nextAge;
      rows.push(this.#row(conversation, now));
    }
    this.#list.replaceChildren(...rows);
    // As the last visit left it: to be read and opened, not yet to be changed.
    this.#list.ariaBusy = String(!isLoaded);
    for (const button of this.#list.querySelectorAll('button')) {
      button.disabled = !isLoaded;
    }
    this.#empty.hidden = !isLoaded || items.length > 0;
    this.#more.hidden = !hasMore;
    this.#markCurrent();
    if (focused) focusOn(this.#list, focused);
  }

  /**
   * @param {Conversation} conversation
   * @param {number} now
   */
  #row(conversation, now) {
    const title = titleOf(conversation);
    const row = fromTemplate('conversation-template');
    const link = part(row, 'link', HTMLAnchorElement);
    row.dataset.id = conversation.id;
    link.href = formatRoute(conversation.id);
    part(row, 'title').textContent = title;
    part(row, 'meta').textContent = [
      this.#actions.nameOfPersona(conversation.personaId),
      formatWhen(conversation.updatedAt, now),
    ].join(' · ');
    this.#action(row, 'rename', `Rename “${title}”`, () =>
      this.#actions.onRename(conversation),
    );
    this.#action(row, 'delete', `Delete “${title}”`, () =>
      this.#actions.onDelete(conversation),
    );
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {string} name
   * @param {string} label
   * @param {() => void} run
   */
  #action(row, name, label, run) {
    const button = part(row, name, HTMLButtonElement);
    button.setAttribute('aria-label', label);
    button.title = label;
    button.addEventListener('click', run);
  }

  #markCurrent() {
    const { id } = this.#open.state.value;
    for (const row of this.#list.querySelectorAll('.conversation')) {
      const isCurrent = /** @type {HTMLElement} */ (row).dataset.id === id;
      /** @type {HTMLElement} */ (row).dataset.current = String(isCurrent);
      const link = part(row, 'link');
      if (isCurrent) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }
}

/**
 * Arrow keys, Home and End move among the links of a list.
 *
 * @param {HTMLElement} container
 * @param {string} selector
 * @param {() => void} [beforeFirst]  Called when the arrow leaves upwards.
 */
export function moveByArrows(container, selector, beforeFirst) {
  container.addEventListener('keydown', (event) => {
    const links = /** @type {HTMLElement[]} */ ([
      ...container.querySelectorAll(selector),
    ]);
    const at = links.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    if (event.key === 'ArrowUp' && at === 0) beforeFirst?.();
    else
      links
        .at(event.key === 'ArrowDown' ? Math.min(to, links.length - 1) : to)
        ?.focus();
  });
}

/** @param {string} text */
function heading(text) {
  const element = document.createElement('li');
  element.className = 'list-heading';
  element.textContent = text;
  return element;
}

/**
 * What had the focus, to give it back to the new row of the same conversation.
 *
 * @param {HTMLElement} list
 */
function focusedId(list) {
  const { activeElement } = document;
  if (!(activeElement instanceof HTMLElement)) return null;
  if (!list.contains(activeElement)) return null;
  const row = /** @type {HTMLElement | null} */ (
    activeElement.closest('.conversation')
  );
  if (!row?.dataset.id) return null;
  return { id: row.dataset.id, name: activeElement.dataset.part ?? 'link' };
}

/**
 * @param {HTMLElement} list
 * @param {{ id: string, name: string }} focused
 */
function focusOn(list, { id, name }) {
  const row = list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  if (row) part(row, name).focus({ preventScroll: true });
}
