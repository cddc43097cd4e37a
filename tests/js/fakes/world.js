/**
 * Time, processes and power for tests of storage: everything that happens is a
 * task in one queue, and the seed alone decides the order.
 *
 * Rule 1: nothing sleeps. When no task is due, the clock jumps to the next one.
 * Rule 2: a task of the browser itself (executing a request, committing) happens
 *         in any case; a task of a process (a callback, a timer) waits while the
 *         process is frozen and never happens once it is dead.
 * Rule 3: each step of the browser at which the power can go is counted, so that
 *         a history can be repeated with a cut at each of them.
 */

import { Disk } from './disk.js';
import { FakeBlob, FakeFactory } from './indexeddb.js';
import { FakeKeyRange } from './keys.js';
import { FakeFiles } from './opfs.js';
import { Random } from './random.js';

/** @import { FakeConnection, FakeTransaction } from './indexeddb.js' */

/** @typedef {'open' | 'transaction' | 'request' | 'commit'} FaultPoint */

/**
 * @typedef {object} FaultPlace  Where something could go wrong.
 * @property {Process} process
 * @property {FakeTransaction} [transaction]
 * @property {string} [operation]  Of the request: 'add', 'get', …
 */

/**
 * What is to go wrong there; null for nothing. At 'open', 'request' and 'commit'
 * the name of a DOMException; at 'commit' also 'ambiguous': stored, but an error
 * is told. At 'transaction' 'InvalidStateError'.
 *
 * @typedef {(point: FaultPoint, place: FaultPlace) => string | null} FaultPlan
 */

/** @typedef {{at: number, order: number, process: Process | null, run: () => void}} Task */

export class World {
  now = 1_700_000_000_000;
  disk = new Disk();

  /** The origin private file system. */
  files = new FakeFiles();

  /** @type {FaultPlan} */
  faults = () => null;

  /** In bytes. */
  quota = Infinity;

  /** Where the quota is noticed. @type {'request' | 'commit'} */
  quotaPoint = 'request';

  /** After an explicit commit() a failed request that is not the last is lost
   * and the rest is stored, as in Firefox 153. */
  commitsInSpiteOfErrors = false;

  /** False as in an ephemeral session of WebKitGTK 2.50. */
  storesBlobs = true;

  /** Steps of the browser so far; see `cutAt`. */
  steps = 0;

  /** The step at which the power goes. */
  cutAt = Infinity;
  hasPower = true;

  /** In order of creation, not finished. @type {FakeTransaction[]} */
  transactions = [];

  /** Open ones. @type {Set<FakeConnection>} */
  connections = new Set();

  /** Alive or not. @type {Process[]} */
  #processes = [];

  /** That may be given requests now. @type {Set<FakeTransaction>} */
  active = new Set();

  /** @type {Task[]} */
  #tasks = [];
  #order = 0;

  /** @param {number} seed */
  constructor(seed) {
    this.random = new Random(seed);
  }

  /** In bytes: all that the origin has stored. */
  get usage() {
    return this.disk.usage + this.files.usage;
  }

  /** A tab or a worker. @param {string} name */
  process(name) {
    const process = new Process(this, name);
    this.#processes.push(process);
    return process;
  }

