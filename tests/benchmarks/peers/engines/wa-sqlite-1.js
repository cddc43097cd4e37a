/** wa-sqlite as npm has it under its own name, on its file system for IndexedDB. */

import * as SQLite from 'wa-sqlite';
import createModule from 'wa-sqlite/dist/wa-sqlite-async.mjs';
import { IDBBatchAtomicVFS } from 'wa-sqlite/src/examples/IDBBatchAtomicVFS.js';
import { WaSqlite } from './wa-sqlite-connection.js';

export async function open({ database, durability, synchronous, locking }) {
  const sqlite = SQLite.Factory(await createModule());
  const vfs = new IDBBatchAtomicVFS(database, { durability });
  sqlite.vfs_register(vfs, true);
  const db = await sqlite.open_v2(database);
  await sqlite.exec(
    db,
    `PRAGMA locking_mode = ${locking}; PRAGMA synchronous = ${synchronous};
     PRAGMA temp_store = MEMORY`,
  );
  return new WaSqlite(sqlite, db, vfs);
}
