/**
 * The lazy images of one volume: image files, joined with what a checkpoint says
 * of them and with one cache for all.
 *
 * Rule 1: an image file that no checkpoint lists is garbage, unless it is open. One
 *         that a checkpoint lists which was set aside as damaged is not; and if a
 *         checkpoint cannot be read, nobody knows which it lists: nothing goes.
 */

import { decodeCheckpoint } from '../core/checkpoint.js';
import { LazyImage } from '../core/lazy-image.js';
import { PageCache } from '../core/page-cache.js';
import { impossible } from './image-files.js';

/** @import { PageTable } from '../core/page-table.js' */
/** @import { ImageFiles } from './image-files.js' */
/** @import { PageStore } from './page-store.js' */

export class LazyImages {
  #files;
  #cache;
  #spillAt;

  /**
   * @param {ImageFiles} files
   * @param {object} [limits]
   * @param {number} [limits.cache]  In bytes.
   * @param {number} [limits.spillAt]  Pages.
   */
  constructor(files, { cache, spillAt } = {}) {
    this.#files = files;
    this.#cache = new PageCache(cache);
    this.#spillAt = spillAt;
  }

  /** In bytes: pages that were read. */
  get cacheBytes() {
    return this.#cache.size;
  }

  /**
   * @param {number} id
   * @param {PageTable} table  As a checkpoint has it.
   * @param {{isReadOnly?: boolean}} [options]  Somebody else writes to it.
   * @returns {Promise<LazyImage | string>} Why not, if a string.
   */
  async open(id, table, { isReadOnly = false } = {}) {
    const file = await this.#files.open(id);
    if (!file) return 'its image file is missing';
    const isUsed = new Uint8Array(file.slots);
    for (const slot of table.slots()) {
      if (slot >= file.slots) return 'its image file is too short';
      if (isUsed[slot]) return 'its page table is impossible';
      isUsed[slot] = 1;
    }
    const spillAt = isReadOnly ? Infinity : this.#spillAt;
    return new LazyImage(file, { cache: this.#cache, table, spillAt });
  }

  /** @returns {Promise<LazyImage>} An empty one, in a file of its own. */
  async create() {
    const file = await this.#files.create();
    const spillAt = this.#spillAt;
    return new LazyImage(file, { cache: this.#cache, spillAt });
  }

  /** @param {number} id  @returns {Promise<boolean>} */
  async isThere(id) {
    return (await this.#files.list()).includes(id);
  }

  /** @param {number} id */
  delete(id) {
    return this.#files.delete(id);
  }

  /**
   * Delete what a move or a checkpoint that was cut short has left behind.
   *
   * @param {PageStore} store
   */
  async collectGarbage(store) {
    const present = await this.#files.list();
    if (present.length === 0) return;
    const listed = await listedImages(store);
    if (!listed) return;
    for (const id of present) {
      if (!listed.has(id) && !this.#files.isOpen(id)) await this.delete(id);
    }
  }

  /** Let go of all files. */
  close() {
    this.#files.close();
  }
}

/**
 * A host that all tabs share must not take from one tab what it could not open.
 *
 * @param {PageStore} store  It may be open elsewhere.
 * @param {ImageFiles} files
 * @throws {StoreError} 'dedicated_worker_required' or 'opfs_unavailable'
 */
export async function assertOpenable(store, files) {
  if (files.isPossible) return;
  const [newest] = (await store.checkpoints()).slice(-1);
  const checkpoint = newest && decodeCheckpoint(newest.bytes);
  if (!checkpoint || typeof checkpoint === 'string') return;
  if (checkpoint.files.some(({ image }) => image > 0)) throw impossible();
}

/**
 * @param {PageStore} store
 * @returns {Promise<Set<number> | null>} Null if that cannot be known.
 */
async function listedImages(store) {
  const checkpoints = (await store.checkpoints()).map(({ bytes }) => bytes);
  // Where the browser has deleted IndexedDB alone, an image is all that is left.
  if (checkpoints.length === 0) return null;
  for (const { id, store: from } of await store.quarantine()) {
    if (from !== 'checkpoints') continue;
    checkpoints.push((await store.quarantined(id)) ?? new Uint8Array(0));
  }
  /** @type {Set<number>} */
  const listed = new Set();
  for (const bytes of checkpoints) {
    const checkpoint = decodeCheckpoint(bytes);
    if (typeof checkpoint === 'string') return null;
    for (const { image } of checkpoint.files) listed.add(image);
  }
  return listed;
}
