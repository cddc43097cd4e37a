/**
 * The caller's end of a stream: an async iterator over what arrives.
 *
 * Rule 1: it begins with the first `next`; one that is never read costs nothing.
 * Rule 2: `return` ends it at once, also while a `next` waits. A generator could
 *         not: its `return` waits until the next item, which may never come.
 * Rule 3: what arrived before a failure is read before the failure.
 */

/** @import { AppError } from './rpc-messages.js' */
/** @import { PendingCall } from './rpc-peer.js' */

/**
 * @typedef {object} Reader  Waits for the next item.
 * @property {(result: IteratorResult<any, void>) => void} resolve
 * @property {(error: AppError) => void} reject
 */

/** @implements {AsyncIterableIterator<any, void, void>} */
export class ItemStream {
  #begin;

  /** Null before the first `next`. @type {(() => void) | null} */
  #cancel = null;

  /** @type {unknown[]} */
  #items = [];

  /** @type {Reader[]} */
  #readers = [];

  #isOver = false;

  /** @type {AppError | null} */
  #failure = null;

  /**
   * @param {(pending: PendingCall) => () => void} begin  Begins the call and
   *   returns what cancels it.
   */
  constructor(begin) {
    this.#begin = begin;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<any, void>>} */
  next() {
    if (!this.#cancel && !this.#isOver) this.#start();
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      this.#serve();
    });
  }

  /** @returns {Promise<IteratorResult<any, void>>} */
  async return() {
    this.#items = [];
    this.#failure = null;
    this.#end();
    this.#cancel?.();
    return { done: true, value: undefined };
  }

  /**
   * @param {unknown} error
   * @returns {Promise<IteratorResult<any, void>>}
   */
  async throw(error) {
    await this.return();
    throw error;
  }

  #start() {
    // The call may fail before `begin` returns.
    this.#cancel = () => {};
    this.#cancel = this.#begin({
      reply: () => this.#end(),
      item: (item) => {
        this.#items.push(item);
        this.#serve();
      },
      end: () => this.#end(),
      fail: (error) => {
        this.#failure = error;
        this.#end();
      },
    });
  }

  #end() {
    this.#isOver = true;
    this.#serve();
  }

  #serve() {
    while (this.#items.length > 0 || this.#isOver) {
      const reader = this.#readers.shift();
      if (!reader) return;
      if (this.#items.length > 0) {
        reader.resolve({ done: false, value: this.#items.shift() });
      } else if (this.#failure) {
        reader.reject(this.#failure);
        this.#failure = null;
      } else {
        reader.resolve({ done: true, value: undefined });
      }
    }
  }
}
