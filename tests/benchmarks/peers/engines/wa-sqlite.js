/**
 * wa-sqlite on one of its file systems, built as that one needs it: synchronous
 * where it can be, else with JavaScript Promise Integration.
 *
 * The newest file systems are on npm only in the fork of its main user, which is
 * what is bundled.
 */

import * as SQLite from '@journeyapps/wa-sqlite';
import createSync from '@journeyapps/wa-sqlite/dist/wa-sqlite.mjs';
import createJspi from '@journeyapps/wa-sqlite/dist/wa-sqlite-jspi.mjs';
import { AccessHandlePoolVFS } from '@journeyapps/wa-sqlite/src/examples/AccessHandlePoolVFS.js';
import { IDBBatchAtomicVFS } from '@journeyapps/wa-sqlite/src/examples/IDBBatchAtomicVFS.js';
import { IDBMirrorVFS } from '@journeyapps/wa-sqlite/src/examples/IDBMirrorVFS.js';
import { OPFSCoopSyncVFS } from '@journeyapps/wa-sqlite/src/examples/OPFSCoopSyncVFS.js';
import { OPFSWriteAheadVFS } from '@journeyapps/wa-sqlite/src/examples/OPFSWriteAheadVFS.js';
import { WaSqlite } from './wa-sqlite-connection.js';

const BUILDS = { sync: createSync, jspi: createJspi };
const FILE_SYSTEMS = {
  AccessHandlePoolVFS,
  IDBBatchAtomicVFS,
  IDBMirrorVFS,
  OPFSCoopSyncVFS,
  OPFSWriteAheadVFS,
};

export async function open({
  database,
  fileSystem,
  build,
  synchronous,
  locking,
}) {
  const module = await BUILDS[build]();
  const sqlite = SQLite.Factory(module);
  const vfs = await FILE_SYSTEMS[fileSystem].create(
    `${fileSystem}-${database}`,
    module,
  );
  sqlite.vfs_register(vfs, true);
  const db = await sqlite.open_v2(database);
  // Of its files only the database is durable; IDBMirrorVFS breaks it when SQLite
  // puts what it sorts into one more.
  await sqlite.exec(
    db,
    `PRAGMA locking_mode = ${locking}; PRAGMA synchronous = ${synchronous};
     PRAGMA temp_store = MEMORY`,
  );
  return new WaSqlite(sqlite, db, vfs);
}
