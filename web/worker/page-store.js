/**
 * IndexedDB: the only module that names it. It keeps what it is given; it
 * decides nothing.
 *
 * Rule 1: what must be atomic is one request in one transaction, followed by
 *         `commit()`. In Firefox 153 several requests followed by `commit()` are
 *         not atomic, and without `commit()` a write begun while the page is
 *         leaving is lost. WebKit gets no `commit()`: one that it has not answered
 *         when the worker dies locks the store until the browser ends (42 of 200
 *         reloads in mid-write in WebKitGTK 2.50; 2 of 340 without it).
 * Rule 2: success is the `complete` event and no failed request; never only one
 *         of the two.
 * Rule 3: a lost connection (`close` event, InvalidStateError, UnknownError) is
 *         dropped at once and `onLost` is called: what is behind the next
 *         connection may be an empty store. Retrying on a dead handle, or going
 *         on as if nothing had happened, is how data are lost silently.
 * Rule 4: what deletes or publishes looks, in the same transaction, whether
 *         another host has fenced this one. A record needs no look: it collides.
 * Rule 5: extents are stored as Blobs, which are read 2 to 3 times as fast as
 *         byte arrays (96 MiB: 85 for 225 ms in Chromium, 175 for 400 in
 *         Firefox). A browser that stores none gets byte arrays; both are read.
 *         WebKitGTK 2.50 is one, in an ephemeral session.
 *
 * Rule 6: whatever writes has the log in its scope, so that no two transactions
 *         write at once, wherever they come from. Chromium 156 deletes a store of
 *         which it finds two half done after it was killed (6 of 25 times, when
 *         the log and the extents were written side by side).
 *
 * The same module runs in the host and, for the tail, in the page.
 */

import { isWebKit } from '../core/webkit.js';

/** @import { Checksum } from '../core/checksum.js' */
/** @import { LogKey } from '../core/log-recovery.js' */

/**
 * @typedef {object} RestorePointRow
 * @property {string} id
 * @property {string} path  Of the file it is a copy of.
 * @property {string} reason
 * @property {number} createdAt  Unix milliseconds.
 * @property {number} size  In bytes.
 * @property {number} extents
 * @property {boolean} encrypted  Whether the file is.
 * @property {string} data  Names its extents.
 * @property {boolean} packed  Whether its extents are compressed.
 * @property {number} stored  Bytes that they take.
 * @property {Checksum[]} [checksums]  Of its extents, not compressed. Those of
 *   earlier releases have none.
 */

/** @typedef {'log' | 'checkpoints' | 'extents'} DurableStore */

/**
 * @typedef {object} SetAside
 * @property {number} time  Unix milliseconds.
 * @property {number | null} openedAs  When the newest commit was stored of the
 *   state that was opened instead, in Unix milliseconds; null if there is none.
 */

/**
 * @typedef {object} QuarantinedRow  What was set aside, without its bytes.
 * @property {number} id
 * @property {DurableStore} store
 * @property {LogKey | number} key  There.
 * @property {string} reason
 * @property {number} time
 * @property {number | null} openedAs
 * @property {number} size  In bytes.
 */

/**
 * @typedef {object} WriteOptions
 * @property {boolean} [strict]
 * @property {boolean} [mayBeRefused]  A failure may be about the value: the
 *   connection is kept. If it is lost, the next request on it fails too.
 */

/**
 * @typedef {object} Ownership  How to see that no other host has the store.
 * @property {LogKey} head  Where this host writes its next record.
 * @property {(record: Uint8Array) => boolean} wrote  Whether a record found
 *   there is its own.
 */

const SCHEMA_VERSION = 1;

/** What the rows of earlier releases do not say. */
const BEFORE_PACKING = { encrypted: false, packed: false };

const BEFORE_OPENED_AS = { openedAs: null };

/** In milliseconds; an older tab that does not let go is then named. */
const BLOCKED_AFTER = 3000;

