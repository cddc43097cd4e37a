/**
 * Making commits durable: one record at a time, in order.
 *
 * Rule 1: one record is under way at a time. Whoever waits meanwhile shares the
 *         next one (group commit).
 * Rule 2: a sealed record never changes. It is tried until it is stored, because
 *         a page may hold a copy of it and write it as its tail; a second
 *         version under the same key would look like another writer.
 * Rule 3: a collision with the same bytes means "already stored", with other
 *         bytes that another host owns the store: nothing is written any more.
 * Rule 4: after a lost connection the head is compared before anything is added.
 *         If the store is empty or behind, the whole image is written again.
 * Rule 5: a flush of more than the largest record is a checkpoint instead. It
 *         holds what no record does, so it begins a new chain.
 * Rule 6: a file is replaced between two records and with no transaction open,
 *         and either stored or undone before the next record is sealed.
 * Rule 7: what makes the store smaller does not wait for a record that finds no
 *         space. The record becomes part of the checkpoint.
 *
 * Units: sequence numbers count commits (`committedSeq`, `durableSeq`).
 */

import { sameChecksum } from '../core/checksum.js';
import { positionAfter } from '../core/log-recovery.js';
import {
  checksumOfRecord,
  encodeFence,
  encodePages,
  RecordTooNewError,
} from '../core/page-record.js';
import { fencedError, StoreError } from './page-store.js';

/** @import { Checksum } from '../core/checksum.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LogPosition } from '../core/page-record.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */
/** @import { Checkpointer } from './checkpointer.js' */
/** @import { Ownership, PageStore } from './page-store.js' */
/** @import { Reserve } from './reserve.js' */
/** @import { Recovered } from './recovery.js' */

/**
 * @typedef {object} Clock  Handed in, so that tests own the time.
 * @property {() => number} now  Unix milliseconds.
 * @property {(ms: number) => Promise<void>} sleep
 */

/**
 * @typedef {object} SealedRecord
 * @property {LogKey} key
 * @property {Uint8Array<ArrayBuffer>} bytes
 * @property {Checksum} checksum
 * @property {LogPosition} at
 * @property {number} seq  Commits that are in it or before it.
 * @property {number} pages  How many are in it.
 */

/**
 * @typedef {object} FlushTiming
 * @property {'record' | 'checkpoint'} kind
 * @property {number} at  Unix milliseconds.
 * @property {number} durationMs  Until it was durable.
 * @property {number} bytes  Written.
 * @property {number} pages  In a record; 0 in a checkpoint.
 */

/**
 * @typedef {object} Waiter
 * @property {number} seq
 * @property {boolean} strict
 * @property {() => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * @typedef {object} Replacement
 * @property {() => () => void} change  Changes the files; returns how to undo it.
 * @property {(isDone: boolean) => void} resolve  False: try again later.
 * @property {(error: unknown) => void} reject
 */

/**
 * @typedef {object} Shrinking
 * @property {(isDone: boolean) => void} resolve  False: try again later.
 * @property {(error: unknown) => void} reject
 */

/**
 * @typedef {object} Limits  In bytes.
 * @property {number} largestRecord
 * @property {number} smallestLog  A log is checkpointed beyond this many bytes,
 *   or a quarter of the images.
 * @property {number} reserve  One step of it, see `Reserve`.
 */

/** @type {Limits} */
export const LIMITS = {
  largestRecord: 32 << 20,
  smallestLog: 8 << 20,
  reserve: 1 << 20,
};

/** In milliseconds, before the second, third, … try. */
const BACKOFF = [20, 100, 500, 2000, 5000];

/** Timings that are remembered. */
const TIMINGS = 20;

/** Tries after which those who wait are told; trying goes on. */
const TRIES_IN_SILENCE = 3;

/** A browser that clears the store may not open the next one at once. */
const MAY_PASS = new Set(['store_lost', 'store_unavailable']);

export class Flusher {
  #store;
  #folder;
  #checkpointer;
  #reserve;
  #clock;
  #events;
  #limits;

