/**
 * One file that knows which of its pages are not durable. Its bytes are an image:
 * all of them in memory (resident-image.js), or read when they are needed
 * (lazy-image.js).
 *
 * Rule 1: no I/O here. The file system writes; the flusher takes what changed.
 * Rule 2: inside a transaction the committed version of every page that is not
 *         durable yet is kept aside when it is overwritten, so a flush can take
 *         the committed state at any moment, also in mid-transaction.
 * Rule 3: a view (see `freeze`) stays what it was while writes go on: a page is
 *         copied for it just before it is first overwritten, and never else.
 *
 * Units: `offset`, `length`, `size` are bytes; page and extent numbers count
 * from 0. An extent is the piece of a resident image that a checkpoint writes as
 * one value.
 */

import { EXTENT_SIZE, PAGE_SIZE } from './page-size.js';
import { ResidentImage } from './resident-image.js';

/** @import { LazyImage } from './lazy-image.js' */

export { EXTENT_SIZE, PAGE_SIZE };

/** @typedef {ResidentImage | LazyImage} Image */

const PAGES_PER_EXTENT = EXTENT_SIZE / PAGE_SIZE;

/** No stored page is stale. */
export const NOTHING_CUT = 0xffffffff;

/**
 * What durable storage must do to one file, in this order: forget every page
 * from `cutAt` up, set the size (new bytes are zeros), write `pages`.
 *
 * @typedef {object} FileDelta
 * @property {number} size  In bytes.
 * @property {number} cutAt  Page number, or NOTHING_CUT. Without it a file that
 *   shrinks and grows again would get its old pages back.
 * @property {Set<number>} pages
 */

export class PagedFile {
  /** @type {Image} */
  #image;
  #size = 0;

  /** Committed changes that no flush has taken yet. @type {FileDelta} */
  #dirty = cleanDelta(0);

  /** In bytes, as the last flush took it; -1 if none did. */
  #takenSize = -1;

  /** @type {{delta: FileDelta, committed: FileView} | null} */
  #transaction = null;

  /** @type {Set<FileView>} */
  #views = new Set();

  /** Extents that differ from the last checkpoint. @type {Set<number>} */
  #changedExtents = new Set();

  /** @param {Image} [image]  Where its bytes are. */
  constructor(image = new ResidentImage()) {
    this.#image = image;
  }

  get image() {
    return this.#image;
  }

  get size() {
    return this.#size;
  }

  /** True for one that is only looked at. */
  get isReadOnly() {
    return false;
  }

  get inTransaction() {
    return this.#transaction !== null;
  }

  /** Somebody who had it open has closed it. */
  closed() {}

