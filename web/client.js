/**
 * The JavaScript API: the same storage and the same agents as in Python.
 *
 *     const storage = await createAgentOSStorage();
 *     const db = storage.getAdapter();
 *     await db.run('INSERT INTO note VALUES (?)', ['buy milk']);
 *
 * Every failure is an `AppError` with a stable `code`. Every call takes a `signal`.
 * Data are plain: numbers, strings, booleans, null, BigInts, byte arrays, and arrays
 * and plain objects of these. Names and shapes are those of the original
 * `StorageAdapter`; what it made synchronous (`exportDatabase`) is asynchronous here.
 */

import { AppError } from './core/rpc-messages.js';
import { connectToHost } from './page/rpc-client.js';
import { bytesOfBackup } from './page/backup-file.js';
import { currentRelease } from './page/current-release.js';

/** @import * as T from './client-types.js' */
/** @import { RpcClient } from './page/rpc-client.js' */

/** @typedef {T.SqlValue} SqlValue */
/** @typedef {T.Durability} Durability */
/** @typedef {T.StorageStatus} StorageStatus */
/** @typedef {T.Conversation} Conversation */
/** @typedef {T.ConversationEvent} ConversationEvent */
/** @typedef {T.SearchHit} SearchHit */
/** @typedef {T.Session} Session */
/** @typedef {T.Persona} Persona */
/** @typedef {T.UsageRow} UsageRow */
/** @typedef {T.BackupInspection} BackupInspection */
/** @typedef {T.BackupProblem} BackupProblem */
/** @typedef {T.BackupCounts} BackupCounts */
/** @typedef {T.ImportReport} ImportReport */
/** @typedef {T.RestorePoint} RestorePoint */
/** @typedef {T.Provider} Provider */
/** @typedef {T.Chunk} Chunk */

export { AppError };

/**
 * Open a database with the six tables and their repositories.
 *
 * @param {T.StorageOptions} [options]
 * @returns {Promise<AgentOSStorage>}
 * @throws {AppError} `storage_in_use`, `store_unavailable`, `schema_too_new`, …
 */
export async function createAgentOSStorage(options = {}) {
  const db = new IndexedDbAdapter({ dbName: 'agentos', ...options });
  await db.open({ withSchema: true });
  return new AgentOSStorage(db);
}

/** One SQL database in this browser, durable as its mode says. */
export class IndexedDbAdapter {
  #options;

  /** @type {OpenDatabase | null} */
  #session = null;

  /** @param {T.StorageOptions} [options] */
  constructor(options = {}) {
    this.#options = options;
  }

  /** 'indexeddb', or 'memory' if that was asked for. */
  get kind() {
    return this.session.opened.kind;
  }

  /** @returns {ReadonlySet<string>} */
  get capabilities() {
    return new Set(this.session.opened.capabilities);
  }

  /** @returns {T.Resolution} */
  get resolution() {
    return this.session.opened.resolution;
  }

