/**
 * Writing a checkpoint: the image of every file as immutable extents, and one
 * record that lists them.
 *
 * Rule 1: the image is frozen in one task. Commits go on while it is written.
 * Rule 2: extents are read back and verified before they are published, and
 *         what the old checkpoint needs is deleted after that, not before.
 * Rule 3: publishing is one request. Before it the old state is the durable one,
 *         after it the new one; every step may be the last.
 * Rule 4: all of it is strict. The log that it replaces may have been.
 * Rule 5: a checkpoint with more in it than the log begins a new chain: records
 *         behind it can not be taken for a continuation of an older state.
 * Rule 6: one that fails takes its extents with it. Left behind, they would fill
 *         the space that the log needs.
 * Rule 7: extents are stored in segments. One that is more than half stale is
 *         written anew, so that the store is at most twice the images.
 */

import {
  decodeCheckpoint,
  encodeCheckpoint,
  extentLength,
} from '../core/checkpoint.js';
import { checksum, sameChecksum } from '../core/checksum.js';
import { roundUp } from '../core/page-record.js';
import { StoreError } from './page-store.js';

/** @import { CheckpointFile, ExtentRef } from '../core/checkpoint.js' */
/** @import { Checksum } from '../core/checksum.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LogPosition } from '../core/page-record.js' */
/** @import { FileView, PagedFile } from '../core/paged-file.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */
/** @import { Ownership, PageStore } from './page-store.js' */
/** @import { Clock } from './flusher.js' */
/** @import { Recovered } from './recovery.js' */

/**
 * @typedef {object} FrozenFile
 * @property {string} path
 * @property {PagedFile} file
 * @property {FileView} view
 * @property {Set<number>} changed
 */

/**
 * @typedef {object} StaleExtent  To be written.
 * @property {FileView} view
 * @property {number} number
 * @property {ExtentRef[]} refs  Gets the reference to it.
 */

/**
 * @typedef {object} CheckpointOptions
 * @property {() => Ownership} owner  As it is at the moment of the call.
 * @property {boolean} beginsChain  See rule 5.
 */

/** Extents in a segment: in memory, and in one transaction, at once. */
const SEGMENT = 16;

/** In milliseconds, before each look whether a publication has succeeded. */
const LOOKS = [20, 100, 500, 2000];

export class Checkpointer {
  #store;
  #folder;
  #clock;

  /** As the last checkpoint lists them. @type {Map<PagedFile, ExtentRef[]>} */
  #published;

  /** Of the last checkpoint that was published, and that was tried. */
  #id;
  #lastId;

  /** May have been published or not. @type {number | null} */
  #doubtful = null;

  /** The first record behind the last checkpoint. @type {LogPosition} */
  #start;

  /** Ends of epochs behind the last checkpoint: fences stay. @type {LogKey[]} */
  #fences;

  /** Parts of the log that no checkpoint needs. @type {[LogKey, LogKey][]} */
  #leftovers = [];
  #nextSegment = 1;

  /** In bytes, of each segment that a checkpoint lists. @type {Map<number, number>} */
  #segments;

  /** In bytes: what the last try has written. */
  writtenBytes = 0;

  /** Keys that no published checkpoint lists. @type {Set<number>} */
  #garbage = new Set();

  /**
   * @param {PageStore} store
   * @param {PagedFolder} folder
   * @param {Recovered} recovered
   * @param {Clock} clock
   */
  constructor(store, folder, recovered, clock) {
    this.#store = store;
    this.#folder = folder;
    this.#clock = clock;
    this.#published = recovered.extents;
    this.#segments = recovered.segments;
    this.#id = recovered.checkpointId;
    this.#lastId = recovered.lastCheckpointId;
    this.#start = recovered.checkpointAt;
    this.#fences = recovered.fences;
  }

