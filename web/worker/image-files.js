/**
 * The origin's private file system (OPFS): the only module that names it. It keeps
 * one file for each lazy image; it decides nothing.
 *
 * Rule 1: files are read and written through synchronous access handles, which
 *         exist in dedicated workers only, and exclude everybody else.
 * Rule 2: what is written survives the browser at once, and the power after
 *         `flush()`. In which order the rest arrives nobody promises.
 *
 * Source: https://fs.spec.whatwg.org/
 */

import { imageFolder, imageIdOf, imageName } from '../core/names.js';
import { PAGE_SIZE } from '../core/page-size.js';
import { StoreError } from './page-store.js';

/** @import { SlotFile } from '../core/lazy-image.js' */

/**
 * @typedef {object} Platform  Tests hand in their own.
 * @property {{storage?: {getDirectory?: () => Promise<any>}}} [navigator]
 * @property {any} [FileSystemFileHandle]
 * @property {(ms: number) => Promise<void>} [sleep]
 */

/** In milliseconds: a worker that has just died may hold its files for a moment. */
const WAITS = [20, 100, 500, 2000, 2000];

export class ImageFiles {
  #path;
  #platform;

  /** Open ones, by number. @type {Map<number, ImageFile>} */
  #files = new Map();

  /** Being created. @type {Set<number>} */
  #coming = new Set();

  /**
   * @param {string} volume
   * @param {Platform} [platform]
   */
  constructor(volume, platform = /** @type {any} */ (globalThis)) {
    this.#path = imageFolder(volume);
    this.#platform = platform;
  }

  /** True where images can be read and written. */
  get isPossible() {
    const { FileSystemFileHandle, navigator } = this.#platform;
    const can = FileSystemFileHandle?.prototype.createSyncAccessHandle;
    return Boolean(can && navigator?.storage?.getDirectory);
  }

  /** @param {number} id */
  isOpen(id) {
    return this.#files.has(id) || this.#coming.has(id);
  }

  /** @returns {Promise<ImageFile>} A new one, empty. */
  async create() {
    // Not counted: a number that was ever used must not come again.
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    const id = (high % 2 ** 20) * 2 ** 32 + low + 1;
    this.#coming.add(id);
    try {
      return /** @type {ImageFile} */ (await this.#open(id, true));
    } finally {
      this.#coming.delete(id);
    }
  }

  /**
   * @param {number} id
   * @returns {Promise<ImageFile | null>} Null if there is no such image.
   * @throws {StoreError} 'dedicated_worker_required', 'opfs_unavailable',
   *   'storage_in_use'
   */
  async open(id) {
    return this.#files.get(id) ?? (await this.#open(id, false));
  }

  /** @returns {Promise<number[]>} Numbers of all images there are. */
  async list() {
    const folder = await this.#folder(false);
    /** @type {number[]} */
    const ids = [];
    if (!folder) return ids;
    for await (const name of folder.keys()) {
      const id = imageIdOf(name);
      if (id !== null) ids.push(id);
    }
    return ids;
  }

  /**
   * An image as it is stored, for whom no handle is needed.
   *
   * @param {number} id
   * @returns {Promise<File | null>} Null if there is no such image.
   */
  async blob(id) {
    const folder = await this.#folder(false);
    if (!folder) return null;
    try {
      return await (await folder.getFileHandle(imageName(id))).getFile();
    } catch (error) {
      if (isMissing(error)) return null;
      throw translate(error);
    }
  }

  /** @param {number} id  It may be open, and is closed then. */
  async delete(id) {
    this.#files.get(id)?.close();
    this.#files.delete(id);
    const folder = await this.#folder(false);
    try {
      await folder?.removeEntry(imageName(id));
    } catch (error) {
      if (!isMissing(error)) throw translate(error);
    }
  }

  /** Let go of all files. */
  close() {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  /**
   * @param {number} id
   * @param {boolean} isNew
   */
  async #open(id, isNew) {
    if (!this.isPossible) throw impossible();
    const folder = await this.#folder(isNew);
    for (const ms of [...WAITS, null]) {
      try {
        const options = { create: isNew };
        const entry = await folder?.getFileHandle(imageName(id), options);
        if (!entry) return null;
        const file = new ImageFile(id, await entry.createSyncAccessHandle());
        this.#files.set(id, file);
        return file;
      } catch (error) {
        if (isMissing(error)) return null;
        const { name } = /** @type {Error} */ (error);
        if (name !== 'NoModificationAllowedError') throw translate(error);
        if (ms === null) throw inUse(error);
        await this.#sleep(ms);
      }
    }
    return null;
  }

  /**
   * @param {boolean} create
   * @returns {Promise<any>} Null if there is none.
   */
  async #folder(create) {
    const storage = this.#platform.navigator?.storage;
    if (!storage?.getDirectory) throw unavailable();
    try {
      let folder = await storage.getDirectory();
      for (const name of this.#path) {
        folder = await folder.getDirectoryHandle(name, { create });
      }
      return folder;
    } catch (error) {
      if (isMissing(error)) return null;
      if (isFull(error)) throw translate(error);
      throw unavailable(error);
    }
  }

