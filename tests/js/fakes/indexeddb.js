/**
 * A small IndexedDB in memory that keeps the rules of the real one: order of
 * overlapping transactions, automatic and explicit commit, errors that bubble
 * and abort, structured clones, versions, lost connections.
 *
 * It has what `web/worker/page-store.js` uses, and it goes wrong where the
 * world's fault plan says so.
 *
 * Source: https://w3c.github.io/IndexedDB/
 */

import { apply, sizeOf } from './disk.js';
import { compareKeys, rangeOf } from './keys.js';

/** @import { Change } from './disk.js' */
/** @import { Key, FakeKeyRange } from './keys.js' */
/** @import { Process, World } from './world.js' */

/** @typedef {((event: any) => void) | null} Handler */

export class FakeFactory {
  #world;
  #process;

  /**
   * @param {World} world
   * @param {Process} process
   */
  constructor(world, process) {
    this.#world = world;
    this.#process = process;
  }

  /**
   * @param {string} name
   * @param {number} version
   */
  open(name, version) {
    const request = new FakeRequest(null);
    this.#world.post(this.#process, () => {
      if (this.#world.step()) this.#open(name, version, request);
    });
    return request;
  }

  /**
   * @param {string} name
   * @param {number} version
   * @param {FakeRequest} request
   */
  #open(name, version, request) {
    const world = this.#world;
    const fault = world.faults('open', { process: this.#process });
    const found = world.disk.live.get(name)?.version ?? 0;
    if (fault || found > version) {
      const error = fault ?? 'VersionError';
      world.post(this.#process, () => request.fail(exception(error)));
      return;
    }
    if (found < version) {
      const others = [...world.connections].filter((c) => c.name === name);
      for (const other of others) other.askToClose(version);
      if (others.some((other) => !other.isClosed)) {
        if (!request.wasBlocked) {
          request.wasBlocked = true;
          world.post(this.#process, () => request.onblocked?.({}));
        }
        world.post(
          this.#process,
          () => this.#open(name, version, request),
          100,
        );
        return;
      }
    }
    const connection = new FakeConnection(world, this.#process, name, version);
    request.result = connection;
    if (found < version) {
      /** @type {Change[]} */
      const changes = [{ database: name, kind: 'version', version }];
      connection.created = (store, autoIncrement) =>
        changes.push({ database: name, kind: 'create', store, autoIncrement });
      const dataLoss = world.wasDamaged ? 'total' : 'none';
      request.onupgradeneeded?.({ target: request, dataLoss });
      world.wasDamaged = false;
      connection.created = null;
      for (const change of changes) apply(world.disk.live, change);
      world.disk.commit(changes, false);
    }
    world.connections.add(connection);
    world.post(this.#process, () => request.succeed());
  }
}

export class FakeConnection {
  /** @type {Handler} */
  onclose = null;
  /** @type {Handler} */
  onversionchange = null;
  isClosed = false;

  /** Only during an upgrade. @type {((store: string, autoIncrement: boolean) => void) | null} */
  created = null;

  /**
   * @param {World} world
   * @param {Process} process
   * @param {string} name
   * @param {number} version
   */
  constructor(world, process, name, version) {
    this.world = world;
    this.process = process;
    this.name = name;
    this.version = version;
  }

  /**
   * @param {string} store
   * @param {{autoIncrement?: boolean}} [options]
   */
  createObjectStore(store, { autoIncrement = false } = {}) {
    if (!this.created) throw exception('InvalidStateError');
    this.created(store, autoIncrement);
  }

  /**
   * @param {string | string[]} stores
   * @param {'readonly' | 'readwrite'} [mode]
   * @param {{durability?: string}} [options]
   */
  transaction(stores, mode = 'readonly', { durability = 'relaxed' } = {}) {
    const { process } = this;
    if (this.isClosed || this.world.faults('transaction', { process })) {
      throw exception('InvalidStateError');
    }
    const names = [stores].flat();
    const present = this.world.disk.live.get(this.name)?.stores;
    if (names.some((name) => !present?.has(name))) {
      throw exception('NotFoundError');
    }
    return new FakeTransaction(this, names, mode, durability === 'strict');
  }

  /** Transactions that exist go on. */
  close() {
    this.isClosed = true;
    this.world.connections.delete(this);
  }

  /** @param {number} version */
  askToClose(version) {
    this.world.post(this.process, () => {
      if (!this.isClosed) this.onversionchange?.({ newVersion: version });
    });
  }

  /**
   * The browser closes it, with every transaction.
   *
   * @param {boolean} tell  By a `close` event.
   */
  lose(tell) {
    this.close();
    for (const transaction of this.#transactions()) {
      transaction.abort(exception('AbortError'));
    }
    if (tell) this.world.post(this.process, () => this.onclose?.({}));
  }

  /** Its process has died. */
  abandon() {
    this.close();
    for (const transaction of this.#transactions()) {
      const goesOn = transaction.isCommitting && this.world.random.chance(0.5);
      if (!goesOn) transaction.abort(exception('AbortError'));
    }
  }

  #transactions() {
    return this.world.transactions.filter((tx) => tx.connection === this);
  }
}

export class FakeTransaction {
  /** @type {Handler} */
  oncomplete = null;
  /** @type {Handler} */
  onabort = null;
  /** @type {Handler} */
  onerror = null;
  /** @type {DOMException | null} */
  error = null;
  isCommitting = false;
  isFinished = false;
  isAborted = false;

  /** Not executed yet. @type {FakeRequest[]} */
  #requests = [];

  /** Executed; the process has not been told. */
  #untold = 0;
  #hasStarted = false;

  /** @type {Change[]} */
  #changes = [];

  /** @type {Change[]} */
  #undo = [];

  /**
   * @param {FakeConnection} connection
   * @param {string[]} stores
   * @param {string} mode
   * @param {boolean} strict
   */
  constructor(connection, stores, mode, strict) {
    this.connection = connection;
    this.world = connection.world;
    this.process = connection.process;
    this.stores = stores;
    this.mode = mode;
    this.strict = strict;
    this.world.transactions.push(this);
    this.world.active.add(this);
  }

  /** @param {string} name */
  objectStore(name) {
    if (!this.stores.includes(name)) throw exception('NotFoundError');
    return new FakeObjectStore(this, name);
  }

  commit() {
    if (this.isFinished || this.isCommitting) {
      throw exception('InvalidStateError');
    }
    this.isCommitting = true;
    this.world.active.delete(this);
    this.#goOn();
  }

  /**
   * @param {FakeRequest} request
   * @returns {FakeRequest}
   */
  ask(request) {
    if (!this.world.active.has(this) || this.isCommitting) {
      throw exception('TransactionInactiveError');
    }
    this.#requests.push(request);
    return request;
  }

  /** The task in which requests could be made is over. */
  deactivate() {
    this.#goOn();
  }

  /**
   * @param {DOMException} [error]  Null if the process wanted it.
   */
  abort(error) {
    if (this.isFinished) return;
    this.undo();
    this.isAborted = true;
    this.error = error ?? null;
    for (const request of this.#requests) {
      this.#tell(() => request.fail(exception('AbortError'), this));
    }
    this.#finish(() => this.onabort?.({ target: this }));
  }

  /** Whether it has changed something and is not committed. */
  get isHalfDone() {
    return this.#undo.length > 0;
  }

  /** Take back what it did to the disk. */
  undo() {
    for (const change of this.#undo.reverse()) {
      apply(this.world.disk.live, change);
    }
    this.#undo = [];
  }

  /** Whether it has to wait for an older one. */
  get #isWaiting() {
    for (const other of this.world.transactions) {
      if (other === this) return false;
      if (other.connection.name !== this.connection.name) continue;
      if (other.mode === 'readonly' && this.mode === 'readonly') continue;
      if (other.stores.some((name) => this.stores.includes(name))) return true;
    }
    return false;
  }

  #goOn() {
    if (this.isFinished || this.#hasStarted || this.#isWaiting) return;
    this.#hasStarted = true;
    this.world.post(null, () => this.#execute());
  }

  /** One request, or the commit. */
  #execute() {
    this.#hasStarted = false;
    if (this.isFinished || !this.world.step()) return;
    const request = this.#requests.shift();
    if (!request) {
      const canCommit = this.isCommitting || this.#untold === 0;
      if (canCommit && !this.world.active.has(this)) this.#commit();
      return;
    }
    const error = this.#perform(request);
    if (!error) {
      this.#tell(() => {
        // Not told in time: an abort takes the success back.
        if (this.isAborted) request.fail(exception('AbortError'), this);
        else request.succeed();
      });
    } else if (this.isCommitting) {
      const isLast = this.#requests.length === 0;
      this.#tell(() => request.fail(error, this));
      if (isLast || !this.world.commitsInSpiteOfErrors) this.abort(error);
    } else {
      this.#tell(() => {
        if (request.fail(error, this)) this.abort(error);
      });
      return;
    }
    this.#goOn();
  }

  /**
   * @param {FakeRequest} request
   * @returns {DOMException | null}
   */
  #perform(request) {
    const fault = this.world.faults('request', {
      process: this.process,
      transaction: this,
      operation: request.operation,
    });
    if (fault) return exception(fault);
    try {
      request.result = request.work?.();
      return null;
    } catch (error) {
      if (error instanceof DOMException) return error;
      throw error;
    }
  }

  /** @param {Change} change */
  change(change) {
    const { world } = this;
    const { disk, quota, quotaPoint } = world;
    const { database, store, key } = /** @type {any} */ (change);
    const before = disk.live.get(database)?.stores.get(store)?.get(key);
    if (change.kind === 'put' && quotaPoint === 'request') {
      if (world.usage + sizeOf(change.value) > quota) {
        throw exception('QuotaExceededError');
      }
    }
    this.#undo.push(
      before === undefined
        ? { database, kind: 'delete', store, key }
        : { database, kind: 'put', store, key, value: before },
    );
    apply(disk.live, change);
    this.#changes.push(change);
  }

  #commit() {
    const { world, process } = this;
    const fault =
      world.faults('commit', { process, transaction: this }) ??
      (this.#changes.some(({ kind }) => kind === 'put') &&
      world.usage > world.quota
        ? 'QuotaExceededError'
        : null);
    if (fault && fault !== 'ambiguous') {
      this.abort(exception(fault));
      return;
    }
    this.#undo = [];
    world.disk.commit(this.#changes, this.strict);
    if (!world.step()) return;
    if (fault) {
      this.error = exception('UnknownError');
      this.#finish(() => this.onabort?.({ target: this }));
    } else this.#finish(() => this.oncomplete?.({ target: this }));
  }

  /** @param {() => void} tell */
  #finish(tell) {
    this.isFinished = true;
    this.#requests = [];
    this.world.active.delete(this);
    this.world.transactions = this.world.transactions.filter(
      (other) => other !== this,
    );
    this.#post(tell);
    for (const other of [...this.world.transactions]) {
      if (!this.world.active.has(other)) other.deactivate();
    }
  }

  /** A callback of a request, in which new ones can be made. @param {() => void} run */
  #tell(run) {
    this.#untold++;
    this.#post(() => {
      this.#untold--;
      if (!this.isFinished && !this.isCommitting) this.world.active.add(this);
      run();
    });
  }

  /** When the last callback is due: they come in order. */
  #lastAt = 0;

  /** @param {() => void} run */
  #post(run) {
    const { now, random } = this.world;
    this.#lastAt = Math.max(this.#lastAt, now + random.below(4) / 4);
    this.world.post(this.process, run, this.#lastAt - now);
  }
}

