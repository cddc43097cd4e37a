/**
 * A memory that is mostly zeros, without the zeros.
 *
 * Little-endian 32-bit words: the checksum of the rest (2), the length of the
 * memory, the number of runs, and for each run its start and its length; then the
 * bytes of the runs. Starts and lengths are in bytes, and multiples of a block but
 * for the last.
 */

import { checksum } from './checksum.js';

const BLOCK = 4096;

/** In words: checksum, length, number of runs. */
const HEAD = 4;
const SEALED = 8;

/** @typedef {{start: number, end: number}} Run */

/**
 * @typedef {object} Sparse
 * @property {number} length  In bytes, zeros included.
 * @property {{start: number, bytes: Uint8Array}[]} runs  In order; zeros between.
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function pack(bytes) {
  const runs = runsOf(bytes);
  const size = runs.reduce((sum, { start, end }) => sum + end - start, 0);
  let at = 4 * (HEAD + 2 * runs.length);
  const packed = new Uint8Array(at + size);
  const view = new DataView(packed.buffer);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, runs.length, true);
  runs.forEach(({ start, end }, index) => {
    view.setUint32(4 * (HEAD + 2 * index), start, true);
    view.setUint32(4 * (HEAD + 2 * index + 1), end - start, true);
    packed.set(bytes.subarray(start, end), at);
    at += end - start;
  });
  const [s0, s1] = checksum(packed.subarray(SEALED));
  view.setUint32(0, s0, true);
  view.setUint32(4, s1, true);
  return packed;
}

/**
 * @param {Uint8Array} packed
 * @returns {Sparse | null}  Of the same memory; null if it is not what was packed.
 */
export function unpack(packed) {
  if (packed.length < 4 * HEAD) return null;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const [s0, s1] = checksum(packed.subarray(SEALED));
  if (view.getUint32(0, true) !== s0 >>> 0) return null;
  if (view.getUint32(4, true) !== s1 >>> 0) return null;
  const count = view.getUint32(12, true);
  let at = 4 * (HEAD + 2 * count);
  const runs = Array.from({ length: count }, (_, index) => {
    const start = view.getUint32(4 * (HEAD + 2 * index), true);
    const length = view.getUint32(4 * (HEAD + 2 * index + 1), true);
    const bytes = packed.subarray(at, at + length);
    at += length;
    return { start, bytes };
  });
  return { length: view.getUint32(8, true), runs };
}

/**
 * Write the memory from *offset* on to the beginning of *target*, zeros and all.
 *
 * @param {Sparse} sparse
 * @param {number} offset
 * @param {Uint8Array} target  What it is longer than the memory becomes zeros.
 */
export function copyTo({ runs }, offset, target) {
  let written = 0;
  for (const { start, bytes } of runs) {
    const from = Math.max(0, start - offset);
    const part = bytes.subarray(Math.max(0, offset - start));
    if (from >= target.length) break;
    const fitting = part.subarray(0, target.length - from);
    target.fill(0, written, from);
    target.set(fitting, from);
    written = Math.max(written, from + fitting.length);
  }
  target.fill(0, written);
}

/**
 * @param {Uint8Array} bytes
 * @returns {Run[]}  Of blocks that are not all zeros, in order.
 */
function runsOf(bytes) {
  /** @type {Run[]} */
  const runs = [];
  for (let start = 0; start < bytes.length; start += BLOCK) {
    const end = Math.min(start + BLOCK, bytes.length);
    if (bytes.subarray(start, end).every((byte) => byte === 0)) continue;
    const last = runs.at(-1);
    if (last?.end === start) last.end = end;
    else runs.push({ start, end });
  }
  return runs;
}
