/**
 * A durable folder: what Python sees as `/persist`, with the promises it makes.
 *
 * It joins the parts (folder, store, flusher, checkpointer, restore points) and
 * keeps the one thing none of them knows: when to flush by itself.
 * `/scratch` is a folder of the same kind that is never made durable; its bytes
 * lie outside the WebAssembly heap.
 *
 * Rejections carry a `code`: quota_exceeded, writer_fenced, store_unavailable,
 * store_lost, store_damaged, store_too_new, restore_point_not_found,
 * opfs_unavailable, dedicated_worker_required, storage_in_use,
 * too_large_for_memory.
 */

import { evictionRisk } from '../core/eviction-risk.js';
import { databaseName, rawFileName } from '../core/names.js';
import { EXTENT_SIZE } from '../core/page-size.js';
import { PagedFolder } from '../core/paged-folder.js';
import { ResidentImage } from '../core/resident-image.js';
import { Checkpointer } from './checkpointer.js';
import { features } from './features.js';
import { Flusher, LIMITS } from './flusher.js';
import { FrozenFile } from './frozen-file.js';
import { GivenFile } from './given-file.js';
import { GZIP } from './gzip.js';
import { ImageFiles } from './image-files.js';
import { LazyImages } from './lazy-images.js';
import { PageStore, StoreError } from './page-store.js';
import { recover } from './recovery.js';
import { Reserve } from './reserve.js';
import { RestorePoints } from './restore-points.js';
import { verify } from './verification.js';

/** @import { QuarantinedRow, RestorePointRow } from './page-store.js' */
/** @import { Clock, Limits, SealedRecord } from './flusher.js' */
/** @import { Recovered } from './recovery.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LazyImage } from '../core/lazy-image.js' */
/** @import { FileView, PagedFile } from '../core/paged-file.js' */
/** @import { Packing } from './gzip.js' */

/**
 * @typedef {object} VolumeEvents
 * @property {(record: SealedRecord) => void} sealed
 * @property {(key: LogKey) => void} settled
 * @property {() => void} changed  The status may differ.
 */

/** In milliseconds, for a file for which nobody has asked otherwise. */
const DEFAULT_INTERVAL = 100;

/** In milliseconds between two looks at the quota. */
const ESTIMATE_AGE = 2000;

/** In milliseconds, before a store that was lost while opening is read again. */
const REOPENING = [20, 100, 500, 2000];

/** In milliseconds, before the store is verified again, hoping for rest. */
const AT_REST = [50, 100, 200, 500];

/** In bytes: comparing images takes as much memory again. */
const LARGEST_COMPARED = 256 << 20;

/** In bytes: more does not go from OPFS into memory. */
const LARGEST_RESIDENT = 1 << 30;

/** In bytes: a file that is larger had better go to OPFS. */
const LARGE = 256 << 20;

/** @typedef {'indexeddb' | 'opfs'} Store  Where the image of a file is kept. */

/**
 * @typedef {object} FileCalls  Creating and removing as the file system sees it.
 * @property {(path: string) => void} create  An absolute path.
 * @property {(path: string) => void} remove
 */

/** @type {Clock} */
const SYSTEM_CLOCK = {
  now: () => Date.now(),
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
};

export class Volume {
  root = '/persist';
  scratch = '/scratch';

  /** Never durable. */
  scratchFolder = new PagedFolder(() => {});

  #store;
  #clock;
  #events;
  #folder;
  #images;

  /** Why something that is stored could not be read. @type {Error | null} */
  #damage = null;

  /** @type {FileCalls | null} */
  #fileCalls = null;
  #flusher;
  #points;
  #report;

  /** In milliseconds; negative: only explicit flushes. @type {Map<string, number>} */
  #intervals = new Map();

  /** When the next flush by itself is due, Unix milliseconds. */
  #due = Infinity;

  /** @type {{usage?: number | undefined, quota?: number | undefined}} */
  #estimate = {};
  /** @type {boolean | null} */
  #persisted = null;
  #estimatedAt = 0;