export class FakeRequest {
  /** @type {Handler} */
  onsuccess = null;
  /** @type {Handler} */
  onerror = null;
  /** @type {Handler} */
  onblocked = null;
  /** @type {Handler} */
  onupgradeneeded = null;
  /** @type {any} */
  result = undefined;
  /** @type {DOMException | null} */
  error = null;
  wasBlocked = false;

  /**
   * @param {(() => unknown) | null} work
   * @param {string} operation
   */
  constructor(work, operation = 'open') {
    this.work = work;
    this.operation = operation;
  }

  succeed() {
    this.onsuccess?.({ target: this });
  }

  /**
   * @param {DOMException} error
   * @param {FakeTransaction} [transaction]  To which the event bubbles.
   * @returns {boolean} True if nobody has prevented the default: abort.
   */
  fail(error, transaction) {
    this.error = error;
    let isPrevented = false;
    const event = {
      target: this,
      preventDefault: () => {
        isPrevented = true;
      },
    };
    this.onerror?.(event);
    transaction?.onerror?.(event);
    return !isPrevented;
  }
}

class FakeObjectStore {
  #transaction;
  #name;

  /**
   * @param {FakeTransaction} transaction
   * @param {string} name
   */
  constructor(transaction, name) {
    this.#transaction = transaction;
    this.#name = name;
  }

