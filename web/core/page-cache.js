/**
 * Pages that were read and have not changed, as many as fit, for all lazy images
 * of a volume.
 *
 * They are kept in windows of 16 pages, which were read at once if they lie side
 * by side. The window that was used longest ago goes first.
 */

import { PAGE_SIZE } from './page-size.js';

/** Pages. */
export const WINDOW = 16;

/** In bytes. */
const BUDGET = 128 << 20;

/** @typedef {(Uint8Array | undefined)[]} Window */

export class PageCache {
  /** By image and window. @type {Map<number, Window>} */
  #windows = new Map();
  #nextImage = 0;
  #limit;

  /** @param {number} [budget]  In bytes. */
  constructor(budget = BUDGET) {
    this.#limit = Math.max(1, Math.floor(budget / (WINDOW * PAGE_SIZE)));
  }

  /** In bytes, at most. */
  get size() {
    return this.#windows.size * WINDOW * PAGE_SIZE;
  }

  /** @returns {number} What names the pages of one image here. */
  enter() {
    return this.#nextImage++;
  }

  /**
   * @param {number} image
   * @param {number} page
   */
  get(image, page) {
    const key = keyOf(image, page);
    const window = this.#windows.get(key);
    const bytes = window?.[page % WINDOW];
    if (!window || !bytes) return undefined;
    // The youngest is the last of a Map.
    this.#windows.delete(key);
    this.#windows.set(key, window);
    return bytes;
  }

  /**
   * @param {number} image
   * @param {number} page
   * @param {Uint8Array} bytes  Kept, not copied.
   */
  set(image, page, bytes) {
    const key = keyOf(image, page);
    const window = this.#windows.get(key) ?? [];
    window[page % WINDOW] = bytes;
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size <= this.#limit) return;
    const [oldest] = this.#windows.keys();
    this.#windows.delete(/** @type {number} */ (oldest));
  }

  /**
   * The page has changed.
   *
   * @param {number} image
   * @param {number} page
   */
  forget(image, page) {
    const window = this.#windows.get(keyOf(image, page));
    if (window) window[page % WINDOW] = undefined;
  }
}

/**
 * @param {number} image
 * @param {number} page
 */
function keyOf(image, page) {
  // 2 ** 28 windows are more than a file of SQLite can have.
  return image * 2 ** 28 + Math.floor(page / WINDOW);
}
