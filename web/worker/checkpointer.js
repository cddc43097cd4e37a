/**
 * Writing a checkpoint: the image of every file as immutable extents, and one
 * record that lists them.
 *
 * Rule 1: the image is frozen in one task. Commits go on while it is written.
 * Rule 2: extents are read back and verified before they are published, and
 *         what the old checkpoint needs is deleted after that, not before.
 * Rule 3: publishing is one request. Before it the old state is the durable one,
 *         after it the new one; every step may be the last.
 */

import { encodeCheckpoint } from '../core/checkpoint.js';
import { checksum, sameChecksum } from '../core/checksum.js';
import { StoreError } from './page-store.js';

/** @import { ExtentRef } from '../core/checkpoint.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LogPosition } from '../core/page-record.js' */
/** @import { FileView, PagedFile } from '../core/paged-file.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */
/** @import { PageStore } from './page-store.js' */
/** @import { Recovered } from './recovery.js' */

/**
 * @typedef {object} FrozenFile
 * @property {string} path
 * @property {PagedFile} file
 * @property {FileView} view
 * @property {Set<number>} changed
 */

/** Extents in memory and in one transaction at once. */
const GROUP = 8;

export class Checkpointer {
  #store;
  #folder;
  #now;

  /** As the last checkpoint lists them. @type {Map<PagedFile, ExtentRef[]>} */
  #published;
  #id;
  #start;

  /** Ends of epochs behind the last checkpoint: fences stay. @type {LogKey[]} */
  #fences;
  #nextExtentKey = 1;

  /** Keys that no published checkpoint lists. @type {Set<number>} */
  #garbage = new Set();

  /**
   * @param {PageStore} store
   * @param {PagedFolder} folder
   * @param {Recovered} recovered
   * @param {() => number} now
   */
  constructor(store, folder, recovered, now) {
    this.#store = store;
    this.#folder = folder;
    this.#now = now;
    this.#published = recovered.extents;
    this.#id = recovered.checkpointId;
    this.#start = recovered.checkpointAt;
    this.#fences = recovered.fences;
  }

  get id() {
    return this.#id;
  }

  /** Find what a checkpoint that was cut short has left behind. */
  async collectGarbage() {
    const used = keysOf(this.#published);
    const keys = await this.#store.extentKeys();
    this.#garbage = new Set(keys.filter((key) => !used.has(key)));
    this.#nextExtentKey = Math.max(0, ...keys) + 1;
  }

  /** True if the last published checkpoint is still there. */
  async isThere() {
    const stored = await this.#store.checkpoints();
    return this.#id === 0 || stored.some(({ id }) => id === this.#id);
  }

  /** Take nothing that was stored for granted: the next one writes it all. */
  forget() {
    this.#published = new Map();
  }

  /**
   * Make the image of every file, as it is committed now, the durable one.
   *
   * @param {LogPosition} next  The first log record that is not part of it.
   * @param {{strict?: boolean}} options
   * @throws {StoreError} The old checkpoint and the log are still in force.
   */
  async write(next, options) {
    /** @type {FrozenFile[]} */
    const frozen = this.#folder.files.map(([path, file]) => ({
      path,
      file,
      view: file.freeze(),
      changed: file.takeChangedExtents(),
    }));
    try {
      const images = await this.#writeImages(frozen, options);
      const files = frozen.map(({ path, file, view }) => ({
        path,
        size: view.size,
        extents: images.get(file) ?? [],
      }));
      const id = ++this.#id;
      const record = encodeCheckpoint({ next, time: this.#now(), files });
      await this.#store.publishCheckpoint(id, record, options);
      for (const key of keysOf(this.#published)) this.#garbage.add(key);
      this.#published = images;
      for (const key of keysOf(images)) this.#garbage.delete(key);
    } catch (error) {
      for (const { file, changed } of frozen) file.markChanged(changed);
      throw error;
    } finally {
      for (const { view } of frozen) view.close();
    }
    await this.#prune(next);
  }

  /**
   * @param {FrozenFile[]} frozen
   * @param {{strict?: boolean}} options
   */
  async #writeImages(frozen, options) {
    /** @type {Map<PagedFile, ExtentRef[]>} */
    const images = new Map();
    /** @type {{view: FileView, number: number, refs: ExtentRef[]}[]} */
    const stale = [];
    for (const { file, view, changed } of frozen) {
      const before = this.#published.get(file) ?? [];
      /** @type {ExtentRef[]} */
      const refs = [];
      for (let number = 0; number < view.extentCount; number++) {
        const ref = before[number];
        if (ref && !changed.has(number)) refs[number] = ref;
        else stale.push({ view, number, refs });
      }
      images.set(file, refs);
    }
    for (let i = 0; i < stale.length; i += GROUP) {
      await this.#writeGroup(stale.slice(i, i + GROUP), options);
    }
    return images;
  }

  /**
   * @param {{view: FileView, number: number, refs: ExtentRef[]}[]} group
   * @param {{strict?: boolean}} options
   */
  async #writeGroup(group, options) {
    const written = group.map(({ view, number, refs }) => {
      const bytes = view.extent(number);
      const ref = { key: this.#nextExtentKey++, checksum: checksum(bytes) };
      refs[number] = ref;
      // Garbage until a checkpoint lists it.
      this.#garbage.add(ref.key);
      return { ref, bytes };
    });
    await this.#store.addExtents(
      written.map(({ ref, bytes }) => [ref.key, bytes]),
      options,
    );
    const keys = written.map(({ ref }) => ref.key);
    const stored = await this.#store.extents(keys);
    for (const [i, { ref }] of written.entries()) {
      const bytes = stored[i];
      if (!bytes || !sameChecksum(checksum(bytes), ref.checksum)) {
        const message = 'an extent does not read back as it was written';
        throw new StoreError('store_lost', message);
      }
    }
  }

  /**
   * A failure here costs space, not data; the next checkpoint tries again.
   *
   * @param {LogPosition} next
   */
  async #prune(next) {
    /** @type {[LogKey, LogKey][]} */
    const ranges = [];
    /** @type {LogKey} */
    let from = [this.#start.epoch, this.#start.seq];
    for (const fence of this.#fences) {
      ranges.push([from, fence]);
      from = [fence[0], fence[1] + 1];
    }
    ranges.push([from, [next.epoch, next.seq]]);
    const garbage = [...this.#garbage];
    try {
      await this.#store.prune(this.#id, ranges.filter(isSomething), garbage);
      for (const key of garbage) this.#garbage.delete(key);
      this.#start = next;
      this.#fences = [];
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

/** @param {Map<PagedFile, ExtentRef[]>} images */
function keysOf(images) {
  return new Set(
    [...images.values()].flatMap((refs) => refs.map((r) => r.key)),
  );
}

/** @param {[LogKey, LogKey]} range  IndexedDB refuses an empty one. */
function isSomething([from, to]) {
  return from[0] < to[0] || (from[0] === to[0] && from[1] < to[1]);
}
