/**
 * The original's side, in a page, as its users run it.
 *
 * Its `run` promises nothing durable, and it has no public way to ask for it; the
 * timer would save within five seconds. The fairest reading of "made durable" is
 * to call its own save path and to wait for it: `saveToIndexedDb`, which the timer
 * calls too. The timer is off, so that it never works at the same time.
 */

import { countWrittenBytes, writtenBytes } from './written-bytes.js';

/** @param {string} peer  Name of the bundle. */
export async function createSide(peer) {
  countWrittenBytes();
  const from = `/bench/peers/${peer}/`;
  const workload = await (await fetch('/bench/data/workload.json')).json();
  let adapter = null;

  const open = async (database) => {
    const { IndexedDbAdapter } = await import(`${from}adapter.js`);
    const opened = new IndexedDbAdapter({
      dbName: `${peer}-${database}`,
      autoSave: false,
      sqlJsConfig: { locateFile: (name) => from + name },
    });
    await opened.open();
    return opened;
  };

  const methods = {
    /** Open, and answer a first query; with `warm`, the engine runs already. */
    async start({ database, warm }) {
      if (warm) await (await open(`${database}-warm`)).close();
      const began = performance.now();
      adapter = await open(database);
      const isNew = !(await adapter.get(
        "SELECT 1 FROM sqlite_schema WHERE name = 'conversation_events'",
      ));
      if (isNew) await adapter.exec(workload.schema);
      await adapter.all(workload.first);
      return { ms: performance.now() - began };
    },

    /** Grow to at least `bytes`. */
    async fill({ bytes }) {
      while ((await adapter.get(workload.size)).size < bytes) {
        await adapter.run(workload.fill, [workload.text]);
      }
      await adapter.saveToIndexedDb();
      return methods.describe();
    },

    async describe() {
      const { size } = await adapter.get(workload.size);
      const { rows } = await adapter.get(workload.rows);
      return { size, rows };
    },

    /**
     * `count` times: update one row, and wait until it is durable. Returns the
     * time of each, as a mean for every `batch` of them.
     */
    async update({ count, turn, batch }) {
      const { data, places } = workload;
      const { rows } = await adapter.get(workload.rows);
      const before = writtenBytes();
      const times = [];
      let began = performance.now();
      for (let i = 0; i < count; i++) {
        const text = data[(7 * turn + i) % data.length];
        const place = places[(100 * turn + i) % places.length];
        const key = 1 + Math.floor(place * rows);
        await adapter.run(workload.update, [text, key]);
        await adapter.saveToIndexedDb();
        if ((i + 1) % batch === 0) {
          const ended = performance.now();
          times.push((ended - began) / batch);
          began = ended;
        }
      }
      return { ms: times, bytes: (writtenBytes() - before) / count };
    },

    /** All rows in one transaction, each awaited; then durable. */
    async insert() {
      const rows = await (await fetch('/bench/data/rows.json')).json();
      const began = performance.now();
      await adapter.transaction(async (transaction) => {
        for (const row of rows) await transaction.run(workload.insert, row);
      });
      const committed = performance.now();
      await adapter.saveToIndexedDb();
      return {
        ms: committed - began,
        durableMs: performance.now() - began,
      };
    },

    async select() {
      const began = performance.now();
      let found = 0;
      for (const key of workload.keys) {
        if (await adapter.get(workload.select, [key])) found++;
      }
      return { ms: performance.now() - began, found };
    },

    async collect() {
      globalThis.gc?.();
      return null;
    },

    /**
     * Its promises resolve before the last transaction is complete; if the page
     * goes then, what was saved is lost. A read comes after that transaction.
     */
    async close() {
      const { idb, storeName } = adapter;
      const reading = idb.transaction(storeName).objectStore(storeName);
      const all = reading.count();
      await new Promise((resolve, reject) => {
        all.onsuccess = resolve;
        all.onerror = reject;
      });
      await adapter.close();
      return null;
    },
  };

  return (method, args) => methods[method](args);
}
