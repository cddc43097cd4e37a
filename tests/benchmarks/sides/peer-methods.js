/** What the benchmark asks of a peer, over the few calls that engines have. */

import { runTests, warmUp } from './sql-tests.js';
import { runRoundTrips } from './round-trips.js';
import { countWrittenBytes, writtenBytes } from './written-bytes.js';

/** @param {{ name: string, bundle: string, options: object }} peer */
export async function peerMethods({ name: peer, bundle, options }) {
  countWrittenBytes();
  const workload = await (await fetch('/bench/data/workload.json')).json();
  const load = () => import(`/bench/peers/${bundle}/engine.js`);
  let engine = null;

  const open = async (database) =>
    (await load()).open({ database: `${peer}-${database}`, ...options });

  const inTransaction = async (work) => {
    if (engine.transaction) return engine.transaction(work);
    await engine.exec('BEGIN');
    await work(engine);
    await engine.exec('COMMIT');
  };

  const methods = {
    /** Open, and answer a first query; with `warm`, the engine runs already. */
    async start({ database, warm }) {
      if (warm) await (await open(`${database}-warm`)).close();
      const began = performance.now();
      engine = await open(database);
      const isNew = !(await engine.get(
        "SELECT 1 FROM sqlite_schema WHERE name = 'conversation_events'",
      ));
      if (isNew) await engine.exec(workload.schema);
      await engine.all(workload.first);
      return { ms: performance.now() - began };
    },

    /** Open an empty database. */
    async startEmpty({ database }) {
      engine = await open(database);
      return null;
    },

    /** Grow to at least `bytes`. */
    async fill({ bytes }) {
      while ((await engine.get(workload.size)).size < bytes) {
        await engine.run(workload.fill, [workload.text]);
      }
      await engine.makeDurable();
      return methods.describe();
    },

    async describe() {
      const { size } = await engine.get(workload.size);
      const { rows } = await engine.get(workload.rows);
      return { size, rows };
    },

    /**
     * `count` times: update one row, and wait until it is durable. Returns the
     * time of each, as a mean for every `batch` of them.
     */
    async update({ count, turn, batch }) {
      const { data, places } = workload;
      const { rows } = await engine.get(workload.rows);
      const before = writtenBytes();
      const times = [];
      let last = {};
      let began = performance.now();
      for (let i = 0; i < count; i++) {
        const text = data[(7 * turn + i) % data.length];
        const place = places[(100 * turn + i) % places.length];
        const key = 1 + Math.floor(place * rows);
        await engine.run(workload.update, [text, key]);
        await engine.makeDurable();
        last = { text, key };
        if ((i + 1) % batch === 0) {
          const ended = performance.now();
          times.push((ended - began) / batch);
          began = ended;
        }
      }
      const bytes = (writtenBytes() - before) / count;
      const row = await engine.get(workload.select, [last.key]);
      return { ms: times, bytes, isThere: row.event_data === last.text };
    },

    /** All rows in one transaction, each awaited; then durable. */
    async insert() {
      const rows = await (await fetch('/bench/data/rows.json')).json();
      const began = performance.now();
      await inTransaction(async (transaction) => {
        for (const row of rows) await transaction.run(workload.insert, row);
      });
      const committed = performance.now();
      await engine.makeDurable();
      return {
        ms: committed - began,
        durableMs: performance.now() - began,
      };
    },

    async select() {
      const began = performance.now();
      let found = 0;
      for (const key of workload.keys) {
        if (await engine.get(workload.select, [key])) found++;
      }
      return { ms: performance.now() - began, found };
    },

    warmUp: ({ count }) => warmUp(engine, count),

    tests: ({ name, only }) => runTests(engine, name, only),

    roundTrips: (args) => runRoundTrips(engine, args),

    async collect() {
      globalThis.gc?.();
      return null;
    },

    async close() {
      await engine.close();
      return null;
    },
  };

  return methods;
}
