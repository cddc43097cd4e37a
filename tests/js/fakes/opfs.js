/**
 * A fake of the origin private file system, in a `World`.
 *
 * Rule 1: what a handle wrote survives the browser at once. Of what was written
 *         since the last `flush()` the power takes what it likes: each write
 *         survives, does not, or is torn, in any order, and so does the size.
 * Rule 2: a file that was never flushed may be gone altogether.
 * Rule 3: one synchronous access handle at a time; it dies with its process.
 * Rule 4: a file that is deleted while it is open lives as long as its handle.
 */

/** @import { World, Process } from './world.js' */

/** @typedef {{at: number, bytes: Uint8Array} | {size: number}} Change */

class FakeFile {
  /** What a browser reads. */
  live = new Uint8Array(0);

  /** What survives for sure; null if not even its name. @type {Uint8Array | null} */
  safe = null;

  /** Since the last flush. @type {Change[]} */
  changes = [];

  /** @type {FakeAccessHandle | null} */
  handle = null;

  /** @param {Change} change */
  change(change) {
    this.live = applied(this.live, change);
    this.changes.push(change);
  }

  flush() {
    this.safe = this.live.slice();
    this.changes = [];
  }

  /** @param {(below: number) => number} random */
  losePower(random) {
    this.handle = null;
    if (!this.safe && random(2) === 0) return false;
    let found = this.safe ?? new Uint8Array(0);
    const kept = this.changes.filter(() => random(3) > 0);
    if (random(2) === 0) kept.sort(() => random(3) - 1);
    for (const change of kept) {
      const isTorn = 'bytes' in change && random(4) === 0;
      found = applied(
        found,
        isTorn
          ? {
              ...change,
              bytes: change.bytes.slice(0, random(change.bytes.length)),
            }
          : change,
      );
    }
    this.live = found.slice();
    this.flush();
    return true;
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {Change} change
 */
function applied(bytes, change) {
  const end = 'size' in change ? change.size : change.at + change.bytes.length;
  const size = 'size' in change ? end : Math.max(bytes.length, end);
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  if ('bytes' in change) result.set(change.bytes, change.at);
  return result;
}

/** All files of the origin, by path. */
export class FakeFiles {
  /** @type {Map<string, FakeFile>} */
  files = new Map();

  /** In bytes. */
  get usage() {
    return [...this.files.values()].reduce((sum, f) => sum + f.live.length, 0);
  }

  /** @param {(below: number) => number} random */
  losePower(random) {
    for (const [path, file] of this.files) {
      if (!file.losePower(random)) this.files.delete(path);
    }
  }

  /** The browser was killed: nobody has a handle any more. */
  releaseAll() {
    for (const file of this.files.values()) file.handle = null;
  }

  wipe() {
    this.files.clear();
  }
}

class FakeAccessHandle {
  #world;
  #process;
  #file;
  #isClosed = false;

  /**
   * @param {World} world
   * @param {Process} process
   * @param {FakeFile} file
   */
  constructor(world, process, file) {
    this.#world = world;
    this.#process = process;
    this.#file = file;
  }

  get isDead() {
    return this.#process.isDead || this.#isClosed;
  }

  getSize() {
    return this.#file.live.length;
  }

  /**
   * @param {Uint8Array} target
   * @param {{at: number}} options
   */
  read(target, { at }) {
    this.#assertOpen();
    const found = this.#file.live.subarray(at, at + target.length);
    target.set(found);
    return found.length;
  }

  /**
   * @param {Uint8Array} source
   * @param {{at: number}} options
   */
  write(source, { at }) {
    this.#assertOpen();
    if (!this.#world.step()) return source.length;
    const { length } = this.#file.live;
    const growth = Math.max(0, at + source.length - length);
    if (growth > 0 && this.#world.usage + growth > this.#world.quota) {
      throw named('QuotaExceededError');
    }
    this.#file.change({ at, bytes: source.slice() });
    return source.length;
  }

  /** @param {number} size */
  truncate(size) {
    this.#assertOpen();
    if (this.#world.step()) this.#file.change({ size });
  }

  flush() {
    this.#assertOpen();
    if (this.#world.step()) this.#file.flush();
  }

  close() {
    this.#isClosed = true;
    if (this.#file.handle === this) this.#file.handle = null;
  }

  #assertOpen() {
    if (this.isDead) throw named('InvalidStateError');
  }
}

/**
 * What a dedicated worker has of it.
 *
 * @param {World} world
 * @param {Process} process
 */
export function fakeOpfs(world, process) {
  /**
   * @template R
   * @param {() => R} work
   * @returns {Promise<R>}
   */
  const later = (work) =>
    new Promise((resolve, reject) => {
      world.post(process, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });

  /** @param {string} path */
  const folderAt = (path) => ({
    getDirectoryHandle: (/** @type {string} */ name) =>
      later(() => folderAt(`${path}/${name}`)),
    getFileHandle: (/** @type {string} */ name, { create = false } = {}) =>
      later(() => fileAt(`${path}/${name}`, create)),
    removeEntry: (/** @type {string} */ name) =>
      later(() => {
        const file = world.files.files.get(`${path}/${name}`);
        if (!file) throw named('NotFoundError');
        if (file.handle && !file.handle.isDead) {
          throw named('NoModificationAllowedError');
        }
        if (world.step()) world.files.files.delete(`${path}/${name}`);
      }),
    async *keys() {
      const names = await later(() =>
        [...world.files.files.keys()]
          .filter((file) => file.startsWith(`${path}/`))
          .map((file) => file.slice(path.length + 1)),
      );
      yield* names;
    },
  });

  /**
   * @param {string} path
   * @param {boolean} create
   */
  const fileAt = (path, create) => {
    const present = world.files.files.get(path);
    if (!present && !create) throw named('NotFoundError');
    const file = present ?? new FakeFile();
    if (world.step()) world.files.files.set(path, file);
    return {
      createSyncAccessHandle: () =>
        later(() => {
          if (file.handle && !file.handle.isDead) {
            throw named('NoModificationAllowedError');
          }
          file.handle = new FakeAccessHandle(world, process, file);
          return file.handle;
        }),
      getFile: () => later(() => new Blob([file.live.slice()])),
    };
  };

  return {
    navigator: { storage: { getDirectory: () => later(() => folderAt('')) } },
    FileSystemFileHandle: { prototype: { createSyncAccessHandle: () => {} } },
    sleep: process.clock.sleep,
  };
}

/** @param {string} name */
function named(name) {
  return Object.assign(new Error(name), { name });
}
