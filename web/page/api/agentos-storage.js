/** The six tables, typed, on one adapter. */

import { checkedBackup } from './checked-backup.js';
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
   * Encrypt the database and its restore points. Afterwards nothing of it is
   * stored as plain text, and there is no way back without the passphrase.
   *
   * @param {string} passphrase
   * @param {{cipher?: T.Cipher}} [options]
   * @returns {Promise<void>}
   */
  encrypt(passphrase, { cipher } = {}) {
    return this.#db.encrypt(passphrase, { cipher });
  }

  /**
   * @param {string} current
   * @param {string} next
   * @returns {Promise<void>}
   */
  changePassphrase(current, next) {
    return this.#db.changePassphrase(current, next);
  }

  /**
   * Make the database and its restore points plain again.
   *
   * @param {string} passphrase
   * @returns {Promise<void>}
   */
  decrypt(passphrase) {
    return this.#db.decrypt(passphrase);
  }

  /**
   * Close an encrypted database for all tabs, until one opens it with the
   * passphrase. What needs it meanwhile fails with `passphrase_required`.
   *
   * @returns {Promise<void>}
   */
  lock() {
    return this.#db.lock();
  }

  /**
   * Keep the image of the database elsewhere, atomically and durably.
   *
   * In `opfs` only what is used of it is in memory, and one tab at a time has it:
   * other tabs, and other open databases of this page, end with `host_changed`.
   *
   * @param {T.Store} store
   * @param {{passphrase?: string}} [options]  Of an encrypted database.
   * @returns {Promise<void>}
   * @throws {AppError} `opfs_unavailable`, `too_large_for_memory`, `quota_exceeded`,
   *   …: it stays where it was.
   */
  moveTo(store, { passphrase } = {}) {
    return this.#db.moveTo(store, { passphrase });
  }

  /**
   * What `prune` would delete now. Nothing is changed.
   *
   * @param {T.PruneChoice} choice
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.PrunePlan>}
   */
  planPrune({ olderThan, keep }, options) {
    const choice = { olderThan: timeOf(olderThan), keep };
    return this.#db.session.call('storage.planPrune', choice, options);
  }

  /**
   * Delete old conversations and what belongs to them, and give space back. Once
   * begun it is finished.
   *
   * @param {T.PruneChoice & T.PruneOptions} choice
   * @returns {Promise<T.PruneReport>}
   */
  prune({ olderThan, keep, keepRestorePoint, deleteRestorePoints }) {
    return this.#db.session.call('storage.prune', {
      olderThan: timeOf(olderThan),
      keep,
      keepRestorePoint,
      deleteRestorePoints,
    });
  }

  /**
   * A SQLite file, plain unless asked for otherwise.
   *
   * @param {T.ExportOptions} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  exportDatabase(options) {
    return this.#db.exportDatabase(options);
  }

  /**
   * The same as a file to download, which is nowhere in memory as a whole.
   *
   * @param {T.ExportOptions} [options]
   */
  exportBlob(options) {
    return this.#db.exportBlob(options);
  }

  /**
   * What a backup holds, and whether it can be imported. Nothing is changed.
   *
   * @param {Uint8Array | Blob} backup
   * @param {{passphrase?: string} & T.CallOptions} [options]  Of the backup, if it
   *   is encrypted.
   * @returns {Promise<T.BackupInspection>}
   */
  async inspectBackup(backup, { passphrase, signal } = {}) {
    const bytes = await checkedBackup(backup, signal);
    const argument = { bytes, passphrase };
    return this.#db.session.call('storage.inspectBackup', argument, { signal });
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
    const { mode = 'replace', passphrase, onProgress, signal } = options;
    onProgress?.({ phase: 'read', fraction: 0 });
    const bytes = await checkedBackup(backup, signal);
    // It goes on when nobody waits any more, so no signal goes along.
    const report = await this.#db.session.call(
      'storage.importDatabase',
      { bytes, mode, passphrase },
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
   * @param {{passphrase?: string}} [options]  Of the restore point, if it is not
   *   that of the database.
   * @returns {Promise<T.RestorePoint>} The state before, so that this can be undone.
   */
  restore(id, { passphrase } = {}) {
    return this.#db.session.call('storage.restore', { id, passphrase });
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

  /**
   * How the database is, with no word of its content.
   *
   * @param {T.DiagnoseOptions} [options]
   * @returns {Promise<T.Diagnosis>}
   */
  diagnose(options) {
    return this.#db.diagnose(options);
  }

  /**
   * What was set aside as damaged, of all databases of this origin.
   *
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.QuarantinedItem[]>} Oldest first.
   */
  quarantine(options) {
    return this.#db.session.call('storage.quarantine', {}, options);
  }

  /**
   * @param {number} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>} As it was stored.
   */
  readQuarantined(id, options) {
    return this.#db.session.call('storage.readQuarantined', { id }, options);
  }

  /**
   * Delete it for good.
   *
   * @param {number} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<void>}
   */
  deleteQuarantined(id, options) {
    return this.#db.session.call('storage.deleteQuarantined', { id }, options);
  }

  /** Make everything durable and close. */
  close() {
    return this.#db.close();
  }
}

/** @param {number | Date | undefined} moment */
function timeOf(moment) {
  return moment instanceof Date ? moment.getTime() : moment;
}
