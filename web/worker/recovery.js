/**
 * Opening a store: the newest checkpoint that verifies, then the longest log
 * prefix that verifies, then a fence.
 *
 * Rule 1: nothing is thrown away. What does not verify is set aside, and the
 *         report says so.
 * Rule 2: if something is stored and nothing of it verifies, opening fails. An
 *         empty database in its place would look like a loss and become one.
 *         A single record that does not verify is no such case: the power went
 *         while the first one was being written. Nor is a log without its
 *         beginning and without a checkpoint: the browser has deleted the store
 *         while it was open, and the tail of it was written after that.
 * Rule 3: the fence is added where the old epoch ends, before anything is
 *         written in the new one. Whoever still writes there collides. Until
 *         then the store may change: it is looked at again behind the fence.
 */

import {
  decodeCheckpoint,
  extentLength,
  storedSize,
} from '../core/checkpoint.js';
import { checksum, NO_CHECKSUM, sameChecksum } from '../core/checksum.js';
import { LogReader, positionAfter } from '../core/log-recovery.js';
import { encodeFence, roundUp } from '../core/page-record.js';
import { EXTENT_SIZE, PAGE_SIZE } from '../core/page-size.js';
import { PageTable } from '../core/page-table.js';
import { StoreError } from './page-store.js';

/** @import { Checkpoint, ExtentRef } from '../core/checkpoint.js' */
/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { LogPosition } from '../core/page-record.js' */
/** @import { PagedFolder } from '../core/paged-folder.js' */
/** @import { LazyImage } from '../core/lazy-image.js' */
/** @import { Image } from '../core/paged-file.js' */
/** @import { LazyImages } from './lazy-images.js' */
/** @import { DurableStore, PageStore } from './page-store.js' */

/**
 * @typedef {object} Recovered
 * @property {LogPosition} next  Where this host writes its first record: behind
 *   its fence, or the fence itself.
 * @property {LogKey | null} lastKey  Of the record before; null if there is none.
 * @property {boolean} isFenced  False if there was no space for a fence: then it
 *   is the first thing to be written.
 * @property {LogPosition} checkpointAt  Where the log of the checkpoint begins.
 * @property {LogKey[]} fences
 * @property {number} checkpointId  0 if there is none.
 * @property {number} lastCheckpointId  Of all that were ever published.
 * @property {Map<Image, ExtentRef[]>} extents  As the checkpoint lists them.
 * @property {Map<number, number>} segments  In bytes, of each that it lists.
 * @property {number} logBytes
 * @property {RecoveryReport} report
 */

/**
 * @typedef {object} RecoveryReport  For people.
 * @property {number} records  Log records applied.
 * @property {number} setAside  Records that did not verify and were kept aside.
 * @property {string[]} problems
 */

/** For people. */
const DELETED =
  'the browser has deleted what was stored here while it was open';

/** For people. */
const DAMAGED =
  'the browser found its storage for this site damaged, and has deleted it; ' +
  'import a backup if you have one';

/** Segments that are being read at once. */
const AT_ONCE = 4;

/**
 * @typedef {object} Images
 * @property {Map<Image, ExtentRef[]>} extents
 * @property {Map<number, number>} segments
 * @property {LazyImage[]} lazy  Their pages are not verified yet.
 */

/**
 * @typedef {object} Base  What the log builds on.
 * @property {number} id  Of the checkpoint; 0 if there is none.
 * @property {Checkpoint} checkpoint
 * @property {Images} images
 * @property {[LogKey, Uint8Array][]} log  Behind it, not verified yet.
 */

/** @typedef {{store: DurableStore, key: any, reason: string}} Failure */

/**
 * @typedef {object} Piece  Of a segment.
 * @property {string} path
 * @property {number} number
 * @property {ExtentRef} ref
 * @property {number} length
 * @property {(number: number, bytes: Uint8Array) => void} load
 */

/** @type {Checkpoint} */
const EMPTY = {
  next: { epoch: 0, seq: 0, checksum: NO_CHECKSUM },
  time: 0,
  files: [],
};

/**
 * @param {PageStore} store
 * @param {PagedFolder} folder  Empty; holds the durable state afterwards.
 * @param {{now: () => number, images: LazyImages,
 *   onProgress?: (fraction: number) => void}} options
 * @returns {Promise<Recovered>}
 * @throws {StoreError | RecordTooNewError} 'store_lost' if the store changes
 *   meanwhile: to be called again, with an empty folder.
 */