  /**
   * Find what a checkpoint that was cut short has left behind.
   *
   * @param {number[]} extentKeys  Ascending. Negative ones are the reserve's.
   */
  async collectGarbage(extentKeys) {
    const used = keysOf(this.#published);
    const keys = extentKeys.filter((key) => key > 0);
    this.#garbage = new Set(keys.filter((key) => !used.has(key)));
    this.#nextSegment = (keys.at(-1) ?? 0) + 1;
    const { epoch, seq } = this.#start;
    const before = await this.#store.logKeysBefore([epoch, seq]);
    this.#leftovers = leftoversOf(before, [epoch, seq]);
  }

  /** Of the last checkpoint; 0 if there is none. */
  get id() {
    return this.#id;
  }

  /** Segments that no checkpoint needs, and parts of the log. */
  get garbage() {
    return this.#garbage.size + this.#leftovers.length;
  }

  /** In bytes: of the segments that the last checkpoint lists. */
  get bytes() {
    const used = keysOf(this.#published);
    return [...this.#segments].reduce(
      (sum, [key, size]) => sum + (used.has(key) ? size : 0),
      0,
    );
  }

  /** True if `settleDoubt` must be called before anything else is written. */
  get isInDoubt() {
    return this.#doubtful !== null;
  }

  /**
   * True if the last published checkpoint is still there or, without one, the
   * beginning of the log. Its end proves nothing: a page may have written its
   * tail into an empty store.
   */
  async isThere() {
    if (this.#id > 0) return this.#isStored(this.#id);
    return (await this.#store.record([0, 0])) !== null;
  }

  /** Take nothing that was stored for granted: the next one writes it all. */
  forget() {
    for (const key of keysOf(this.#published)) this.#garbage.add(key);
    this.#published = new Map();
    this.#leftovers = [];
  }

  /** This host has fenced the one before only now. @param {LogKey} key */
  noteFence(key) {
    this.#fences.push(key);
  }

  /**
   * Withdraw what may have been published although its failure was told.
   *
   * @param {Ownership} owner
   */
  async settleDoubt(owner) {
    if (this.#doubtful === null) return;
    await this.#store.withdrawCheckpoint(owner, this.#doubtful);
    this.#doubtful = null;
  }

  /**
   * Make the image of every file, as it is committed now, the durable one.
   *
   * @param {LogPosition} next  The first log record that is not part of it.
   * @param {CheckpointOptions} options
   * @returns {Promise<LogPosition>} Where the log goes on: `next`, or the
   *   beginning of a new chain there.
   * @throws {StoreError} The old checkpoint and the log are still in force.
   */
  async write(next, { owner, beginsChain }) {
    if (this.#folder.inTransaction) throw new Error('a file is changing');
    /** @type {FrozenFile[]} */
    const frozen = this.#folder.files.map(([path, file]) => ({
      path,
      file,
      view: file.freeze(),
      changed: file.takeChangedExtents(),
    }));
    /** @type {number[]} */
    const written = [];
    this.writtenBytes = 0;
    try {
      const images = await this.#writeImages(frozen, written);
      const files = frozen.map(({ path, file, view }) => ({
        path,
        size: view.size,
        extents: images.get(file) ?? [],
      }));
      const used = keysOf(images);
      const options = { owner, beginsChain };
      const at = await this.#publish(files, used, next, options);
      for (const key of keysOf(this.#published)) this.#garbage.add(key);
      this.#published = images;
      for (const key of used) this.#garbage.delete(key);
      for (const key of this.#segments.keys()) {
        if (!used.has(key)) this.#segments.delete(key);
      }
      await this.#prune(at, owner);
      return at;
    } catch (error) {
      for (const { file, changed } of frozen) file.markChanged(changed);
      await this.#discard(written, owner);
      throw error;
    } finally {
      for (const { view } of frozen) view.close();
    }
  }

  /**
   * @param {FrozenFile[]} frozen
   * @param {number[]} written  Gets the keys of what was written.
   */
  async #writeImages(frozen, written) {
    /** @type {Map<PagedFile, ExtentRef[]>} */
    const images = new Map();
    /** @type {StaleExtent[]} */
    const stale = [];
    const isWorn = this.#wornSegments(frozen);
    for (const { file, view, changed } of frozen) {
      const before = this.#published.get(file) ?? [];
      /** @type {ExtentRef[]} */
      const refs = [];
      for (let number = 0; number < view.extentCount; number++) {
        const ref = before[number];
        const stays = ref && !changed.has(number) && !isWorn(ref.key);
        if (stays) refs[number] = ref;
        else stale.push({ view, number, refs });
      }
      images.set(file, refs);
    }
    for (let i = 0; i < stale.length; i += SEGMENT) {
      written.push(await this.#writeSegment(stale.slice(i, i + SEGMENT)));
    }
    return images;
  }

  /**
   * Which segments are more than half stale.
   *
   * @param {FrozenFile[]} frozen
   * @returns {(key: number) => boolean}
   */
  #wornSegments(frozen) {
    /** @type {Map<number, number>} */
    const live = new Map();
    for (const { file, view, changed } of frozen) {
      const refs = this.#published.get(file) ?? [];
      for (const [number, { key }] of refs.entries()) {
        if (changed.has(number) || number >= view.extentCount) continue;
        const bytes = roundUp(extentLength(view.size, number), 8);
        live.set(key, (live.get(key) ?? 0) + bytes);
      }
    }
    return (key) => (live.get(key) ?? 0) * 2 < (this.#segments.get(key) ?? 0);
  }

  /**
   * @param {StaleExtent[]} extents
   * @returns {Promise<number>} The key of the segment.
   */
  async #writeSegment(extents) {
    const key = this.#nextSegment++;
    const lengths = extents.map(({ view, number }) =>
      extentLength(view.size, number),
    );
    const size = lengths.reduce((sum, length) => sum + roundUp(length, 8), 0);
    const segment = new Uint8Array(size);
    let offset = 0;
    const pieces = extents.map(({ view, number, refs }) => {
      const bytes = view.extent(number);
      segment.set(bytes, offset);
      const ref = { key, offset, checksum: checksum(bytes) };
      refs[number] = ref;
      offset += roundUp(bytes.length, 8);
      return { ref, length: bytes.length };
    });
    // Garbage until a checkpoint lists it.
    this.#garbage.add(key);
    this.#segments.set(key, size);
    this.writtenBytes += size;
    await this.#addSegment(key, segment);
    const [stored] = await this.#store.extents([key]);
    for (const { ref, length } of pieces) {
      const bytes = stored?.subarray(ref.offset, ref.offset + length);
      if (!bytes || !sameChecksum(checksum(bytes), ref.checksum)) {
        const message = 'an extent does not read back as it was written';
        throw new StoreError('store_lost', message);
      }
    }
    return key;
  }

  /**
   * @param {number} key
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async #addSegment(key, bytes) {
    try {
      await this.#store.addExtent(key, bytes, { strict: true });
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'collision') {
        throw error;
      }
      // By a host that has woken up and not yet met the fence.
      const message = 'another host has written an extent; it is tried again';
      throw new StoreError('store_lost', message, error);
    }
  }

  /**
   * @param {CheckpointFile[]} files
   * @param {Set<number>} extentKeys  What they consist of.
   * @param {LogPosition} next
   * @param {CheckpointOptions} options
   */
  async #publish(files, extentKeys, next, { owner, beginsChain }) {
    const id = ++this.#lastId;
    const time = this.#clock.now();
    let at = next;
    let bytes = encodeCheckpoint({ next, time, files });
    if (beginsChain) {
      // Its own checksum: no record of another history can follow it.
      at = { ...next, checksum: checksum(bytes) };
      bytes = encodeCheckpoint({ next: at, time, files });
    }
    try {
      await this.#store.publishCheckpoint(owner(), id, bytes, extentKeys);
    } catch (error) {
      if (!isDoubtful(error)) throw error;
      this.#doubtful = id;
      const isStored = await this.#findOut(id, checksum(bytes));
      if (isStored !== null) this.#doubtful = null;
      if (!isStored) throw error;
    }
    this.#id = id;
    return at;
  }

  /**
   * The browser has lost the store while it published. Has it, or not? A host
   * that has taken over meanwhile may have published one of the same number.
   *
   * @param {number} id
   * @param {Checksum} sum
   * @returns {Promise<boolean | null>} Null if it does not tell.
   */
  async #findOut(id, sum) {
    for (const ms of LOOKS) {
      await this.#clock.sleep(ms);
      try {
        const found = (await this.#store.checkpoints()).find(
          (checkpoint) => checkpoint.id === id,
        );
        return !!found && sameChecksum(checksum(found.bytes), sum);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
      }
    }
    return null;
  }

  /** @param {number} id */
  async #isStored(id) {
    const stored = await this.#store.checkpoints();
    return stored.some(
      (checkpoint) =>
        checkpoint.id === id &&
        typeof decodeCheckpoint(checkpoint.bytes) !== 'string',
    );
  }

  /**
   * Best effort: the cause is the error that led here. What stays is garbage.
   *
   * @param {number[]} keys
   * @param {() => Ownership} owner
   */
  async #discard(keys, owner) {
    if (keys.length === 0 || this.#doubtful !== null) return;
    try {
      await this.#store.prune(owner(), { extentKeys: keys });
      for (const key of keys) this.#garbage.delete(key);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /**
   * Delete what the last checkpoint has made superfluous, if anything is left.
   *
   * @param {Ownership} owner
   * @throws {StoreError} The next checkpoint tries again.
   */
  async tidy(owner) {
    const extentKeys = [...this.#garbage];
    await this.#store.prune(owner, {
      checkpointsBefore: this.#id,
      logRanges: this.#leftovers,
      extentKeys,
    });
    for (const key of extentKeys) this.#garbage.delete(key);
    this.#leftovers = [];
  }

  /**
   * A failure here costs space, not data; the next checkpoint tries again.
   *
   * @param {LogPosition} next
   * @param {() => Ownership} owner
   */
  async #prune(next, owner) {
    const logRanges = [...this.#leftovers];
    /** @type {LogKey} */
    let from = [this.#start.epoch, this.#start.seq];
    for (const fence of this.#fences) {
      logRanges.push([from, fence]);
      from = [fence[0], fence[1] + 1];
    }
    logRanges.push([from, [next.epoch, next.seq]]);
    this.#leftovers = logRanges.filter(isSomething);
    this.#start = next;
    this.#fences = [];
    try {
      await this.tidy(owner());
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

/** @param {unknown} error  The browser may have done what it says it has not. */
function isDoubtful(error) {
  return error instanceof StoreError && error.code === 'store_lost';
}

/** @param {Map<PagedFile, ExtentRef[]>} images */
function keysOf(images) {
  return new Set(
    [...images.values()].flatMap((refs) => refs.map((r) => r.key)),
  );
}

/**
 * What lies before a checkpoint, except for the fences: the last record of each
 * epoch that has ended.
 *
 * @param {LogKey[]} keys  In order.
 * @param {LogKey} start  Of the log behind the checkpoint.
 * @returns {[LogKey, LogKey][]}
 */
function leftoversOf(keys, start) {
  /** @type {[LogKey, LogKey][]} */
  const ranges = [];
  for (const [i, from] of keys.entries()) {
    const [epoch] = from;
    if (keys[i - 1]?.[0] === epoch) continue;
    const last = keys.filter((key) => key[0] === epoch).at(-1) ?? from;
    ranges.push([from, epoch === start[0] ? start : last]);
  }
  return ranges.filter(isSomething);
}

/** @param {[LogKey, LogKey]} range  IndexedDB refuses an empty one. */
function isSomething([from, to]) {
  return from[0] < to[0] || (from[0] === to[0] && from[1] < to[1]);
}
