/**
 * The record format of the page log, version 1.
 *
 * One record is one flush: everything that was committed since the last one.
 * It describes itself, so that a log can be checked and read with nothing else:
 *
 *   offset  bytes  content (little-endian)
 *   0       8      magic "PAPLOG\r\n"
 *   8       4      format version, 1
 *   12      4      kind: 1 pages, 2 fence
 *   16      4      epoch          20  4  sequence number in the epoch
 *   24      8      checksum of the record before
 *   32      4      length of the whole record in bytes
 *   36      4      number of files
 *   40      8      time in Unix milliseconds (float64; for people, not for rules)
 *   48      …      for each file:  0  4 bytes in its path   4  4 flags (1 removed)
 *                                  8  8 size (float64)     16  4 cut at page
 *                                 20  4 number of pages    24  … path (UTF-8),
 *                                  padding to 4, page numbers (4 bytes each)
 *   …              padding to 8, pages of 4096 bytes in the order of the numbers
 *   end-8   8      checksum of everything before
 *
 * Rule 1: a released version never changes. A newer one is refused.
 * Rule 2: decoding trusts nothing. What is returned has verified.
 */

import { checksum, sameChecksum } from './checksum.js';
import { NOTHING_CUT, PAGE_SIZE } from './paged-file.js';

/** @import { Checksum } from './checksum.js' */
/** @import { FileDelta } from './paged-file.js' */
/** @import { FileChange } from './paged-folder.js' */

/**
 * @typedef {object} LogPosition  Where the next record goes.
 * @property {number} epoch  Counts the hosts that ever opened the store.
 * @property {number} seq  Counts the records of the epoch.
 * @property {Checksum} checksum  Of the record before.
 */

/**
 * @typedef {object} StoredFile
 * @property {string} path
 * @property {FileDelta | null} delta  Null: the file was removed.
 * @property {(page: number) => Uint8Array} page
 */

/**
 * @typedef {object} PageRecord
 * @property {'pages' | 'fence'} kind
 * @property {LogPosition} at
 * @property {Checksum} checksum  Of this record.
 * @property {number} time
 * @property {StoredFile[]} files
 */

export const RECORD_FORMAT = 1;

const MAGIC = bytesOf('PAPLOG\r\n');
const HEADER = 48;
const FILE_HEADER = 24;
const TRAILER = 8;
const KINDS = /** @type {const} */ (['', 'pages', 'fence']);
const REMOVED = 1;

/** A record of a newer release: to be refused, never to be thrown away. */
export class RecordTooNewError extends Error {
  /**
   * @param {number} found
   * @param {number} newest  That this release reads.
   */
  constructor(found, newest = RECORD_FORMAT) {
    super(
      `the stored data has format ${found}, this release reads up to ` +
        `${newest}; reload to get the new release`,
    );
    this.name = 'RecordTooNewError';
    this.code = 'store_too_new';
  }
}

/**
 * @param {LogPosition} at
 * @param {FileChange[]} changes  Their views are read, not closed.
 * @param {number} time
 * @returns {{bytes: Uint8Array<ArrayBuffer>, checksum: Checksum}}
 */
export function encodePages(at, changes, time) {
  const files = changes.map(({ path, taken }) => ({
    path: bytesOf(path),
    taken,
    pages: taken ? [...taken.delta.pages].sort((a, b) => a - b) : [],
  }));
  let pagesAt = HEADER;
  for (const { path, pages } of files) {
    pagesAt =
      roundUp(pagesAt + FILE_HEADER + path.length, 4) + pages.length * 4;
  }
  pagesAt = roundUp(pagesAt, 8);
  const count = files.reduce((sum, { pages }) => sum + pages.length, 0);
  const { bytes, view } = emptyRecord(
    'pages',
    at,
    pagesAt + count * PAGE_SIZE + TRAILER,
    time,
  );
  view.setUint32(36, files.length, true);
  let offset = HEADER;
  for (const { path, taken, pages } of files) {
    view.setUint32(offset, path.length, true);
    view.setUint32(offset + 4, taken ? 0 : REMOVED, true);
    view.setFloat64(offset + 8, taken?.delta.size ?? 0, true);
    view.setUint32(offset + 16, taken?.delta.cutAt ?? 0, true);
    view.setUint32(offset + 20, pages.length, true);
    bytes.set(path, offset + FILE_HEADER);
    offset = roundUp(offset + FILE_HEADER + path.length, 4);
    for (const page of pages) {
      view.setUint32(offset, page, true);
      offset += 4;
      bytes.set(/** @type {any} */ (taken).view.page(page), pagesAt);
      pagesAt += PAGE_SIZE;
    }
  }
  return seal(bytes);
}

