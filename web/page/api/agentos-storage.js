/** The six tables, typed, on one adapter. */

import { backupBytes } from './backup-bytes.js';
import {
  Conversations,
  Personas,
  Sessions,
  Telemetry,
  Workflows,
} from './repositories.js';

/** @import { IndexedDbAdapter } from './indexed-db-adapter.js' */
/** @import * as T from '../../client-types.js' */

export class AgentOSStorage {
  #db;

  /** @param {IndexedDbAdapter} db  Open, with its schema. */
  constructor(db) {
    this.#db = db;
    /** Conversations and what was said in them. */
    this.conversations = new Conversations(db);
    this.sessions = new Sessions(db);
    this.personas = new Personas(db);
    this.telemetry = new Telemetry(db);
    this.workflows = new Workflows(db);
  }

  getAdapter() {
    return this.#db;
  }

  get adapterKind() {
    return this.#db.kind;
  }

  get resolution() {
    return this.#db.resolution;
  }

  /**
   * Yields after each commit, of any tab, that wrote one of *tables*.
   *
   * @param {string[]} [tables]  Default: all.
   * @param {T.CallOptions} [options]
   * @returns {T.Stream<T.Change>}
   */
  watch(tables, options) {
    return this.#db.session.stream('storage.watch', { tables }, options);
  }

  /**
   * Resolves when everything committed so far is durable.
   *
   * @param {T.CallOptions} [options]
   */
  flush(options) {
    return this.#db.flush(options);
  }

  /** @param {T.CallOptions} [options] */
  status(options) {
    return this.#db.status(options);
  }

  /**
   * @param {T.CallOptions} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>} A plain SQLite file.
   */
  exportDatabase(options) {
    return this.#db.exportDatabase(options);
  }

  /**
   * The same as a file to download.
   *
   * @param {T.CallOptions} [options]
   */
  async exportBlob(options) {
    const bytes = await this.#db.exportDatabase(options);
    return new Blob([bytes], { type: 'application/vnd.sqlite3' });
  }

  /**
   * What a backup holds, and whether it can be imported. Nothing is changed.
   *
   * @param {Uint8Array | Blob} backup
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.BackupInspection>}
   */
  async inspectBackup(backup, options) {
    const bytes = await backupBytes(backup, options?.signal);
    return this.#db.session.call('storage.inspectBackup', { bytes }, options);
  }

  /**
   * Take over a backup after checking it. If it is refused, the database is
   * untouched; before it is replaced, its state is kept as a restore point.
   *
   * @param {Uint8Array | Blob} backup
   * @param {T.ImportOptions} [options]
   * @returns {Promise<T.ImportReport>}
   */
  async importDatabase(backup, options = {}) {
    const { mode = 'replace', onProgress, signal } = options;
    onProgress?.({ phase: 'read', fraction: 0 });
    const bytes = await backupBytes(backup, signal);
    // It goes on when nobody waits any more, so no signal goes along.
    const report = await this.#db.session.call(
      'storage.importDatabase',
      { bytes, mode },
      onProgress ? { onItem: onProgress } : {},
    );
    onProgress?.({ phase: 'done', fraction: 1 });
    return report;
  }

  /**
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.RestorePoint[]>} Newest first.
   */
  restorePoints(options) {
    return this.#db.session.call('storage.restorePoints', {}, options);
  }

  /**
   * Become what a restore point is; it stays. Once begun it is finished.
   *
   * @param {string} id
   * @returns {Promise<void>}
   */
  restore(id) {
    return this.#db.session.call('storage.restore', { id });
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  readRestorePoint(id, options) {
    return this.#db.session.call('storage.readRestorePoint', { id }, options);
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<void>}
   */
  deleteRestorePoint(id, options) {
    return this.#db.session.call('storage.deleteRestorePoint', { id }, options);
  }

  /** Make everything durable and close. */
  close() {
    return this.#db.close();
  }
}
