/**
 * Kept copies of files, each as it was at a commit.
 *
 * Rule 1: a copy counts once its row is stored, and the row comes last. Extents
 *         without one are garbage, and go before the next copy is kept.
 * Rule 2: extents are compressed, unless the file is encrypted: that would not
 *         make them smaller.
 * Rule 3: of each file the newest ten stay, as far as they fit into a fifth of the
 *         quota; the newest always does.
 * Rule 4: where there is no space for a new one, the oldest make room first.
 * Rule 5: each extent has the checksum of what it was before it was compressed. It
 *         is verified when it is read, and tells whether a file has changed since.
 */

import { checksum, sameChecksum } from '../core/checksum.js';
import { EXTENT_SIZE } from '../core/paged-file.js';
import { StoreError } from './page-store.js';

/** @import { Packing } from './gzip.js' */
/** @import { PageStore, RestorePointRow } from './page-store.js' */
/** @import { FileView } from '../core/paged-file.js' */

/** Kept of each file at most. */
export const KEPT = 10;

/** Of the quota, for the restore points of one file. */
const SHARE = 0.2;

/**
 * @typedef {object} Copy
 * @property {string} path  Of the file.
 * @property {string} reason
 * @property {number} createdAt  Unix milliseconds.
 * @property {boolean} encrypted
 */

export class RestorePoints {
  #store;
  #packing;
  #quota;

  /** Extents whose row is not stored yet. @type {Set<string>} */
  #writing = new Set();

  /**
   * @param {PageStore} store
   * @param {Packing} packing
   * @param {() => number | undefined} quota  In bytes, if the browser tells.
   */
  constructor(store, packing, quota) {
    this.#store = store;
    this.#packing = packing;
    this.#quota = quota;
  }

  /**
   * @param {string} path
   * @returns {Promise<RestorePointRow[]>} Newest first.
   */
  async list(path) {
    const rows = await this.#store.restorePoints();
    return rows.filter((row) => row.path === path);
  }

  /**
   * @param {FileView} view
   * @param {Copy} copy
   * @returns {Promise<RestorePointRow>}
   */
  async keep(view, copy) {
    const id = crypto.randomUUID();
    await this.collectGarbage();
    for (;;) {
      try {
        const row = await this.#write(id, view, { ...copy, id });
        await this.#letOldOnesGo(copy.path);
        return row;
      } catch (error) {
        if (/** @type {StoreError} */ (error).code !== 'quota_exceeded') {
          throw error;
        }
        const oldest = (await this.list(copy.path)).at(-1);
        if (!oldest) throw error;
        await this.#store.deleteRestorePoint(oldest);
      }
    }
  }

  /**
   * Give a restore point another content.
   *
   * @param {string} id
   * @param {FileView} view
   * @param {boolean} encrypted
   */
  async rewrite(id, view, encrypted) {
    const row = await this.#find(id);
    const { path, reason, createdAt } = row;
    const copy = { id, path, reason, createdAt, encrypted };
    await this.#write(crypto.randomUUID(), view, copy, row);
  }

  /**
   * @param {string} id
   * @returns {Promise<{size: number,
   *   pieces: AsyncIterable<[offset: number, Uint8Array]>}>}
   * @throws {StoreError} 'restore_point_not_found', or while reading
   *   'store_damaged'.
   */
  async read(id) {
    const row = await this.#find(id);
    return { size: row.size, pieces: this.#pieces(row) };
  }

  /**
   * @param {string} id
   * @param {FileView} view
   * @returns {Promise<boolean>} Whether it holds the same bytes.
   */
  async isOf(id, view) {
    const { size, checksums } = await this.#find(id);
    if (size !== view.size || !checksums) return false;
    return checksums.every((sum, number) =>
      sameChecksum(sum, checksum(view.extent(number))),
    );
  }

  /** @param {string} id */
  async delete(id) {
    await this.#store.deleteRestorePoint(await this.#find(id));
  }

  /**
   * @param {string} data  Names its extents.
   * @param {FileView} view
   * @param {Copy & {id: string}} copy
   * @param {RestorePointRow} [replaced]
   * @returns {Promise<RestorePointRow>}
   */
  async #write(data, view, copy, replaced) {
    /** @type {RestorePointRow} */
    const row = {
      ...copy,
      data,
      size: view.size,
      extents: view.extentCount,
      packed: !copy.encrypted,
      checksums: [],
      stored: 0,
    };
    const { losses } = this.#store;
    this.#writing.add(data);
    try {
      for (let number = 0; number < row.extents; number++) {
        const extent = view.extent(number);
        row.checksums?.push(checksum(extent));
        const bytes = row.packed ? await this.#packing.pack(extent) : extent;
        row.stored += bytes.length;
        await this.#store.putRestoreExtent(data, number, bytes);
      }
      if (this.#store.losses > losses) {
        const message = 'the browser closed the store; try again';
        throw new StoreError('store_lost', message);
      }
      await this.#store.putRestorePoint(row, replaced);
      return row;
    } finally {
      this.#writing.delete(data);
    }
  }

  /** Delete extents that no row names: what was cut short has left them. */
  async collectGarbage() {
    const keys = await this.#store.restoreExtentOwners();
    const rows = await this.#store.restorePoints();
    const used = new Set([...this.#writing, ...rows.map(({ data }) => data)]);
    for (const data of keys) {
      if (!used.has(data)) await this.#store.deleteRestoreExtents(data);
    }
  }

  /** @param {string} path */
  async #letOldOnesGo(path) {
    const share = (this.#quota() ?? Infinity) * SHARE;
    let stored = 0;
    for (const [index, row] of (await this.list(path)).entries()) {
      stored += row.stored;
      const fits = index === 0 || (index < KEPT && stored <= share);
      if (!fits) await this.#store.deleteRestorePoint(row);
    }
  }

  /**
   * @param {RestorePointRow} row
   * @returns {AsyncGenerator<[offset: number, Uint8Array]>}
   */
  async *#pieces({ id, data, extents, packed, checksums }) {
    for (let number = 0; number < extents; number++) {
      const stored = await this.#store.restoreExtent(data, number);
      if (!stored) throw notFound(id);
      yield [
        number * EXTENT_SIZE,
        await this.#unpacked(stored, packed, checksums?.[number]),
      ];
    }
  }

  /**
   * @param {Uint8Array} stored
   * @param {boolean} packed
   * @param {import('../core/checksum.js').Checksum} [sum]
   */
  async #unpacked(stored, packed, sum) {
    try {
      const bytes = packed ? await this.#packing.unpack(stored) : stored;
      if (!sum || sameChecksum(checksum(bytes), sum)) return bytes;
    } catch {
      // What cannot be unpacked is damaged.
    }
    const message =
      "this restore point is damaged in the browser's storage; take another one";
    const error = new StoreError('store_unavailable', message);
    throw Object.assign(error, { code: 'store_damaged' });
  }

  /** @param {string} id */
  async #find(id) {
    const rows = await this.#store.restorePoints();
    const row = rows.find((candidate) => candidate.id === id);
    if (!row) throw notFound(id);
    return row;
  }
}

/** @param {string} id */
function notFound(id) {
  const error = new StoreError(
    'store_unavailable',
    `there is no restore point ${id}; it may have made room for a newer one`,
  );
  return Object.assign(error, { code: 'restore_point_not_found' });
}