/** What went wrong in the store, and whether trying again can help. */
export class StoreError extends Error {
  /**
   * @param {'collision' | 'quota_exceeded' | 'store_unavailable' |
   *   'store_lost' | 'store_too_new' | 'refused' | 'writer_fenced' |
   *   'opfs_unavailable' | 'dedicated_worker_required' | 'storage_in_use' |
   *   'too_large_for_memory'} code
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(code, message, cause) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}

export class PageStore {
  /** Called when what is stored may have changed without us. */
  onLost = () => {};

  /** How often that was. */
  losses = 0;

  /** True if the browser says that it found its own files damaged, and that it has
   * deleted them. Chromium alone says so. */
  wasDeleted = false;

  /** @type {Promise<IDBDatabase> | null} */
  #connection = null;

  /** The one that works. @type {IDBDatabase | null} */
  #db = null;
  #closed = false;
  #name;
  #factory;
  #keyRange;

  /** Rule 1. */
  #mayCommit;

  /** Undefined once the browser has refused one. @type {typeof Blob | undefined} */
  #blob;

  /**
   * @param {string} name  Of the IndexedDB database.
   * @param {{indexedDB?: IDBFactory, IDBKeyRange?: typeof IDBKeyRange,
   *   Blob?: typeof Blob, navigator?: {userAgent: string}}} [platform]
   *   Tests hand in their own.
   */
  constructor(name, platform = globalThis) {
    this.#name = name;
    this.#factory = platform.indexedDB;
    this.#keyRange = platform.IDBKeyRange;
    this.#blob = platform.Blob;
    this.#mayCommit = !isWebKit(platform.navigator?.userAgent ?? '');
  }

  /**
   * Checkpoints, oldest first.
   *
   * @returns {Promise<{id: number, bytes: Uint8Array}[]>}
   */
  async checkpoints() {
    const { keys, values } = await this.#readAll('checkpoints');
    return keys.map((id, i) => ({ id: Number(id), bytes: asBytes(values[i]) }));
  }

