/**
 * The bytes of a file in OPFS, as a page finds them: to be handed over as a Blob, of
 * any size, without reading them into memory.
 *
 * Nothing is verified: what is damaged is taken as it is, as with all that is
 * rescued. What the log changes is put over it.
 */

import { PAGE_SIZE } from '../core/page-size.js';

/** @import { PageTable } from '../core/page-table.js' */

export class StoredImage {
  /** Not in memory: what reads at once cannot read it. */
  isLazy = /** @type {const} */ (true);
  pins = 0;
  #file;
  #table;

  /** @type {Map<number, Uint8Array<ArrayBuffer>>} */
  #changed = new Map();

  /** The end of what counts in the table, in bytes. */
  #end = Infinity;

  /**
   * @param {Blob} file  Of its slots.
   * @param {PageTable} table
   */
  constructor(file, table) {
    this.#file = file;
    this.#table = table;
  }

  /**
   * @param {Uint8Array} source  Whole pages.
   * @param {number} position
   */
  write(source, position) {
    for (let at = 0; at < source.length; at += PAGE_SIZE) {
      const page = (position + at) / PAGE_SIZE;
      this.#changed.set(page, source.slice(at, at + PAGE_SIZE));
    }
  }

  /** @param {number} size  In bytes. */
  cut(size) {
    this.#end = Math.min(this.#end, size);
    const rest = size % PAGE_SIZE;
    for (const [page, bytes] of this.#changed) {
      if (page * PAGE_SIZE >= size) this.#changed.delete(page);
      else if ((page + 1) * PAGE_SIZE > size) bytes.fill(0, rest);
    }
  }

  /** @param {number} size  Of the file, in bytes. */
  blob(size) {
    /** @type {Blob[]} */
    const parts = [];
    const pages = Math.ceil(size / PAGE_SIZE);
    for (let page = 0; page < pages;) {
      const count = this.#runAt(page, pages);
      const length = Math.min(count * PAGE_SIZE, size - page * PAGE_SIZE);
      parts.push(this.#part(page, length));
      page += count;
    }
    return new Blob(parts);
  }

  /**
   * How many pages from here on lie side by side.
   *
   * @param {number} first
   * @param {number} end
   */
  #runAt(first, end) {
    const slot = this.#table.slotOf(first);
    let page = first + 1;
    if (slot < 0 || this.#changed.has(first)) return 1;
    while (
      page < end &&
      !this.#changed.has(page) &&
      this.#table.slotOf(page) === slot + page - first
    ) {
      page++;
    }
    return page - first;
  }

  /**
   * @param {number} page
   * @param {number} length  In bytes.
   */
  #part(page, length) {
    const changed = this.#changed.get(page);
    if (changed) return new Blob([changed.subarray(0, length)]);
    const slot = this.#table.slotOf(page);
    const counts = Math.max(0, Math.min(length, this.#end - page * PAGE_SIZE));
    const start = slot * PAGE_SIZE;
    const found =
      slot < 0 ? new Blob() : this.#file.slice(start, start + counts);
    // What is gone stays zeros.
    return new Blob([found, new Uint8Array(length - found.size)]);
  }

  /** @returns {never} */
  read() {
    throw new Error('it can be read as a Blob only');
  }

  /** @returns {never} */
  page() {
    throw new Error('it can be read as a Blob only');
  }
}
