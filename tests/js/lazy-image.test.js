import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  BATCH,
  LazyImage,
  PageDamagedError,
} from '../../web/core/lazy-image.js';
import { PageCache, WINDOW } from '../../web/core/page-cache.js';
import { PAGE_SIZE, PagedFile } from '../../web/core/paged-file.js';
import { PageTable } from '../../web/core/page-table.js';
import { Random } from './fakes/random.js';

/** @import { FrozenImage } from '../../web/core/lazy-image.js' */
/** @import { FileView } from '../../web/core/paged-file.js' */

const HISTORIES = Number(process.env.HISTORIES ?? 2000) / 4;

/** An image file in memory that knows what must not be written. */
class Slots {
  id = 7;
  bytes = new Uint8Array(0);
  reads = 0;

  /** Of tables that may be stored. @type {PageTable[]} */
  stored = [];

  get slots() {
    return this.bytes.length / PAGE_SIZE;
  }

  /** @param {number} slot @param {number} count */
  read(slot, count) {
    this.reads++;
    const start = slot * PAGE_SIZE;
    return this.bytes.slice(start, start + count * PAGE_SIZE);
  }

  /** @param {number} slot @param {Uint8Array} bytes */
  write(slot, bytes) {
    const [first, last] = [slot, slot + bytes.length / PAGE_SIZE - 1];
    for (const table of this.stored) {
      for (const held of table.slots()) {
        assert.ok(held < first || held > last, `slot ${held} is listed`);
      }
    }
    const at = slot * PAGE_SIZE;
    if (at + bytes.length > this.bytes.length) this.#resize(at + bytes.length);
    this.bytes.set(bytes, at);
  }

  flush() {}

  /** @param {number} slots */
  truncate(slots) {
    for (const table of this.stored) {
      for (const held of table.slots()) assert.ok(held < slots);
    }
    this.#resize(slots * PAGE_SIZE);
  }

  /** @param {number} size */
  #resize(size) {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }
}

/** @param {PagedFile} file */
function contentOf(file) {
  const bytes = new Uint8Array(file.size);
  assert.equal(file.read(bytes, 0), file.size);
  return bytes;
}

/**
 * @param {Slots} slots
 * @param {PageTable} table
 * @param {number} size
 */
function storedContent(slots, table, size) {
  const stored = new PageTable(table.pages, joined(table));
  const image = new LazyImage(slots, { cache: new PageCache(), table: stored });
  const file = new PagedFile(image);
  file.loadSize(size);
  return contentOf(file);
}

/** As it comes back from storage. @param {PageTable} table */
function joined(table) {
  const extents = Array.from({ length: table.extentCount }, (_, n) =>
    table.extent(n),
  );
  return new Uint8Array(Buffer.concat(extents));
}

/** @param {LazyImage} image @param {PagedFile} file @param {boolean} [compact] */
function checkpoint(image, file, compact = false) {
  const frozen = image.freeze(file.size, compact);
  const view = file.freezePages(new Set(frozen.pages));
  image.writeFrozen(frozen, frozen.pages, (page) => view.page(page));
  view.close();
  assert.ok(image.readsBack(frozen.table, frozen.pages));
  image.adopt(frozen);
  image.release(frozen.table);
  return frozen.table;
}

/** @param {number} pages @param {number} value */
const filled = (pages, value) =>
  new Uint8Array(pages * PAGE_SIZE).map((_, i) => (i >> 12) + value);

/** @typedef {{table: PageTable, content: Uint8Array}} Published */

/**
 * @typedef {object} Writing  A checkpoint that is under way.
 * @property {FrozenImage} frozen
 * @property {FileView} view
 * @property {number[]} rest  To be written.
 * @property {Uint8Array} content
 */

/**
 * A file over a lazy image beside a byte array, with a checkpoint under way now and
 * then. Whatever is published is found again, whatever happens after it.
 *
 * @param {number} seed
 */
