/** PostgreSQL: PGlite on IndexedDB, which stores whole files after each query. */

import { PGlite } from '@electric-sql/pglite';

export async function open({ database, relaxed }) {
  const db = await PGlite.create(`idb://${database}`, {
    relaxedDurability: relaxed,
  });
  return new Postgres(db);
}

class Postgres {
  #db;

  constructor(db) {
    this.#db = db;
  }

  async run(sql, parameters = []) {
    await this.#db.query(numbered(sql), parameters);
  }

  async all(sql, parameters = []) {
    return (await this.#db.query(numbered(sql), parameters)).rows;
  }

  async get(sql, parameters = []) {
    return (await this.all(sql, parameters))[0];
  }

  async exec(script) {
    await this.#db.exec(script);
  }

  makeDurable() {
    return this.#db.syncToFs();
  }

  async close() {
    await this.#db.close();
  }
}

/** PostgreSQL names parameters by number. */
function numbered(sql) {
  let count = 0;
  return sql.replaceAll('?', () => `$${++count}`);
}
