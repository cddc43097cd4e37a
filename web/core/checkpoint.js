/**
 * The format of a checkpoint, versions 1 and 2: one record that lists the extents
 * of every file, and by being there makes them the durable image.
 *
 *   offset  bytes  content (little-endian)
 *   0       8      magic "PAPCKP\r\n"
 *   8       4      format version, 1 or 2
 *   12      4      length of the whole record in bytes
 *   16      4      epoch     20  4  sequence number: the first record after it
 *   24      8      checksum of the record before that one
 *   32      8      time in Unix milliseconds (float64)
 *   40      4      number of files     44  4  zero
 *   48      …      for each file:  0  4 bytes in its path   4  4 extents
 *                                  8  8 size (float64)     16  … path (UTF-8),
 *                                  padding to 8, then for each extent 8 key of
 *                                  its segment (float64), 4 offset there, 4 zero,
 *                                  8 checksum
 *   end-8   8      checksum of everything before
 *
 * In version 2 a file has 8 bytes more, before its path: the number of its image
 * file (float64), or zero. The pages of a file with a number lie in that image
 * file, and its extents are those of its page table (page-table.js). A checkpoint
 * without such a file is written in version 1, which earlier releases read.
 *
 * Extents are immutable. A new checkpoint lists the unchanged ones of the old
 * one again, so its cost is what has changed, not the size of the image. Those
 * that are written together are stored as one value, a segment: Chromium reads
 * values of 16 MiB 1.7 times as fast as those of 1 MiB.
 */

import { checksum, sameChecksum } from './checksum.js';
import { EXTENT_SIZE, PAGE_SIZE } from './page-size.js';
import {
  bytesOf,
  checksumAt,
  isSize,
  RecordTooNewError,
  roundUp,
  seal,
  textOf,
  viewOf,
} from './page-record.js';
import { tableSize } from './page-table.js';

/** @import { Checksum } from './checksum.js' */
/** @import { LogPosition } from './page-record.js' */

/**
 * @typedef {object} ExtentRef
 * @property {number} key  Of its segment in the store of extents.
 * @property {number} offset  In the segment, in bytes.
 * @property {Checksum} checksum
 */

/**
 * @typedef {object} CheckpointFile
 * @property {string} path
 * @property {number} size  In bytes.
 * @property {number} image  Number of its image file; 0 if it has none.
 * @property {ExtentRef[]} extents  Of its bytes or, if it has an image file, of its
 *   page table.
 */

/**
 * @typedef {object} Checkpoint
 * @property {LogPosition} next  The first log record that is not part of it.
 * @property {number} time
 * @property {CheckpointFile[]} files
 */

const MAGIC = bytesOf('PAPCKP\r\n');
const HEADER = 48;
const FILE_HEADER = 16;
const WITH_IMAGE = 8;

/** The newest version that is read. */
export const CHECKPOINT_FORMAT = 2;

const EXTENT_ENTRY = 24;
const TRAILER = 8;

/**
 * @param {Checkpoint} checkpoint
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeCheckpoint({ next, time, files }) {
  const paths = files.map(({ path }) => bytesOf(path));
  const hasImages = files.some(({ image }) => image > 0);
  const fileHeader = FILE_HEADER + (hasImages ? WITH_IMAGE : 0);
  let length = HEADER + TRAILER;
  files.forEach(({ extents }, i) => {
    const path = /** @type {Uint8Array} */ (paths[i]);
    length +=
      roundUp(fileHeader + path.length, 8) + extents.length * EXTENT_ENTRY;
  });
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, hasImages ? 2 : 1, true);
  view.setUint32(12, length, true);
  view.setUint32(16, next.epoch, true);
  view.setUint32(20, next.seq, true);
  view.setUint32(24, next.checksum[0], true);
  view.setUint32(28, next.checksum[1], true);
  view.setFloat64(32, time, true);
  view.setUint32(40, files.length, true);
  let offset = HEADER;
  files.forEach(({ size, image, extents }, i) => {
    const path = /** @type {Uint8Array} */ (paths[i]);
    view.setUint32(offset, path.length, true);
    view.setUint32(offset + 4, extents.length, true);
    view.setFloat64(offset + 8, size, true);
    if (hasImages) view.setFloat64(offset + FILE_HEADER, image, true);
    bytes.set(path, offset + fileHeader);
    offset += roundUp(fileHeader + path.length, 8);
    for (const extent of extents) {
      view.setFloat64(offset, extent.key, true);
      view.setUint32(offset + 8, extent.offset, true);
      view.setUint32(offset + 16, extent.checksum[0], true);
      view.setUint32(offset + 20, extent.checksum[1], true);
      offset += EXTENT_ENTRY;
    }
  });
  return seal(bytes).bytes;
}