  /**
   * @param {string} name
   * @param {object} options
   * @param {VolumeEvents} options.events
   * @param {(fraction: number) => void} [options.onProgress]
   * @param {PageStore} [options.store]
   * @param {Clock} [options.clock]
   * @param {Limits} [options.limits]
   * @param {Packing} [options.packing]
   * @param {LazyImages} [options.images]
   * @returns {Promise<Volume>} Its files are in memory, or can be read.
   * @throws {StoreError}
   */
  static async open(
    name,
    {
      events,
      onProgress = () => {},
      store = new PageStore(databaseName(name)),
      clock = SYSTEM_CLOCK,
      limits = LIMITS,
      packing = GZIP,
      images = new LazyImages(new ImageFiles(name)),
    },
  ) {
    try {
      const options = { clock, onProgress, limits, images };
      const opened = await openStore(store, options);
      const parts = { store, ...opened, clock, events, packing, images };
      const flusher = new Flusher({ ...parts, limits });
      return new Volume({ ...parts, flusher });
    } catch (error) {
      images.close();
      throw error;
    }
  }

  /**
   * @param {object} parts
   * @param {PageStore} parts.store
   * @param {PagedFolder} parts.folder
   * @param {Flusher} parts.flusher
   * @param {Recovered} parts.recovered
   * @param {Clock} parts.clock
   * @param {VolumeEvents} parts.events
   * @param {Packing} parts.packing
   * @param {LazyImages} parts.images
   */
  constructor({
    store,
    folder,
    flusher,
    recovered,
    clock,
    events,
    packing,
    images,
  }) {
    this.#store = store;
    this.#images = images;
    this.#folder = folder;
    this.#flusher = flusher;
    this.#points = new RestorePoints(
      store,
      packing,
      () => this.#estimate.quota,
    );
    this.#report = recovered.report;
    this.#clock = clock;
    this.#events = events;
    folder.onCommit = (path) => this.#committed(path);
    this.#refreshEstimate();
    void this.#collectImages();
  }

  get folder() {
    return this.#folder;
  }

  /**
   * From now on the folders are mounted: files come and go through the mount.
   *
   * @param {FileCalls} calls
   */
  mounted(calls) {
    this.#fileCalls = calls;
  }

  /** The record whose fate is not known, for a page that comes later. */
  get sealed() {
    return this.#flusher.sealed;
  }

  /**
   * Resolves when everything committed now is durable.
   *
   * @param {boolean} strict  Durable against power loss, as far as the browser
   *   honours it.
   */
  flush(strict) {
    return this.#flusher.flush({ strict });
  }

  /**
   * @param {string} path
   * @param {number} intervalMs  Negative: only explicit flushes.
   */
  setAutosave(path, intervalMs) {
    this.#intervals.set(this.#inside(path), intervalMs);
  }

  /** @param {string} path */
  status(path) {
    this.#refreshEstimate();
    const persisted = this.#persisted;
    const quota = this.#estimate.quota ?? null;
    const risk = evictionRisk({
      mode: 'indexeddb',
      userAgent: globalThis.navigator?.userAgent ?? '',
      // Only a page knows.
      isInstalled: false,
      persisted,
      quota,
    });
    const file = this.#folder.find(this.#inside(path));
    return {
      ...this.summary(),
      store: storeOf(file),
      advisedStore: adviceFor(file),
      usage: this.#estimate.usage ?? null,
      quota,
      persisted,
      evictionRisk: risk,
      fileBytes: file?.size ?? 0,
      cacheBytes: this.#images.cacheBytes,
      logBytes: this.#flusher.logBytes,
      reserveBytes: this.#flusher.reserveBytes,
      epoch: this.#flusher.epoch,
      recovery: this.#report,
    };
  }

  /** The part of the status that changes with each commit. */
  summary() {
    const lastError = /** @type {{code?: string, message: string} | null} */ (
      this.#flusher.lastError ?? this.#damage
    );
    return {
      committedSeq: this.#folder.committedSeq,
      durableSeq: this.#flusher.durableSeq,
      pendingBytes: this.#flusher.pendingBytes,
      lastError: lastError?.message ?? null,
      lastErrorCode: lastError?.code ?? null,
    };
  }

  /**
   * Something that is stored could not be read: the status says so from now on.
   *
   * @param {unknown} error
   */
  noteDamage(error) {
    this.#damage = /** @type {Error} */ (error);
    this.#events.changed();
  }

  /**
   * A copy of a file at a commit point.
   *
   * @param {string} path
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async exportFile(path) {
    const inside = this.#inside(path);
    await this.#folder.settled(inside);
    const bytes = new Uint8Array(this.#folder.find(inside)?.size ?? 0);
    this.#folder.find(inside)?.read(bytes, 0);
    return bytes;
  }

  /**
   * A file as it is committed now, to be closed by who asked.
   *
   * @param {string} path
   */
  async frozen(path) {
    const inside = this.#inside(path);
    await this.#folder.settled(inside);
    return frozen(this.#folder.find(inside), path);
  }

  /** @param {string} name */
  frozenScratch(name) {
    return frozen(this.scratchFolder.find(this.#inScratch(name)), name);
  }

  /**
   * Put a file under /scratch, to be read only. Its bytes are not copied.
   *
   * @param {string} name  Of no file that is there.
   * @param {Uint8Array | Blob} source
   */
  placeScratch(name, source) {
    const path = this.#inScratch(name);
    this.scratchFolder.place(path, new GivenFile(source));
    this.#fileAt(this.scratch, path);
  }

  /**
   * @param {string} name
   * @returns {Uint8Array} A copy.
   */
  readScratch(name) {
    const file = this.#fileAt(this.scratch, this.#inScratch(name));
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0);
    return bytes;
  }

  /** @param {string} name */
  removeScratch(name) {
    const path = this.#inScratch(name);
    if (!this.scratchFolder.find(path)) return;
    if (this.#fileCalls) this.#fileCalls.remove(`${this.scratch}/${path}`);
    else this.scratchFolder.remove(path);
  }

  /**
   * *path* becomes what *staged* is, atomically and durably. Nobody may have
   * *path* open.
   *
   * @param {string} path
   * @param {string} staged  Under /scratch; gone afterwards.
   * @throws {StoreError} Everything is as it was.
   */
  async replaceFile(path, staged) {
    const source = this.scratchFolder.find(this.#inScratch(staged));
    if (!source || source.isReadOnly)
      throw new StoreError('store_unavailable', `${staged} is missing`);
    const inside = this.#inside(path);
    const isLazy = this.#folder.find(inside)?.image.isLazy === true;
    const lazy = isLazy ? await this.#images.create() : null;
    await this.#orDelete(lazy, () =>
      this.#flusher.replace(() => {
        const target = this.#fileAt(this.root, inside);
        const undo = target.become(source);
        if (lazy) inLazyImage(target, lazy);
        this.#folder.noteChange(inside);
        return undo;
      }),
    );
    this.removeScratch(staged);
  }

  /**
   * Keep the image of a file elsewhere from now on, atomically and durably. Nobody
   * may have *path* open.
   *
   * @param {string} path
   * @param {Store} store
   * @throws {StoreError} Everything is as it was.
   */
  async moveFile(path, store) {
    const inside = this.#inside(path);
    const file = this.#fileAt(this.root, inside);
    if (storeOf(file) === store) return;
    if (store === 'indexeddb' && file.size > LARGEST_RESIDENT) {
      throw tooLarge(file.size);
    }
    const lazy = store === 'opfs' ? await this.#images.create() : null;
    await this.#orDelete(lazy, () =>
      this.#flusher.replace(() =>
        lazy ? inLazyImage(file, lazy) : inMemory(file),
      ),
    );
  }

  /**
   * @param {LazyImage | null} lazy  Deleted if *work* fails and leaves no doubt.
   * @param {() => Promise<void>} work
   */
  async #orDelete(lazy, work) {
    try {
      await work();
    } catch (error) {
      // In doubt a stored checkpoint may list it. The next opening will know.
      const { isInDoubt } = this.#flusher.checkpointer;
      if (lazy && !isInDoubt) await this.#deleteQuietly(lazy);
      throw error;
    }
  }

  /** @param {LazyImage} image */
  async #deleteQuietly(image) {
    try {
      await this.#images.delete(image.id);
    } catch (error) {
      // It is garbage, and goes at the next opening.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  async #collectImages() {
    try {
      await this.#images.collectGarbage(this.#store);
    } catch {
      // It costs space, no data. Where there is no OPFS there is nothing to find.
    }
  }

  /**
   * Resolves when nothing is stored of what files were before `replaceFile`, but
   * for restore points.
   *
   * @param {boolean} quarantined  Also of what was ever set aside.
   */
  async forgetReplaced(quarantined) {
    await this.#flusher.tidy();
    await this.#points.collectGarbage();
    if (quarantined) await this.#store.clearQuarantine();
  }

  /**
   * Delete what is stored of pages that are no longer part of any file. It finds
   * its way also when the quota is used up.
   *
   * @throws {StoreError} What was durable still is.
   */
  async shrink() {
    await this.#flusher.shrink();
    this.#estimatedAt = 0;
  }

  /**
   * Keep a copy of a file as it is committed now.
   *
   * @param {string} path
   * @param {string} reason
   * @param {boolean} encrypted  Whether the file is.
   */
  async keepRestorePoint(path, reason, encrypted) {
    const inside = this.#inside(path);
    const createdAt = this.#clock.now();
    return this.#viewing(path, async (view) => {
      const copy = { path: inside, reason, createdAt, encrypted };
      return publicRow(await this.#points.keep(view, copy));
    });
  }

  /**
   * @param {string} id
   * @param {string} path
   */
  isRestorePointOf(id, path) {
    return this.#viewing(path, (view) => this.#points.isOf(id, view));
  }

  /**
   * @param {string} id
   * @param {string} staged  Under /scratch.
   * @param {boolean} encrypted
   */
  async rewriteRestorePoint(id, staged, encrypted) {
    const file = this.#fileAt(this.scratch, this.#inScratch(staged));
    const view = file.freeze();
    try {
      await this.#points.rewrite(id, view, encrypted);
    } finally {
      view.close();
    }
  }

  /** @param {string} path */
  async restorePoints(path) {
    return (await this.#points.list(this.#inside(path))).map(publicRow);
  }

  /** @param {string} id */
  async readRestorePoint(id) {
    const { size, pieces } = await this.#points.read(id);
    const whole = new Uint8Array(size);
    for await (const [offset, extent] of pieces) whole.set(extent, offset);
    return whole;
  }

  /**
   * @param {string} id
   * @param {string} staged  Under /scratch.
   */
  async stageRestorePoint(id, staged) {
    const { pieces } = await this.#points.read(id);
    const file = this.#fileAt(this.scratch, this.#inScratch(staged));
    file.resize(0);
    for await (const [offset, extent] of pieces) file.write(extent, offset);
  }

  /** @param {string} id */
  deleteRestorePoint(id) {
    return this.#points.delete(id);
  }

  /** What was ever set aside as damaged, oldest first. */
  async quarantine() {
    return (await this.#store.quarantine()).map(publicItem);
  }

  /** @param {number} id  @returns {Promise<Uint8Array | null>} As it was stored. */
  readQuarantined(id) {
    return this.#store.quarantined(id);
  }

  /** @param {number} id */
  deleteQuarantined(id) {
    return this.#store.deleteQuarantined(id);
  }

  /**
   * What a fault report needs of the store; no word of content.
   *
   * @param {boolean} verifying  Read everything back.
   */
  async diagnose(verifying) {
    const flusher = this.#flusher;
    const { epoch, seq } = flusher.head;
    const logKeys = await this.#store.keys('log');
    const checkpoints = await this.#store.keys('checkpoints');
    const aside = await this.#store.quarantine();
    const points = await this.#store.restorePoints();
    return {
      epoch,
      head: `${epoch}.${seq}`,
      records: logKeys.length,
      logBytes: flusher.logBytes,
      checkpoints: checkpoints.length,
      checkpointBytes: flusher.checkpointer.bytes,
      garbage: flusher.checkpointer.garbage,
      reserveBytes: flusher.reserveBytes,
      restorePoints: points.length,
      restorePointBytes: points.reduce((sum, { stored }) => sum + stored, 0),
      quarantined: aside.length,
      quarantinedBytes: aside.reduce((sum, { size }) => sum + size, 0),
      losses: this.#store.losses,
      rewrites: flusher.rewrites,
      flushes: [...flusher.timings],
      features: features(),
      userAgent: globalThis.navigator?.userAgent ?? '',
      verification: verifying ? await this.#verify() : null,
    };
  }

  /** @throws {StoreError} 'store_lost' if the store never comes to rest. */
  async #verify() {
    for (const ms of AT_REST) {
      await this.#flusher.quiet();
      const isAtRest = this.#flusher.isAtRest;
      const { id } = this.#flusher.checkpointer;
      const isLarge = this.#folder.size > LARGEST_COMPARED;
      const images = isAtRest && !isLarge ? this.#frozen() : null;
      try {
        const { head: next } = this.#flusher;
        const pause = () => this.#clock.sleep(0);
        const expected = { next, images, pause };
        const result = await verify(this.#store, this.#images, expected);
        const isPruned = this.#flusher.checkpointer.id !== id;
        if (!isPruned && (isAtRest || ms === AT_REST.at(-1))) return result;
      } finally {
        for (const [, view] of images ?? []) view.close();
      }
      await this.#clock.sleep(ms);
    }
    const reason = 'the store changed whenever it was verified; try it again';
    throw new StoreError('store_lost', reason);
  }

  /** @returns {[string, FileView][]} */
  #frozen() {
    return this.#folder.files.map(([path, file]) => [path, file.freeze()]);
  }

  /** Make what is committed durable, as far as possible, and let go. */
  async close() {
    try {
      await this.#flusher.flush();
      await this.#flusher.quiet();
    } finally {
      this.#flusher.close();
      this.#store.close();
      this.#images.close();
    }
  }

  /** @param {string} path */
  #committed(path) {
    const interval = this.#intervals.get(path) ?? DEFAULT_INTERVAL;
    if (interval < 0) return;
    const due = this.#clock.now() + interval;
    if (due >= this.#due) return;
    this.#due = due;
    void this.#flushWhenDue(due);
    this.#events.changed();
  }

  /** @param {number} due */
  async #flushWhenDue(due) {
    await this.#clock.sleep(due - this.#clock.now());
    // An earlier one has been asked for since, and has flushed this too.
    if (this.#due !== due) return;
    this.#due = Infinity;
    try {
      await this.#flusher.flush();
    } catch (error) {
      // It is in the status, and the flusher tries again by itself.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #refreshEstimate() {
    if (this.#clock.now() - this.#estimatedAt < ESTIMATE_AGE) return;
    this.#estimatedAt = this.#clock.now();
    const storage = globalThis.navigator?.storage;
    const refresh = async () => {
      this.#estimate = await storage.estimate();
      this.#persisted = await storage.persisted();
      this.#events.changed();
    };
    // A browser that cannot tell leaves the fields null.
    if (storage) refresh().catch(() => {});
  }

  /**
   * The file, created if it is missing.
   *
   * @param {string} root
   * @param {string} inside
   */
  #fileAt(root, inside) {
    const folder = root === this.root ? this.#folder : this.scratchFolder;
    const present = folder.find(inside);
    if (present) return present;
    if (!this.#fileCalls) return folder.create(inside);
    this.#fileCalls.create(`${root}/${inside}`);
    return /** @type {PagedFile} */ (folder.find(inside));
  }

  /**
   * @template R
   * @param {string} path
   * @param {(view: FileView) => Promise<R>} work  On the file as it is committed.
   */
  async #viewing(path, work) {
    const inside = this.#inside(path);
    await this.#folder.settled(inside);
    const view = this.#folder.find(inside)?.freeze();
    if (!view) throw new StoreError('store_unavailable', `${path} is missing`);
    try {
      return await work(view);
    } finally {
      view.close();
    }
  }

  /** @param {string} path */
  #inside(path) {
    return stripped(path, this.root);
  }

  /** @param {string} path */
  #inScratch(path) {
    return stripped(path, this.scratch);
  }
}

