/**
 * The bytes of a file of which only a part is in memory; the rest is read, page
 * by page, from slots of an image file.
 *
 * Rule 1: a slot that a stored table lists is never written. What has changed goes
 *         to free slots; a checkpoint publishes the table that lists them. So a
 *         half-written image is of no consequence, whatever was written in which
 *         order: what the old table lists is untouched. (Writing in place would
 *         need each record of the log to be strict before its pages are written.)
 * Rule 2: a page is verified when it is read. A wrong one is an error, not data.
 * Rule 3: what has changed since the last checkpoint lies in memory. What is too
 *         much for it goes to fresh slots (is spilled), which nothing stored lists.
 * Rule 4: slots are freed when no table that may be found in storage lists them:
 *         behind a published checkpoint, when the older ones have been deleted.
 *
 * The image file is handed in; it reads and writes at once.
 */

import { checksum } from './checksum.js';
import { WINDOW } from './page-cache.js';
import { PAGE_SIZE } from './page-size.js';
import { PageTable } from './page-table.js';
import { SlotSpace } from './slot-space.js';

/** @import { PageCache } from './page-cache.js' */
/** @import { ResidentImage } from './resident-image.js' */

/**
 * @typedef {object} SlotFile  Slots of PAGE_SIZE bytes, counted from 0.
 * @property {number} id
 * @property {number} slots  How many it has.
 * @property {(slot: number, count: number) => Uint8Array} read  Fewer bytes than
 *   asked for at its end.
 * @property {(slot: number, bytes: Uint8Array) => void} write
 * @property {() => void} flush  What was written survives the power.
 * @property {(slots: number) => void} truncate
 */

/**
 * @typedef {object} FrozenImage  What a checkpoint makes durable.
 * @property {PageTable} table  Complete when all pages are written.
 * @property {number[]} pages  To be written, ascending.
 */

/** Pages that are written at once. */
export const BATCH = 256;

/** Pages in memory that have changed: 64 MiB. */
const SPILL_AT = 16_384;

const ZEROS = new Uint8Array(PAGE_SIZE);

/** What is stored of a page is not what was written. */
export class PageDamagedError extends Error {
  /**
   * @param {number} page
   * @param {string} reason
   */
  constructor(page, reason) {
    super(
      `page ${page} of the database is damaged in the browser's file system ` +
        `(${reason}); go back to a restore point or a backup`,
    );
    this.name = 'PageDamagedError';
    this.code = 'store_damaged';
    this.page = page;
  }
}

export class LazyImage {
  isLazy = /** @type {const} */ (true);

  /** Views that read from it. */
  pins = 0;

  #file;
  #cache;
  #cacheId;
  #spillAt;

  /** What lies where, but for what is changed in memory. */
  #table;

  /** As the newest checkpoint has it; null if none does. @type {PageTable | null} */
  #published;

  /** That may be found in storage. @type {Set<PageTable>} */
  #stored;

  /** Changed since the last checkpoint. @type {Map<number, Uint8Array>} */
  #changed = new Map();

  /** Behind it nothing is spilled: the last try has failed. */
  #patience = 0;

  /** What a checkpoint is writing. @type {FrozenImage | null} */
  #frozen = null;

  /** Pages changed since, and the first of those that were cut. */
  #touched = { pages: new Set(), from: Infinity };
  #space = new SlotSpace();

  /**
   * @param {SlotFile} file  Nobody else writes to it.
   * @param {object} options
   * @param {PageCache} options.cache
   * @param {PageTable | null} [options.table]  As stored; null for an empty file.
   * @param {number} [options.spillAt]  Pages.
   */
  constructor(file, { cache, table = null, spillAt = SPILL_AT }) {
    this.#file = file;
    this.#cache = cache;
    this.#cacheId = cache.enter();
    this.#spillAt = spillAt;
    this.#published = table;
    this.#table = table?.copy() ?? new PageTable();
    this.#stored = new Set(table ? [table] : []);
    this.#keepOnlyListed();
  }

  /** Of the image file. */
  get id() {
    return this.#file.id;
  }

  /** As the newest checkpoint has it; null if none does. */
  get published() {
    return this.#published;
  }

  /** In bytes: the slots of the file. */
  get fileSize() {
    return this.#space.end * PAGE_SIZE;
  }

  /** In bytes: changed, and in memory. */
  get changedBytes() {
    return this.#changed.size * PAGE_SIZE;
  }

  /**
   * Take over what another image holds in memory, without copying.
   *
   * @param {ResidentImage} image
   * @param {number} size  In bytes.
   */
  adoptPages(image, size) {
    for (let page = 0; page * PAGE_SIZE < size; page++) {
      const bytes = image.pageInMemory(page);
      if (bytes) this.#changed.set(page, bytes);
    }
  }

