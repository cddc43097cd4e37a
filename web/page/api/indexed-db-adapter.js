/**
 * The original's adapter, over the host: the same names and shapes, so that code
 * written for it runs on this.
 */

import { evictionRisk } from '../../core/eviction-risk.js';
import { AGENTOS_DATABASE } from '../../core/names.js';
import { currentRelease } from '../current-release.js';
import { isInOpfs, noteOpfs, whileEncrypting } from '../preferences.js';
import { connectToHost } from '../rpc-client.js';
import { checkedBackup } from './checked-backup.js';
import { closed, OpenDatabase } from './open-database.js';
import { PreparedStatement } from './prepared-statement.js';
import { Transaction } from './transaction.js';

/** @import * as T from '../../client-types.js' */

/** One SQL database in this browser, durable as its mode says. */
export class IndexedDbAdapter {
  #options;

  /** Null before `open` and after `close`. @type {Promise<OpenDatabase> | null} */
  #opening = null;

  /** @type {OpenDatabase | null} */
  #session = null;

  /** @param {T.StorageOptions} [options] */
  constructor(options = {}) {
    this.#options = options;
  }

  /** 'indexeddb', or 'memory' if that was asked for. */
  get kind() {
    const { platform, persistence = true } = this.#options;
    return platform === 'memory' || !persistence ? 'memory' : 'indexeddb';
  }

  /** Of an open database. @returns {ReadonlySet<string>} */
  get capabilities() {
    return new Set(this.session.opened.capabilities);
  }

  /** @returns {T.Resolution} */
  get resolution() {
    return this.session.opened.resolution;
  }

