/**
 * One random history of a volume, and the one promise that it must keep:
 * whatever happens, the volume opens as the state after some whole number of
 * commits, at least all that were acknowledged as durable.
 *
 * The model is a byte array per file and a list of the states after each commit.
 * The history writes as SQLite does: a journal becomes hot, pages are written,
 * the journal ends; or pages are written back and it ends.
 */

import assert from 'node:assert/strict';

import { PAGE_SIZE, PagedFile } from '../../../web/core/paged-file.js';
import { KEPT } from '../../../web/worker/restore-points.js';
import { contentOf, Machine, sameContent, stage } from './machine.js';
import { PowerCutError } from './world.js';

/** @import { Host } from './machine.js' */
/** @import { FaultPoint, FaultPlace } from './world.js' */

/** @typedef {Map<string, Uint8Array>} State */

/** What a flush may say when it does not succeed. */
const HONEST = new Set([
  'quota_exceeded',
  'store_lost',
  'store_unavailable',
  'writer_fenced',
]);

const MAGIC = Uint8Array.of(0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7);

/** How each file ends its transactions. */
const FILES = /** @type {const} */ ([
  ['a.db', 'remove'],
  ['folder/b.db', 'zero'],
  ['c.db', 'truncate'],
  ['notes.txt', 'none'],
]);

/**
 * @typedef {object} ModelFile
 * @property {Uint8Array} live
 * @property {Uint8Array} committed
 * @property {boolean} inTransaction
 */

/**
 * @typedef {object} Options
 * @property {number} [steps]
 * @property {boolean} [hasFaults]  Requests and commits fail now and then.
 * @property {boolean} [hasQuota]
 * @property {boolean} [hasWipes]
 * @property {boolean} [hasTakeOvers]
 * @property {boolean} [hasReplacements]
 * @property {boolean} [hasOpfs]  Files move to OPFS and back.
 */

/** What can happen in a history, by the name of its kind. @type {[string, Options][]} */
export const KINDS = [
  ['crashes and lost connections', {}],
  ['replaced files', { hasReplacements: true }],
  ['quota', { hasQuota: true, hasReplacements: true }],
  ['wiped storage', { hasWipes: true }],
  ['failing requests', { hasFaults: true }],
  ['hosts that take over', { hasTakeOvers: true }],
  ['files in OPFS', { hasOpfs: true, steps: 60 }],
  [
    'files in OPFS, and all else',
    {
      hasOpfs: true,
      steps: 60,
      hasReplacements: true,
      hasQuota: true,
      hasFaults: true,
    },
  ],
  ['files in OPFS, wiped', { hasOpfs: true, hasWipes: true }],
  [
    'all at once',
    {
      steps: 60,
      hasReplacements: true,
      hasQuota: true,
      hasFaults: true,
      hasTakeOvers: true,
    },
  ],
];

export class VolumeHistory {
  /** @type {Host} */
  host;

  /** By path. @type {Map<string, ModelFile>} */
  files = new Map();

  /** After each commit that was not lost, of all hosts. @type {State[]} */
  states = [new Map()];

  /** The index of the state in which this host has found the volume. */
  start = 0;

  /** Indices of states that were acknowledged as durable; -1 after a wipe. */
  acknowledged = { relaxed: 0, strict: 0 };

  /** How often the storage was wiped. */
  wipes = 0;

  /** Calls that are not settled. @type {Set<Promise<void>>} */
  pending = new Set();

  /** Not to be touched: being replaced. @type {string | null} */
  replacing = null;

  /** What happened, for the report of a failure. @type {string[]} */
  log = [];

  /** @type {{id: string, path: string, bytes: Uint8Array}[]} */
  restorePoints = [];

  /**
   * @param {number} seed
   * @param {Options} options
   */
  constructor(seed, options) {
    const { hasOpfs = false } = options;
    this.machine = new Machine(seed, { hasOpfs });
    this.world = this.machine.world;
    this.random = this.world.random;
    this.options = options;
    this.host = /** @type {Host} */ (/** @type {unknown} */ (null));
  }

