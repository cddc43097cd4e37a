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
 * Rule 5: a flush of more than LARGEST_RECORD is a checkpoint instead.
 *
 * Units: sequence numbers count commits (`committedSeq`, `durableSeq`).
 */

import { sameChecksum } from '../core/checksum.js';
import { positionAfter } from '../core/log-recovery.js';
import {
  checksumOfRecord,
  encodePages,
  RecordTooNewError,
} from '../core/page-record.js';
import { StoreError } from './page-store.js';

/** @import { Checksum } from '../core/checksum.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LogPosition } from '../core/page-record.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */
/** @import { Checkpointer } from './checkpointer.js' */
/** @import { PageStore } from './page-store.js' */
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
 */

/**
 * @typedef {object} Waiter
 * @property {number} seq
 * @property {boolean} strict
 * @property {() => void} resolve
 * @property {(error: Error) => void} reject
 */

/** In bytes. */
const LARGEST_RECORD = 32 << 20;

/** A log is checkpointed beyond this many bytes, or a quarter of the images. */
const SMALLEST_LOG = 8 << 20;

/** In milliseconds, before the second, third, … try. */
const BACKOFF = [20, 100, 500, 2000, 5000];

/** Tries after which those who wait are told; trying goes on. */
const TRIES_IN_SILENCE = 2;

export class Flusher {
  #store;
  #folder;
  #checkpointer;
  #clock;
  #events;

  /** @type {LogPosition} */
  #next;

  /** The record that the next one follows. @type {LogKey} */
  #lastKey;
  #logBytes;

  /** @type {SealedRecord | null} */
  #sealed = null;

  /** @type {Waiter[]} */
  #waiters = [];

  /** @type {Promise<void> | null} */
  #running = null;
  #wanted = false;
  #suspect = false;
  #fenced = false;
  #closed = false;

  /** @type {Promise<void>} */
  #checkpointing = Promise.resolve();
  #isCheckpointing = false;

  durableSeq = 0;
  #strictSeq = 0;

  /** Why the last try failed; null if it did not. @type {StoreError | null} */
  lastError = null;

  /**
   * @param {object} parts
   * @param {PageStore} parts.store
   * @param {PagedFolder} parts.folder
   * @param {Checkpointer} parts.checkpointer
   * @param {Recovered} parts.recovered
   * @param {Clock} parts.clock
   * @param {{sealed: (record: SealedRecord) => void,
   *   settled: (key: LogKey) => void, changed: () => void}} parts.events
   *   `sealed` before a record is written, `settled` when it is stored,
   *   `changed` whenever the status may differ.
   */
  constructor({ store, folder, checkpointer, recovered, clock, events }) {
    this.#store = store;
    this.#folder = folder;
    this.#checkpointer = checkpointer;
    this.#clock = clock;
    this.#events = events;
    this.#next = recovered.next;
    this.#lastKey = recovered.lastKey;
    this.#logBytes = recovered.logBytes;
  }

  /** In bytes: committed and not known to be durable. */
  get pendingBytes() {
    return this.#folder.dirtyBytes + (this.#sealed?.bytes.length ?? 0);
  }

  get logBytes() {
    return this.#logBytes;
  }

  /** The record whose fate is not known. */
  get sealed() {
    return this.#sealed;
  }