  /** @type {LogPosition} */
  #next;

  /** The record that the next one follows; null if it is in the checkpoint.
   * @type {LogKey | null} */
  #lastKey;
  #logBytes;

  /** Of this host, while it is not known to be stored. @type {SealedRecord | null} */
  #fence = null;

  /** @type {SealedRecord | null} */
  #sealed = null;

  /** @type {Waiter[]} */
  #waiters = [];

  /** @type {Replacement[]} */
  #replacements = [];

  /** @type {Shrinking[]} */
  #shrinkings = [];

  /** Ends the wait before the next try. */
  #wake = () => {};

  #isRunning = false;
  #wanted = false;
  #suspect = false;
  #fenced = false;
  #closed = false;

  /** @type {Promise<void>} */
  #checkpointing = Promise.resolve();
  #isCheckpointing = false;

  /** In bytes: a checkpoint that failed is tried again with a log of that size. */
  #checkpointFrom = 0;

  durableSeq = 0;

  /** Asked for by those who were told of a failure: it is tried on. */
  #owedSeq = 0;

  /** Less than any: what was found may have been stored relaxed. */
  #strictSeq = -1;

  /** Of the last ones, oldest first. @type {FlushTiming[]} */
  timings = [];

  /** How often the whole store was written anew, because it had gone. */
  rewrites = 0;

  /** Why the last try failed; null if it did not. @type {StoreError | null} */
  lastError = null;

  /**
   * @param {object} parts
   * @param {PageStore} parts.store
   * @param {PagedFolder} parts.folder
   * @param {Checkpointer} parts.checkpointer
   * @param {Reserve} parts.reserve
   * @param {Recovered} parts.recovered
   * @param {Clock} parts.clock
   * @param {{sealed: (record: SealedRecord) => void,
   *   settled: (key: LogKey) => void, changed: () => void}} parts.events
   *   `sealed` before a record is written, `settled` when it is stored,
   *   `changed` whenever the status may differ.
   * @param {Limits} [parts.limits]
   */
  constructor({
    store,
    folder,
    checkpointer,
    reserve,
    recovered,
    clock,
    events,
    limits = LIMITS,
  }) {
    this.#store = store;
    this.#folder = folder;
    this.#checkpointer = checkpointer;
    this.#reserve = reserve;
    this.#clock = clock;
    this.#events = events;
    this.#limits = limits;
    this.#next = recovered.next;
    this.#lastKey = recovered.lastKey;
    this.#logBytes = recovered.logBytes;
    if (!recovered.isFenced) this.#fence = this.#sealFence();
    store.onLost = () => this.#storeLost();
  }

  /** In bytes: committed and not known to be durable. */
  get pendingBytes() {
    return this.#folder.dirtyBytes + (this.#sealed?.bytes.length ?? 0);
  }

  get logBytes() {
    return this.#logBytes;
  }

  /** In bytes: given up when the store has to shrink and nothing else is free. */
  get reserveBytes() {
    return this.#reserve.bytes;
  }

  /** The record whose fate is not known. */
  get sealed() {
    return this.#sealed;
  }

  get epoch() {
    return this.#next.epoch;
  }

  /** Where the next record goes. */
  get head() {
    return this.#next;
  }

  get checkpointer() {
    return this.#checkpointer;
  }

  /** What is in memory is what is stored, and nothing is under way. */
  get isAtRest() {
    const { isClean, inTransaction } = this.#folder;
    return isClean && !inTransaction && !this.#isRunning && this.#isIdle;
  }