function history(seed) {
  const random = new Random(seed);
  const slots = new Slots();
  const cache = new PageCache(2 * WINDOW * PAGE_SIZE);
  const spillAt = random.pick([3, 8, Infinity]);
  let image = new LazyImage(slots, { cache, spillAt });
  let file = new PagedFile(image);
  let live = new Uint8Array(0);
  /** @type {Published | null} */
  let published = null;
  /** @type {Writing | null} */
  let writing = null;

  for (let step = 0; step < 60; step++) {
    const action = random.below(12);
    if (action < 5) {
      const length = random.chance(0.7) ? PAGE_SIZE : random.below(9000) + 1;
      const bytes = new Uint8Array(length).fill(random.below(256));
      const near = random.below(20) * PAGE_SIZE;
      const at = random.chance(0.7) ? near : random.below(80_000);
      const grown = new Uint8Array(Math.max(live.length, at + length));
      grown.set(live);
      grown.set(bytes, at);
      live = grown;
      file.write(bytes, at);
    } else if (action === 5) {
      const size = random.below(90_000);
      const resized = new Uint8Array(size);
      resized.set(live.subarray(0, size));
      live = resized;
      file.resize(size);
    } else if (action === 6 && !writing) {
      const frozen = image.freeze(file.size, random.chance(0.3));
      const view = file.freezePages(new Set(frozen.pages));
      const content = live.slice();
      writing = { frozen, view, rest: [...frozen.pages], content };
    } else if (action < 9 && writing) {
      const { frozen, view, rest } = /** @type {Writing} */ (writing);
      const batch = rest.splice(0, 1 + random.below(4));
      image.writeFrozen(frozen, batch, (page) => view.page(page));
    } else if (action === 9 && writing && writing.rest.length === 0) {
      const { frozen, view, content } = /** @type {Writing} */ (writing);
      view.close();
      // Both may be found until the older one is deleted.
      slots.stored.push(frozen.table);
      published = { table: frozen.table, content };
      image.adopt(frozen);
      writing = null;
      if (random.chance(0.8)) {
        slots.stored = [frozen.table];
        image.release(frozen.table);
      }
    } else if (action === 10 && writing) {
      const { frozen, view } = writing;
      view.close();
      const isDoubtful = writing.rest.length === 0 && random.chance(0.5);
      if (isDoubtful) slots.stored.push(frozen.table);
      image.giveUp(frozen, isDoubtful);
      writing = null;
    } else if (action === 11 && published && !writing && random.chance(0.4)) {
      // Another host opens what is stored.
      const { table, content } = /** @type {Published} */ (published);
      slots.stored = [table];
      image = new LazyImage(slots, { cache, table, spillAt });
      file = new PagedFile(image);
      file.loadSize(content.length);
      live = content.slice();
    }
    assert.deepEqual(contentOf(file), live);
    if (!published) continue;
    const { table, content } = /** @type {Published} */ (published);
    assert.deepEqual(storedContent(slots, table, content.length), content);
  }
}