  /** True if no committed change waits for a flush. */
  get isClean() {
    return isNothing(this.#dirty) && this.#dirty.size === this.#takenSize;
  }

  /** In bytes: committed and not yet taken by a flush. */
  get dirtyBytes() {
    return this.#dirty.pages.size * PAGE_SIZE;
  }

  /** Number of extents that hold the image. */
  get extentCount() {
    return Math.ceil(this.#size / EXTENT_SIZE);
  }

  /**
   * @param {Uint8Array} target
   * @param {number} position
   * @returns {number} Bytes copied; fewer than asked for at the end of the file.
   */
  read(target, position) {
    const count = Math.max(0, Math.min(target.length, this.#size - position));
    this.#image.read(target.subarray(0, count), position);
    return count;
  }

  /**
   * @param {Uint8Array} source
   * @param {number} position  A gap behind the old end becomes zeros.
   */
  write(source, position) {
    if (source.length === 0) return;
    const end = position + source.length;
    this.#aboutToChange(
      Math.floor(position / PAGE_SIZE),
      Math.floor((end - 1) / PAGE_SIZE),
    );
    if (end > this.#size) this.#setSize(end);
    this.#image.write(source, position);
  }

  /** @param {number} size */
  resize(size) {
    if (size === this.#size) return;
    if (size > this.#size) {
      this.#setSize(size);
      return;
    }
    const wholePages = Math.floor(size / PAGE_SIZE);
    const lastPage = Math.floor((this.#size - 1) / PAGE_SIZE);
    for (const view of this.#views) view.keepRange(wholePages, lastPage);
    const delta = this.#delta();
    delta.cutAt = Math.min(delta.cutAt, wholePages);
    delta.pages = pagesBelow(delta.pages, wholePages);
    // The kept part of the last page is followed by zeros from now on.
    if (size % PAGE_SIZE !== 0) delta.pages.add(wholePages);
    // All that was cut: if the file grows again, its stored extents are stale.
    const firstExtent = Math.floor(wholePages / PAGES_PER_EXTENT);
    for (let n = firstExtent; n < this.extentCount; n++) {
      this.#changedExtents.add(n);
    }
    this.#image.cut(size);
    this.#setSize(size);
  }

  /** From here on the state is uncommitted, until `endTransaction`. */
  beginTransaction() {
    if (this.#transaction) return;
    const committed = this.#view(this.#dirty.pages);
    this.#transaction = { delta: cleanDelta(this.#size), committed };
  }

  /**
   * The state is committed. After a rollback too: SQLite has then written the
   * old pages back.
   *
   * @returns {boolean} True if anything was written since the beginning.
   */
  endTransaction() {
    if (!this.#transaction) return false;
    const { delta, committed } = this.#transaction;
    this.#transaction = null;
    committed.close();
    if (isNothing(delta) && delta.size === this.#dirty.size) return false;
    this.#dirty = compose(this.#dirty, delta);
    return true;
  }

  /**
   * Hand over every committed change since the last call, with a view of the
   * pages as they were committed. The view must be closed.
   *
   * @returns {{delta: FileDelta, view: FileView}}
   */
  takeDelta() {
    const delta = this.#dirty;
    let view = this.#view(delta.pages);
    if (this.#transaction) {
      view.close();
      view = this.#transaction.committed;
      this.#transaction.committed = this.#view(new Set());
    }
    this.#dirty = cleanDelta(delta.size);
    this.#takenSize = delta.size;
    return { delta, view };
  }

  /**
   * What `takeDelta` handed over was not stored: it is dirty again, underneath
   * newer changes.
   *
   * @param {FileDelta} delta
   * @param {FileView} view  The view of the same pages; closed by this call.
   */
  giveBack(delta, view) {
    this.#dirty = compose(delta, this.#dirty);
    this.#takenSize = -1;
    if (this.#transaction) {
      const { delta: own, committed } = this.#transaction;
      const next = this.#view(this.#dirty.pages);
      next.inherit(committed, () => true);
      // Only what the open transaction itself has overwritten: for any other
      // page the image holds a committed version that is newer than the view's.
      next.inherit(view, (page) => own.pages.has(page) || page >= own.cutAt);
      committed.close();
      this.#transaction.committed = next;
    }
    view.close();
  }

  /**
   * The whole committed image as it is now. The view must be closed.
   *
   * @throws {Error} Inside a transaction: parts of the committed image are gone.
   */
  freeze() {
    if (this.#transaction) throw new Error('the file is in a transaction');
    return this.#view(null);
  }

  /**
   * The numbers of the extents that changed since the last call.
   * A checkpoint that fails gives them back with `markChanged`.
   */
  takeChangedExtents() {
    const changed = this.#changedExtents;
    this.#changedExtents = new Set();
    return changed;
  }

  /** @param {Iterable<number>} extents */
  markChanged(extents) {
    for (const extent of extents) this.#changedExtents.add(extent);
  }

  /**
   * Put a piece of the image in place as it was read from storage: it is
   * durable, so it does not become dirty.
   *
   * @param {number} number  Of the extent.
   * @param {Uint8Array} bytes  EXTENT_SIZE at most; kept, not copied, if whole.
   */
  loadExtent(number, bytes) {
    if (this.#image.isLazy) throw new Error('its image is not in memory');
    this.#image.loadExtent(number, bytes);
  }

  /**
   * Apply a stored delta: the result is durable.
   *
   * @param {FileDelta} delta
   * @param {(page: number) => Uint8Array} pageBytes
   */
  loadDelta(delta, pageBytes) {
    if (delta.cutAt !== NOTHING_CUT) {
      this.resize(Math.min(this.#size, delta.cutAt * PAGE_SIZE));
    }
    this.resize(delta.size);
    for (const page of delta.pages) {
      this.#image.write(pageBytes(page), page * PAGE_SIZE);
      this.#changedExtents.add(Math.floor(page / PAGES_PER_EXTENT));
    }
    this.#dirty = cleanDelta(this.#size);
    this.#takenSize = this.#size;
  }

  /** @param {number} size  In bytes; the image is durable up to here. */
  loadSize(size) {
    this.#size = size;
    this.#dirty = cleanDelta(size);
    this.#takenSize = size;
  }

  /** Nothing of the file is stored under its present name. */
  makeDirty() {
    this.#dirty = wholeDelta(this.#size);
    this.#changedExtents = new Set(Array(this.extentCount).keys());
  }

  /**
   * Become what *other* is, without copying. *other* must not be used again,
   * and nobody may write to this file before the change is kept or undone.
   * Views stay what they were.
   *
   * @param {PagedFile} other
   * @returns {() => void} Undo: everything is as it was before.
   * @throws {Error} Inside a transaction.
   */
  become(other) {
    if (this.#transaction) throw new Error('the file is in a transaction');
    const before = {
      image: this.#image,
      size: this.#size,
      dirty: this.#dirty,
      takenSize: this.#takenSize,
      changed: this.#changedExtents,
    };
    const last = Math.max(this.extentCount, other.extentCount);
    this.#image = other.#image;
    this.#size = other.size;
    this.#dirty = wholeDelta(other.size);
    this.#changedExtents = new Set(Array(last).keys());
    return () => {
      this.#image = before.image;
      this.#size = before.size;
      this.#dirty = before.dirty;
      this.#takenSize = before.takenSize;
      this.#changedExtents = before.changed;
    };
  }

  /**
   * Have the same bytes in another image. Views go on reading the old one, which
   * nobody writes to any more.
   *
   * @param {Image} image
   * @returns {() => void} Undo; nobody may have written to the file meanwhile.
   * @throws {Error} Inside a transaction.
   */
  moveTo(image) {
    if (this.#transaction) throw new Error('the file is in a transaction');
    const before = this.#image;
    const changed = this.#changedExtents;
    this.#image = image;
    this.#changedExtents = new Set(Array(this.extentCount).keys());
    return () => {
      this.#image = before;
      this.#changedExtents = changed;
    };
  }

  /**
   * Some pages as they are committed now. The view must be closed.
   *
   * @param {Set<number>} pages
   * @throws {Error} Inside a transaction: parts of the committed image are gone.
   */
  freezePages(pages) {
    if (this.#transaction) throw new Error('the file is in a transaction');
    return this.#view(pages);
  }

  /**
   * @param {Set<number> | null} pages  Null for all.
   * @returns {FileView}
   */
  #view(pages) {
    const image = this.#image;
    const view = new FileView(pages, this.#size, {
      page: (number) => image.page(number),
      closed: () => {
        if (this.#views.delete(view)) image.pins--;
      },
    });
    image.pins++;
    this.#views.add(view);
    return view;
  }

  #delta() {
    return this.#transaction?.delta ?? this.#dirty;
  }

  /**
   * @param {number} firstPage
   * @param {number} lastPage
   */
  #aboutToChange(firstPage, lastPage) {
    for (const view of this.#views) view.keepRange(firstPage, lastPage);
    const { pages } = this.#delta();
    for (let page = firstPage; page <= lastPage; page++) {
      pages.add(page);
      this.#changedExtents.add(Math.floor(page / PAGES_PER_EXTENT));
    }
  }

  /** @param {number} size */
  #setSize(size) {
    if (size > this.#size) {
      // A page that is only grown into has to be written by no flush, but the
      // extent that holds the old end gets longer.
      const last = Math.floor(Math.max(this.#size - 1, 0) / EXTENT_SIZE);
      this.#changedExtents.add(last);
    }
    this.#size = size;
    this.#delta().size = size;
  }
}

/** Pages of a file as they were at one moment, while writes go on. */
export class FileView {
  /** @type {Map<number, Uint8Array>} */
  #kept = new Map();
  #source;
  #pages;

  /**
   * @param {Set<number> | null} pages  What the view must be able to give; null
   *   for all.
   * @param {number} size  In bytes, at that moment.
   * @param {{page: (number: number) => Uint8Array, closed: () => void}} source
   */
  constructor(pages, size, source) {
    this.#pages = pages;
    this.size = size;
    this.#source = source;
  }

  get extentCount() {
    return Math.ceil(this.size / EXTENT_SIZE);
  }

  /**
   * Called before pages change: keeps the ones that this view still needs.
   *
   * @param {number} first
   * @param {number} last
   */
  keepRange(first, last) {
    const end = Math.min(last, Math.ceil(this.size / PAGE_SIZE) - 1);
    for (let page = first; page <= end; page++) {
      if (this.#kept.has(page)) continue;
      if (this.#pages && !this.#pages.has(page)) continue;
      this.#kept.set(page, this.#source.page(page).slice());
    }
  }

  /**
   * Keep what *other* kept, as far as this view has not kept a version itself.
   *
   * @param {FileView} other
   * @param {(page: number) => boolean} wanted
   */
  inherit(other, wanted) {
    for (const [page, bytes] of other.#kept) {
      if (wanted(page) && !this.#kept.has(page)) this.#kept.set(page, bytes);
    }
  }

  /**
   * @param {number} page
   * @returns {Uint8Array} PAGE_SIZE bytes; valid until the next write.
   */
  page(page) {
    return this.#kept.get(page) ?? this.#source.page(page);
  }

  /**
   * A copy of one extent.
   *
   * @param {number} number
   * @returns {Uint8Array<ArrayBuffer>} Shorter than EXTENT_SIZE at the end.
   */
  extent(number) {
    const start = number * EXTENT_SIZE;
    const length = Math.min(EXTENT_SIZE, this.size - start);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += PAGE_SIZE) {
      const page = this.page((start + at) / PAGE_SIZE);
      bytes.set(page.subarray(0, length - at), at);
    }
    return bytes;
  }

  close() {
    this.#kept.clear();
    this.#source.closed();
  }
}

/**
 * The one delta that has the effect of *older* followed by *newer*.
 *
 * @param {FileDelta} older
 * @param {FileDelta} newer
 * @returns {FileDelta}
 */
export function compose(older, newer) {
  const surviving =
    newer.cutAt === NOTHING_CUT
      ? older.pages
      : pagesBelow(older.pages, newer.cutAt);
  for (const page of newer.pages) surviving.add(page);
  return {
    size: newer.size,
    cutAt: Math.min(older.cutAt, newer.cutAt),
    pages: surviving,
  };
}

/**
 * @param {number} size
 * @returns {FileDelta}
 */
function cleanDelta(size) {
  return { size, cutAt: NOTHING_CUT, pages: new Set() };
}

/**
 * @param {number} size
 * @returns {FileDelta}
 */
function wholeDelta(size) {
  const pages = new Set(Array(Math.ceil(size / PAGE_SIZE)).keys());
  return { size, cutAt: 0, pages };
}

/** @param {FileDelta} delta */
function isNothing(delta) {
  return delta.pages.size === 0 && delta.cutAt === NOTHING_CUT;
}

/**
 * @param {Set<number>} pages
 * @param {number} limit
 */
function pagesBelow(pages, limit) {
  return new Set([...pages].filter((page) => page < limit));
}