  /**
   * @param {unknown} value
   * @param {Key} [key]
   */
  add(value, key) {
    return this.#write('add', value, key);
  }

  /**
   * @param {unknown} value
   * @param {Key} [key]
   */
  put(value, key) {
    return this.#write('put', value, key);
  }

  /** @param {Key | FakeKeyRange | null} query */
  delete(query) {
    this.#mustWrite();
    return this.#ask('delete', () => {
      for (const [key] of this.#stored.within(rangeOf(query))) {
        this.#change({ kind: 'delete', key });
      }
    });
  }

  clear() {
    return this.delete(null);
  }

  /** @param {Key | FakeKeyRange} query */
  get(query) {
    return this.#ask('get', () => {
      const [row] = this.#stored.within(rangeOf(query));
      return row && cloneOf(row[1]);
    });
  }

  /**
   * @param {Key | FakeKeyRange | null} [query]
   * @param {number} [count]
   */
  getAll(query, count) {
    return this.#ask('getAll', () =>
      this.#rows(query, count).map(([, value]) => cloneOf(value)),
    );
  }

  /** @param {Key | FakeKeyRange | null} [query] */
  openCursor(query) {
    let index = 0;
    const request = this.#ask('openCursor', () => {
      const row = this.#rows(query)[index];
      if (!row) return null;
      const [key, value] = row.map(cloneOf);
      const next = () => {
        index++;
        this.#transaction.ask(request);
      };
      return { key, value, continue: next };
    });
    return request;
  }

  /**
   * @param {Key | FakeKeyRange | null} [query]
   * @param {number} [count]
   */
  getAllKeys(query, count) {
    return this.#ask('getAllKeys', () =>
      this.#rows(query, count).map(([key]) => cloneOf(key)),
    );
  }

  /** @param {Key | FakeKeyRange | null} [query] */
  count(query) {
    return this.#ask('count', () => this.#rows(query).length);
  }

  /**
   * @param {'add' | 'put'} operation
   * @param {unknown} value
   * @param {Key} [key]
   */
  #write(operation, value, key) {
    this.#mustWrite();
    if (key !== undefined) compareKeys(key, key);
    const clone = cloneOf(value);
    const { storesBlobs } = this.#transaction.world;
    return this.#ask(operation, () => {
      if (value instanceof FakeBlob && !storesBlobs) {
        throw exception('UnknownError');
      }
      const stored = this.#stored;
      if (key === undefined && !stored.autoIncrement) {
        throw exception('DataError');
      }
      const at = key ?? stored.nextKey;
      if (operation === 'add' && stored.get(at) !== undefined) {
        throw exception('ConstraintError');
      }
      this.#change({ kind: 'put', key: at, value: clone });
      return at;
    });
  }

  /** @param {Key | FakeKeyRange | null | undefined} query @param {number} [count] */
  #rows(query, count = Infinity) {
    return this.#stored.within(rangeOf(query)).slice(0, count);
  }

  get #stored() {
    const { world, connection } = this.#transaction;
    const stored = world.disk.live.get(connection.name)?.stores.get(this.#name);
    if (!stored) throw exception('UnknownError');
    return stored;
  }

  #mustWrite() {
    if (this.#transaction.mode !== 'readwrite')
      throw exception('ReadOnlyError');
  }

  /** @param {object} change */
  #change(change) {
    this.#transaction.change(
      /** @type {any} */ ({
        database: this.#transaction.connection.name,
        store: this.#name,
        ...change,
      }),
    );
  }

  /**
   * @param {string} operation
   * @param {() => unknown} work
   */
  #ask(operation, work) {
    return this.#transaction.ask(new FakeRequest(work, operation));
  }
}

/** Bytes that are handed out later. `slice` makes another one. */
export class FakeBlob extends Uint8Array {
  /** @param {number | Uint8Array[]} parts  A length, or what it consists of. */
  constructor(parts) {
    if (typeof parts === 'number') super(parts);
    else super(Buffer.concat(parts));
  }

  get size() {
    return this.length;
  }

  async arrayBuffer() {
    return new Uint8Array(this).buffer;
  }
}

/** @param {string} name */
function exception(name) {
  return new DOMException(`a fault of the fake: ${name}`, name);
}

/** @param {unknown} value */
function cloneOf(value) {
  // The clone of a view is a view of a clone of its whole buffer: too slow here.
  return value instanceof Uint8Array ? value.slice() : structuredClone(value);
}
