/** An open database of wa-sqlite, by its statements. */

const SQLITE_ROW = 100;

export class WaSqlite {
  #sqlite;
  #db;
  #vfs;

  constructor(sqlite, db, vfs) {
    this.#sqlite = sqlite;
    this.#db = db;
    this.#vfs = vfs;
  }

  async run(sql, parameters) {
    await this.all(sql, parameters);
  }

  async all(sql, parameters) {
    const sqlite = this.#sqlite;
    const found = [];
    for await (const statement of sqlite.statements(this.#db, sql)) {
      if (parameters) sqlite.bind_collection(statement, parameters);
      let columns;
      while ((await sqlite.step(statement)) === SQLITE_ROW) {
        columns ??= sqlite.column_names(statement);
        const row = sqlite.row(statement);
        found.push(
          Object.fromEntries(columns.map((name, at) => [name, row[at]])),
        );
      }
    }
    return found;
  }

  async get(sql, parameters) {
    return (await this.all(sql, parameters))[0];
  }

  async exec(script) {
    await this.#sqlite.exec(this.#db, script);
  }

  /** Each commit was. */
  async makeDurable() {}

  async close() {
    await this.#sqlite.close(this.#db);
    await this.#vfs.close();
  }
}
