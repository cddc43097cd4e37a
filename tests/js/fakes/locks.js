/**
 * Web Locks in memory: exclusive and shared, first come first served. A context
 * dies by `releaseAll`, as the browser does for it.
 */

/**
 * @typedef {object} Request
 * @property {'exclusive' | 'shared'} mode
 * @property {() => any} callback
 * @property {(result: any) => void} resolve
 * @property {LockContext} owner
 */

export class LockRegistry {
  /** @type {Map<string, {held: Request[], waiting: Request[]}>} */
  #locks = new Map();

  /** What one page or worker sees as `navigator.locks`. */
  context() {
    return new LockContext(this);
  }

  /**
   * @param {string} name
   * @param {Request} request
   */
  add(name, request) {
    const lock = this.#locks.get(name) ?? { held: [], waiting: [] };
    this.#locks.set(name, lock);
    lock.waiting.push(request);
    this.#grant(lock);
  }

  /** @param {LockContext} owner */
  releaseAll(owner) {
    for (const lock of this.#locks.values()) {
      lock.held = lock.held.filter((request) => request.owner !== owner);
      lock.waiting = lock.waiting.filter((request) => request.owner !== owner);
      this.#grant(lock);
    }
  }

  /** @param {{held: Request[], waiting: Request[]}} lock */
  #grant(lock) {
    for (let next = lock.waiting[0]; next; next = lock.waiting[0]) {
      const isFree =
        lock.held.length === 0 ||
        (next.mode === 'shared' && lock.held[0]?.mode === 'shared');
      if (!isFree) return;
      lock.waiting.shift();
      lock.held.push(next);
      void this.#hold(lock, next);
    }
  }

  /**
   * @param {{held: Request[], waiting: Request[]}} lock
   * @param {Request} request
   */
  async #hold(lock, request) {
    const result = await request.callback();
    lock.held = lock.held.filter((other) => other !== request);
    request.resolve(result);
    this.#grant(lock);
  }
}

class LockContext {
  #registry;

  /** @param {LockRegistry} registry */
  constructor(registry) {
    this.#registry = registry;
  }

  /**
   * @param {string} name
   * @param {{mode?: 'exclusive' | 'shared'}} options
   * @param {() => any} callback
   * @returns {Promise<any>}
   */
  request(name, { mode = 'exclusive' }, callback) {
    return new Promise((resolve) => {
      this.#registry.add(name, { mode, callback, resolve, owner: this });
    });
  }

  /** The page or worker dies. */
  die() {
    this.#registry.releaseAll(this);
  }
}
