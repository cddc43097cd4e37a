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
 * Rule 8: of a lazy image the changed pages are written to free slots of its image
 *         file and flushed; its page table is what is stored as extents. So rules 1
 *         to 6 hold for it as they are, and need nothing of the log.
 */

import {
  decodeCheckpoint,
  encodeCheckpoint,
  extentLength,
} from '../core/checkpoint.js';
import { checksum, sameChecksum } from '../core/checksum.js';
import { BATCH } from '../core/lazy-image.js';
import { roundUp } from '../core/page-record.js';
import { PAGE_SIZE } from '../core/page-size.js';
import { StoreError } from './page-store.js';

/** @import { CheckpointFile, ExtentRef } from '../core/checkpoint.js' */
/** @import { Checksum } from '../core/checksum.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LogPosition } from '../core/page-record.js' */
/** @import { FrozenImage, LazyImage } from '../core/lazy-image.js' */
/** @import { FileView, Image, PagedFile } from '../core/paged-file.js' */
/** @import { PageTable } from '../core/page-table.js' */
/** @import { LazyImages } from './lazy-images.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */
/** @import { Ownership, PageStore } from './page-store.js' */
/** @import { Clock } from './flusher.js' */
/** @import { Recovered } from './recovery.js' */

/**
 * @typedef {object} FrozenFile
 * @property {string} path
 * @property {PagedFile} file
 * @property {Image} image
 * @property {number} size  In bytes.
 * @property {FileView} view  Of the whole file or, if it is lazy, of what changed.
 * @property {FileView | PageTable} stored  What its extents make up.
 * @property {Set<number>} changed  Extents.
 * @property {{image: LazyImage, frozen: FrozenImage} | null} lazy
 */

/**
 * @typedef {object} StaleExtent  To be written.
 * @property {FileView | PageTable} stored
 * @property {number} number
 * @property {ExtentRef[]} refs  Gets the reference to it.
 */

/**
 * @typedef {object} CheckpointOptions
 * @property {() => Ownership} owner  As it is at the moment of the call.
 * @property {boolean} beginsChain  See rule 5.
 * @property {boolean} [compact]  Also make image files as small as they can be.
 */

/** Extents in a segment: in memory, and in one transaction, at once. */
const SEGMENT = 16;

/** Pages that are written to an image file before others get their turn: 8 MiB. */
const AT_ONCE = 2048;

/** In milliseconds, before each look whether a publication has succeeded. */
const LOOKS = [20, 100, 500, 2000];

export class Checkpointer {
  #store;
  #folder;
  #clock;

  #images;

  /** As the last checkpoint lists them. @type {Map<Image, ExtentRef[]>} */
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

  /** True if an image file was deleted while it was open: see `replaceLostImages`. */
  hasLostImages = false;

  /** In bytes: what the last try has written. */
  writtenBytes = 0;

  /** Keys that no published checkpoint lists. @type {Set<number>} */
  #garbage = new Set();

  /** Their files are listed by no published checkpoint. @type {Set<LazyImage>} */
  #oldImages = new Set();

  /**
   * @param {PageStore} store
   * @param {PagedFolder} folder
   * @param {Recovered} recovered
   * @param {Clock} clock
   * @param {LazyImages} images
   */
  constructor(store, folder, recovered, clock, images) {
    this.#store = store;
    this.#folder = folder;
    this.#clock = clock;
    this.#images = images;
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
    const { length } = this.#leftovers;
    return this.#garbage.size + this.#oldImages.size + length;
  }

  /** In bytes: of the segments that the last checkpoint lists. */
  get bytes() {
    const used = keysOf(this.#published);
    return [...this.#segments].reduce(
      (sum, [key, size]) => sum + (used.has(key) ? size : 0),
      0,
    );
  }

  /** In bytes: of the page tables that the last checkpoint lists. */
  get tableBytes() {
    return this.#lazyImages.reduce(
      (sum, { published }) => sum + (published?.size ?? 0),
      0,
    );
  }