  /**
   * @param {Process | null} process  Null: the browser itself.
   * @param {() => void} run
   * @param {number} [delay]  In milliseconds; a short chance one if not given.
   */
  post(process, run, delay = this.random.below(4) / 4) {
    const task = { at: this.now + delay, order: this.#order++, process, run };
    let index = this.#tasks.length;
    while (index > 0 && isAfter(this.#tasks[index - 1], task)) index--;
    this.#tasks.splice(index, 0, task);
  }

  /** A step at which the power may go. @returns {boolean} True if it is on. */
  step() {
    if (++this.steps >= this.cutAt) this.hasPower = false;
    return this.hasPower;
  }

  /**
   * Let things happen until the promise is settled.
   *
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   * @throws {PowerCutError}
   */
  async until(promise) {
    /** @type {{value: T} | {error: unknown} | null} */
    let outcome = null;
    promise.then(
      (value) => (outcome = { value }),
      (error) => (outcome = { error }),
    );
    await this.#whatFollows();
    while (!outcome) {
      if (!this.hasPower) throw new PowerCutError();
      const task = this.#tasks.shift();
      if (!task) throw new Error('nothing is left to happen');
      await this.#happen(task);
    }
    const settled = /** @type {{value: T} | {error: unknown}} */ (outcome);
    if ('error' in settled) throw settled.error;
    return settled.value;
  }

  /**
   * Let things happen for a while.
   *
   * @param {number} ms
   * @throws {PowerCutError}
   */
  async pass(ms) {
    const end = this.now + ms;
    await this.#whatFollows();
    for (;;) {
      if (!this.hasPower) throw new PowerCutError();
      const [task] = this.#tasks;
      if (!task || task.at > end) break;
      this.#tasks.shift();
      await this.#happen(task);
    }
    this.now = end;
  }

  /**
   * Let at most *count* things happen.
   *
   * @param {number} count
   */
  async few(count) {
    await this.#whatFollows();
    for (let i = 0; i < count && this.hasPower; i++) {
      const task = this.#tasks.shift();
      if (!task) return;
      await this.#happen(task);
    }
  }

  /**
   * The power goes and comes again: what is stored is what survives.
   *
   * @param {{tear?: boolean}} [options]
   */
  losePower({ tear = false } = {}) {
    this.disk.losePower(this.random.below, tear);
    this.files.losePower(this.random.below);
    this.#startAgain();
  }

  /** The browser has deleted what it found damaged, and tells who opens next. */
  wasDamaged = false;

  /** The browser is killed: the operating system has what was committed. */
  killBrowser() {
    this.#startAgain();
  }

  /** Everything stored is deleted while it is open. */
  wipe() {
    for (const connection of [...this.connections]) connection.lose(true);
    this.disk.wipe();
    this.files.wipe();
  }

  /**
   * Chromium 156 deletes a whole store of which it finds two writing transactions
   * half done: each keeps the lock on the database that its undoing needs.
   */
  #startAgain() {
    const halfDone = this.transactions.filter((tx) => tx.isHalfDone);
    const databases = new Set(
      halfDone.map(({ connection }) => connection.name),
    );
    for (const transaction of this.transactions) transaction.undo();
    this.files.releaseAll();
    if (databases.size < halfDone.length) {
      this.disk.wipe();
      this.wasDamaged = true;
    }
    for (const process of this.#processes) process.isDead = true;
    this.#processes = [];
    this.#tasks = [];
    this.transactions = [];
    this.connections.clear();
    this.active.clear();
    this.hasPower = true;
    this.cutAt = Infinity;
  }

  /** @param {Task} task */
  async #happen(task) {
    this.now = Math.max(this.now, task.at);
    if (task.process?.isDead) return;
    if (task.process?.isFrozen) {
      task.process.missed.push(task.run);
      return;
    }
    task.run();
    await this.#whatFollows();
  }

  /** Every microtask, and the end of the task for its transactions. */
  async #whatFollows() {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const active = [...this.active];
    this.active.clear();
    for (const transaction of active) transaction.deactivate();
  }
}

export class Process {
  isDead = false;
  isFrozen = false;

  /** What happened to it while it was frozen. @type {(() => void)[]} */
  missed = [];
  #world;

  /**
   * @param {World} world
   * @param {string} name
   */
  constructor(world, name) {
    this.#world = world;
    this.name = name;
    this.indexedDB = /** @type {any} */ (new FakeFactory(world, this));
    this.IDBKeyRange = /** @type {any} */ (FakeKeyRange);
    this.Blob = /** @type {any} */ (FakeBlob);
    this.clock = {
      now: () => world.now,
      sleep: (/** @type {number} */ ms) =>
        new Promise((/** @type {(value: void) => void} */ resolve) => {
          world.post(this, resolve, Math.max(0, ms));
        }),
    };
  }

  freeze() {
    this.isFrozen = true;
  }

  thaw() {
    this.isFrozen = false;
    for (const run of this.missed) this.#world.post(this, run, 0);
    this.missed = [];
  }

  /** What it has not committed is undone; what it has may still be. */
  kill() {
    this.isDead = true;
    const { connections, transactions } = this.#world;
    // Transactions of a connection that was closed may still be under way.
    const all = new Set(connections);
    for (const { connection } of transactions) all.add(connection);
    for (const connection of all) {
      if (connection.process === this) connection.abandon();
    }
  }
}

/** Nothing that was waited for will ever happen. */
export class PowerCutError extends Error {
  constructor() {
    super('the power is cut');
    this.name = 'PowerCutError';
  }
}

/**
 * @param {Task | undefined} a
 * @param {Task} b
 */
function isAfter(a, b) {
  return (
    a !== undefined && (a.at > b.at || (a.at === b.at && a.order > b.order))
  );
}