export async function recover(
  store,
  folder,
  { now, images, onProgress = () => {} },
) {
  /** @type {Failure[]} */
  const failed = [];
  const stored = await store.checkpoints();
  const loading = { failed, onProgress, images };
  const base = await loadBase(store, folder, stored, loading);
  if (!base) {
    await assertUnchanged(store, stored);
    throw damaged(failed);
  }

  const reader = new LogReader(base.checkpoint.next);
  let openedAs = base.id > 0 ? base.checkpoint.time : null;
  for (const [key, bytes] of base.log) {
    const record = reader.take(key, bytes);
    if (!record) continue;
    folder.load(record);
    openedAs = record.time;
  }
  failed.push(...(await extentsOf(failed, base, store)));
  for (const { key, reason } of reader.damaged) {
    failed.push({ store: 'log', key, reason });
  }
  if (failed.length > 0) await assertUnchanged(store, stored);
  const isEmpty = base.id === 0 && reader.records === reader.fences.length;
  const wasDeleted = isEmpty && isWithoutBeginning(base.log);
  if (isEmpty && failed.length > 1 && !wasDeleted) throw damaged(failed);
  await store.setAside(failed, { time: now(), openedAs });
  reader.damaged = [];
  const isFenced = await fence(store, folder, reader, now);
  const left = stored.filter(({ id }) => id <= base.id);
  await assertUnchanged(store, left);
  onProgress(1);
  return {
    next: reader.next,
    lastKey: reader.lastKey,
    isFenced,
    checkpointAt: base.checkpoint.next,
    fences: reader.fences,
    checkpointId: base.id,
    lastCheckpointId: Math.max(0, ...stored.map(({ id }) => id)),
    extents: base.images.extents,
    segments: base.images.segments,
    logBytes: reader.bytes,
    report: {
      records: reader.records,
      setAside: failed.length,
      problems: [
        ...(store.wasDeleted ? [DAMAGED] : []),
        ...(wasDeleted ? [DELETED] : []),
        ...failed.map(describe),
      ],
    },
  };
}

/**
 * @param {PageStore} store
 * @param {PagedFolder} folder
 * @param {{id: number, bytes: Uint8Array}[]} stored  Checkpoints, oldest first.
 * @param {object} loading
 * @param {Failure[]} loading.failed  Gets those that do not verify.
 * @param {(fraction: number) => void} loading.onProgress
 * @param {LazyImages} loading.images
 * @param {boolean} [loading.isReadOnly]
 * @returns {Promise<Base | null>} Null if there are some and none verifies.
 */
export async function loadBase(store, folder, stored, loading) {
  const { failed } = loading;
  /** @param {number} id @param {Checkpoint} checkpoint */
  const load = async (id, checkpoint) => {
    const { epoch, seq } = checkpoint.next;
    const [images, log] = await Promise.all([
      loadImages(store, folder, checkpoint, loading),
      store.log([epoch, seq]),
    ]);
    return typeof images === 'string'
      ? images
      : { id, checkpoint, images, log };
  };
  for (const { id, bytes } of [...stored].reverse()) {
    const checkpoint = decodeCheckpoint(bytes);
    const base =
      typeof checkpoint === 'string' ? checkpoint : await load(id, checkpoint);
    if (typeof base !== 'string') return base;
    folder.clear();
    failed.push({ store: 'checkpoints', key: id, reason: base });
  }
  if (stored.length > 0) return null;
  return /** @type {Promise<Base>} */ (load(0, EMPTY));
}

/**
 * A checkpoint that does not verify may list extents that do: they would go as
 * garbage. Which it lists it cannot be asked any more.
 *
 * @param {Failure[]} failed
 * @param {Base} base
 * @param {PageStore} store
 * @returns {Promise<Failure[]>}
 */
async function extentsOf(failed, base, store) {
  if (!failed.some(({ store: name }) => name === 'checkpoints')) return [];
  const keys = await store.extentKeys();
  return keys
    .filter((key) => key > 0 && !base.images.segments.has(key))
    .map((key) => ({
      store: /** @type {const} */ ('extents'),
      key,
      reason: 'it belongs to a damaged checkpoint',
    }));
}

/**
 * @param {PageStore} store
 * @param {PagedFolder} folder
 * @param {LogReader} reader  At the end of the log; behind the fence afterwards.
 * @param {() => number} now
 * @returns {Promise<boolean>} False if there is no space for it. What is stored
 *   must be readable all the same.
 */
async function fence(store, folder, reader, now) {
  for (;;) {
    const at = reader.next;
    /** @type {LogKey} */
    const key = [at.epoch, at.seq];
    const { bytes, checksum: sum } = encodeFence(at, now());
    try {
      await store.addRecord(key, bytes);
      reader.next = positionAfter({ kind: 'fence', at, checksum: sum });
      reader.lastKey = key;
      reader.fences.push(key);
      return true;
    } catch (error) {
      const { code } = /** @type {StoreError} */ (error);
      if (code === 'quota_exceeded') return false;
      if (code !== 'collision') throw error;
    }
    // A tab that was leaving has written its tail just now: it counts.
    const late = await store.record(key);
    const record = late && reader.take(key, late);
    if (record) folder.load(record);
    if (reader.next === at) {
      throw new StoreError(
        'store_lost',
        `record ${key.join('.')} is unreadable`,
      );
    }
  }
}