  /** The open connection; for the classes of this module. */
  get session() {
    if (!this.#session) throw closed();
    return this.#session;
  }

  /**
   * A second call does nothing.
   *
   * @param {{withSchema?: boolean}} [options]  With the six tables.
   */
  async open({ withSchema = false } = {}) {
    if (this.#session) return;
    const { onProgress, onHostEvent, takeOver, ...rest } = this.#options;
    const rpc = connectToHost(takeOver ? { takeOver } : {});
    const stop = rpc.listen((name, payload) => {
      if (name === 'progress') onProgress?.(payload);
      else if (name !== 'tail') onHostEvent?.(name, payload);
    });
    try {
      const opened = await rpc.call('storage.open', {
        dbName: 'app-db',
        ...rest,
        bare: !withSchema,
      });
      this.#session = new OpenDatabase(rpc, opened, stop);
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** Make everything durable and close. A second call does nothing. */
  async close() {
    const session = this.#session;
    this.#session = null;
    if (!session) return;
    session.stop();
    await session.call('storage.close', {});
  }

  /**
   * Run exactly one statement.
   *
   * @param {string} sql
   * @param {T.Parameters} [params]  Positional, or named with or without prefix.
   * @param {T.CallOptions} [options]
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
   * @param {T.CallOptions} [options]
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
   * @returns {Promise<R>}
   */
  async transaction(work) {
    const { session } = this;
    const { transactionId } = await session.call('db.begin', {});
    const transaction = new Transaction(session, transactionId);
    let result;
    try {
      result = await work(transaction);
    } catch (error) {
      await session.call('db.rollback', { transactionId });
      throw error;
    }
    await session.call('db.commit', { transactionId });
    return result;
  }

  /**
   * Run all in one transaction; one that fails is left out.
   *
   * @param {T.BatchOperation[]} operations
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.BatchResult>}
   */
  async batch(operations, options) {
    return this.session.call('db.batch', { operations }, options);
  }

  /**
   * @param {string} sql
   * @returns {Promise<PreparedStatement>} Checked; the host keeps it compiled.
   */
  async prepare(sql) {
    await this.session.call('db.check', { sql });
    return new PreparedStatement(this, sql);
  }

  /** Resolves when everything committed so far is durable. */
  async flush() {
    await this.session.call('storage.flush', {});
  }

  /** @returns {Promise<StorageStatus>} */
  async status() {
    const { session } = this;
    const [status, release] = await Promise.all([
      session.call('storage.status', {}),
      currentRelease(),
    ]);
    return { ...status, release, sharedHost: session.rpc.isShared };
  }

  /** @returns {Promise<Uint8Array<ArrayBuffer>>} A plain SQLite file. */
  async exportDatabase() {
    return this.session.call('storage.exportDatabase', {});
  }

  /**
   * Become what a SQLite file is. It is checked first; if it is refused, the
   * database is untouched.
   *
   * @param {Uint8Array | Blob} backup
   * @param {{trustSchema?: boolean}} [options]  Accept triggers and views in it.
   */
  async importDatabase(backup, { trustSchema = false } = {}) {
    const bytes = await bytesOfBackup(backup);
    await this.session.call('db.importDatabase', { bytes, trustSchema });
  }
}

/** The database inside one `transaction`; nests by savepoints. */
export class Transaction {
  #session;
  #id;
  #depth = 0;

  /**
   * @param {OpenDatabase} session
   * @param {string} id
   */
  constructor(session, id) {
    this.#session = session;
    this.#id = id;
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @returns {Promise<T.RunResult>}
   */
  run(sql, params) {
    return this.#call('db.run', { sql, params });
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @returns {Promise<T.Row | null>}
   */
  get(sql, params) {
    return this.#call('db.get', { sql, params });
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @returns {Promise<T.Row[]>}
   */
  all(sql, params) {
    return this.#call('db.all', { sql, params });
  }

  /** @param {string} script */
  exec(script) {
    return this.#call('db.exec', { script });
  }

  /**
   * @param {T.BatchOperation[]} operations
   * @returns {Promise<T.BatchResult>}
   */
  batch(operations) {
    return this.#call('db.batch', { operations });
  }

  /**
   * A savepoint: undone alone if *work* throws.
   *
   * @template R
   * @param {(transaction: Transaction) => Promise<R>} work
   * @returns {Promise<R>}
   */
  async transaction(work) {
    const name = `client_${this.#depth++}`;
    await this.run(`SAVEPOINT ${name}`);
    try {
      const result = await work(this);
      await this.run(`RELEASE ${name}`);
      return result;
    } catch (error) {
      await this.run(`ROLLBACK TO ${name}`);
      await this.run(`RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /**
   * @param {string} method
   * @param {object} argument
   */
  #call(method, argument) {
    return this.#session.call(method, { ...argument, transactionId: this.#id });
  }
}

/** A statement that has been checked, to run many times. */
export class PreparedStatement {
  #adapter;
  #sql;
  #isFinal = false;

  /**
   * @param {IndexedDbAdapter} adapter
   * @param {string} sql
   */
  constructor(adapter, sql) {
    this.#adapter = adapter;
    this.#sql = sql;
  }

  /** @param {T.Parameters} [params] */
  async run(params) {
    this.#check();
    return this.#adapter.run(this.#sql, params);
  }

  /** @param {T.Parameters} [params] */
  async get(params) {
    this.#check();
    return this.#adapter.get(this.#sql, params);
  }

  /** @param {T.Parameters} [params] */
  async all(params) {
    this.#check();
    return this.#adapter.all(this.#sql, params);
  }

  async finalize() {
    this.#isFinal = true;
  }

  #check() {
    if (this.#isFinal) throw closed();
  }
}

/** The six tables, typed, on one adapter. */
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
   * @returns {AsyncGenerator<T.Change, void, void>}
   */
  watch(tables, options) {
    return this.#db.session.stream('storage.watch', { tables }, options);
  }

  /** Resolves when everything committed so far is durable. */
  flush() {
    return this.#db.flush();
  }

  status() {
    return this.#db.status();
  }

  /** @returns {Promise<Uint8Array<ArrayBuffer>>} A plain SQLite file. */
  exportDatabase() {
    return this.#db.exportDatabase();
  }

  /** The same as a file to download. */
  async exportBlob() {
    const bytes = await this.#db.exportDatabase();
    return new Blob([bytes], { type: 'application/vnd.sqlite3' });
  }

  /**
   * What a backup holds, and whether it can be imported. Nothing is changed.
   *
   * @param {Uint8Array | Blob} backup
   * @param {T.CallOptions} [options]
   * @returns {Promise<BackupInspection>}
   */
  async inspectBackup(backup, options) {
    const bytes = await bytesOfBackup(backup);
    return this.#db.session.call('storage.inspectBackup', { bytes }, options);
  }

  /**
   * Take over a backup after checking it. If it is refused, the database is
   * untouched; before it is replaced, its state is kept as a restore point.
   *
   * @param {Uint8Array | Blob} backup
   * @param {T.ImportOptions} [options]
   * @returns {Promise<ImportReport>}
   */
  async importDatabase(backup, { mode = 'replace', onProgress } = {}) {
    onProgress?.({ phase: 'read', fraction: 0 });
    const bytes = await bytesOfBackup(backup);
    onProgress?.({ phase: 'import', fraction: 0.3 });
    const report = await this.#db.session.call('storage.importDatabase', {
      bytes,
      mode,
    });
    onProgress?.({ phase: 'done', fraction: 1 });
    return report;
  }

  /** @returns {Promise<RestorePoint[]>} Newest first. */
  restorePoints() {
    return this.#db.session.call('storage.restorePoints', {});
  }

  /** @param {string} id */
  restore(id) {
    return this.#db.session.call('storage.restore', { id });
  }

  /**
   * @param {string} id
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  readRestorePoint(id) {
    return this.#db.session.call('storage.readRestorePoint', { id });
  }

  /** @param {string} id */
  deleteRestorePoint(id) {
    return this.#db.session.call('storage.deleteRestorePoint', { id });
  }

  /** Make everything durable and close. */
  close() {
    return this.#db.close();
  }
}

/** What the repositories share. */
class Repository {
  #db;
  #name;

  /**
   * @param {IndexedDbAdapter} db
   * @param {string} name
   */
  constructor(db, name) {
    this.#db = db;
    this.#name = name;
  }

  /**
   * @param {string} verb
   * @param {object} argument
   * @param {T.CallOptions} [options]
   */
  ask(verb, argument, options) {
    return this.#db.session.call(`${this.#name}.${verb}`, argument, options);
  }
}

export class Conversations extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'conversations');
  }

  /**
   * Make the conversation hold exactly these events.
   *
   * @param {string} id
   * @param {string} userId
   * @param {string} personaId
   * @param {object[]} [events]  Each with `type`, and `timestamp` if it has one.
   * @param {{metadata?: object, title?: string}} [options]
   * @returns {Promise<Conversation>}
   */
  save(id, userId, personaId, events = [], options = {}) {
    return this.ask('save', { id, userId, personaId, events, ...options });
  }

  /**
   * @param {string} id
   * @returns {Promise<T.ConversationWithEvents | null>}
   */
  get(id) {
    return this.ask('get', { id });
  }

  /**
   * The last updated first.
   *
   * @param {string | null} [userId]  Null: of everybody.
   * @param {T.PageOptions} [options]
   * @returns {Promise<T.Page<Conversation>>}
   */
  list(userId = null, { signal, ...page } = {}) {
    return this.ask('list', { userId, ...page }, { signal });
  }

  /**
   * @param {string} id
   * @param {object} event
   * @returns {Promise<ConversationEvent>}
   */
  append(id, event) {
    return this.ask('append', { id, event });
  }

  /**
   * @param {string} id
   * @param {string | null} title
   * @returns {Promise<Conversation>}
   */
  rename(id, title) {
    return this.ask('rename', { id, title });
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>} Whether it existed.
   */
  delete(id) {
    return this.ask('delete', { id });
  }

  /**
   * Words that must all occur, the last as a beginning; phrases in quotes.
   *
   * @param {string} query
   * @param {{userId?: string, limit?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<SearchHit[]>}
   */
  search(query, { signal, ...rest } = {}) {
    return this.ask('search', { query, ...rest }, { signal });
  }
}

export class Sessions extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'sessions');
  }

  /**
   * @param {string} id
   * @param {string} userId
   * @param {string} displayName
   * @param {'persona' | 'agency'} targetType
   * @param {string} targetId
   * @param {object} [metadata]
   * @returns {Promise<Session>}
   */
  save(id, userId, displayName, targetType, targetId, metadata) {
    return this.ask('save', {
      id,
      userId,
      displayName,
      targetType,
      targetId,
      metadata,
    });
  }

  /**
   * @param {string} id
   * @returns {Promise<Session | null>}
   */
  get(id) {
    return this.ask('get', { id });
  }

  /**
   * @param {string | null} [userId]
   * @param {T.PageOptions & {targetType?: 'persona' | 'agency'}} [options]
   * @returns {Promise<T.Page<Session>>}
   */
  list(userId = null, { signal, ...rest } = {}) {
    return this.ask('list', { userId, ...rest }, { signal });
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  delete(id) {
    return this.ask('delete', { id });
  }
}

export class Personas extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'personas');
  }

  /**
   * @param {string} id
   * @param {string} displayName
   * @param {object} definition
   * @returns {Promise<Persona>}
   */
  cache(id, displayName, definition) {
    return this.ask('cache', { id, displayName, definition });
  }

  /**
   * @param {string} id
   * @returns {Promise<Persona | null>}
   */
  get(id) {
    return this.ask('get', { id });
  }

  /**
   * @param {T.PageOptions} [options]
   * @returns {Promise<T.Page<Persona>>}
   */
  list({ signal, ...page } = {}) {
    return this.ask('list', page, { signal });
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  delete(id) {
    return this.ask('delete', { id });
  }
}

export class Telemetry extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'telemetry');
  }

