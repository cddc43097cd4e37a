/**
 * A folder of paged files that knows when a database is in a transaction.
 *
 * Rule 1: a file is in a transaction exactly while it has a hot journal, by
 *         SQLite's own definition: NAME-journal exists and does not begin with
 *         zeros. That holds for the journal modes DELETE, TRUNCATE and PERSIST
 *         and for exclusive locking, for any SQLite library, with no word from
 *         it. (`fdatasync` never reaches an Emscripten file system.)
 * Rule 2: journals are never made durable. What is flushed is always a committed
 *         state, so there is nothing to roll back after a crash.
 * Rule 3: a `-wal` file is an ordinary file. A flush takes all files at one
 *         moment between two calls of SQLite, and SQLite recovers from that
 *         as it recovers from a crash at that moment.
 *
 * A path here is relative to the mount, without a leading slash.
 * Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal
 */

import { PagedFile } from './paged-file.js';

/** @import { FileDelta, FileView, Image } from './paged-file.js' */
/** @import { PageRecord } from './page-record.js' */

/**
 * @typedef {object} FileChange
 * @property {string} path
 * @property {{file: PagedFile, delta: FileDelta, view: FileView} | null} taken
 *   Null: removed.
 */

const JOURNAL = '-journal';

/** Files that live as long as the host: a journal has no meaning without it. */
const VOLATILE = /-journal$|-shm$|-mj[0-9A-F]{6,}$/;

/** The beginning of a journal that may have to be rolled back. */
const JOURNAL_MAGIC = 0xd9;

export class PagedFolder {
  /** @type {Map<string, PagedFile>} */
  #files = new Map();

  /** Asked for several times a commit. @type {[string, PagedFile][] | null} */
  #durable = null;

  /** What is created next at a path. @type {Map<string, PagedFile>} */
  #placed = new Map();

  /** Removed since the last flush took the changes. @type {Set<string>} */
  #removed = new Set();

  /** Who waits for the end of a transaction. @type {Map<string, (() => void)[]>} */
  #waiting = new Map();

  /** Counts the commits of this host; never decreases. */
  committedSeq = 0;

  /** @param {(path: string) => void} onCommit  Called after each commit. */
  constructor(onCommit) {
    this.onCommit = onCommit;
  }

  /** Durable files, by path. @returns {readonly [string, PagedFile][]} */
  get files() {
    this.#durable ??= [...this.#files]
      .filter(([path]) => !VOLATILE.test(path))
      .sort(byPath);
    return this.#durable;
  }

  /** True if nothing committed waits for a flush. */
  get isClean() {
    return (
      this.#removed.size === 0 && this.files.every(([, file]) => file.isClean)
    );
  }

  /** True while any file has a hot journal. */
  get inTransaction() {
    return this.files.some(([, file]) => file.inTransaction);
  }

  /** In bytes: committed and not yet taken by a flush. */
  get dirtyBytes() {
    return this.files.reduce((sum, [, file]) => sum + file.dirtyBytes, 0);
  }

  /** In bytes: the sum of the images. */
  get size() {
    return this.files.reduce((sum, [, file]) => sum + file.size, 0);
  }

  /** In bytes: the sum of those that are in memory as a whole. */
  get residentSize() {
    return this.files
      .filter(([, { image }]) => !image.isLazy)
      .reduce((sum, [, file]) => sum + file.size, 0);
  }

  /** @param {string} path */
  find(path) {
    return this.#files.get(path);
  }

  /** Resolves when no file is in a transaction. */
  async allSettled() {
    while (this.inTransaction) {
      for (const [path] of this.files) await this.settled(path);
    }
  }

  /**
   * Resolves when the file is in no transaction.
   *
   * @param {string} path
   */
  async settled(path) {
    while (this.#files.get(path)?.inTransaction) {
      await new Promise((/** @type {(value: void) => void} */ resolve) => {
        const waiting = this.#waiting.get(path) ?? [];
        this.#waiting.set(path, [...waiting, resolve]);
      });
    }
  }

  /**
   * @param {string} path
   * @returns {PagedFile} Empty, and part of the next flush.
   */
  create(path) {
    const file = this.#placed.get(path) ?? new PagedFile();
    this.#placed.delete(path);
    this.#put(path, file);
    this.#changed(path);
    return file;
  }

  /**
   * Who creates *path* next gets *file*.
   *
   * @param {string} path
   * @param {PagedFile} file
   */
  place(path, file) {
    this.#placed.set(path, file);
  }

