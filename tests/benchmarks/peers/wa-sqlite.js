/**
 * wa-sqlite on its "featured IndexedDB VFS", in a page, behind the few methods of
 * the original that the tests of faults call.
 */

import * as SQLite from 'wa-sqlite';
import createModule from './node_modules/wa-sqlite/dist/wa-sqlite-async.mjs';
import { IDBBatchAtomicVFS } from './node_modules/wa-sqlite/src/examples/IDBBatchAtomicVFS.js';
import { createTag } from './node_modules/wa-sqlite/src/examples/tag.js';

export class WaSqliteAdapter {
  #dbName;
  #close = async () => {};
  #query;

  constructor({ dbName }) {
    this.#dbName = dbName;
  }

  async open() {
    const sqlite = SQLite.Factory(await createModule());
    const vfs = new IDBBatchAtomicVFS(this.#dbName);
    sqlite.vfs_register(vfs, true);
    const db = await sqlite.open_v2(this.#dbName);
    this.#query = createTag(sqlite, db);
    this.#close = async () => {
      await sqlite.close(db);
      await vfs.close();
    };
  }

  async run(sql, parameters = []) {
    await this.#query(sql, [parameters]);
  }

  async exec(script) {
    await this.#query([script]);
  }

  async all(sql) {
    const [{ columns, rows } = { rows: [] }] = await this.#query([sql]);
    return rows.map((row) =>
      Object.fromEntries(row.map((value, at) => [columns[at], value])),
    );
  }

  close() {
    return this.#close();
  }
}
