/**
 * The list of conversations, newest first, as far as it was asked for.
 *
 * It stays right while other tabs write: after a commit the loaded part is read
 * again. Reads never overlap; one asked for meanwhile runs once, afterwards. Until
 * the first read is back it is the list that the last visit ended with.
 */

import { rememberList, rememberedList } from './last-list.js';
import { Observable } from './observable.js';

/** @import { Conversation } from '../client.js' */
/** @import { Connection } from './connection.js' */

const PAGE = 40;

/**
 * @typedef {object} LoadedList
 * @property {readonly Conversation[]} items
 * @property {boolean} hasMore
 * @property {boolean} isLoaded  False until the first read is back.
 */

export class ConversationIndex {
  /** @type {Observable<LoadedList>} */
  list = new Observable(
    /** @type {LoadedList} */ ({
      items: rememberedList(),
      hasMore: false,
      isLoaded: false,
    }),
  );

  /** @type {Connection} */
  #connection;

  #wanted = PAGE;
  #isReading = false;
  #isStale = false;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.state.subscribe(({ kind }) => {
      if (kind === 'ready') void connection.background(() => this.refresh());
      // It was encrypted without the Workbench.
      if (kind === 'locked') this.list.set({ ...this.list.value, items: [] });
    });
    connection.changed.subscribe((tables) => {
      if (tables.has('conversations')) {
        void connection.background(() => this.refresh());
      }
    });
    connection.status.subscribe(() => this.#remember());
    this.list.subscribe(() => this.#remember());
  }

  loadMore() {
    this.#wanted += PAGE;
    return this.refresh();
  }

  /** What a row shows beside the conversation has changed. */
  redraw() {
    this.list.set({ ...this.list.value });
  }

  async refresh() {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        this.list.set(await this.#read());
      }
    } finally {
      this.#isReading = false;
    }
  }

  /** @param {string} id @returns {Conversation | null} */
  find(id) {
    return this.list.value.items.find((item) => item.id === id) ?? null;
  }

  /** Only what is known to lie in a plain database. */
  #remember() {
    const { items, isLoaded } = this.list.value;
    const status = this.#connection.status.value;
    const isPlain = status?.encryption === null && status.mode !== 'memory';
    if (isLoaded && isPlain) rememberList(items.slice(0, PAGE));
  }

  /** @returns {Promise<LoadedList>} */
  async #read() {
    const { storage } = await this.#connection.opened();
    /** @type {Conversation[]} */
    const items = [];
    /** @type {string | null} */
    let cursor = null;
    do {
      const limit = Math.min(200, this.#wanted - items.length);
      const page = await storage.conversations.list(null, { limit, cursor });
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null && items.length < this.#wanted);
    return { items, hasMore: cursor !== null, isLoaded: true };
  }
}

/** @param {Conversation} conversation */
export function titleOf({ metadata: { title } }) {
  return typeof title === 'string' && title.trim() !== ''
    ? title
    : 'Untitled conversation';
}

/**
 * The name a conversation gets from its first message.
 *
 * @param {string} text
 */
export function titleFrom(text) {
  const line = text.trim().split('\n', 1)[0].replace(/\s+/g, ' ');
  const characters = [...line];
  if (characters.length <= 60) return line;
  const head = characters.slice(0, 60).join('');
  const lastSpace = head.lastIndexOf(' ');
  return `${lastSpace > 30 ? head.slice(0, lastSpace) : head}…`;
}
