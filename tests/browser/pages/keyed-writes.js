/**
 * A tab that writes on end. Each write has a key and is repeated until it is
 * acknowledged, also by the next document in the same tab.
 */

import { IndexedDbAdapter } from '/client.js';
import { hostLockName } from '/core/names.js';

/** What the tab has not had an answer to: the key, and the host that was asked. */
const PENDING = 'pending';

export class KeyedWrites {
  #options;

  /** @type {IndexedDbAdapter} */
  #db;
  #host = '';
  #isStopped = false;

  /** @param {object} options  Of the adapter. */
  constructor(options) {
    this.#options = options;
  }

  async open() {
    this.#db = new IndexedDbAdapter(this.#options);
    await this.#db.open();
    this.#host = await hostAlive();
    await this.#db.exec('CREATE TABLE IF NOT EXISTS entry (key TEXT NOT NULL)');
  }

  /**
   * @param {(key: string, at: number) => void} acknowledge  Called at once, with
   *   Unix milliseconds.
   */
  async write(acknowledge) {
    for (let isOpen = true; !this.#isStopped;) {
      const { key, host } = this.#pending();
      try {
        if (!isOpen) await this.open();
        isOpen = true;
        if (host === this.#host || !(await this.#isThere(key))) {
          await this.#insert(key);
        }
        acknowledge(key, Date.now());
        sessionStorage.removeItem(PENDING);
      } catch (error) {
        if (error.code !== 'host_changed') throw error;
        isOpen = false;
      }
    }
  }

  stop() {
    this.#isStopped = true;
  }

  /** @returns {Promise<{key: string, count: number}[]>} */
  counts() {
    return this.#db.all(
      'SELECT key, count(*) AS count FROM entry GROUP BY key',
    );
  }

  #pending() {
    const found = sessionStorage.getItem(PENDING);
    if (found) return JSON.parse(found);
    const pending = { key: crypto.randomUUID(), host: this.#host };
    sessionStorage.setItem(PENDING, JSON.stringify(pending));
    return pending;
  }

  /** A host knows the keys of its own time; what the one before did, the table tells. */
  async #isThere(key) {
    return (
      (await this.#db.get('SELECT 1 FROM entry WHERE key = ?', [key])) !== null
    );
  }

  async #insert(key) {
    await this.#db.run('INSERT INTO entry VALUES (?)', [key], {
      idempotencyKey: key,
    });
  }
}

/** The lock that only this host holds, for as long as it lives. */
async function hostAlive() {
  const { held } = await navigator.locks.query();
  return held.find(({ name }) => name.startsWith(hostLockName(''))).name;
}
