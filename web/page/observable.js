/**
 * A value that tells its readers when it changes.
 *
 * @template T
 */
export class Observable {
  /** @type {T} */
  #value;

  /** @type {Set<(value: T) => void>} */
  #listeners = new Set();

  /** @param {T} value */
  constructor(value) {
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  /** @param {T} value  Listeners are called only if it is another one. */
  set(value) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  /**
   * Call *listener* now and after each change.
   *
   * @param {(value: T) => void} listener
   * @param {{ signal?: AbortSignal }} [options]
   */
  subscribe(listener, { signal } = {}) {
    if (signal?.aborted) return;
    this.#listeners.add(listener);
    signal?.addEventListener('abort', () => this.#listeners.delete(listener));
    listener(this.#value);
  }
}