  /**
   * @param {string | null} sessionId
   * @param {string} eventType
   * @param {object} eventData
   * @returns {Promise<T.TelemetryRecord>}
   */
  record(sessionId, eventType, eventData) {
    return this.ask('record', { sessionId, eventType, eventData });
  }

  /**
   * @param {T.PageOptions & {sessionId?: string, eventType?: string,
   *   since?: number}} [options]
   * @returns {Promise<T.Page<T.TelemetryRecord>>}
   */
  list({ signal, ...rest } = {}) {
    return this.ask('list', rest, { signal });
  }

  /**
   * Tokens, cost and latency by day and model.
   *
   * @param {{since?: number | null, until?: number | null}} [options]
   * @returns {Promise<{rows: UsageRow[]}>}
   */
  summary(options = {}) {
    return this.ask('summary', options);
  }
}

export class Workflows extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'workflows');
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {object} definition
   * @returns {Promise<T.Workflow>}
   */
  save(id, name, definition) {
    return this.ask('save', { id, name, definition });
  }

  /**
   * @param {string} id
   * @returns {Promise<T.Workflow | null>}
   */
  get(id) {
    return this.ask('get', { id });
  }

  /**
   * @param {T.PageOptions} [options]
   * @returns {Promise<T.Page<T.Workflow>>}
   */
  list({ signal, ...page } = {}) {
    return this.ask('list', page, { signal });
  }

  /**
   * @param {string} id
   * @returns {Promise<boolean>}
   */
  delete(id) {
    return this.ask('delete', { id });
  }
}