test('random histories of a lazy image keep every promise of it', () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    try {
      history(seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test('a page that is not what was written is an error, and its neighbour is not', () => {
  const slots = new Slots();
  const cache = new PageCache();
  const file = new PagedFile(new LazyImage(slots, { cache }));
  file.write(filled(8, 1), 0);
  const image = /** @type {LazyImage} */ (file.image);
  const table = checkpoint(image, file);
  slots.bytes[table.slotOf(3) * PAGE_SIZE + 99] ^= 1;

  const found = new LazyImage(slots, { cache, table });

  assert.equal(found.page(2)[0], 3);
  assert.throws(() => found.page(3), PageDamagedError);
  assert.throws(() => found.page(3), { code: 'store_damaged', page: 3 });
  assert.equal(found.page(4)[0], 5);
});

test('an older version of a page, whole in itself, is an error', () => {
  const slots = new Slots();
  const cache = new PageCache();
  const file = new PagedFile(new LazyImage(slots, { cache }));
  file.write(filled(2, 1), 0);
  const image = /** @type {LazyImage} */ (file.image);
  const older = checkpoint(image, file);
  file.write(filled(2, 9), 0);
  const newer = checkpoint(image, file);

  // A write that never arrived leaves what was there before.
  const at = (/** @type {PageTable} */ table) => table.slotOf(1) * PAGE_SIZE;
  slots.bytes.copyWithin(at(newer), at(older), at(older) + PAGE_SIZE);

  const found = new LazyImage(slots, { cache, table: newer });
  assert.throws(() => found.page(1), PageDamagedError);
});

test('an image that was cut off is an error, not zeros', () => {
  const slots = new Slots();
  const cache = new PageCache();
  const file = new PagedFile(new LazyImage(slots, { cache }));
  file.write(filled(4, 1), 0);
  const table = checkpoint(/** @type {LazyImage} */ (file.image), file);
  slots.bytes = slots.bytes.slice(0, 3 * PAGE_SIZE);

  const found = new LazyImage(slots, { cache, table });

  assert.throws(() => found.page(3), /missing/);
});

test('pages that lie side by side are read at once, and kept as long as they fit', () => {
  const slots = new Slots();
  const budget = 4 * WINDOW * PAGE_SIZE;
  const cache = new PageCache(budget);
  const file = new PagedFile(new LazyImage(slots, { cache }));
  file.write(filled(20 * WINDOW, 1), 0);
  const table = checkpoint(/** @type {LazyImage} */ (file.image), file);
  const image = new LazyImage(slots, { cache, table });

  slots.reads = 0;
  for (let page = 0; page < 20 * WINDOW; page++) image.page(page);
  assert.equal(slots.reads, 20);
  assert.ok(cache.size <= budget);

  image.page(20 * WINDOW - 1);
  assert.equal(slots.reads, 20, 'the last ones are there');
  image.page(0);
  assert.equal(slots.reads, 21, 'the first ones are not');
});

test('what is too much for memory is spilled, and published without being written again', () => {
  const slots = new Slots();
  const cache = new PageCache(WINDOW * PAGE_SIZE);
  const image = new LazyImage(slots, { cache, spillAt: 100 });
  const file = new PagedFile(image);
  for (let page = 0; page < 1000; page++) {
    file.write(filled(1, page % 200), page * PAGE_SIZE);
    assert.ok(image.changedBytes <= 101 * PAGE_SIZE);
  }

  const { pages } = image.freeze(file.size, false);

  assert.ok(pages.length <= 101);
  assert.ok(slots.slots >= 899 && slots.slots < 1000);
});

test('pages that are spilled again and again take no more space', () => {
  const slots = new Slots();
  const image = new LazyImage(slots, { cache: new PageCache(), spillAt: 10 });
  const file = new PagedFile(image);

  for (let round = 0; round < 50; round++) {
    for (let page = 0; page < 40; page++) {
      file.write(filled(1, round), page * PAGE_SIZE);
    }
  }

  assert.ok(slots.slots <= 60, `${slots.slots} slots`);
});

test('where nothing can be spilled it stays in memory', () => {
  const slots = new Slots();
  const image = new LazyImage(slots, { cache: new PageCache(), spillAt: 10 });
  const file = new PagedFile(image);
  slots.write = () => {
    throw new Error('there is no space');
  };

  file.write(filled(100, 1), 0);

  assert.deepEqual(contentOf(file), filled(100, 1));
  assert.equal(image.changedBytes, 100 * PAGE_SIZE);
});

test('a file that has shrunk leaves no gaps after it was made compact', () => {
  const slots = new Slots();
  const image = new LazyImage(slots, { cache: new PageCache() });
  const file = new PagedFile(image);
  file.write(filled(2 * BATCH, 1), 0);
  slots.stored = [checkpoint(image, file)];

  file.resize(100 * PAGE_SIZE);
  file.write(filled(100, 5), 0);
  slots.stored.push(checkpoint(image, file));
  slots.stored.splice(0, 1);
  assert.ok(slots.slots > 100);
  slots.stored = [];
  checkpoint(image, file, true);

  assert.equal(slots.slots, 100);
  assert.deepEqual(contentOf(file), filled(100, 5));
});

test('only the pieces of the page table that changed are told to be written', () => {
  const table = new PageTable(200_000);
  for (let page = 0; page < 200_000; page++) table.set(page, page, [page, 1]);
  const other = table.copy();
  assert.deepEqual([...table.differing(other)], []);

  other.set(70_000, 3, [1, 1]);
  assert.deepEqual([...other.differing(table)], [1]);
  other.resize(190_000);
  assert.deepEqual([...other.differing(table)], [1, 2]);
  assert.deepEqual([...other.differing(null)], [0, 1, 2]);
});
