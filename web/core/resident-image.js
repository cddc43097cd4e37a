/**
 * The bytes of a file, all of them in memory, in pieces of one extent.
 *
 * Rule 1: memory is allocated in whole pages: a page is there or it is zeros.
 */

import { EXTENT_SIZE, PAGE_SIZE } from './page-size.js';

const PAGES_PER_EXTENT = EXTENT_SIZE / PAGE_SIZE;

/** In bytes: 16 pages. */
const SMALLEST_ALLOCATION = 1 << 16;

const NOTHING = new Uint8Array(0);

export class ResidentImage {
  isLazy = /** @type {const} */ (false);

  /** Views that read from it. */
  pins = 0;

  /** @type {Uint8Array[]} */
  #extents = [];

  /**
   * @param {Uint8Array} target  All of it lies before the end of the file.
   * @param {number} position
   */
  read(target, position) {
    const end = position + target.length;
    let at = position;
    while (at < end) {
      const start = at % EXTENT_SIZE;
      const count = Math.min(end - at, EXTENT_SIZE - start);
      const extent = this.#extents[Math.floor(at / EXTENT_SIZE)] ?? NOTHING;
      const stored = extent.subarray(start, start + count);
      target.set(stored, at - position);
      target.fill(0, at - position + stored.length, at - position + count);
      at += count;
    }
  }

  /**
   * @param {Uint8Array} source
   * @param {number} position
   */
  write(source, position) {
    const end = position + source.length;
    let at = position;
    while (at < end) {
      const start = at % EXTENT_SIZE;
      const count = Math.min(end - at, EXTENT_SIZE - start);
      const number = Math.floor(at / EXTENT_SIZE);
      const extent = this.#allocated(number, start + count);
      extent.set(source.subarray(at - position, at - position + count), start);
      at += count;
    }
  }

  /**
   * Forget what lies behind: if the file grows again, that is zeros.
   *
   * @param {number} size  In bytes.
   */
  cut(size) {
    this.#extents.length = Math.min(
      this.#extents.length,
      Math.ceil(size / EXTENT_SIZE),
    );
    const last = Math.floor(size / EXTENT_SIZE);
    this.#extents[last]?.fill(0, size - last * EXTENT_SIZE);
  }

  /**
   * @param {number} number
   * @returns {Uint8Array} PAGE_SIZE bytes; valid until the next write.
   */
  page(number) {
    return this.pageInMemory(number) ?? new Uint8Array(PAGE_SIZE);
  }

  /**
   * @param {number} number
   * @returns {Uint8Array | null} Null if it is all zeros and takes no memory.
   */
  pageInMemory(number) {
    const extent = this.#extents[Math.floor(number / PAGES_PER_EXTENT)];
    const start = (number % PAGES_PER_EXTENT) * PAGE_SIZE;
    if (!extent || start >= extent.length) return null;
    return extent.subarray(start, start + PAGE_SIZE);
  }

  /**
   * @param {number} number  Of the extent.
   * @param {Uint8Array} bytes  EXTENT_SIZE at most; kept, not copied, if whole.
   */
  loadExtent(number, bytes) {
    if (bytes.length === EXTENT_SIZE) this.#extents[number] = bytes;
    else this.#allocated(number, bytes.length).set(bytes);
  }

  /**
   * Memory for an extent. The first one of a file grows with it, because a
   * journal of a few pages may be created for every transaction.
   *
   * @param {number} number
   * @param {number} length  In bytes; what must fit.
   */
  #allocated(number, length) {
    const present = this.#extents[number];
    if (present && present.length >= length) return present;
    let capacity = number === 0 ? SMALLEST_ALLOCATION : EXTENT_SIZE;
    while (capacity < length) capacity *= 2;
    const extent = new Uint8Array(capacity);
    if (present) extent.set(present);
    this.#extents[number] = extent;
    return extent;
  }
}
