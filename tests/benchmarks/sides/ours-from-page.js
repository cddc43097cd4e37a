/** Our side from JavaScript: every call crosses to the host and comes back. */

import { IndexedDbAdapter } from '/client.js';

export async function createSide() {
  const workload = await (await fetch('/bench/data/workload.json')).json();
  let adapter = null;

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

    async update({ count, turn, batch }) {
      const { data, places } = workload;
      const { rows } = await adapter.get(workload.rows);
      const times = [];
      let began = performance.now();
      for (let i = 0; i < count; i++) {
        const text = data[(7 * turn + i) % data.length];
        const place = places[(100 * turn + i) % places.length];
        const key = 1 + Math.floor(place * rows);
        await adapter.run(workload.update, [text, key]);
        if ((i + 1) % batch === 0) {
          const ended = performance.now();
          times.push((ended - began) / batch);
          began = ended;
        }
      }
      return { ms: times };
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

    async close() {
      await adapter.close();
      return null;
    },
  };

  return (method, args) => methods[method](args);
}