  /**
   * @param {Uint8Array} target  All of it lies before the end of the file.
   * @param {number} position
   */
  read(target, position) {
    const end = position + target.length;
    for (let at = position; at < end;) {
      const start = at % PAGE_SIZE;
      const count = Math.min(end - at, PAGE_SIZE - start);
      const page = this.page(Math.floor(at / PAGE_SIZE));
      target.set(page.subarray(start, start + count), at - position);
      at += count;
    }
  }

  /**
   * @param {Uint8Array} source
   * @param {number} position
   */
  write(source, position) {
    const end = position + source.length;
    for (let at = position; at < end;) {
      const start = at % PAGE_SIZE;
      const count = Math.min(end - at, PAGE_SIZE - start);
      const number = Math.floor(at / PAGE_SIZE);
      const bytes = this.#own(number, count === PAGE_SIZE);
      bytes.set(source.subarray(at - position, at - position + count), start);
      at += count;
    }
    if (this.#changed.size > this.#spillAt + this.#patience) this.#spill();
  }

  /**
   * Forget what lies behind: if the file grows again, that is zeros.
   *
   * @param {number} size  In bytes.
   */
  cut(size) {
    const rest = size % PAGE_SIZE;
    const pages = Math.ceil(size / PAGE_SIZE);
    if (rest !== 0) this.#own(pages - 1, false).fill(0, rest);
    for (const page of this.#changed.keys()) {
      if (page >= pages) this.#changed.delete(page);
    }
    this.#touched.from = Math.min(this.#touched.from, pages);
    for (let page = pages; page < this.#table.pages; page++) {
      this.#moved(page);
    }
    if (pages < this.#table.pages) this.#table.resize(pages);
  }

  /**
   * @param {number} number
   * @returns {Uint8Array} PAGE_SIZE bytes, not to be changed; valid until the next
   *   write.
   * @throws {PageDamagedError}
   */
  page(number) {
    const changed = this.#changed.get(number);
    if (changed) return changed;
    if (this.#table.slotOf(number) < 0) return ZEROS;
    return this.#cache.get(this.#cacheId, number) ?? this.#fetch(number);
  }

  // Checkpoints --------------------------------------------------------------

  /**
   * What is committed now, for a checkpoint. It ends with `adopt` or `giveUp`.
   *
   * @param {number} size  Of the file, in bytes.
   * @param {boolean} compact  Move pages from the end into free slots, too.
   * @returns {FrozenImage}
   */
  freeze(size, compact) {
    if (this.#frozen) throw new Error('a checkpoint is under way');
    const pages = Math.ceil(size / PAGE_SIZE);
    const wanted = new Set(this.#changed.keys());
    if (compact) {
      for (let page = 0; page < this.#table.pages; page++) {
        if (this.#table.slotOf(page) >= pages) wanted.add(page);
      }
    }
    this.#space.hold();
    this.#touched = { pages: new Set(), from: Infinity };
    const table = this.#table.copy();
    table.resize(pages);
    this.#frozen = { table, pages: [...wanted].sort((a, b) => a - b) };
    return this.#frozen;
  }

  /**
   * Write some of the frozen pages.
   *
   * @param {FrozenImage} frozen
   * @param {number[]} pages  A batch of them at most.
   * @param {(page: number) => Uint8Array} bytesOf  As they were frozen.
   */
  writeFrozen({ table }, pages, bytesOf) {
    this.#write(pages, bytesOf, (page, slot, sum) =>
      table.set(page, slot, sum),
    );
    this.#space.hold();
  }

  /** What was written survives the power. */
  flush() {
    this.#file.flush();
  }

  /**
   * @param {PageTable} table
   * @param {number[]} pages  Ascending.
   * @returns {boolean} Whether they read back as they were written.
   */
  readsBack(table, pages) {
    for (const { first, slot, count } of runsOf(pages, table)) {
      const bytes = this.#file.read(slot, count);
      if (bytes.length !== count * PAGE_SIZE) return false;
      for (let i = 0; i < count; i++) {
        const at = i * PAGE_SIZE;
        const found = bytes.subarray(at, at + PAGE_SIZE);
        if (!table.verifies(pages[first + i], found)) return false;
      }
    }
    return true;
  }

  /**
   * A checkpoint with the frozen table is published.
   *
   * @param {FrozenImage} frozen
   */
  adopt({ table, pages }) {
    this.#frozen = null;
    this.#published = table;
    this.#stored.add(table);
    const { pages: touched, from } = this.#touched;
    for (const page of pages) {
      if (touched.has(page) || page >= from) continue;
      this.#changed.delete(page);
      this.#moved(page);
      this.#table.take(table, page);
    }
    this.#patience = 0;
    this.#keepOnlyListed();
  }

  /**
   * No checkpoint with the frozen table is published, or it is not known.
   *
   * @param {FrozenImage} frozen
   * @param {boolean} isDoubtful
   */
  giveUp({ table }, isDoubtful) {
    this.#frozen = null;
    if (isDoubtful) this.#stored.add(table);
    this.#keepOnlyListed();
  }

  /**
   * No other checkpoint is stored than the one with this table.
   *
   * @param {PageTable | null} table
   */
  release(table) {
    // A newer one has been published meanwhile: its own call follows.
    if (table !== this.#published) return;
    this.#stored = new Set(table ? [table] : []);
    this.#keepOnlyListed();
    if (!this.#frozen && this.#space.end < this.#file.slots) {
      this.#file.truncate(this.#space.end);
    }
  }

  /** The store was emptied: no table is in it. */
  forget() {
    this.#published = null;
  }

  // --------------------------------------------------------------------------

  #keepOnlyListed() {
    const lists = [...this.#stored, this.#table];
    if (this.#frozen) lists.push(this.#frozen.table);
    this.#space.keepOnly(lists.map((table) => table.slots()));
  }

  /**
   * A page in memory, to be changed.
   *
   * @param {number} number
   * @param {boolean} isWhole  It is written as a whole.
   */
  #own(number, isWhole) {
    if (this.#frozen) this.#touched.pages.add(number);
    const present = this.#changed.get(number);
    if (present) return present;
    const bytes = isWhole
      ? new Uint8Array(PAGE_SIZE)
      : this.page(number).slice();
    this.#changed.set(number, bytes);
    return bytes;
  }

  /** What lies in its slot is not the page any more. @param {number} page */
  #moved(page) {
    this.#cache.forget(this.#cacheId, page);
    const slot = this.#table.slotOf(page);
    if (slot >= 0) this.#space.release(slot);
  }

  #spill() {
    const pages = [...this.#changed.keys()].sort((a, b) => a - b);
    try {
      for (let i = 0; i < pages.length; i += BATCH) {
        const batch = pages.slice(i, i + BATCH);
        const bytesOf = (/** @type {number} */ page) => this.page(page);
        /** @type {[number, number, import('./checksum.js').Checksum][]} */
        const written = [];
        this.#write(batch, bytesOf, (...entry) => written.push(entry));
        for (const [page, slot, sum] of written) {
          this.#moved(page);
          this.#table.set(page, slot, sum);
          this.#changed.delete(page);
        }
      }
      this.#patience = 0;
    } catch {
      // There is no space, or worse: the next checkpoint tells. Until then it
      // stays in memory.
      this.#patience = this.#changed.size;
    }
  }

  /**
   * @param {number[]} pages  Ascending.
   * @param {(page: number) => Uint8Array} bytesOf
   * @param {(page: number, slot: number,
   *   sum: import('./checksum.js').Checksum) => void} wrote
   */
  #write(pages, bytesOf, wrote) {
    const slots = pages.map(() => this.#space.allocate());
    for (let i = 0; i < pages.length;) {
      const first = i;
      while (i < pages.length && slots[i] === slots[first] + (i - first)) i++;
      const run = new Uint8Array((i - first) * PAGE_SIZE);
      const sums = pages.slice(first, i).map((page, n) => {
        const bytes = bytesOf(page);
        run.set(bytes, n * PAGE_SIZE);
        return checksum(run.subarray(n * PAGE_SIZE, (n + 1) * PAGE_SIZE));
      });
      this.#file.write(slots[first], run);
      for (const [n, sum] of sums.entries()) {
        wrote(pages[first + n], slots[first + n], sum);
      }
    }
  }

  /**
   * Read a page, and what lies beside it in its window.
   *
   * @param {number} number
   */
  #fetch(number) {
    const slot = this.#table.slotOf(number);
    const start = number - (number % WINDOW);
    let [before, after] = [0, 1];
    const isBeside = (/** @type {number} */ distance) =>
      slot + distance >= 0 &&
      this.#table.slotOf(number + distance) === slot + distance;
    while (number - before > start && isBeside(-before - 1)) before++;
    while (number + after < start + WINDOW && isBeside(after)) after++;
    const bytes = this.#file.read(slot - before, before + after);
    for (let distance = -before; distance < after; distance++) {
      const page = number + distance;
      const at = (before + distance) * PAGE_SIZE;
      const found = bytes.subarray(at, at + PAGE_SIZE);
      const isWhole = found.length === PAGE_SIZE;
      if (isWhole && this.#table.verifies(page, found)) {
        this.#cache.set(this.#cacheId, page, found);
      } else if (page === number) {
        const reason = isWhole ? 'its checksum is wrong' : 'it is missing';
        throw new PageDamagedError(page, reason);
      }
    }
    const at = before * PAGE_SIZE;
    return bytes.subarray(at, at + PAGE_SIZE);
  }
}

/**
 * Pages that lie side by side in their slots.
 *
 * @param {number[]} pages
 * @param {PageTable} table
 * @returns {Iterable<{first: number, slot: number, count: number}>}
 */
export function* runsOf(pages, table) {
  for (let i = 0; i < pages.length;) {
    const first = i;
    const slot = table.slotOf(pages[first]);
    const isBeside = () => table.slotOf(pages[i]) === slot + i - first;
    do i++;
    while (slot >= 0 && i < pages.length && isBeside());
    // Zeros lie nowhere.
    if (slot >= 0) yield { first, slot, count: i - first };
  }
}
