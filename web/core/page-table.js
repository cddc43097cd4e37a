/**
 * Where each page of a lazy image lies, and what its checksum is.
 *
 * The bytes are kept as a checkpoint stores them, 16 for each page, little-endian:
 * slot plus one (zero: the page is all zeros and lies nowhere), the two sums of its
 * checksum, zero.
 */

import { checksum } from './checksum.js';
import { EXTENT_SIZE } from './page-size.js';

/** In bytes. */
export const TABLE_ENTRY = 16;

/** @param {number} pages  @returns {number} In bytes. */
export const tableSize = (pages) => pages * TABLE_ENTRY;

export class PageTable {
  #bytes;
  #view;
  #pages;

  /**
   * @param {number} [pages]
   * @param {Uint8Array} [bytes]  As stored; kept, not copied.
   */
  constructor(pages = 0, bytes = new Uint8Array(tableSize(pages))) {
    this.#pages = pages;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** How many pages it knows; those behind are zeros. */
  get pages() {
    return this.#pages;
  }

  /** In bytes. */
  get size() {
    return tableSize(this.#pages);
  }

  /** Pieces in which it is stored. */
  get extentCount() {
    return Math.ceil(this.size / EXTENT_SIZE);
  }

  /** @param {number} page  @returns {number} -1 if the page is all zeros. */
  slotOf(page) {
    if (page >= this.#pages) return -1;
    return this.#view.getUint32(page * TABLE_ENTRY, true) - 1;
  }

  /**
   * @param {number} page
   * @param {Uint8Array} bytes
   */
  verifies(page, bytes) {
    const at = page * TABLE_ENTRY;
    const [s0, s1] = checksum(bytes);
    return (
      this.#view.getUint32(at + 4, true) === s0 &&
      this.#view.getUint32(at + 8, true) === s1
    );
  }

  /**
   * @param {number} page
   * @param {number} slot
   * @param {import('./checksum.js').Checksum} sum
   */
  set(page, slot, sum) {
    if (page >= this.#pages) this.resize(page + 1);
    const at = page * TABLE_ENTRY;
    this.#view.setUint32(at, slot + 1, true);
    this.#view.setUint32(at + 4, sum[0], true);
    this.#view.setUint32(at + 8, sum[1], true);
  }

  /** @param {PageTable} other  @param {number} page  Set as it is there. */
  take(other, page) {
    if (page >= other.pages) return;
    if (page >= this.#pages) this.resize(page + 1);
    const at = page * TABLE_ENTRY;
    this.#bytes.set(other.#bytes.subarray(at, at + TABLE_ENTRY), at);
  }

  /** @param {number} pages  What is added is zeros. */
  resize(pages) {
    const size = tableSize(pages);
    if (size > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      bytes.set(this.#bytes.subarray(0, this.size));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    } else if (pages < this.#pages) this.#bytes.fill(0, size, this.size);
    this.#pages = pages;
  }

  copy() {
    return new PageTable(this.#pages, this.#bytes.slice(0, this.size));
  }

  /**
   * @param {number} number
   * @returns {Uint8Array<ArrayBuffer>} A copy of one piece as it is stored.
   */
  extent(number) {
    const start = number * EXTENT_SIZE;
    const end = Math.min(start + EXTENT_SIZE, this.size);
    return new Uint8Array(this.#bytes.subarray(start, end));
  }

  /**
   * The pieces that are not the same in both.
   *
   * @param {PageTable | null} other
   * @returns {Set<number>}
   */
  differing(other) {
    /** @type {Set<number>} */
    const numbers = new Set();
    for (let number = 0; number < this.extentCount; number++) {
      if (!other || !this.#isSame(other, number)) numbers.add(number);
    }
    return numbers;
  }

  /** Slots of all pages, in the order of the pages. */
  *slots() {
    for (let page = 0; page < this.#pages; page++) {
      const slot = this.slotOf(page);
      if (slot >= 0) yield slot;
    }
  }

  /**
   * @param {PageTable} other
   * @param {number} number
   */
  #isSame(other, number) {
    const start = number * EXTENT_SIZE;
    const end = Math.min(start + EXTENT_SIZE, this.size);
    if (end !== Math.min(start + EXTENT_SIZE, other.size)) return false;
    for (let at = start; at < end; at += 4) {
      const mine = this.#view.getUint32(at, true);
      if (mine !== other.#view.getUint32(at, true)) return false;
    }
    return true;
  }
}