  get epoch() {
    return this.#next.epoch;
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
    if (this.#closed) throw new StoreError('store_unavailable', 'it is closed');
    /** @type {Promise<void>} */
    const durable = new Promise((resolve, reject) => {
      const seq = this.#folder.committedSeq;
      this.#waiters.push({ seq, strict, resolve, reject });
    });
    this.#wanted = true;
    this.#running ??= this.#run();
    await durable;
    return this.durableSeq;
  }

  /**
   * Write a checkpoint and nothing else: the way in which a whole image is
   * replaced at once.
   *
   * @throws {StoreError} The stored state is the one before.
   */
  async checkpoint() {
    while (this.#running && !this.lastError) await this.#running;
    if (this.#fenced) throw fencedError();
    if (this.#sealed && this.lastError) throw this.lastError;
    await this.quiet();
    await this.#checkpointNow({ strict: false });
  }

  /** Resolves when no checkpoint is under way. */
  async quiet() {
    while (this.#isCheckpointing) await this.#checkpointing;
  }

  /** Stop trying. What is not durable yet stays so. */
  close() {
    this.#closed = true;
    this.#rejectWaiters(new StoreError('store_unavailable', 'it is closed'));
  }

  async #run() {
    try {
      for (let tries = 0; this.#hasWork();) {
        this.#wanted = false;
        try {
          await this.#step();
          tries = 0;
          this.#setError(null);
        } catch (error) {
          this.#failed(error, tries);
          if (this.#fenced || this.#closed) return;
          const ms = BACKOFF[Math.min(tries, BACKOFF.length - 1)] ?? 0;
          tries++;
          this.#wanted = true;
          await this.#clock.sleep(ms);
        }
      }
    } finally {
      this.#running = null;
    }
    this.#checkpointIfLarge();
  }

  #hasWork() {
    return !this.#closed && (this.#wanted || this.#waiters.length > 0);
  }

  /** Make what is committed now durable, or throw. */
  async #step() {
    const strict = this.#waiters.some((waiter) => waiter.strict);
    if (this.#suspect) await this.#compareHead();
    if (!this.#sealed) {
      if (this.#folder.isClean && !(strict && this.#owesStrict())) {
        this.#durable(this.#folder.committedSeq, false);
        return;
      }
      if (this.#folder.dirtyBytes > LARGEST_RECORD) {
        await this.quiet();
        // Pages of an open transaction are no part of an image.
        if (!this.#folder.inTransaction) {
          await this.#checkpointNow({ strict });
          return;
        }
      }
      this.#sealed = this.#seal();
      this.#events.sealed(this.#sealed);
    }
    const { key, bytes, checksum, at, seq } = this.#sealed;
    await this.#add(key, bytes, checksum, strict);
    this.#sealed = null;
    this.#next = positionAfter({ kind: 'pages', at, checksum });
    this.#lastKey = key;
    this.#logBytes += bytes.length;
    this.#events.settled(key);
    this.#durable(seq, strict);
  }

  #owesStrict() {
    return this.#strictSeq < this.#folder.committedSeq;
  }

  /** @returns {SealedRecord} */
  #seal() {
    const at = this.#next;
    const seq = this.#folder.committedSeq;
    const changes = this.#folder.takeChanges();
    const sealed = encodePages(at, changes, this.#clock.now());
    for (const { taken } of changes) taken?.view.close();
    return { key: [at.epoch, at.seq], ...sealed, at, seq };
  }

  /**
   * @param {LogKey} key
   * @param {Uint8Array} bytes
   * @param {Checksum} checksum
   * @param {boolean} strict
   */
  async #add(key, bytes, checksum, strict) {
    try {
      await this.#store.addRecord(key, bytes, { strict });
    } catch (error) {
      if (/** @type {StoreError} */ (error).code !== 'collision') throw error;
      const stored = await this.#store.record(key);
      const found = stored && checksumOfRecord(stored);
      if (found && sameChecksum(found, checksum)) return;
      this.#fenced = true;
      throw fencedError();
    }
  }

  /** Rule 4. */
  async #compareHead() {
    const last = await this.#store.record(this.#lastKey);
    const found = last && checksumOfRecord(last);
    const isThere = found && sameChecksum(found, this.#next.checksum);
    if (isThere && (await this.#checkpointer.isThere())) {
      this.#suspect = false;
      return;
    }
    const behind = await this.#store.record([this.#next.epoch, this.#next.seq]);
    const foreign = behind && checksumOfRecord(behind);
    if (
      foreign &&
      !(this.#sealed && sameChecksum(foreign, this.#sealed.checksum))
    ) {
      this.#fenced = true;
      throw fencedError();
    }
    await this.quiet();
    if (this.#folder.inTransaction) {
      const message =
        'the stored data is gone; it is written anew after the ' +
        'transaction that is open now';
      throw new StoreError('store_lost', message);
    }
    this.#checkpointer.forget();
    await this.#checkpointNow({ strict: false });
    this.#suspect = false;
  }

  /** @param {{strict: boolean}} options */
  async #checkpointNow({ strict }) {
    const seq = this.#folder.committedSeq;
    const sealed = this.#sealed;
    // A sealed record is part of the image; it must not be applied on top of it.
    const next = sealed
      ? positionAfter({
          kind: 'pages',
          at: sealed.at,
          checksum: sealed.checksum,
        })
      : this.#next;
    const changes = this.#folder.takeChanges();
    try {
      await this.#writeCheckpoint(next, { strict });
    } catch (error) {
      this.#folder.giveBack(changes);
      throw error;
    }
    for (const { taken } of changes) taken?.view.close();
    if (sealed) {
      this.#sealed = null;
      this.#next = next;
      this.#lastKey = sealed.key;
      this.#events.settled(sealed.key);
    }
    this.#durable(seq, strict);
  }

  #checkpointIfLarge() {
    const limit = Math.max(SMALLEST_LOG, this.#folder.size / 4);
    if (this.#logBytes <= limit || this.#isCheckpointing || this.#closed)
      return;
    if (this.#folder.inTransaction || this.#sealed) return;
    const write = async () => {
      try {
        await this.#writeCheckpoint(this.#next, { strict: false });
      } catch (error) {
        // The log still holds everything. The next flush comes by here again.
        this.#setError(asStoreError(error));
      }
    };
    void write();
  }

  /**
   * @param {LogPosition} next
   * @param {{strict: boolean}} options
   */
  #writeCheckpoint(next, options) {
    const before = this.#logBytes;
    const write = async () => {
      this.#isCheckpointing = true;
      try {
        await this.#checkpointer.write(next, options);
        this.#logBytes -= before;
      } finally {
        this.#isCheckpointing = false;
        this.#events.changed();
      }
    };
    const writing = write();
    this.#checkpointing = writing.catch(() => {});
    return writing;
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
    if (failure.code === 'store_too_new') this.#fenced = true;
    this.#setError(failure);
    const hopeless = failure.code !== 'store_lost' || tries >= TRIES_IN_SILENCE;
    if (hopeless) this.#rejectWaiters(failure);
  }

  /** @param {StoreError} error */
  #rejectWaiters(error) {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
  }

  /** @param {StoreError | null} error */
  #setError(error) {
    if (this.lastError === error) return;
    this.lastError = error;
    this.#events.changed();
  }
}

function fencedError() {
  const message =
    'another tab or release owns the database now; reload this one';
  const error = new StoreError('store_unavailable', message);
  return Object.assign(error, { code: 'writer_fenced' });
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