/**
 * The record that ends an epoch: whoever still writes in it collides with it.
 *
 * @param {LogPosition} at
 * @param {number} time
 */
export function encodeFence(at, time) {
  return seal(emptyRecord('fence', at, HEADER + TRAILER, time).bytes);
}

/**
 * @param {Uint8Array} bytes
 * @param {LogPosition} at  Where the record must belong.
 * @returns {PageRecord | string} Why it is not that record, if a string.
 * @throws {RecordTooNewError}
 */
export function decodeRecord(bytes, at) {
  const head = readHead(bytes);
  if (typeof head === 'string') return head;
  if (head.epoch !== at.epoch || head.seq !== at.seq) {
    return `it belongs at ${head.epoch}.${head.seq}`;
  }
  if (!sameChecksum(head.previous, at.checksum)) {
    return 'it does not follow the record before';
  }
  const files = head.kind === 'pages' ? readFiles(bytes, head.fileCount) : [];
  if (typeof files === 'string') return files;
  return {
    kind: head.kind,
    at,
    checksum: head.checksum,
    time: head.time,
    files,
  };
}

/**
 * The checksum of a stored record, if it is sound in itself.
 *
 * @param {Uint8Array} bytes
 * @returns {Checksum | null}
 */
export function checksumOfRecord(bytes) {
  const head = readHead(bytes);
  return typeof head === 'string' ? null : head.checksum;
}

/** @param {Uint8Array} bytes */
function readHead(bytes) {
  if (bytes.length < HEADER + TRAILER) return 'it is too short';
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return 'it is not a record';
  const view = viewOf(bytes);
  const length = view.getUint32(32, true);
  const version = view.getUint32(8, true);
  if (length !== bytes.length) return 'its length is wrong';
  const sum = checksum(bytes.subarray(0, length - TRAILER));
  if (!sameChecksum(sum, checksumAt(view, length - TRAILER))) {
    return 'its checksum is wrong';
  }
  if (version > RECORD_FORMAT) throw new RecordTooNewError(version);
  const kind = KINDS[view.getUint32(12, true)];
  if (version < 1 || !kind) return 'its kind is unknown';
  return {
    kind,
    epoch: view.getUint32(16, true),
    seq: view.getUint32(20, true),
    previous: checksumAt(view, 24),
    fileCount: view.getUint32(36, true),
    time: view.getFloat64(40, true),
    checksum: sum,
  };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} count
 * @returns {StoredFile[] | string}
 */