/**
 * What is stored, in memory. A store that is lost meanwhile is read again.
 *
 * @param {PageStore} store
 * @param {object} options
 * @param {Clock} options.clock
 * @param {(fraction: number) => void} options.onProgress
 * @param {Limits} options.limits
 * @param {LazyImages} options.images
 */
async function openStore(store, { clock, onProgress, limits, images }) {
  const { now } = clock;
  for (const ms of REOPENING) {
    let isLost = false;
    store.onLost = () => {
      isLost = true;
    };
    const folder = new PagedFolder(() => {});
    try {
      const options = { now, onProgress, images };
      const recovered = await recover(store, folder, options);
      const checkpointer = new Checkpointer(
        store,
        folder,
        recovered,
        clock,
        images,
      );
      const reserve = new Reserve(store, limits.reserve);
      const extentKeys = await store.extentKeys();
      await checkpointer.collectGarbage(extentKeys);
      reserve.found(extentKeys);
      if (!isLost) return { folder, recovered, checkpointer, reserve };
    } catch (error) {
      if (/** @type {StoreError} */ (error).code !== 'store_lost') throw error;
      if (ms === REOPENING.at(-1)) throw error;
    }
    await clock.sleep(ms);
  }
  throw new StoreError(
    'store_lost',
    'the browser closes the store again and again',
  );
}