  /**
   * The log in order, from a key on. A cursor reads records of a few KiB as fast
   * as `getAll` in Chromium and twice as fast in Firefox: both send ahead.
   *
   * @param {LogKey} from
   * @returns {Promise<[LogKey, Uint8Array][]>}
   */
  log(from) {
    return this.#transact('log', 'readonly', (tx) => {
      /** @type {[LogKey, Uint8Array][]} */
      const records = [];
      const range = this.#range().lowerBound(from);
      const request = tx.objectStore('log').openCursor(range);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return;
        const key = /** @type {LogKey} */ (cursor.key);
        records.push([key, asBytes(cursor.value)]);
        cursor.continue();
      };
      return records;
    });
  }

  /**
   * @param {number[]} keys
   * @returns {Promise<(Uint8Array | undefined)[]>} Undefined where nothing is.
   */
  async extents(keys) {
    const requests = await this.#transact('extents', 'readonly', (tx) =>
      keys.map((key) => tx.objectStore('extents').get(key)),
    );
    return Promise.all(
      requests.map(({ result }) => result && bytesOfExtent(result)),
    );
  }

  /** @returns {Promise<number[]>} Ascending. */
  async extentKeys() {
    return (await this.keys('extents')).map(Number);
  }

  /**
   * @param {DurableStore} store
   * @returns {Promise<IDBValidKey[]>} In order.
   */
  async keys(store) {
    const request = await this.#transact(store, 'readonly', (tx) =>
      tx.objectStore(store).getAllKeys(),
    );
    return request.result;
  }

  /**
   * @param {LogKey} key
   * @returns {Promise<Uint8Array | null>}
   */
  async record(key) {
    const request = await this.#transact('log', 'readonly', (tx) =>
      tx.objectStore('log').get(key),
    );
    return request.result ? asBytes(request.result) : null;
  }

  /**
   * Make one record durable, in the one request that is atomic everywhere.
   *
   * @param {LogKey} key
   * @param {Uint8Array} bytes
   * @param {WriteOptions} [options]
   * @throws {StoreError} 'collision' if the key is taken.
   */
  async addRecord(key, bytes, options) {
    await this.#addOne('log', key, bytes, options);
  }

  /**
   * Write an extent that no checkpoint lists yet.
   *
   * @param {number} key
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {WriteOptions} [options]
   * @throws {StoreError} 'collision' if the key is taken.
   */
  async addExtent(key, bytes, options) {
    if (this.#blob) {
      const blob = new this.#blob([bytes]);
      try {
        const mayBeRefused = true;
        await this.#addOne('extents', key, blob, { ...options, mayBeRefused });
        return;
      } catch (error) {
        if (/** @type {StoreError} */ (error).code !== 'refused') throw error;
        this.#blob = undefined;
      }
    }
    await this.#addOne('extents', key, bytes, options);
  }

  /**
   * @param {Ownership} owner
   * @throws {StoreError} 'writer_fenced'
   */
  async assertOwner(owner) {
    await this.#transactAs(owner, [], 'readonly', () => {});
  }

  /**
   * Durable against power loss: what it makes superfluous may have been.
   *
   * @param {Ownership} owner
   * @param {number} id
   * @param {Uint8Array} bytes  An encoded checkpoint.
   * @param {Iterable<number>} extentKeys  What it lists.
   * @throws {StoreError} 'writer_fenced', or 'store_lost' if some of that is gone,
   *   because the store was emptied meanwhile.
   */
  async publishCheckpoint(owner, id, bytes, extentKeys) {
    let isWhole = false;
    const add = (/** @type {IDBTransaction} */ tx) => {
      const stored = tx.objectStore('extents').getAllKeys();
      stored.onsuccess = () => {
        const keys = new Set(stored.result);
        isWhole = [...extentKeys].every((key) => keys.has(key));
        if (isWhole) tx.objectStore('checkpoints').add(bytes, id);
      };
    };
    const stores = ['checkpoints', 'extents'];
    await this.#transactAs(owner, stores, 'readwrite', add, { strict: true });
    if (!isWhole) {
      throw new StoreError('store_lost', 'the store was emptied just now');
    }
  }

  /**
   * Undo a publication whose outcome was not known.
   *
   * @param {Ownership} owner
   * @param {number} id
   * @throws {StoreError} 'writer_fenced'
   */
  async withdrawCheckpoint(owner, id) {
    await this.#transactAs(owner, ['checkpoints'], 'readwrite', (tx) => {
      tx.objectStore('checkpoints').delete(id);
    });
  }

  /**
   * Delete what a published checkpoint has made superfluous.
   *
   * @param {Ownership} owner
   * @param {object} superfluous
   * @param {number} [superfluous.checkpointsBefore]  An id.
   * @param {[LogKey, LogKey][]} [superfluous.logRanges]  From, inclusive, to,
   *   exclusive.
   * @param {number[]} superfluous.extentKeys
   * @throws {StoreError} 'writer_fenced'
   */
  async prune(owner, { checkpointsBefore = 0, logRanges = [], extentKeys }) {
    const stores = ['checkpoints', 'extents'];
    await this.#transactAs(owner, stores, 'readwrite', (tx) => {
      const range = this.#range();
      const older = range.upperBound(checkpointsBefore, true);
      tx.objectStore('checkpoints').delete(older);
      for (const [from, to] of logRanges) {
        tx.objectStore('log').delete(range.bound(from, to, false, true));
      }
      for (const key of extentKeys) tx.objectStore('extents').delete(key);
    });
  }

  /**
   * @param {LogKey} to  Exclusive.
   * @returns {Promise<LogKey[]>} In order.
   */
  async logKeysBefore(to) {
    const before = this.#range().upperBound(to, true);
    const request = await this.#transact('log', 'readonly', (tx) =>
      tx.objectStore('log').getAllKeys(before),
    );
    return /** @type {LogKey[]} */ (request.result);
  }

  /**
   * Move what is stored out of the way of what comes, without losing it. Each
   * item is moved by itself.
   *
   * @param {{store: DurableStore, key: IDBValidKey, reason: string}[]} items
   * @param {SetAside} when
   */
  async setAside(items, { time, openedAs }) {
    for (const { store, key, reason } of items) {
      await this.#transact([store, 'quarantine'], 'readwrite', (tx) => {
        const found = tx.objectStore(store).get(key);
        found.onsuccess = () => {
          const { result: bytes } = found;
          if (bytes === undefined) return;
          const row = { store, key, reason, time, openedAs, bytes };
          tx.objectStore('quarantine').add(row);
          tx.objectStore(store).delete(key);
        };
      });
    }
  }

  /** @returns {Promise<QuarantinedRow[]>} Oldest first. */
  quarantine() {
    return this.#transact('quarantine', 'readonly', (tx) => {
      /** @type {QuarantinedRow[]} */
      const rows = [];
      // Not `getAll`: an extent has up to 16 MiB.
      const request = tx.objectStore('quarantine').openCursor();
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return;
        const { bytes, ...row } = cursor.value;
        const size = isBlob(bytes) ? bytes.size : asBytes(bytes).length;
        const id = Number(cursor.key);
        rows.push({ ...BEFORE_OPENED_AS, ...row, id, size });
        cursor.continue();
      };
      return rows;
    });
  }

  /**
   * @param {number} id
   * @returns {Promise<Uint8Array | null>} As it was stored.
   */
  async quarantined(id) {
    const request = await this.#transact('quarantine', 'readonly', (tx) =>
      tx.objectStore('quarantine').get(id),
    );
    return request.result ? bytesOfExtent(request.result.bytes) : null;
  }

  /**
   * @param {DurableStore} store
   * @param {IDBValidKey} key
   * @returns {Promise<Uint8Array | null>} As it was stored.
   */
  async raw(store, key) {
    const request = await this.#transact(store, 'readonly', (tx) =>
      tx.objectStore(store).get(key),
    );
    return request.result ? bytesOfExtent(request.result) : null;
  }

  /** @param {number} id */
  async deleteQuarantined(id) {
    await this.#transact('quarantine', 'readwrite', (tx) =>
      tx.objectStore('quarantine').delete(id),
    );
  }

  /** Delete what was ever set aside. */
  async clearQuarantine() {
    await this.#transact('quarantine', 'readwrite', (tx) =>
      tx.objectStore('quarantine').clear(),
    );
  }

  /** @returns {Promise<RestorePointRow[]>} Newest first. */
  async restorePoints() {
    const { values } = await this.#readAll('restore_points');
    const rows = /** @type {RestorePointRow[]} */ (values).map((row) => {
      const before = { stored: row.size, data: row.id, ...BEFORE_PACKING };
      return Object.assign(before, row);
    });
    return rows.sort((a, b) => b.createdAt - a.createdAt);
  }

  /**
   * One piece of a restore point. It counts only once its row is put.
   *
   * @param {string} data
   * @param {number} number
   * @param {Uint8Array} bytes
   */
  async putRestoreExtent(data, number, bytes) {
    // Put, not added: a failed commit may have kept an earlier try.
    await this.#transact('restore_extents', 'readwrite', (tx) =>
      tx.objectStore('restore_extents').put(bytes, [data, number]),
    );
  }

  /**
   * @param {RestorePointRow} row
   * @param {RestorePointRow} [replaced]  Its extents go.
   */
  async putRestorePoint(row, replaced) {
    const stores = ['restore_points', 'restore_extents'];
    await this.#transact(stores, 'readwrite', (tx) => {
      tx.objectStore('restore_points').put(row, row.id);
      if (!replaced) return;
      tx.objectStore('restore_extents').delete(this.#extentsOf(replaced.data));
    });
  }

  /**
   * @param {string} data
   * @param {number} number
   * @returns {Promise<Uint8Array | null>}
   */
  async restoreExtent(data, number) {
    const request = await this.#transact('restore_extents', 'readonly', (tx) =>
      tx.objectStore('restore_extents').get([data, number]),
    );
    return request.result ? asBytes(request.result) : null;
  }

  /** @returns {Promise<Set<string>>} What their extents are named by. */
  async restoreExtentOwners() {
    const request = await this.#transact('restore_extents', 'readonly', (tx) =>
      tx.objectStore('restore_extents').getAllKeys(),
    );
    const keys = /** @type {[string, number][]} */ (request.result);
    return new Set(keys.map(([data]) => data));
  }

  /** @param {string} data  Of a restore point that has no row. */
  async deleteRestoreExtents(data) {
    await this.#transact('restore_extents', 'readwrite', (tx) =>
      tx.objectStore('restore_extents').delete(this.#extentsOf(data)),
    );
  }

  /** @param {RestorePointRow} row */
  async deleteRestorePoint({ id, data }) {
    const stores = ['restore_points', 'restore_extents'];
    await this.#transact(stores, 'readwrite', (tx) => {
      tx.objectStore('restore_points').delete(id);
      tx.objectStore('restore_extents').delete(this.#extentsOf(data));
    });
  }

  /** @param {string} data */
  #extentsOf(data) {
    return this.#range().bound([data, 0], [data, Infinity]);
  }

  /** No call may follow. */
  close() {
    this.#closed = true;
    const connection = this.#connection;
    this.#connection = null;
    this.#db = null;
    connection?.then(
      (db) => db.close(),
      () => {},
    );
  }

  /**
   * Do *work* if the log says that no other host has the store. This takes a
   * callback in mid-transaction: a host that is frozen there blocks others, but
   * then it holds the writer lock too.
   *
   * @param {Ownership} owner
   * @param {string[]} stores  Besides the log.
   * @param {IDBTransactionMode} mode
   * @param {(tx: IDBTransaction) => void} work
   * @param {WriteOptions} [options]
   */
  async #transactAs({ head, wrote }, stores, mode, work, options) {
    let isOwner = false;
    const all = ['log', ...stores];
    await this.#transact(
      all,
      mode,
      (tx) => {
        const log = tx.objectStore('log');
        const keys = log.getAllKeys(this.#range().lowerBound(head), 2);
        const first = log.get(head);
        first.onsuccess = () => {
          const [own] = [first.result].filter(Boolean).map(asBytes);
          // Behind the head there can be nothing of ours.
          isOwner = keys.result.length === (own && wrote(own) ? 1 : 0);
          if (isOwner) work(tx);
        };
        return [keys, first];
      },
      options,
    );
    if (!isOwner) throw fencedError();
  }

  /**
   * @param {string} store
   * @param {IDBValidKey} key
   * @param {unknown} value
   * @param {WriteOptions} [options]
   */
  async #addOne(store, key, value, options) {
    await this.#transact(
      store,
      'readwrite',
      (tx) => {
        const request = tx.objectStore(store).add(value, key);
        if (this.#mayCommit) tx.commit();
        return request;
      },
      options,
    );
  }

  /**
   * @param {string} store
   */
  async #readAll(store) {
    const { keys, values } = await this.#transact(store, 'readonly', (tx) => ({
      keys: tx.objectStore(store).getAllKeys(),
      values: tx.objectStore(store).getAll(),
    }));
    return {
      keys: keys.result,
      values: /** @type {unknown[]} */ (values.result),
    };
  }

  /**
   * @template R
   * @param {string | string[]} stores
   * @param {IDBTransactionMode} mode
   * @param {(tx: IDBTransaction) => R} work
   * @param {WriteOptions} [options]
   * @returns {Promise<R>} Its requests have succeeded and are committed.
   */
  async #transact(stores, mode, work, options = {}) {
    try {
      return await this.#transactOnce(stores, mode, work, options);
    } catch (error) {
      const { code } = /** @type {StoreError} */ (error);
      if (mode !== 'readonly' || code !== 'store_lost') throw error;
      // Whatever became of the connection: reading again does no harm.
      return this.#transactOnce(stores, mode, work, options);
    }
  }

  /**
   * @template R
   * @param {string | string[]} stores
   * @param {IDBTransactionMode} mode
   * @param {(tx: IDBTransaction) => R} work
   * @param {WriteOptions} options
   * @returns {Promise<R>}
   */
  async #transactOnce(stores, mode, work, options) {
    const db = await this.#open();
    try {
      return await new Promise((resolve, reject) => {
        const durability = options.strict ? 'strict' : 'relaxed';
        const written = mode === 'readonly' ? [] : ['log'];
        const scope = new Set([...written, ...[stores].flat()]);
        const tx = db.transaction([...scope], mode, { durability });
        /** @type {DOMException | null} */
        let failure = null;
        tx.onerror = (event) => {
          failure ??= /** @type {IDBRequest} */ (event.target).error;
        };
        tx.onabort = () => reject(failure ?? tx.error ?? new Error('aborted'));
        const requests = work(tx);
        tx.oncomplete = () => (failure ? reject(failure) : resolve(requests));
      });
    } catch (error) {
      const translated = translate(error);
      if (translated.code === 'store_lost') {
        if (options.mayBeRefused) {
          const why = 'the browser may not store values of this kind';
          throw new StoreError('refused', why, error);
        }
        this.#drop(db);
      }
      throw translated;
    }
  }

  async #open() {
    if (this.#closed) {
      throw new StoreError('store_unavailable', 'the store is closed');
    }
    this.#connection ??= this.#connect();
    const connection = this.#connection;
    try {
      return await connection;
    } catch (error) {
      if (this.#connection === connection) this.#connection = null;
      throw error;
    }
  }

  /** @returns {Promise<IDBDatabase>} */
  #connect() {
    return new Promise((resolve, reject) => {
      if (!this.#factory) {
        const message = 'this browser offers no IndexedDB here';
        reject(new StoreError('store_unavailable', message));
        return;
      }
      const request = this.#factory.open(this.#name, SCHEMA_VERSION);
      const blocked = () => {
        const message = 'another tab keeps an older version open; close it';
        reject(new StoreError('store_unavailable', message));
      };
      request.onblocked = () => setTimeout(blocked, BLOCKED_AFTER);
      request.onupgradeneeded = (event) => {
        const { dataLoss } = /** @type {{dataLoss?: string}} */ (event);
        this.wasDeleted = dataLoss === 'total';
        for (const store of [
          'log',
          'checkpoints',
          'extents',
          'restore_points',
          'restore_extents',
        ]) {
          request.result.createObjectStore(store);
        }
        request.result.createObjectStore('quarantine', { autoIncrement: true });
      };
      request.onerror = () => reject(translateOpen(request.error));
      request.onsuccess = () => {
        const db = request.result;
        db.onclose = () => this.#drop(db);
        db.onversionchange = () => this.#drop(db);
        this.#db = db;
        resolve(db);
      };
    });
  }

  /** @param {IDBDatabase} db  Of no use any more. */
  #drop(db) {
    db.close();
    if (this.#db !== db) return;
    this.#db = null;
    this.#connection = null;
    this.losses++;
    this.onLost();
  }

  #range() {
    return /** @type {typeof IDBKeyRange} */ (this.#keyRange);
  }
}

