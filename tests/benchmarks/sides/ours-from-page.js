/** Our side from JavaScript: every call crosses to the host and comes back. */

import { IndexedDbAdapter } from '/client.js';

const SUM =
  'SELECT count(*) AS n, sum(length(event_data)) AS sum FROM conversation_events';

export async function createSide() {
  const workload = await (await fetch('/bench/data/workload.json')).json();
  let adapter = null;
  let exported = null;

  /** Times of `count` calls, as a mean for every `batch` of them. */
  const timed = async (count, batch, call) => {
    const times = [];
    let began = performance.now();
    for (let i = 0; i < count; i++) {
      await call(i);
      if ((i + 1) % batch === 0) {
        const ended = performance.now();
        times.push((ended - began) / batch);
        began = ended;
      }
    }
    return times;
  };

  const methods = {
    async start({ database, durability }) {
      adapter = new IndexedDbAdapter({ dbName: database, durability });
      await adapter.open();
      const isNew = !(await adapter.get(
        "SELECT 1 FROM sqlite_schema WHERE name = 'conversation_events'",
      ));
      if (isNew) await adapter.exec(workload.schema);
      return null;
    },

    async fill({ bytes }) {
      while ((await adapter.get(workload.size)).size < bytes) {
        await adapter.run(workload.fill, [workload.text]);
      }
      return null;
    },

    describe: () => adapter.get(SUM),

    async update({ count, turn, batch }) {
      const { data, places } = workload;
      const { rows } = await adapter.get(workload.rows);
      let last = {};
      const ms = await timed(count, batch, (i) => {
        const text = data[(7 * turn + i) % data.length];
        const place = places[(100 * turn + i) % places.length];
        last = { text, key: 1 + Math.floor(place * rows) };
        return adapter.run(workload.update, [text, last.key]);
      });
      const row = await adapter.get(workload.select, [last.key]);
      return { ms, isThere: row.event_data === last.text };
    },

    /** The least that a call can ask: the cost of the way there and back. */
    async roundTrip({ count, batch }) {
      const call = () => adapter.get('SELECT 1 AS one');
      await timed(count, batch, call);
      return { ms: await timed(count, batch, call) };
    },

    /** Of one select, the mean. */
    async select() {
      const { rows } = await adapter.get(workload.rows);
      const keys = workload.places.slice(0, 500);
      const began = performance.now();
      for (const place of keys) {
        await adapter.get(workload.select, [1 + Math.floor(place * rows)]);
      }
      return { ms: (performance.now() - began) / keys.length };
    },

    async export() {
      const began = performance.now();
      exported = await adapter.exportDatabase();
      return { ms: performance.now() - began, bytes: exported.byteLength };
    },

    /** What was exported, until it is durable. */
    async import() {
      const began = performance.now();
      await adapter.importDatabase(exported);
      await adapter.flush();
      exported = null;
      return { ms: performance.now() - began };
    },

    async makeCounters({ count }) {
      await adapter.exec('CREATE TABLE counter (id INTEGER PRIMARY KEY, n)');
      for (let id = 0; id < count; id++) {
        await adapter.run('INSERT INTO counter VALUES (?, 0)', [id]);
      }
      return null;
    },

    /** Count as fast as it goes, each step durable, for `ms`. */
    async contend({ number, ms }) {
      const began = performance.now();
      let count = 0;
      let slowest = 0;
      for (let now = began; now - began < ms; count++) {
        await adapter.run('UPDATE counter SET n = n + 1 WHERE id = ?', [
          number,
        ]);
        const ended = performance.now();
        slowest = Math.max(slowest, ended - now);
        now = ended;
      }
      return { count, slowest, ms: performance.now() - began };
    },

    async counted() {
      return (await adapter.get('SELECT sum(n) AS n FROM counter')).n;
    },

    async collect() {
      globalThis.gc?.();
      return null;
    },

    async close() {
      await adapter.close();
      return null;
    },
  };

  return (method, args) => methods[method](args);
}