/** @param {number} size  In bytes. */
function tooLarge(size) {
  const error = new StoreError(
    'too_large_for_memory',
    `the database has ${size} bytes, and IndexedDB keeps all of it in memory: ` +
      `${LARGEST_RESIDENT} at most; remove old conversations first`,
  );
  return Object.assign(error, { detail: { size, limit: LARGEST_RESIDENT } });
}

/** @param {PagedFile | undefined} file  @returns {Store} */
function storeOf(file) {
  return file?.image.isLazy ? 'opfs' : 'indexeddb';
}

/** @param {PagedFile | undefined} file  @returns {Store} */
function adviceFor(file) {
  const isLarge = (file?.size ?? 0) > LARGE;
  return isLarge ? 'opfs' : storeOf(file);
}

/**
 * @param {PagedFile} file
 * @param {LazyImage} image  Empty; takes over what is in memory.
 * @returns {() => void} Undo.
 */
function inLazyImage(file, image) {
  if (!file.image.isLazy) image.adoptPages(file.image, file.size);
  return file.moveTo(image);
}

/** @param {PagedFile} file  @returns {() => void} Undo. */
function inMemory(file) {
  const image = new ResidentImage();
  for (let number = 0; number < file.extentCount; number++) {
    const start = number * EXTENT_SIZE;
    const bytes = new Uint8Array(Math.min(EXTENT_SIZE, file.size - start));
    file.read(bytes, start);
    image.loadExtent(number, bytes);
  }
  return file.moveTo(image);
}

/**
 * @param {PagedFile | undefined} file
 * @param {string} name
 */
function frozen(file, name) {
  if (!file) throw new StoreError('store_unavailable', `${name} is missing`);
  return new FrozenFile(file.freeze());
}

/**
 * @param {string} path  Absolute, or relative to *root*.
 * @param {string} root
 */
function stripped(path, root) {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

/** @param {RestorePointRow} row */
function publicRow({ id, reason, createdAt, size, stored, encrypted }) {
  return { id, reason, createdAt, size, stored, encrypted };
}

/** @param {QuarantinedRow} row */
function publicItem({ id, store, key, reason, time, openedAs, size }) {
  const name = rawFileName(store, key);
  return { id, name, reason, setAsideAt: time, openedAs, size };
}
