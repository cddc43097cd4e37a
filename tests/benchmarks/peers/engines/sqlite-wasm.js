/** SQLite's own WebAssembly build, on its pool of OPFS access handles. */

import sqlite3InitModule from '@sqlite.org/sqlite-wasm';

export async function open({ database, synchronous, locking }) {
  const sqlite3 = await sqlite3InitModule();
  const pool = await sqlite3.installOpfsSAHPoolVfs({
    name: `sahpool-${database}`,
    directory: `/sqlite-wasm/${database}`,
  });
  const db = new pool.OpfsSAHPoolDb(`/${database}`);
  db.exec(`PRAGMA locking_mode = ${locking}; PRAGMA synchronous = ${synchronous};
     PRAGMA temp_store = MEMORY`);
  return new SqliteWasm(db);
}

class SqliteWasm {
  #db;

  constructor(db) {
    this.#db = db;
  }

  async run(sql, bind) {
    this.#db.exec({ sql, bind });
  }

  async all(sql, bind) {
    const found = [];
    this.#db.exec({ sql, bind, rowMode: 'object', resultRows: found });
    return found;
  }

  async get(sql, bind) {
    return (await this.all(sql, bind))[0];
  }

  async exec(script) {
    this.#db.exec(script);
  }

  /** Each commit was. */
  async makeDurable() {}

  async close() {
    this.#db.close();
  }
}
