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
 * @returns {Uint8Array<ArrayBuffer> | null}  Null if it is not what was packed.
 */
export function unpack(packed) {
  if (packed.length < 4 * HEAD) return null;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const [s0, s1] = checksum(packed.subarray(SEALED));
  if (view.getUint32(0, true) !== s0 >>> 0) return null;
  if (view.getUint32(4, true) !== s1 >>> 0) return null;
  const bytes = new Uint8Array(view.getUint32(8, true));
  const count = view.getUint32(12, true);
  let at = 4 * (HEAD + 2 * count);
  for (let index = 0; index < count; index += 1) {
    const start = view.getUint32(4 * (HEAD + 2 * index), true);
    const length = view.getUint32(4 * (HEAD + 2 * index + 1), true);
    bytes.set(packed.subarray(at, at + length), start);
    at += length;
  }
  return bytes;
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
