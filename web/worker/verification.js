/**
 * Reading back what is stored, and comparing it with its checksums and with the
 * image in memory.
 *
 * Rule 1: read only, and beside the work that goes on.
 * Rule 2: no word of content: problems name records and extents, not files.
 */

import { isBefore, LogReader } from '../core/log-recovery.js';
import { rawFileName } from '../core/names.js';
import { BATCH } from '../core/lazy-image.js';
import { PagedFolder } from '../core/paged-folder.js';
import { PAGE_SIZE } from '../core/page-size.js';
import { loadBase } from './recovery.js';

/** @import { LogPosition } from '../core/page-record.js' */
/** @import { FileView, PagedFile } from '../core/paged-file.js' */
/** @import { LazyImage } from '../core/lazy-image.js' */
/** @import { LazyImages } from './lazy-images.js' */
/** @import { PageStore } from './page-store.js' */

/**
 * @typedef {object} Verification
 * @property {boolean} ok
 * @property {string[]} problems
 * @property {number} records  That verified.
 * @property {number} segments  Of the checkpoint; all of their extents verified.
 * @property {number} bytes  Read.
 * @property {boolean} comparedImage  Whether it is also what is in memory.
 * @property {number} durationMs
 */

/** Takes what is read, and forgets it. */
class Forgetful extends PagedFolder {
  /** @override @returns {PagedFile} */
  loadFile() {
    const sink = { image: {}, loadSize() {}, loadExtent() {} };
    return /** @type {PagedFile} */ (/** @type {unknown} */ (sink));
  }

  /** @override */
  load() {}
}

/**
 * @param {PageStore} store
 * @param {LazyImages} lazyImages
 * @param {object} expected
 * @param {LogPosition} expected.next  Behind the last record that is stored.
 * @param {[string, FileView][] | null} expected.images  As they are in memory at
 *   that record; null not to compare them, which takes as much memory again.
 * @param {() => Promise<void>} expected.pause
 * @returns {Promise<Verification>}
 */
export async function verify(store, lazyImages, { next, images, pause }) {
  const started = performance.now();
  const folder = images ? new PagedFolder(() => {}) : new Forgetful(() => {});
  /** @type {import('./recovery.js').Failure[]} */
  const failed = [];
  const stored = await store.checkpoints();
  const onProgress = () => {};
  const base = await loadBase(store, folder, stored, {
    failed,
    onProgress,
    images: lazyImages,
    isReadOnly: true,
  });
  const reader = new LogReader(base?.checkpoint.next ?? next);
  for (const [key, bytes] of base?.log ?? []) {
    if (!isBefore(key, next)) continue;
    const record = reader.take(key, bytes);
    if (record) folder.load(record);
  }
  for (const { key, reason } of reader.damaged) {
    failed.push({ store: 'log', key, reason });
  }
  const problems = failed.map(
    (failure) => `${rawFileName(failure.store, failure.key)} does not verify`,
  );
  let read = reader.bytes;
  for (const image of base?.images.lazy ?? []) {
    const isWhole = await readsBack(image, pause);
    if (!isWhole) problems.push(`${image.id}.image does not verify`);
    read += (image.published?.pages ?? 0) * PAGE_SIZE;
  }
  const { epoch, seq } = reader.next;
  if (epoch !== next.epoch || seq !== next.seq) {
    problems.push('the log does not end where it should');
  } else if (images && problems.length === 0 && !isSame(images, folder)) {
    problems.push('what is stored is not what is in memory');
  }
  const segments = [...(base?.images.segments.values() ?? [])];
  return {
    ok: problems.length === 0,
    problems,
    records: reader.records,
    segments: segments.length,
    bytes: segments.reduce((sum, size) => sum + size, read),
    comparedImage: images !== null,
    durationMs: performance.now() - started,
  };
}

/**
 * @param {LazyImage} image  As a checkpoint has it.
 * @param {() => Promise<void>} pause  Reading is synchronous: others get a turn.
 * @returns {Promise<boolean>} Whether all of its pages verify.
 */
async function readsBack(image, pause) {
  const table = image.published;
  for (let first = 0; first < (table?.pages ?? 0); first += BATCH) {
    const count = Math.min(BATCH, (table?.pages ?? 0) - first);
    const pages = Array.from({ length: count }, (_, i) => first + i);
    if (table && !image.readsBack(table, pages)) return false;
    if (first % (16 * BATCH) === 0) await pause();
  }
  return true;
}

/**
 * @param {[string, FileView][]} images
 * @param {PagedFolder} folder
 */
function isSame(images, folder) {
  if (images.length !== folder.files.length) return false;
  return images.every(([path, image]) => {
    const found = folder.find(path)?.freeze();
    if (found?.size !== image.size) return false;
    for (let number = 0; number < image.extentCount; number++) {
      const bytes = found.extent(number);
      if (!image.extent(number).every((byte, i) => byte === bytes[i])) {
        return false;
      }
    }
    return true;
  });
}