  async run() {
    const { steps = 40, hasFaults, hasQuota } = this.options;
    this.world.commitsInSpiteOfErrors = this.random.chance(0.5);
    this.world.storesBlobs = this.random.chance(0.8);
    if (hasFaults) this.world.faults = (...place) => this.#fault(...place);
    if (hasQuota && this.random.chance(0.5)) this.world.quotaPoint = 'commit';
    await this.#open();
    for (let step = 0; step < steps; step++) {
      try {
        await this.#act();
        if (!this.world.hasPower) throw new PowerCutError();
      } catch (error) {
        if (!(error instanceof PowerCutError)) throw error;
        await this.#recoverFromPowerCut();
      }
    }
    await this.#endWell();
  }

  /** Open, through any number of further power cuts, and check the content. */
  async #open() {
    await this.#openHost();
    const found = contentOf(this.host.opened);
    const { relaxed } = this.acknowledged;
    let n = this.states.length - 1;
    const isState = (/** @type {number} */ index) =>
      sameContent(this.states[index] ?? new Map(), found);
    while (n > relaxed && !isState(n)) n--;
    if (!isState(n)) {
      const index = this.states.findIndex((_, i) => isState(i));
      const { recovery } = this.host.opened.status('a.db');
      assert.fail(
        `opened as commit ${index} of ${this.states.length - 1}, ` +
          `acknowledged are ${relaxed}; ${JSON.stringify(recovery)}`,
      );
    }
    this.log.push(`opened as commit ${n} of ${this.states.length - 1}`);
    this.start = Math.max(n, 0);
    this.states = [...this.states.slice(0, this.start), found];
    this.acknowledged.relaxed = this.start;
    this.#startModel(found);
  }

  async #openHost() {
    const { random, world } = this;
    for (;;) {
      if (random.chance(0.1)) world.cutAt = world.steps + random.below(12);
      try {
        this.host = await this.machine.open();
        world.cutAt = Infinity;
        return;
      } catch (error) {
        if (error instanceof PowerCutError) {
          this.log.push('power cut while opening');
          this.#losePower();
          continue;
        }
        const { code, message } = /** @type {any} */ (error);
        if (!code) throw error;
        this.log.push(`opening: ${code} ${message}`);
        assert.ok(HONEST.has(code), `opening failed: ${code} ${message}`);
        world.quota = Infinity;
      }
    }
  }

  /** @param {State} found */
  #startModel(found) {
    this.files = new Map(
      [...found].map(([path, bytes]) => [
        path,
        { live: bytes, committed: bytes, inTransaction: false },
      ]),
    );
    this.pending = new Set();
    this.replacing = null;
    const { host } = this;
    const { folder } = host.opened;
    const { onCommit } = folder;
    folder.onCommit = (path) => {
      if (this.host === host) this.#committed(path);
      onCommit(path);
    };
  }

  /** @param {string} path */
  #committed(path) {
    const file = this.files.get(path);
    if (file && !file.inTransaction) file.committed = file.live;
    const index = this.start + this.host.opened.folder.committedSeq;
    this.states[index] = this.#committedState();
    // Two commits in one call: nothing can be stored in between.
    this.states[index - 1] ??= this.#committedState();
  }

  #committedState() {
    return new Map(
      [...this.files].map(([path, { committed }]) => [path, committed]),
    );
  }

  async #act() {
    const { random, world } = this;
    const { hasWipes, hasTakeOvers, hasReplacements, hasQuota } = this.options;
    if (this.options.hasOpfs && random.chance(0.06)) {
      this.#move();
      return;
    }
    const action = random.below(100);
    if (action < 40) this.#write();
    else if (action < 52) this.#flush(false);
    else if (action < 58) this.#flush(true);
    else if (action < 66) await world.few(random.below(20));
    else if (action < 72) await world.pass(random.below(150));
    else if (action < 75) this.#manageFiles();
    else if (action < 78) this.host.writeTail();
    else if (action < 80 && hasReplacements) this.#replace();
    else if (action < 82) this.#keepRestorePoint();
    else if (action < 84) await this.#settle();
    else if (action < 87) this.#loseConnection();
    else if (action < 89 && hasWipes) await this.#wipe();
    else if (action < 91 && hasTakeOvers) await this.#takeOver();
    else if (action < 94 && hasQuota) {
      const room = random.below(80_000);
      world.quota = random.chance(0.5) ? Infinity : world.usage + room;
      this.log.push(`quota ${world.quota}`);
    } else if (action < 96) await this.#killBrowser();
    else if (action < 99) {
      world.cutAt = world.steps + random.below(30);
      this.log.push('the power will go');
    } else this.#shrink();
  }

  #write() {
    const { random } = this;
    const [path, ending] = random.pick(FILES);
    if (path === this.replacing) return;
    const { folder } = this.host.opened;
    const paged = folder.find(path) ?? this.#create(path);
    const file = /** @type {ModelFile} */ (this.files.get(path));
    if (ending === 'none') {
      this.#change(path, file, paged);
      return;
    }
    if (!file.inTransaction) this.#begin(path, file);
    const before = file.committed;
    for (let i = random.below(4); i > 0; i--) this.#change(path, file, paged);
    if (random.chance(0.2)) return;
    if (random.chance(0.2)) {
      file.live = before;
      paged.write(before, 0);
      paged.resize(before.length);
    }
    file.inTransaction = false;
    const name = `${path}-journal`;
    const journal = folder.find(name) ?? new PagedFile();
    if (ending === 'remove') folder.remove(name);
    else if (ending === 'truncate') folder.resize(name, journal, 0);
    else folder.write(name, journal, new Uint8Array(28), 0);
    this.log.push(`commit ${folder.committedSeq} ${path}`);
  }

  /** @param {string} path */
  #create(path) {
    const nothing = new Uint8Array(0);
    this.files.set(path, {
      live: nothing,
      committed: nothing,
      inTransaction: false,
    });
    return this.host.opened.folder.create(path);
  }

  /**
   * @param {string} path
   * @param {ModelFile} file
   */
  #begin(path, file) {
    const { folder } = this.host.opened;
    const name = `${path}-journal`;
    const journal = folder.find(name) ?? folder.create(name);
    folder.write(name, journal, new Uint8Array(512), 0);
    folder.write(name, journal, MAGIC, 0);
    file.inTransaction = true;
  }

  /**
   * @param {string} path
   * @param {ModelFile} file
   * @param {PagedFile} paged
   */
  #change(path, file, paged) {
    const { random } = this;
    const { folder } = this.host.opened;
    const pages = Math.ceil(file.live.length / PAGE_SIZE);
    if (random.chance(0.15)) {
      const size = random.below(pages + 3) * PAGE_SIZE;
      file.live = resized(file.live, size);
      folder.resize(path, paged, size);
      return;
    }
    const far = random.chance(0.003) ? 260 : 0;
    const at = (random.below(Math.min(pages + 1, 14)) + far) * PAGE_SIZE;
    const length = random.chance(0.9) ? PAGE_SIZE : random.below(9000) + 1;
    const bytes = new Uint8Array(length).fill(1 + random.below(255));
    new DataView(bytes.buffer).setUint8(0, random.below(256));
    file.live = resized(file.live, Math.max(file.live.length, at + length));
    file.live.set(bytes, at);
    folder.write(path, paged, bytes, at);
  }

  /** Remove or rename a file that nobody has open. */
  #manageFiles() {
    const { random } = this;
    const idle = [...this.files].filter(
      ([path, file]) => !file.inTransaction && path !== this.replacing,
    );
    const [path, file] = idle[random.below(idle.length)] ?? [];
    if (!path || !file) return;
    const { folder } = this.host.opened;
    const [to] = random.pick(FILES);
    const target = this.files.get(to);
    this.files.delete(path);
    if (random.chance(0.5) || to === path || to === this.replacing) {
      this.log.push(`remove ${path}`);
      folder.remove(path);
    } else if (target?.inTransaction) {
      this.files.set(path, file);
    } else {
      this.log.push(`rename ${path} ${to}`);
      this.files.set(to, file);
      folder.rename(path, to);
    }
  }

  /** @param {boolean} strict */
  #flush(strict) {
    const { host, start, wipes } = this;
    const { folder } = host.opened;
    const seq = folder.committedSeq;
    this.log.push(`flush ${seq} ${strict ? 'strict' : 'relaxed'}`);
    const flush = async () => {
      const durable = await host.opened.flush(strict);
      if (this.host !== host) {
        this.#acknowledgedLate(host, start + seq);
        return;
      }
      assert.ok(durable >= seq && durable <= folder.committedSeq);
      // What was asked for before a wipe may have been answered before it.
      if (this.wipes !== wipes) return;
      this.log.push(`acknowledged ${seq} ${strict ? 'strict' : 'relaxed'}`);
      this.#acknowledge('relaxed', start + seq);
      if (strict) this.#acknowledge('strict', start + seq);
    };
    this.#track(flush());
  }

  #shrink() {
    const { host, start, wipes } = this;
    const { committedSeq } = host.opened.folder;
    this.log.push(`shrink ${committedSeq}`);
    const shrink = async () => {
      await host.opened.shrink();
      if (this.host !== host) {
        this.#acknowledgedLate(host, start + committedSeq);
        return;
      }
      if (this.wipes !== wipes) return;
      this.log.push(`shrunk ${committedSeq}`);
      this.#acknowledge('relaxed', start + committedSeq);
      this.#acknowledge('strict', start + committedSeq);
    };
    this.#track(shrink());
  }

  /**
   * @param {'relaxed' | 'strict'} durability
   * @param {number} index  Of the state.
   */
  #acknowledge(durability, index) {
    this.acknowledged[durability] = Math.max(
      this.acknowledged[durability],
      index,
    );
  }

  /**
   * A host that has lost the volume says that commits are durable.
   *
   * @param {Host} host
   * @param {number} index  Of the state.
   */
  #acknowledgedLate(host, index) {
    const known = this.takenOver.get(host) ?? -1;
    assert.ok(
      index <= known,
      `a stale host acknowledged commit ${index}, its successor found ${known}`,
    );
  }

  /** How many commits of a stale host its successor has found. */
  takenOver = /** @type {Map<Host, number>} */ (new Map());

  #replace() {
    const { random, host } = this;
    const volume = host.opened;
    const { wipes } = this;
    const [path] = random.pick(FILES);
    const file = this.files.get(path);
    if (this.replacing || file?.inTransaction) return;
    const before = file?.live;
    const bytes = new Uint8Array(random.below(30) * PAGE_SIZE).fill(
      1 + random.below(255),
    );
    stage(volume, 'staged', bytes);
    this.replacing = path;
    this.log.push(`replace ${path} after ${volume.folder.committedSeq}`);
    const { onCommit } = volume.folder;
    const inner = onCommit;
    let at = Infinity;
    volume.folder.onCommit = (changed) => {
      if (changed === path && this.host === host) {
        const isThere = volume.folder.find(path)?.size === bytes.length;
        const live = isThere ? bytes : new Uint8Array(0);
        this.files.set(path, { live, committed: live, inTransaction: false });
        at = Math.min(at, this.start + volume.folder.committedSeq);
      }
      inner(changed);
    };
    const replace = async () => {
      try {
        await volume.replaceFile(path, 'staged');
      } catch (error) {
        if (this.host !== host) throw error;
        this.log.push(`not replaced: ${/** @type {any} */ (error).code}`);
        this.#undoReplacement(path, before, at);
        throw error;
      } finally {
        if (this.host === host) this.replacing = null;
        volume.folder.onCommit = inner;
      }
      if (this.host !== host || this.wipes !== wipes) return;
      this.log.push(`replaced at ${at}`);
      this.#acknowledge('relaxed', at);
    };
    this.#track(replace());
  }

  /** The image of a file moves to the other store. */
  #move() {
    const { random, host } = this;
    const volume = host.opened;
    const [path] = random.pick(FILES);
    const file = this.files.get(path);
    if (!file || this.replacing || file.inTransaction) return;
    const { store } = volume.status(path);
    const to = store === 'opfs' ? 'indexeddb' : 'opfs';
    this.replacing = path;
    this.log.push(`move ${path} to ${to}`);
    const move = async () => {
      try {
        await volume.moveFile(path, to);
        this.log.push(`moved ${path} to ${to}`);
        assert.equal(volume.status(path).store, to);
      } catch (error) {
        this.log.push(`not moved: ${/** @type {any} */ (error).code}`);
        if (this.host === host) assert.equal(volume.status(path).store, store);
        throw error;
      } finally {
        if (this.host === host) this.replacing = null;
      }
    };
    this.#track(move());
  }

  /**
   * It was told that everything is as it was: no later state may know of it.
   *
   * @param {string} path
   * @param {Uint8Array | undefined} before
   * @param {number} at  The first state that knows of it.
   */
  #undoReplacement(path, before, at) {
    const found = this.host.opened.folder.find(path);
    assert.equal(found?.size ?? 0, before?.length ?? 0);
    // A file that did not exist may be left behind empty.
    const live = before ?? (found ? new Uint8Array(0) : undefined);
    if (live) {
      this.files.set(path, { live, committed: live, inTransaction: false });
    } else this.files.delete(path);
    for (let n = at; n < this.states.length; n++) {
      const state = new Map(this.states[n]);
      if (live) state.set(path, live);
      else state.delete(path);
      this.states[n] = state;
    }
  }

  #keepRestorePoint() {
    const { host } = this;
    const [path] = this.random.pick(FILES);
    const file = this.files.get(path);
    if (!file || file.inTransaction || path === this.replacing) return;
    const bytes = file.live;
    const { wipes } = this;
    const keep = async () => {
      const { id } = await host.opened.keepRestorePoint(path, 'a test', false);
      if (this.wipes === wipes) this.restorePoints.push({ id, path, bytes });
    };
    this.#track(keep());
  }

  #loseConnection() {
    const { connections } = this.world;
    for (const connection of [...connections]) {
      if (connection.process !== this.host.worker) continue;
      this.log.push('connection lost');
      // Who is not told of it can not notice either that the store is empty.
      connection.lose(
        this.options.hasWipes === true || this.random.chance(0.7),
      );
    }
  }

  async #wipe() {
    this.log.push('wiped');
    this.world.wipe();
    try {
      // Until the browser tells, nobody can know; the power may go meanwhile.
      await this.world.pass(2);
    } finally {
      this.wipes++;
      this.restorePoints = [];
      this.acknowledged = { relaxed: -1, strict: -1 };
    }
  }

  /**
   * The host is frozen at some moment, another one takes the volume, and the
   * first wakes up again.
   */
  async #takeOver() {
    const { random, world } = this;
    const { host: stale, start } = this;
    await world.few(random.below(12));
    stale.worker.freeze();
    if (random.chance(0.5)) stale.writeTail();
    this.log.push('frozen');
    // A host that has no space for its fence is not safe from the one before:
    // the writer lock alone keeps that one away.
    const { faults } = world;
    world.faults = () => null;
    world.quota = Infinity;
    try {
      await this.#open();
    } catch (error) {
      if (!String(error).includes('nothing is left to happen')) throw error;
      // It was frozen inside a transaction, and blocks all others.
      stale.kill();
      await this.#open();
    }
    world.faults = faults;
    this.takenOver.set(stale, this.start);
    if (stale.worker.isDead) return;
    if (random.chance(0.5)) {
      this.#flush(false);
      await world.pass(random.below(50));
    }
    stale.worker.thaw();
    this.log.push('thawed');
    if (random.chance(0.5)) stale.writeTail();
    const { folder } = stale.opened;
    const file = folder.find('notes.txt');
    if (file) folder.write('notes.txt', file, Uint8Array.of(1, 2, 3), 0);
    const strict = random.chance(0.5);
    const flush = async () => {
      const seq = folder.committedSeq;
      await stale.opened.flush(strict);
      this.#acknowledgedLate(stale, start + seq);
    };
    const late = flush();
    late.catch(() => {});
    await world.pass(random.below(300));
    stale.kill();
  }

  async #killBrowser() {
    this.log.push('killed');
    if (this.random.chance(0.5)) this.host.writeTail();
    this.host.worker.kill();
    await this.world.pass(this.random.below(5));
    this.world.killBrowser();
    await this.#open();
  }

  async #recoverFromPowerCut() {
    this.log.push('power cut');
    this.#losePower();
    await this.#open();
  }

  #losePower() {
    this.world.losePower({ tear: this.random.chance(0.3) });
    // A relaxed acknowledgement says nothing about power, a strict one does.
    this.acknowledged.relaxed = this.acknowledged.strict;
    this.restorePoints = [];
  }

  /** Everything that was called comes to an end. */
  async #settle() {
    this.world.quota = Infinity;
    this.log.push('settle');
    const { faults } = this.world;
    this.world.faults = () => null;
    this.#endTransactions();
    await this.world.until(Promise.all(this.pending));
    this.world.faults = faults;
  }

  /** With nothing in the way any more, everything becomes durable by itself. */
  async #endWell() {
    const { world } = this;
    world.faults = () => null;
    world.quota = Infinity;
    world.cutAt = Infinity;
    if (!world.hasPower) await this.#recoverFromPowerCut();
    this.#endTransactions();
    this.log.push('the end');
    await world.until(Promise.all(this.pending));
    await world.pass(12_000);
    const { durableSeq, committedSeq, lastError } = this.host.opened.summary();
    assert.equal(lastError, null);
    assert.equal(durableSeq, committedSeq, 'it does not flush by itself');
    this.#acknowledge('relaxed', this.start + committedSeq);
    await this.#checkRestorePoints();
    world.killBrowser();
    await this.#open();
  }

  #endTransactions() {
    for (const [path, file] of this.files) {
      if (!file.inTransaction) continue;
      file.inTransaction = false;
      this.host.opened.folder.remove(`${path}-journal`);
    }
  }

  async #checkRestorePoints() {
    const { host, world } = this;
    const volume = host.opened;
    for (const { id, path, bytes } of this.restorePoints) {
      const kept = await world.until(volume.restorePoints(path));
      if (!kept.some((row) => row.id === id)) {
        // Without space, older ones make room.
        const { hasQuota, hasFaults } = this.options;
        assert.ok(
          hasQuota || hasFaults || kept.length === KEPT,
          'a restore point is gone',
        );
        continue;
      }
      assert.deepEqual(await world.until(volume.readRestorePoint(id)), bytes);
    }
  }

  /** @param {Promise<void>} call */
  #track(call) {
    const { pending } = this;
    const tracked = call.then(
      () => {
        pending.delete(tracked);
      },
      (error) => {
        pending.delete(tracked);
        if (!HONEST.has(error.code)) this.failure ??= error;
      },
    );
    pending.add(tracked);
  }

  /** Of a call that nobody awaits. @type {Error | null} */
  failure = null;

  /**
   * @param {FaultPoint} point
   * @param {FaultPlace} place
   */
  #fault(point, { transaction }) {
    const { random } = this;
    if (!random.chance(0.02)) return null;
    this.log.push(`fault at ${point} of ${transaction?.stores}`);
    if (point === 'transaction') return 'InvalidStateError';
    if (point === 'open') return 'UnknownError';
    if (point === 'commit' && random.chance(0.5)) return 'ambiguous';
    return random.pick(['UnknownError', 'QuotaExceededError', 'AbortError']);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} size
 * @returns {Uint8Array} Always a new one.
 */
function resized(bytes, size) {
  const copy = new Uint8Array(size);
  copy.set(bytes.subarray(0, size));
  return copy;
}