  /** @param {number} ms  @returns {Promise<void>} */
  #sleep(ms) {
    const { sleep } = this.#platform;
    if (sleep) return sleep(ms);
    return new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  }
}

/** @implements {SlotFile} */
export class ImageFile {
  #handle;
  #slots;

  /**
   * @param {number} id
   * @param {any} handle  A FileSystemSyncAccessHandle.
   */
  constructor(id, handle) {
    this.id = id;
    this.#handle = handle;
    const size = handle.getSize();
    if (typeof size !== 'number') {
      handle.close();
      throw unavailable();
    }
    this.#slots = Math.floor(size / PAGE_SIZE);
  }

  get slots() {
    return this.#slots;
  }

  /**
   * @param {number} slot
   * @param {number} count
   */
  read(slot, count) {
    const bytes = new Uint8Array(count * PAGE_SIZE);
    try {
      const length = this.#handle.read(bytes, { at: slot * PAGE_SIZE });
      return bytes.subarray(0, length);
    } catch (error) {
      throw translate(error);
    }
  }

  /**
   * @param {number} slot
   * @param {Uint8Array} bytes
   */
  write(slot, bytes) {
    try {
      const written = this.#handle.write(bytes, { at: slot * PAGE_SIZE });
      if (written !== bytes.length) throw full();
    } catch (error) {
      throw translate(error);
    }
    this.#slots = Math.max(this.#slots, slot + bytes.length / PAGE_SIZE);
  }

  flush() {
    try {
      this.#handle.flush();
    } catch (error) {
      throw translate(error);
    }
  }

  /** @param {number} slots */
  truncate(slots) {
    try {
      this.#handle.truncate(slots * PAGE_SIZE);
      this.#slots = slots;
    } catch (error) {
      throw translate(error);
    }
  }

  close() {
    this.#handle.close();
  }
}

/** @param {unknown} error */
function isMissing(error) {
  return /** @type {Error} */ (error).name === 'NotFoundError';
}

/** @param {unknown} error */
function isFull(error) {
  return /** @type {Error} */ (error).name === 'QuotaExceededError';
}

/** @param {unknown} [cause] */
function full(cause) {
  return new StoreError(
    'quota_exceeded',
    'the browser has no more space for this site; free some, or download a ' +
      'backup and remove old conversations',
    cause,
  );
}

/** @param {unknown} error */
function translate(error) {
  if (error instanceof StoreError) return error;
  if (isFull(error)) return full(error);
  const { message } = /** @type {Error} */ (error);
  const reason = `the browser's file system failed: ${message}`;
  return new StoreError('store_unavailable', reason, error);
}

/** @param {unknown} [cause] */
function unavailable(cause) {
  return new StoreError(
    'opfs_unavailable',
    'this browser offers no file system to this site here; leave private mode, ' +
      "use a current browser, or keep the database with store='indexeddb'",
    cause,
  );
}

/** Why a file cannot be opened where there are no synchronous handles. */
export function impossible() {
  if (!('onconnect' in globalThis)) return unavailable();
  return new StoreError(
    'dedicated_worker_required',
    'this database lies in files that only a worker of one tab can open; ' +
      'connect with a dedicated worker',
  );
}

/** @param {unknown} cause */
function inUse(cause) {
  return new StoreError(
    'storage_in_use',
    "another tab is still using the database's file; close it, or take over",
    cause,
  );
}