/**
 * What the extents of a file make up, in bytes.
 *
 * @param {Pick<CheckpointFile, 'size' | 'image'>} file
 */
export function storedSize({ size, image }) {
  return image > 0 ? tableSize(Math.ceil(size / PAGE_SIZE)) : size;
}

/**
 * @param {number} size  Of what the extents make up, in bytes.
 * @param {number} number  Of the extent.
 */
export function extentLength(size, number) {
  return Math.min(EXTENT_SIZE, size - number * EXTENT_SIZE);
}

/**
 * @param {Uint8Array} bytes
 * @returns {Checkpoint | string} Why it is not a checkpoint, if a string.
 * @throws {RecordTooNewError}
 */
export function decodeCheckpoint(bytes) {
  if (bytes.length < HEADER + TRAILER) return 'it is too short';
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return 'it is no checkpoint';
  const view = viewOf(bytes);
  const end = bytes.length - TRAILER;
  if (view.getUint32(12, true) !== bytes.length) return 'its length is wrong';
  if (!sameChecksum(checksum(bytes.subarray(0, end)), checksumAt(view, end))) {
    return 'its checksum is wrong';
  }
  const version = view.getUint32(8, true);
  if (version > CHECKPOINT_FORMAT) {
    throw new RecordTooNewError(version, CHECKPOINT_FORMAT);
  }
  const fileHeader = FILE_HEADER + (version > 1 ? WITH_IMAGE : 0);
  /** @type {CheckpointFile[]} */
  const files = [];
  let offset = HEADER;
  for (let i = 0; i < view.getUint32(40, true); i++) {
    if (offset + fileHeader > end) return 'a file header is cut off';
    const pathLength = view.getUint32(offset, true);
    const extentCount = view.getUint32(offset + 4, true);
    const size = view.getFloat64(offset + 8, true);
    const image = version > 1 ? view.getFloat64(offset + FILE_HEADER, true) : 0;
    const pathAt = offset + fileHeader;
    offset += roundUp(fileHeader + pathLength, 8);
    if (offset + extentCount * EXTENT_ENTRY > end) {
      return 'an extent list is cut off';
    }
    const path = textOf(bytes.subarray(pathAt, pathAt + pathLength));
    const extents = Array.from({ length: extentCount }, (_, n) => ({
      key: view.getFloat64(offset + n * EXTENT_ENTRY, true),
      offset: view.getUint32(offset + n * EXTENT_ENTRY + 8, true),
      checksum: checksumAt(view, offset + n * EXTENT_ENTRY + 16),
    }));
    if (path === null) return 'a path is not UTF-8';
    if (!Number.isSafeInteger(image) || image < 0) {
      return 'the number of an image is impossible';
    }
    const stored = isSize(size) ? storedSize({ size, image }) : -EXTENT_SIZE;
    if (extentCount !== Math.ceil(stored / EXTENT_SIZE)) {
      return 'the extents of a file do not fit its size';
    }
    if (!extents.every(({ key }) => Number.isSafeInteger(key) && key >= 0)) {
      return 'the key of an extent is impossible';
    }
    offset += extentCount * EXTENT_ENTRY;
    files.push({ path, size, image, extents });
  }
  return {
    next: {
      epoch: view.getUint32(16, true),
      seq: view.getUint32(20, true),
      checksum: checksumAt(view, 24),
    },
    time: view.getFloat64(32, true),
    files,
  };
}