  /** True if image files have more slots than pages, and much more. */
  get hasGaps() {
    return this.#lazyImages.some(({ fileSize, published }) => {
      const size = (published?.pages ?? 0) * PAGE_SIZE;
      return fileSize > size + size / 4;
    });
  }

  get #lazyImages() {
    return [...this.#published.keys()].filter((image) => image.isLazy);
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
    for (const image of this.#published.keys()) {
      if (image.isLazy) image.forget();
    }
    this.#published = new Map();
    this.#leftovers = [];
  }

  /**
   * Image files that were deleted while they were open, as when a person clears the
   * data of the site: their pages go to new ones.
   */
  async replaceLostImages() {
    this.hasLostImages = false;
    for (const [, file] of this.#folder.files) {
      const { image: lost } = file;
      if (!lost.isLazy || (await this.#images.isThere(lost.id))) continue;
      const image = await this.#images.create();
      for (let at = 0; at < file.size; at += PAGE_SIZE) {
        image.write(lost.page(at / PAGE_SIZE), at);
      }
      file.moveTo(image);
      this.#oldImages.add(lost);
    }
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
  async write(next, { owner, beginsChain, compact = false }) {
    if (this.#folder.inTransaction) throw new Error('a file is changing');
    const frozen = this.#folder.files.map(([path, file]) =>
      frozenFile(path, file, compact),
    );
    /** @type {number[]} */
    const written = [];
    this.writtenBytes = 0;
    try {
      for (const file of frozen) await this.#writePages(file);
      const images = await this.#writeImages(frozen, written);
      await this.#expectImages(frozen);
      const files = frozen.map(({ path, image, size }) => ({
        path,
        size,
        image: image.isLazy ? image.id : 0,
        extents: images.get(image) ?? [],
      }));
      const used = keysOf(images);
      const options = { owner, beginsChain };
      const at = await this.#publish(files, used, next, options);
      for (const key of keysOf(this.#published)) this.#garbage.add(key);
      for (const image of this.#published.keys()) {
        if (image.isLazy) this.#oldImages.add(image);
      }
      for (const { lazy } of frozen) {
        if (!lazy) continue;
        lazy.image.adopt(lazy.frozen);
        this.#oldImages.delete(lazy.image);
      }
      this.#published = images;
      for (const key of used) this.#garbage.delete(key);
      for (const key of this.#segments.keys()) {
        if (!used.has(key)) this.#segments.delete(key);
      }
      await this.#prune(at, owner);
      return at;
    } catch (error) {
      for (const { file, image, lazy, changed } of frozen) {
        lazy?.image.giveUp(lazy.frozen, this.#doubtful !== null);
        if (file.image === image) file.markChanged(changed);
      }
      await this.#discard(written, owner);
      throw error;
    } finally {
      for (const { view } of frozen) view.close();
    }
  }

  /**
   * What has changed in a lazy image goes to its image file.
   *
   * @param {FrozenFile} file
   */
  async #writePages({ lazy, view, changed }) {
    if (!lazy) return;
    const { image, frozen } = lazy;
    const { pages, table } = frozen;
    for (let i = 0; i < pages.length; i += BATCH) {
      const batch = pages.slice(i, i + BATCH);
      image.writeFrozen(frozen, batch, (page) => view.page(page));
      this.writtenBytes += batch.length * PAGE_SIZE;
      if (i % AT_ONCE === 0) await this.#clock.sleep(0);
    }
    for (const number of table.differing(image.published)) changed.add(number);
    // What was spilled may not be safe yet, nor the name of a new file.
    if (changed.size > 0 || !image.published) image.flush();
    for (let i = 0; i < pages.length; i += BATCH) {
      if (image.readsBack(table, pages.slice(i, i + BATCH))) continue;
      const message = 'an image does not read back as it was written';
      throw new StoreError('store_lost', message);
    }
  }

  /**
   * An open image file can be written after a person has cleared the data of the
   * site. Asked when all else is stored: what is cleared later takes the page tables
   * with it, and then nothing is published.
   *
   * @param {FrozenFile[]} frozen
   */
  async #expectImages(frozen) {
    for (const { image } of frozen) {
      if (!image.isLazy || (await this.#images.isThere(image.id))) continue;
      this.hasLostImages = true;
      throw new StoreError('store_lost', 'an image file was deleted just now');
    }
  }

  /**
   * @param {FrozenFile[]} frozen
   * @param {number[]} written  Gets the keys of what was written.
   */
  async #writeImages(frozen, written) {
    /** @type {Map<Image, ExtentRef[]>} */
    const images = new Map();
    /** @type {StaleExtent[]} */
    const stale = [];
    const isWorn = this.#wornSegments(frozen);
    for (const { image, stored, changed } of frozen) {
      const before = this.#published.get(image) ?? [];
      /** @type {ExtentRef[]} */
      const refs = [];
      for (let number = 0; number < stored.extentCount; number++) {
        const ref = before[number];
        const stays = ref && !changed.has(number) && !isWorn(ref.key);
        if (stays) refs[number] = ref;
        else stale.push({ stored, number, refs });
      }
      images.set(image, refs);
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
    for (const { image, stored, changed } of frozen) {
      const refs = this.#published.get(image) ?? [];
      for (const [number, { key }] of refs.entries()) {
        if (changed.has(number) || number >= stored.extentCount) continue;
        const bytes = roundUp(extentLength(stored.size, number), 8);
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
    const lengths = extents.map(({ stored, number }) =>
      extentLength(stored.size, number),
    );
    const size = lengths.reduce((sum, length) => sum + roundUp(length, 8), 0);
    const segment = new Uint8Array(size);
    let offset = 0;
    const pieces = extents.map(({ stored, number, refs }) => {
      const bytes = stored.extent(number);
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
    const [readBack] = await this.#store.extents([key]);
    for (const { ref, length } of pieces) {
      const bytes = readBack?.subarray(ref.offset, ref.offset + length);
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
    const lazy = this.#lazyImages;
    const tables = lazy.map((image) => image.published);
    await this.#store.prune(owner, {
      checkpointsBefore: this.#id,
      logRanges: this.#leftovers,
      extentKeys,
    });
    for (const key of extentKeys) this.#garbage.delete(key);
    this.#leftovers = [];
    if (this.#doubtful !== null) return;
    for (const [i, image] of lazy.entries()) image.release(tables[i]);
    for (const image of this.#oldImages) await this.#deleteImage(image);
  }

  /** @param {LazyImage} image  That no stored checkpoint lists. */
  async #deleteImage(image) {
    if (image.pins > 0) {
      const message = 'a replaced image is still being read';
      throw new StoreError('store_lost', message);
    }
    await this.#images.delete(image.id);
    this.#oldImages.delete(image);
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

/**
 * @param {string} path
 * @param {PagedFile} file
 * @param {boolean} compact
 * @returns {FrozenFile}
 */
function frozenFile(path, file, compact) {
  const { image, size } = file;
  const changed = file.takeChangedExtents();
  if (!image.isLazy) {
    const view = file.freeze();
    return { path, file, image, size, view, stored: view, changed, lazy: null };
  }
  const frozen = image.freeze(size, compact);
  const view = file.freezePages(new Set(frozen.pages));
  const lazy = { image, frozen };
  const extents = /** @type {Set<number>} */ (new Set());
  const common = { path, file, image, size, view };
  return { ...common, stored: frozen.table, changed: extents, lazy };
}

/** @param {unknown} error  The browser may have done what it says it has not. */
function isDoubtful(error) {
  return error instanceof StoreError && error.code === 'store_lost';
}

/** @param {Map<Image, ExtentRef[]>} images */
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