  /** The open connection; for the classes of this folder. */
  get session() {
    if (!this.#session) throw closed();
    return this.#session;
  }

  /**
   * A second call does nothing.
   *
   * @param {{withSchema?: boolean} & T.CallOptions} [options]  With the six tables.
   */
  async open({ withSchema = false, signal } = {}) {
    this.#opening ??= this.#connect(!withSchema, signal);
    const opening = this.#opening;
    try {
      const session = await opening;
      // Closed meanwhile: it stays so.
      if (this.#opening === opening) this.#session = session;
    } catch (error) {
      if (this.#opening === opening) this.#opening = null;
      throw error;
    }
  }

  /** Make everything durable and close. A second call does nothing. */
  async close() {
    const opening = this.#opening;
    this.#opening = null;
    this.#session = null;
    if (!opening) return;
    const session = await opening;
    session.stop();
    await session.call('storage.close', {});
  }

  /**
   * Run exactly one statement.
   *
   * @param {string} sql
   * @param {T.Parameters} [params]  Positional, or named with or without prefix.
   * @param {T.WriteOptions} [options]
   * @returns {Promise<T.RunResult>}
   */
  async run(sql, params, options) {
    return this.session.call('db.run', { sql, params }, options);
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Row | null>} The first row.
   */
  async get(sql, params, options) {
    return this.session.call('db.get', { sql, params }, options);
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Row[]>}
   */
  async all(sql, params, options) {
    return this.session.call('db.all', { sql, params }, options);
  }

  /**
   * Run every statement of a script, each on its own.
   *
   * @param {string} script
   * @param {T.WriteOptions} [options]
   */
  async exec(script, options) {
    await this.session.call('db.exec', { script }, options);
  }

  /**
   * Commit what *work* does, or undo it if it throws. Others wait meanwhile; a
   * transaction that is idle for 30 seconds is rolled back.
   *
   * @template R
   * @param {(transaction: Transaction) => Promise<R>} work
   * @param {T.CallOptions} [options]  Aborting undoes it.
   * @returns {Promise<R>}
   */
  async transaction(work, options) {
    const { session } = this;
    const { transactionId } = await session.call('db.begin', {}, options);
    const transaction = new Transaction(session, transactionId, options);
    try {
      const result = await work(transaction);
      await session.call('db.commit', { transactionId }, options);
      return result;
    } catch (error) {
      await rollBack(session, transactionId);
      throw error;
    }
  }

  /**
   * Run all in one transaction; one that fails is left out.
   *
   * @param {T.BatchOperation[]} operations
   * @param {T.WriteOptions} [options]
   * @returns {Promise<T.BatchResult>}
   */
  async batch(operations, options) {
    return this.session.call('db.batch', { operations }, options);
  }

  /**
   * @param {string} sql
   * @param {T.CallOptions} [options]
   * @returns {Promise<PreparedStatement>} Checked; the host keeps it compiled.
   */
  async prepare(sql, options) {
    await this.session.call('db.check', { sql }, options);
    return new PreparedStatement(this, sql);
  }

  /**
   * Resolves when everything committed so far is durable.
   *
   * @param {T.CallOptions} [options]
   */
  async flush(options) {
    await this.session.call('storage.flush', {}, options);
  }

  /**
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.StorageStatus>}
   */
  async status(options) {
    const { session } = this;
    const [status, release] = await Promise.all([
      session.call('storage.status', {}, options),
      currentRelease(),
    ]);
    const { userAgent } = navigator;
    return {
      ...status,
      evictionRisk: evictionRisk({
        ...status,
        userAgent,
        isInstalled: isInstalled(),
      }),
      release,
      sharedHost: session.rpc.isShared,
    };
  }

  /**
   * See `AgentOSStorage.diagnose`.
   *
   * @param {T.DiagnoseOptions} [options]
   * @returns {Promise<T.Diagnosis>}
   */
  async diagnose({ verify, integrityCheck, signal } = {}) {
    const argument = { verify, integrityCheck };
    const { session } = this;
    const [diagnosis, build] = await Promise.all([
      session.call('storage.diagnose', argument, { signal }),
      currentRelease(),
    ]);
    return { ...diagnosis, build };
  }

  /**
   * See `AgentOSStorage.encrypt`.
   *
   * @param {string} passphrase
   * @param {{cipher?: T.Cipher | undefined}} [options]
   */
  async encrypt(passphrase, { cipher } = {}) {
    const { session } = this;
    const encrypt = () =>
      session.call('storage.encrypt', { passphrase, cipher });
    // The Workbench keeps a little of its database as plain text.
    const isWorkbenchs =
      this.#options.dbName === AGENTOS_DATABASE && this.kind === 'indexeddb';
    await (isWorkbenchs ? whileEncrypting(encrypt) : encrypt());
  }

  /**
   * @param {string} current
   * @param {string} next
   */
  async changePassphrase(current, next) {
    const argument = { current, new: next };
    await this.session.call('storage.changePassphrase', argument);
  }

  /** @param {string} passphrase */
  async decrypt(passphrase) {
    await this.session.call('storage.decrypt', { passphrase });
  }

  /**
   * See `AgentOSStorage.moveTo`.
   *
   * @param {T.Store} store
   * @param {{passphrase?: string | undefined}} [options]
   */
  async moveTo(store, { passphrase } = {}) {
    if (store === 'opfs' && this.session.rpc.isShared) {
      await this.#reopenDedicated(passphrase);
    }
    await this.session.call('storage.moveTo', { store });
    noteOpfs(store === 'opfs');
  }

  /** See `AgentOSStorage.lock`. */
  async lock() {
    await this.session.call('storage.lock', {});
  }

  /**
   * A SQLite file, plain unless asked for otherwise.
   *
   * @param {T.ExportOptions} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async exportDatabase({ signal, ...argument } = {}) {
    return this.session.call('storage.exportDatabase', argument, { signal });
  }

  /**
   * The same as a file to download, which is nowhere in memory as a whole.
   *
   * @param {T.ExportOptions} [options]
   * @returns {Promise<Blob>}
   */
  async exportBlob({ signal, ...argument } = {}) {
    const { session } = this;
    const file = await session.call('storage.exportBlob', argument, { signal });
    if (file instanceof Blob) return file;
    return new Blob([file], { type: 'application/vnd.sqlite3' });
  }

  /**
   * Become what a SQLite file is. It is checked first; if it is refused, the
   * database is untouched.
   *
   * @param {Uint8Array | Blob} backup
   * @param {{trustSchema?: boolean, passphrase?: string} & T.CallOptions} [options]
   *   Accept triggers and views in it; open it, if it is encrypted. Aborting ends
   *   the reading; what the host has begun is finished.
   */
  async importDatabase(backup, options = {}) {
    const { trustSchema = false, passphrase, signal } = options;
    const bytes = await checkedBackup(backup, signal);
    const argument = { bytes, trustSchema, passphrase };
    await this.session.call('db.importDatabase', argument);
  }

  /**
   * From the host of all tabs to one of this page alone. The others are told.
   *
   * @param {string | undefined} passphrase
   */
  async #reopenDedicated(passphrase) {
    const { session } = this;
    await session.call('storage.flush', {});
    session.stop();
    const options = { ...this.#options, store: undefined };
    if (passphrase !== undefined) options.passphrase = passphrase;
    const host = { dedicated: true, takeOver: true };
    const bare = !session.withSchema;
    this.#opening = this.#connectTo(host, options, bare, undefined);
    this.#session = await this.#opening;
  }

  /**
   * @param {boolean} bare
   * @param {AbortSignal | undefined} signal
   */
  async #connect(bare, signal) {
    const { takeOver = false, store } = this.#options;
    const isPersistent = this.kind === 'indexeddb';
    const dedicated = isPersistent && (store === 'opfs' || isInOpfs());
    const host = { takeOver, dedicated };
    try {
      return await this.#connectTo(host, this.#options, bare, signal);
    } catch (error) {
      const { code } = /** @type {{code?: string}} */ (error);
      if (code !== 'dedicated_worker_required' || dedicated) throw error;
      noteOpfs(true);
      const own = { takeOver, dedicated: true };
      return this.#connectTo(own, this.#options, bare, signal);
    }
  }

  /**
   * @param {import('../rpc-client.js').HostOptions} host
   * @param {T.StorageOptions} options
   * @param {boolean} bare
   * @param {AbortSignal | undefined} signal
   */
  async #connectTo(host, options, bare, signal) {
    const { onProgress, onHostEvent } = options;
    const rpc = connectToHost(host);
    const stop = rpc.listen((name, payload) => {
      if (name === 'progress') onProgress?.(payload);
      if (name === 'status' || name === 'host') onHostEvent?.(name, payload);
    });
    try {
      const argument = { ...hostOptions(options), bare };
      const opened = await rpc.call('storage.open', argument, { signal });
      if (options.store) noteOpfs(options.store === 'opfs');
      return new OpenDatabase(rpc, opened, stop, !bare);
    } catch (error) {
      stop();
      throw error;
    }
  }
}

/**
 * What the host is told. Options of the original that mean nothing here are not
 * sent: some hold functions.
 *
 * @param {T.StorageOptions} options
 */
function hostOptions(options) {
  const { dbName = 'app-db', platform, persistence } = options;
  const { durability, autoSave, saveIntervalMs } = options;
  const { passphrase, cipher, store } = options;
  return {
    passphrase,
    cipher,
    store,
    dbName,
    platform,
    persistence,
    durability,
    autoSave,
    saveIntervalMs,
  };
}

/**
 * @param {OpenDatabase} session
 * @param {string} transactionId
 */
async function rollBack(session, transactionId) {
  try {
    await session.call('db.rollback', { transactionId });
  } catch {
    // The host cannot be asked any more, and then it has rolled back by itself.
    // What made this necessary is the error that the caller needs.
  }
}

function isInstalled() {
  // Safari on iOS says it by a property of its own.
  const { standalone } = /** @type {{standalone?: boolean}} */ (navigator);
  if (standalone === true) return true;
  const modes = ['standalone', 'minimal-ui', 'window-controls-overlay'];
  return modes.some((mode) => matchMedia(`(display-mode: ${mode})`).matches);
}
