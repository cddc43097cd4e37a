/**
 * A Web Lock that lives as long as its owner: whoever gets it next knows that the
 * owner is dead. No heartbeat could tell a dead worker from a busy one.
 *
 * Source: https://w3c.github.io/web-locks/
 */

/**
 * @typedef {object} Locks  A LockManager, as far as we use it.
 * @property {(name: string, options: {mode?: 'exclusive' | 'shared'},
 *   callback: () => any) => Promise<any>} request
 */

/**
 * Resolves when the lock is held, which it is until its owner dies.
 *
 * @param {Locks} locks
 * @param {string} name
 * @returns {Promise<void>}
 */
export async function lockForLife(locks, name) {
  /** @type {Promise<void>} */
  const held = new Promise((resolve, reject) => {
    const hold = () => {
      resolve();
      return new Promise(() => {});
    };
    locks.request(name, {}, hold).catch(reject);
  });
  await held;
}

/**
 * Resolves when nobody holds the lock for life. Any number may wait.
 *
 * @param {Locks} locks
 * @param {string} name
 * @returns {Promise<void>}
 */
export async function lockFree(locks, name) {
  await locks.request(name, { mode: 'shared' }, () => {});
}