/**
 * A host that is not fenced yet may publish and prune under our eyes.
 *
 * @param {PageStore} store
 * @param {{id: number}[]} checkpoints  As they were read.
 */
async function assertUnchanged(store, checkpoints) {
  const found = await store.checkpoints();
  if (found.at(-1)?.id === checkpoints.at(-1)?.id) return;
  throw new StoreError('store_lost', 'the store changed while it was read');
}

/**
 * @param {PageStore} store
 * @param {PagedFolder} folder
 * @param {Checkpoint} checkpoint
 * @param {object} loading
 * @param {(fraction: number) => void} loading.onProgress
 * @param {LazyImages} loading.images
 * @param {boolean} [loading.isReadOnly]
 * @returns {Promise<Images | string>} Why not, if a string.
 */
async function loadImages(
  store,
  folder,
  checkpoint,
  { onProgress, images: lazyImages, isReadOnly = false },
) {
  /** @type {Images} */
  const images = { extents: new Map(), segments: new Map(), lazy: [] };
  /** @type {Map<number, Piece[]>} */
  const pieces = new Map();
  /** @type {(() => Promise<string | null>)[]} */
  const tables = [];
  for (const entry of checkpoint.files) {
    const { path, size, image: id, extents } = entry;
    const stored = storedSize(entry);
    /** @type {Piece['load']} */
    let load;
    if (id > 0) {
      const bytes = new Uint8Array(stored);
      load = (number, piece) => bytes.set(piece, number * EXTENT_SIZE);
      tables.push(async () => {
        const table = new PageTable(Math.ceil(size / PAGE_SIZE), bytes);
        const image = await lazyImages.open(id, table, { isReadOnly });
        if (typeof image === 'string') return `${path}: ${image}`;
        folder.loadFile(path, image).loadSize(size);
        images.extents.set(image, extents);
        images.lazy.push(image);
        return null;
      });
    } else {
      const file = folder.loadFile(path);
      file.loadSize(size);
      images.extents.set(file.image, extents);
      load = (number, piece) => file.loadExtent(number, piece);
    }
    for (const [number, ref] of extents.entries()) {
      const length = extentLength(stored, number);
      const piece = { path, number, ref, length, load };
      pieces.set(ref.key, [...(pieces.get(ref.key) ?? []), piece]);
    }
  }
  const waiting = [...pieces];
  /** @type {string | null} */
  let problem = null;
  const readOn = async () => {
    for (;;) {
      const [key, wanted] = waiting.shift() ?? [0, null];
      if (!wanted || problem) return;
      const [segment] = await store.extents([key]);
      problem ??= place(segment, wanted);
      images.segments.set(key, segment?.length ?? 0);
      onProgress(images.segments.size / pieces.size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readOn));
  for (const open of tables) problem ??= await open();
  return problem ?? images;
}

/**
 * @param {Uint8Array | undefined} segment
 * @param {Piece[]} pieces
 * @returns {string | null} What is wrong.
 */
function place(segment, pieces) {
  const used = pieces.reduce((sum, { length }) => sum + roundUp(length, 8), 0);
  for (const { path, number, ref, length, load } of pieces) {
    const end = ref.offset + length;
    if (!segment || segment.length < end) {
      return `extent ${number} of ${path} is missing`;
    }
    const bytes = segment.subarray(ref.offset, end);
    if (!sameChecksum(checksum(bytes), ref.checksum)) {
      return `extent ${number} of ${path} is damaged`;
    }
    // A view would keep the stale part of the segment in memory too.
    load(number, used === segment.length ? bytes : bytes.slice());
  }
  return null;
}

/** @param {[LogKey, Uint8Array][]} log  All of it. */
function isWithoutBeginning([first]) {
  return first !== undefined && String(first[0]) !== '0,0';
}

/** @param {{store: string, key: unknown, reason: string}[]} failed */
function damaged(failed) {
  const error = new StoreError(
    'store_unavailable',
    `the stored data is damaged (${failed.map(describe).join('; ')}); nothing ` +
      'was changed: download what can be read, then go back to a restore point ' +
      'or start anew',
  );
  return Object.assign(error, { code: 'store_damaged' });
}

/** @param {{store: string, key: unknown, reason: string}} failed */
function describe({ store, key, reason }) {
  return `${store} ${String(key)}: ${reason}`;
}
