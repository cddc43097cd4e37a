/** sql.js alone: in memory, and gone with its worker. */

import initSqlJs from 'sql.js';

const here = new URL('.', import.meta.url).href;

export async function open() {
  const { Database } = await initSqlJs({ locateFile: (name) => here + name });
  return new SqlJs(new Database());
}

class SqlJs {
  #db;
  #statements = new Map();

  constructor(db) {
    this.#db = db;
  }

  async run(sql, parameters = []) {
    this.#prepare(sql).run(parameters);
  }

  async all(sql, parameters = []) {
    const statement = this.#prepare(sql);
    statement.bind(parameters);
    const rows = [];
    while (statement.step()) rows.push(statement.getAsObject());
    statement.reset();
    return rows;
  }

  async get(sql, parameters = []) {
    return (await this.all(sql, parameters))[0];
  }

  async exec(script) {
    this.#db.exec(script);
  }

  async makeDurable() {}

  async close() {
    this.#db.close();
  }

  /** A statement is prepared once, as its documentation advises. */
  #prepare(sql) {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      if (this.#statements.size < 100) this.#statements.set(sql, statement);
    }
    return statement;
  }
}