  /**
   * @param {string} path
   * @param {PagedFile} file
   * @param {Uint8Array} source
   * @param {number} position
   */
  write(path, file, source, position) {
    file.write(source, position);
    if (path.endsWith(JOURNAL)) {
      if (position === 0) this.#judgeJournal(path);
    } else if (!file.inTransaction) {
      this.#changed(path);
    }
  }

  /**
   * @param {string} path
   * @param {PagedFile} file
   * @param {number} size
   */
  resize(path, file, size) {
    file.resize(size);
    if (path.endsWith(JOURNAL)) this.#judgeJournal(path);
    else if (!file.inTransaction) this.#changed(path);
  }

  /** @param {string} path */
  remove(path) {
    this.#drop(path);
    if (path.endsWith(JOURNAL)) this.#judgeJournal(path);
    else if (!VOLATILE.test(path)) {
      this.#removed.add(path);
      this.#changed(path);
      this.#release(path);
    }
  }

  /**
   * @param {string} from
   * @param {string} to  Replaced if it exists.
   */
  rename(from, to) {
    const file = this.#files.get(from);
    if (!file) return;
    if (file.inTransaction) throw new Error(`${from} is in a transaction`);
    if (this.#files.has(to)) this.remove(to);
    this.remove(from);
    file.makeDirty();
    this.#put(to, file);
    this.#changed(to);
  }

  /**
   * A file was changed without the folder: it counts as a commit.
   *
   * @param {string} path
   */
  noteChange(path) {
    this.#changed(path);
  }

  /**
   * Hand over every committed change since the last call.
   *
   * @returns {FileChange[]}
   */
  takeChanges() {
    /** @type {FileChange[]} */
    const changes = [];
    for (const path of this.#removed) changes.push({ path, taken: null });
    for (const [path, file] of this.files) {
      const isNew = this.#removed.has(path);
      if (file.isClean && !isNew) continue;
      changes.push({ path, taken: { file, ...file.takeDelta() } });
    }
    this.#removed.clear();
    return changes;
  }

  /**
   * What `takeChanges` handed over was not stored.
   *
   * @param {FileChange[]} changes
   */
  giveBack(changes) {
    for (const { path, taken } of changes) {
      if (!taken) this.#removed.add(path);
      else if (this.#files.get(path) === taken.file) {
        taken.file.giveBack(taken.delta, taken.view);
      } else taken.view.close();
    }
  }

  /**
   * Apply what a stored record says: the result is durable.
   *
   * @param {PageRecord} record
   */
  load(record) {
    for (const { path, delta, page } of record.files) {
      if (delta) this.loadFile(path).loadDelta(delta, page);
      else this.#drop(path);
    }
  }

  /**
   * The file of that name, empty if there was none, for its stored content.
   *
   * @param {string} path
   * @param {Image} [image]  Of a new one.
   */
  loadFile(path, image) {
    const present = this.#files.get(path);
    if (present) return present;
    const file = new PagedFile(image);
    this.#put(path, file);
    return file;
  }

  /** Forget everything: a checkpoint that does not verify was being loaded. */
  clear() {
    this.#files.clear();
    this.#durable = null;
    this.#removed.clear();
  }

  /**
   * @param {string} path
   * @param {PagedFile} file
   */
  #put(path, file) {
    this.#files.set(path, file);
    this.#durable = null;
  }

  /** @param {string} path */
  #drop(path) {
    this.#files.delete(path);
    this.#durable = null;
  }

  /** @param {string} path */
  #judgeJournal(path) {
    const name = path.slice(0, -JOURNAL.length);
    const database = this.#files.get(name);
    if (!database) return;
    const head = new Uint8Array(1);
    this.#files.get(path)?.read(head, 0);
    if (head[0] === JOURNAL_MAGIC) {
      database.beginTransaction();
      return;
    }
    if (database.endTransaction()) this.#changed(name);
    this.#release(name);
  }

  /** Nobody need wait for the file. @param {string} path */
  #release(path) {
    for (const resolve of this.#waiting.get(path) ?? []) resolve();
    this.#waiting.delete(path);
  }

  /** @param {string} path */
  #changed(path) {
    if (VOLATILE.test(path)) return;
    this.committedSeq++;
    this.onCommit(path);
  }
}

/**
 * @param {[string, unknown]} a
 * @param {[string, unknown]} b
 */
function byPath(a, b) {
  return a[0] < b[0] ? -1 : 1;
}
