/**
 * Space kept free for the moment when there is none left.
 *
 * Making the store smaller takes space first: the smaller image is written beside
 * the larger one, which is deleted after that. With the quota used up nothing
 * could be deleted any more. So about a quarter of the image is stored in random
 * bytes, and given up for that one checkpoint. (Chromium compresses what it can:
 * 16 MiB of zeros take nothing.)
 *
 * Rule 1: it is worth nothing. That it cannot be written, or is damaged or gone, is
 *         no failure.
 * Rule 2: it lies among the extents, under negative keys, which no checkpoint
 *         lists.
 */

import { StoreError } from './page-store.js';

/** @import { Ownership, PageStore } from './page-store.js' */

/** Of the reserve, at most. */
const LARGEST = 32;

export class Reserve {
  #store;
  #unit;

  /** Values stored, under the keys -1, -2, … */
  #count = 0;

  /** That many did not fit; no more than half of it is tried again. */
  #refused = Infinity;
  #isBusy = false;

  /**
   * @param {PageStore} store
   * @param {number} unit  In bytes: what one value holds.
   */
  constructor(store, unit) {
    this.#store = store;
    this.#unit = unit;
  }

  /** In bytes. */
  get bytes() {
    return this.#count * this.#unit;
  }

  /**
   * What a host before has left.
   *
   * @param {number[]} extentKeys  Ascending.
   */
  found(extentKeys) {
    this.#count = Math.max(0, -(extentKeys[0] ?? 0));
  }

  /** The store was emptied. */
  forget() {
    this.#count = 0;
  }

  /**
   * Grow or shrink with the image, a step at a time.
   *
   * @param {number} imageSize  In bytes.
   * @param {() => Ownership} owner
   */
  async fit(imageSize, owner) {
    const wanted = unitsFor(imageSize, this.#unit);
    if (this.#isBusy || wanted >= this.#refused) return;
    this.#isBusy = true;
    try {
      while (this.#count < wanted) await this.#add();
      if (this.#count > 2 * wanted) await this.#keep(wanted, owner);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === 'quota_exceeded') this.#refused = wanted;
    } finally {
      this.#isBusy = false;
    }
  }

  /**
   * Give it up.
   *
   * @param {() => Ownership} owner
   * @returns {Promise<boolean>} True if that made space.
   */
  async release(owner) {
    const hadSome = this.#count > 0;
    if (hadSome) await this.#keep(0, owner);
    this.#refused = Infinity;
    return hadSome;
  }

  async #add() {
    const key = -(this.#count + 1);
    try {
      await this.#store.addExtent(key, randomBytes(this.#unit));
    } catch (error) {
      const { code } = /** @type {StoreError} */ (error);
      // By a host that has woken up: there it is.
      if (code !== 'collision') throw error;
    }
    this.#count++;
  }

  /**
   * @param {number} count
   * @param {() => Ownership} owner
   */
  async #keep(count, owner) {
    const superfluous = [];
    for (let n = count + 1; n <= this.#count; n++) superfluous.push(-n);
    await this.#store.prune(owner(), { extentKeys: superfluous });
    this.#count = count;
  }
}

/** At most so many are handed out at once. */
const RANDOM_BYTES = 65_536;

/** @param {number} size */
function randomBytes(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += RANDOM_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES));
  }
  return bytes;
}

/**
 * @param {number} imageSize
 * @param {number} unit
 */
function unitsFor(imageSize, unit) {
  if (imageSize < unit) return 0;
  return Math.min(Math.max(Math.floor(imageSize / (4 * unit)), 1), LARGEST);
}
