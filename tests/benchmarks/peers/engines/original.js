/**
 * The original's adapter, in a page, as its users run it.
 *
 * Its `run` promises nothing durable, and it has no public way to ask for it; the
 * timer would save within five seconds. The fairest reading of "made durable" is
 * to call its own save path and to wait for it: `saveToIndexedDb`, which the timer
 * calls too. The timer is off, so that it never works at the same time.
 */

import { IndexedDbAdapter } from '../original.js';

const here = new URL('.', import.meta.url).href;

export async function open({ database }) {
  const adapter = new IndexedDbAdapter({
    dbName: database,
    autoSave: false,
    sqlJsConfig: { locateFile: (name) => here + name },
  });
  await adapter.open();
  return new Original(adapter);
}

class Original {
  #adapter;

  constructor(adapter) {
    this.#adapter = adapter;
  }

  run(sql, parameters = []) {
    return this.#adapter.run(sql, parameters);
  }

  all(sql, parameters = []) {
    return this.#adapter.all(sql, parameters);
  }

  get(sql, parameters = []) {
    return this.#adapter.get(sql, parameters);
  }

  exec(script) {
    return this.#adapter.exec(script);
  }

  transaction(work) {
    return this.#adapter.transaction(work);
  }

  makeDurable() {
    return this.#adapter.saveToIndexedDb();
  }

  /**
   * Its promises resolve before the last transaction is complete; if the page
   * goes then, what was saved is lost. A read comes after that transaction.
   */
  async close() {
    const { idb, storeName } = this.#adapter;
    const all = idb.transaction(storeName).objectStore(storeName).count();
    await new Promise((resolve, reject) => {
      all.onsuccess = resolve;
      all.onerror = reject;
    });
    await this.#adapter.close();
  }
}