  /**
   * Resolves when everything that is committed now is durable.
   *
   * @param {{strict?: boolean}} [options]
   * @returns {Promise<number>} The commits that are durable.
   * @throws {StoreError} Not durable; trying goes on, unless another host owns
   *   the store.
   */
  async flush({ strict = false } = {}) {
    if (this.#fenced) throw fencedError();
    if (this.#closed) throw closedError();
    /** @type {Promise<void>} */
    const durable = new Promise((resolve, reject) => {
      const seq = this.#folder.committedSeq;
      this.#waiters.push({ seq, strict, resolve, reject });
    });
    this.#start();
    await durable;
    return this.durableSeq;
  }

  /**
   * Change whole files and make that durable, or undo it. See rule 6.
   *
   * @param {() => () => void} change  Changes the files; returns how to undo it.
   * @throws {StoreError} Everything is as it was, also in the store.
   */
  async replace(change) {
    for (let isDone = false; !isDone;) {
      await this.#folder.allSettled();
      await this.flush();
      isDone = await new Promise((resolve, reject) => {
        this.#replacements.push({ change, resolve, reject });
        this.#start();
      });
    }
  }

  /**
   * Make what is committed now durable as a checkpoint, and delete all that it
   * replaces: the store is as small as the files are. See rule 7.
   *
   * @throws {StoreError} Nothing is lost; what was durable still is.
   */
  async shrink() {
    for (let isDone = false; !isDone;) {
      if (this.#fenced) throw fencedError();
      if (this.#closed) throw closedError();
      await this.#folder.allSettled();
      isDone = await new Promise((resolve, reject) => {
        this.#shrinkings.push({ resolve, reject });
        this.#start();
        this.#wake();
      });
    }
  }

  /** Resolves when no checkpoint is under way. */
  async quiet() {
    while (this.#isCheckpointing) await this.#checkpointing;
  }

  /**
   * Resolves when nothing is stored that the last checkpoint has made superfluous.
   *
   * @throws {StoreError} Something is; the next checkpoint tries again.
   */
  async tidy() {
    for (const ms of BACKOFF) {
      await this.quiet();
      try {
        await this.#checkpointer.tidy(this.#owner());
        return;
      } catch (error) {
        if (asStoreError(error).code !== 'store_lost') throw error;
        if (ms === BACKOFF.at(-1)) throw error;
        await this.#clock.sleep(ms);
      }
    }
  }

  /** Stop trying. What is not durable yet stays so. */
  close() {
    this.#closed = true;
    this.#rejectWaiters(closedError());
  }

  /** What is stored may be gone. Look, and heal it if need be. */
  #storeLost() {
    this.#suspect = true;
    if (!this.#closed && !this.#fenced) this.#start();
  }

  #start() {
    this.#wanted = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run() {
    this.#isRunning = true;
    try {
      for (let tries = 0; this.#hasWork();) {
        this.#wanted = false;
        try {
          await this.#step();
          tries = 0;
          this.#setError(null);
          // Also if the next commit comes before this one's end is told.
          this.#checkpointIfLarge();
        } catch (error) {
          this.#failed(error, tries);
          if (this.#fenced || this.#closed) return;
          const ms = BACKOFF[Math.min(tries, BACKOFF.length - 1)] ?? 0;
          tries++;
          this.#wanted = true;
          await this.#pause(ms);
        }
      }
    } finally {
      this.#isRunning = false;
    }
    if (this.#isIdle) {
      void this.#reserve.fit(this.#folder.size, () => this.#owner());
    }
  }

  /**
   * Before the next try, unless somebody makes space.
   *
   * @param {number} ms
   */
  #pause(ms) {
    /** @type {Promise<void>} */
    const woken = new Promise((resolve) => {
      this.#wake = resolve;
    });
    return Promise.race([this.#clock.sleep(ms), woken]);
  }

  #hasWork() {
    const waiting =
      this.#waiters.length +
      this.#replacements.length +
      this.#shrinkings.length;
    const owes = this.#owedSeq > this.durableSeq;
    return !this.#closed && (this.#wanted || waiting > 0 || owes);
  }

  /** Make what is committed now durable, or throw. */
  async #step() {
    const strict = this.#waiters.some((waiter) => waiter.strict);
    if (this.#checkpointer.isInDoubt) {
      await this.quiet();
      await this.#checkpointer.settleDoubt(this.#owner());
    }
    while (this.#suspect || this.#checkpointer.hasLostImages) {
      await this.#compareHead();
    }
    const shrinking = this.#shrinkings.shift();
    if (shrinking) {
      await this.#shrink(shrinking);
      return;
    }
    if (this.#fence) await this.#writeFence(this.#fence);
    if (!this.#sealed) {
      const replacement = this.#replacements.shift();
      if (replacement) {
        await this.#replace(replacement);
        return;
      }
      if (this.#folder.isClean && !(strict && this.#owesStrict())) {
        this.#durable(this.#folder.committedSeq, false);
        return;
      }
      if (this.#folder.dirtyBytes > this.#limits.largestRecord) {
        await this.quiet();
        // Pages of an open transaction are no part of an image.
        if (!this.#folder.inTransaction) {
          await this.#checkpointNow();
          return;
        }
      }
      this.#sealed = this.#seal();
      this.#events.sealed(this.#sealed);
    }
    const { key, bytes, checksum, at, seq, pages } = this.#sealed;
    const started = performance.now();
    const isStrict = await this.#add(this.#sealed, strict);
    this.#took(started, { kind: 'record', bytes: bytes.length, pages });
    this.#sealed = null;
    this.#next = positionAfter({ kind: 'pages', at, checksum });
    this.#lastKey = key;
    this.#logBytes += bytes.length;
    this.#events.settled(key);
    this.#durable(seq, isStrict);
  }

  #owesStrict() {
    return this.#strictSeq < this.#folder.committedSeq;
  }

  /** @returns {SealedRecord} */
  #seal() {
    const at = this.#next;
    const seq = this.#folder.committedSeq;
    const changes = this.#folder.takeChanges();
    try {
      const sealed = encodePages(at, changes, this.#clock.now());
      let pages = 0;
      for (const { taken } of changes) {
        pages += taken?.delta.pages.size ?? 0;
        taken?.view.close();
      }
      return { key: [at.epoch, at.seq], ...sealed, at, seq, pages };
    } catch (error) {
      this.#folder.giveBack(changes);
      throw error;
    }
  }

  /** @returns {SealedRecord} */
  #sealFence() {
    const at = this.#next;
    const sealed = encodeFence(at, this.#clock.now());
    return { key: [at.epoch, at.seq], ...sealed, at, seq: 0, pages: 0 };
  }

  /** There was no space for it when the store was opened. @param {SealedRecord} fence */
  async #writeFence(fence) {
    await this.#add(fence, false);
    this.#fence = null;
    this.#checkpointer.noteFence(fence.key);
    // A checkpoint may have gone on behind it meanwhile.
    if (this.#next.epoch > fence.at.epoch) return;
    this.#next = positionAfter({ ...fence, kind: 'fence' });
    this.#lastKey = fence.key;
  }

  /**
   * @param {SealedRecord} record
   * @param {boolean} strict
   * @returns {Promise<boolean>} Whether it is known to be stored strictly.
   */
  async #add({ key, bytes, checksum }, strict) {
    try {
      await this.#store.addRecord(key, bytes, { strict });
      return strict;
    } catch (error) {
      if (/** @type {StoreError} */ (error).code !== 'collision') throw error;
    }
    const stored = await this.#store.record(key);
    if (!stored) {
      throw new StoreError('store_lost', 'the store was emptied just now');
    }
    const found = checksumOfRecord(stored);
    if (!found || !sameChecksum(found, checksum)) throw fencedError();
    // A page has written it as its tail: relaxed.
    return false;
  }

  /** @returns {Ownership} */
  #owner() {
    const { epoch, seq } = this.#next;
    const own = this.#fence ?? this.#sealed;
    return {
      head: [epoch, seq],
      wrote: (record) => {
        const found = checksumOfRecord(record);
        return !!own && !!found && sameChecksum(found, own.checksum);
      },
    };
  }

  async #isHeadThere() {
    if (!(await this.#checkpointer.isThere())) return false;
    if (!this.#lastKey) return true;
    const last = await this.#store.record(this.#lastKey);
    const found = last && checksumOfRecord(last);
    return !!found && sameChecksum(found, this.#next.checksum);
  }

  /** Rule 4. */
  async #compareHead() {
    this.#suspect = false;
    try {
      await this.#store.assertOwner(this.#owner());
      const isThere = await this.#isHeadThere();
      if (!isThere || this.#checkpointer.hasLostImages) await this.#heal();
    } catch (error) {
      this.#suspect = true;
      throw error;
    }
  }

  async #heal() {
    await this.quiet();
    if (this.#folder.inTransaction) {
      const message =
        'the stored data is gone; it is written anew after the ' +
        'transaction that is open now';
      throw new StoreError('store_lost', message);
    }
    this.#checkpointer.forget();
    this.#reserve.forget();
    await this.#checkpointer.replaceLostImages();
    await this.#checkpointNow();
    this.rewrites++;
  }

  /** @param {Replacement} replacement */
  async #replace({ change, resolve, reject }) {
    await this.quiet();
    if (this.#folder.inTransaction) {
      resolve(false);
      return;
    }
    let undo;
    try {
      undo = change();
    } catch (error) {
      // What it needed to read could not be read; nothing has changed.
      reject(error);
      return;
    }
    try {
      await this.#checkpointNow();
      resolve(true);
    } catch (error) {
      undo();
      reject(error);
      if (isFencing(error)) throw error;
    }
  }

  /** @param {Shrinking} shrinking */
  async #shrink({ resolve, reject }) {
    await this.quiet();
    try {
      for (let isDone = false; !isDone;) {
        if (this.#folder.inTransaction) {
          resolve(false);
          return;
        }
        isDone = await this.#checkpointOrMakeRoom();
      }
      // The first one has freed what pages can be moved to now.
      if (!this.#folder.inTransaction && this.#checkpointer.hasGaps) {
        await this.#checkpointNow(true);
      }
      resolve(true);
    } catch (error) {
      reject(error);
      throw error;
    }
  }

  /** @returns {Promise<boolean>} False: there is more space now; try again. */
  async #checkpointOrMakeRoom() {
    try {
      await this.#checkpointNow();
      return true;
    } catch (error) {
      const isFull = asStoreError(error).code === 'quota_exceeded';
      const owner = () => this.#owner();
      if (!isFull || !(await this.#reserve.release(owner))) throw error;
      return false;
    }
  }

  /**
   * Everything that is committed now, as a checkpoint.
   *
   * @param {boolean} [compact]
   */
  async #checkpointNow(compact = false) {
    const seq = this.#folder.committedSeq;
    const sealed = this.#sealed;
    // A sealed record is part of the image; it must not be applied on top of it.
    let next = this.#next;
    if (sealed) next = positionAfter({ ...sealed, kind: 'pages' });
    else if (this.#fence?.at.epoch === next.epoch) {
      next = positionAfter({ ...this.#fence, kind: 'fence' });
    }
    const changes = this.#folder.takeChanges();
    try {
      this.#next = await this.#writeCheckpoint(next, true, compact);
    } catch (error) {
      this.#folder.giveBack(changes);
      throw error;
    }
    for (const { taken } of changes) taken?.view.close();
    this.#lastKey = null;
    this.#sealed = null;
    if (sealed) this.#events.settled(sealed.key);
    this.#durable(seq, true);
  }

  /** Nothing is under way, and nothing is in doubt. */
  get #isIdle() {
    if (this.#isCheckpointing || this.#closed || this.#fenced) return false;
    if (this.#sealed || this.#fence) return false;
    return !this.#suspect && !this.#checkpointer.isInDoubt;
  }

  #checkpointIfLarge() {
    if (this.#logBytes <= this.#limits.smallestLog) return;
    const limit = Math.max(
      this.#limits.smallestLog,
      this.#folder.residentSize / 4,
      // A page table is written as a whole, if pages here and there change.
      2 * this.#checkpointer.tableBytes,
    );
    if (this.#logBytes <= Math.max(limit, this.#checkpointFrom)) return;
    if (this.#folder.inTransaction || !this.#isIdle) return;
    const write = async () => {
      try {
        await this.#writeCheckpoint(this.#next, false);
        this.#checkpointFrom = 0;
      } catch (error) {
        // The log still holds everything: it is no failure to be told.
        this.#checkpointFrom = this.#logBytes + limit;
        if (isFencing(error)) this.#failed(error, 0);
      }
    };
    void write();
  }

  /**
   * @param {LogPosition} next
   * @param {boolean} beginsChain
   * @param {boolean} [compact]
   */
  #writeCheckpoint(next, beginsChain, compact = false) {
    const before = this.#logBytes;
    const owner = () => this.#owner();
    const write = async () => {
      this.#isCheckpointing = true;
      try {
        const started = performance.now();
        const at = await this.#checkpointer.write(next, {
          owner,
          beginsChain,
          compact,
        });
        const bytes = this.#checkpointer.writtenBytes;
        this.#took(started, { kind: 'checkpoint', bytes, pages: 0 });
        this.#logBytes -= before;
        if (at.epoch === this.#next.epoch && at.seq === this.#next.seq) {
          // The last record is in the checkpoint and is not in the log any more.
          this.#lastKey = null;
        }
        return at;
      } finally {
        this.#isCheckpointing = false;
        this.#events.changed();
      }
    };
    const writing = write();
    this.#checkpointing = writing.then(
      () => {},
      () => {},
    );
    return writing;
  }

  /**
   * @param {number} started  By the clock of the process.
   * @param {Pick<FlushTiming, 'kind' | 'bytes' | 'pages'>} what
   */
  #took(started, what) {
    const durationMs = performance.now() - started;
    this.timings.push({ ...what, at: this.#clock.now(), durationMs });
    if (this.timings.length > TIMINGS) this.timings.shift();
  }

  /**
   * @param {number} seq
   * @param {boolean} strict
   */
  #durable(seq, strict) {
    this.durableSeq = Math.max(this.durableSeq, seq);
    if (strict) this.#strictSeq = Math.max(this.#strictSeq, seq);
    const isMet = (/** @type {Waiter} */ waiter) =>
      waiter.seq <= (waiter.strict ? this.#strictSeq : this.durableSeq);
    const met = this.#waiters.filter(isMet);
    this.#waiters = this.#waiters.filter((waiter) => !isMet(waiter));
    for (const waiter of met) waiter.resolve();
    this.#events.changed();
  }

  /**
   * @param {unknown} error
   * @param {number} tries
   */
  #failed(error, tries) {
    const failure = asStoreError(error);
    if (failure.code === 'store_lost') this.#suspect = true;
    if (isFencing(failure)) this.#fenced = true;
    this.#setError(failure);
    const hopeless = !MAY_PASS.has(failure.code) || tries >= TRIES_IN_SILENCE;
    if (hopeless) this.#rejectWaiters(failure);
  }

  /** @param {StoreError} error */
  #rejectWaiters(error) {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      this.#owedSeq = Math.max(this.#owedSeq, waiter.seq);
      waiter.reject(error);
    }
    const replacements = this.#replacements;
    this.#replacements = [];
    for (const replacement of replacements) replacement.reject(error);
    const shrinkings = this.#shrinkings;
    this.#shrinkings = [];
    for (const shrinking of shrinkings) shrinking.reject(error);
  }

  /** @param {StoreError | null} error */
  #setError(error) {
    if (this.lastError === error) return;
    this.lastError = error;
    this.#events.changed();
  }
}

function closedError() {
  return new StoreError('store_unavailable', 'it is closed');
}

/** @param {unknown} error  Nothing may be written any more. */
function isFencing(error) {
  const { code } = asStoreError(error);
  return code === 'writer_fenced' || code === 'store_too_new';
}

/** @param {unknown} error */
function asStoreError(error) {
  if (error instanceof StoreError) return error;
  const { message } = /** @type {Error} */ (error);
  if (error instanceof RecordTooNewError) {
    return new StoreError('store_too_new', message, error);
  }
  return new StoreError('store_lost', message, error);
}