export function fencedError() {
  return new StoreError(
    'writer_fenced',
    'another tab or release owns the database now; reload this one',
  );
}

/** @param {unknown} error */
function translate(error) {
  if (error instanceof StoreError) return error;
  const { name, message } = /** @type {Error} */ (error);
  if (name === 'ConstraintError') {
    return new StoreError('collision', 'the key is taken', error);
  }
  if (name === 'QuotaExceededError') {
    return new StoreError(
      'quota_exceeded',
      'the browser has no more space for this site; free some, or download a ' +
        'backup and remove old conversations',
      error,
    );
  }
  return new StoreError('store_lost', `IndexedDB failed: ${message}`, error);
}

/** @param {unknown} error */
function translateOpen(error) {
  if (/** @type {Error | null} */ (error)?.name === 'VersionError') {
    return new StoreError(
      'store_too_new',
      'a newer release has changed the store; reload to get it',
      error,
    );
  }
  const translated = translate(error ?? new Error('it did not open'));
  return translated.code === 'quota_exceeded'
    ? translated
    : new StoreError(
        'store_unavailable',
        `IndexedDB does not open: ${translated.message}; leave private mode or ` +
          'allow this site to store data',
        error,
      );
}

/**
 * @param {unknown} value  As stored.
 * @throws {StoreError} 'store_lost' if the browser does not hand it out.
 */
async function bytesOfExtent(value) {
  if (!isBlob(value)) return asBytes(value);
  try {
    return new Uint8Array(await value.arrayBuffer());
  } catch (error) {
    throw translate(error);
  }
}

/** @param {any} value @returns {value is Blob} */
function isBlob(value) {
  return typeof value?.arrayBuffer === 'function';
}

/** @param {unknown} value  As stored: a byte array, or the buffer of one. */
function asBytes(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(0);
}