function readFiles(bytes, count) {
  const view = viewOf(bytes);
  const end = bytes.length - TRAILER;
  /** @type {{path: string, removed: boolean, size: number, cutAt: number, pages: number[]}[]} */
  const heads = [];
  let offset = HEADER;
  for (let i = 0; i < count; i++) {
    if (offset + FILE_HEADER > end) return 'a file header is cut off';
    const pathLength = view.getUint32(offset, true);
    const pageCount = view.getUint32(offset + 20, true);
    const numbersAt = roundUp(offset + FILE_HEADER + pathLength, 4);
    if (numbersAt + pageCount * 4 > end) return 'a page list is cut off';
    const path = textOf(
      bytes.subarray(offset + FILE_HEADER, offset + FILE_HEADER + pathLength),
    );
    if (path === null) return 'a path is not UTF-8';
    const head = {
      path,
      removed: (view.getUint32(offset + 4, true) & REMOVED) !== 0,
      size: view.getFloat64(offset + 8, true),
      cutAt: view.getUint32(offset + 16, true),
      pages: Array.from({ length: pageCount }, (_, page) =>
        view.getUint32(numbersAt + page * 4, true),
      ),
    };
    if (!isSize(head.size)) return 'a size is impossible';
    if (head.pages.some((page) => page * PAGE_SIZE >= head.size)) {
      return 'a page lies behind the end of its file';
    }
    heads.push(head);
    offset = numbersAt + pageCount * 4;
  }
  let pagesAt = roundUp(offset, 8);
  const total = heads.reduce((sum, { pages }) => sum + pages.length, 0);
  if (pagesAt + total * PAGE_SIZE !== end) return 'its pages are cut off';
  return heads.map(({ path, removed, size, cutAt, pages }) => {
    /** @type {Map<number, number>} */
    const offsets = new Map();
    for (const page of pages) {
      offsets.set(page, pagesAt);
      pagesAt += PAGE_SIZE;
    }
    return {
      path,
      delta: removed ? null : { size, cutAt, pages: new Set(pages) },
      page: (number) => {
        const start = offsets.get(number) ?? 0;
        return bytes.subarray(start, start + PAGE_SIZE);
      },
    };
  });
}

/**
 * @param {'pages' | 'fence'} kind
 * @param {LogPosition} at
 * @param {number} length
 * @param {number} time
 */
function emptyRecord(kind, at, length, time) {
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, RECORD_FORMAT, true);
  view.setUint32(12, KINDS.indexOf(kind), true);
  view.setUint32(16, at.epoch, true);
  view.setUint32(20, at.seq, true);
  view.setUint32(24, at.checksum[0], true);
  view.setUint32(28, at.checksum[1], true);
  view.setUint32(32, length, true);
  view.setFloat64(40, time, true);
  return { bytes, view };
}

/** @param {Uint8Array<ArrayBuffer>} bytes  Complete but for its checksum. */
export function seal(bytes) {
  const sum = checksum(bytes.subarray(0, bytes.length - TRAILER));
  const view = viewOf(bytes);
  view.setUint32(bytes.length - TRAILER, sum[0], true);
  view.setUint32(bytes.length - TRAILER + 4, sum[1], true);
  return { bytes, checksum: sum };
}

/**
 * @param {DataView} view
 * @param {number} offset
 * @returns {Checksum}
 */
export function checksumAt(view, offset) {
  return [view.getUint32(offset, true), view.getUint32(offset + 4, true)];
}

/** @param {Uint8Array} bytes */
export function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * @param {number} value
 * @param {number} multiple
 */
export function roundUp(value, multiple) {
  return Math.ceil(value / multiple) * multiple;
}

/**
 * UTF-8 without the platform: `core` has no TextEncoder.
 *
 * @param {string} text
 */
export function bytesOf(text) {
  const escaped = encodeURIComponent(text);
  const bytes = [];
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] === '%') {
      bytes.push(parseInt(escaped.slice(i + 1, i + 3), 16));
      i += 2;
    } else bytes.push(escaped.charCodeAt(i));
  }
  return Uint8Array.from(bytes);
}

/**
 * @param {Uint8Array} bytes  UTF-8.
 * @returns {string | null} Null if it is not.
 */
export function textOf(bytes) {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  try {
    return decodeURIComponent(hex.map((pair) => `%${pair}`).join(''));
  } catch {
    return null;
  }
}

/** @param {number} size  In bytes, as it was read. */
export function isSize(size) {
  const largest = NOTHING_CUT * PAGE_SIZE;
  return Number.isSafeInteger(size) && size >= 0 && size <= largest;
}