/** The agent runtime on a storage. */
export class AgentOS {
  /** @type {IndexedDbAdapter | null} */
  #db = null;

  /** @type {Provider | undefined} */
  #provider;

  /**
   * @param {object} parts
   * @param {AgentOSStorage} [parts.storage]
   * @param {IndexedDbAdapter} [parts.storageAdapter]  Of an AgentOSStorage.
   * @param {Provider[]} [parts.providers]  The first is the default.
   */
  async initialize({ storage, storageAdapter, providers = [] }) {
    this.#db = storage?.getAdapter() ?? storageAdapter ?? null;
    [this.#provider] = providers;
    await this.listPersonas();
  }

  /**
   * @param {T.UserMessage} message
   * @returns {Promise<Chunk>} The final response.
   * @throws {AppError} What the provider failed with.
   */
  async handleUserMessage(message) {
    /** @type {Chunk | null} */
    let last = null;
    for await (const chunk of this.streamUserMessage(message)) last = chunk;
    if (last?.type === 'final_response') return last;
    const { code, message: text } = /** @type {any} */ (last ?? {});
    throw new AppError(code ?? 'internal', text ?? 'there was no answer', last);
  }

  /**
   * @param {T.UserMessage} message
   * @returns {AsyncGenerator<Chunk, void, void>} Leaving the loop stops the answer;
   *   what was said is kept.
   */
  streamUserMessage({ signal, provider = this.#provider, ...message }) {
    const argument = { ...message, provider };
    return this.#session.stream('agentos.stream', argument, { signal });
  }

  /** @returns {Promise<Persona[]>} */
  listPersonas() {
    return this.#session.call('agentos.personas', {});
  }

  /**
   * Reach the provider without asking it anything.
   *
   * @param {Provider} provider
   * @param {T.CallOptions} [options]
   * @returns {Promise<{models: string[]}>}
   */
  checkProvider(provider, options) {
    return this.#session.call('agentos.checkProvider', { provider }, options);
  }

  get #session() {
    if (!this.#db) throw closed();
    return this.#db.session;
  }
}

/** One open database over the connection of this page. */
class OpenDatabase {
  /**
   * @param {RpcClient} rpc
   * @param {{storageId: string, kind: string, capabilities: string[],
   *   resolution: T.Resolution}} opened
   * @param {() => void} stop  Listening to the host's events.
   */
  constructor(rpc, opened, stop) {
    this.rpc = rpc;
    this.opened = opened;
    this.stop = stop;
  }

  /**
   * @param {string} method
   * @param {object} argument
   * @param {T.CallOptions} [options]
   */
  call(method, argument, options) {
    const { storageId } = this.opened;
    return this.rpc.call(method, { storageId, ...argument }, options);
  }

  /**
   * @param {string} method
   * @param {object} argument
   * @param {T.CallOptions} [options]
   */
  stream(method, argument, options) {
    const { storageId } = this.opened;
    return this.rpc.stream(method, { storageId, ...argument }, options);
  }
}

function closed() {
  return new AppError(
    'storage_closed',
    'the database is not open; call open()',
  );
}
