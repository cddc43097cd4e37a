import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  compose,
  EXTENT_SIZE,
  NOTHING_CUT,
  PAGE_SIZE,
  PagedFile,
} from '../../web/core/paged-file.js';
import { Random } from './fakes/random.js';

/** @import { FileDelta, FileView } from '../../web/core/paged-file.js' */

const HISTORIES = Number(process.env.HISTORIES ?? 2000) / 4;

/** The trivial model: a file is a byte array. */
class Bytes {
  bytes = new Uint8Array(0);

  /**
   * @param {Uint8Array} source
   * @param {number} position
   */
  write(source, position) {
    this.resize(Math.max(this.bytes.length, position + source.length));
    this.bytes.set(source, position);
  }

  /** @param {number} size */
  resize(size) {
    const resized = new Uint8Array(size);
    resized.set(this.bytes.subarray(0, size));
    this.bytes = resized;
  }
}

/** @param {PagedFile} file */
function contentOf(file) {
  const bytes = new Uint8Array(file.size);
  assert.equal(file.read(bytes, 0), file.size);
  return bytes;
}

/**
 * Durable storage, by the law in the type's comment.
 *
 * @param {Bytes} stored
 * @param {FileDelta} delta
 * @param {FileView} view
 */
function store(stored, delta, view) {
  if (delta.cutAt !== NOTHING_CUT) {
    stored.resize(Math.min(stored.bytes.length, delta.cutAt * PAGE_SIZE));
  }
  stored.resize(delta.size);
  for (const page of delta.pages) {
    const at = page * PAGE_SIZE;
    const length = Math.min(PAGE_SIZE, delta.size - at);
    stored.bytes.set(view.page(page).subarray(0, length), at);
  }
}

/** @param {FileView} view */
function imageOf(view) {
  const image = new Uint8Array(view.size);
  for (let number = 0; number < view.extentCount; number++) {
    image.set(view.extent(number), number * EXTENT_SIZE);
  }
  return image;
}

/**
 * One random history of a file, with every promise checked at every step.
 *
 * @param {number} seed
 */
function history(seed) {
  const random = new Random(seed);
  // Most are small; some cross the border between two extents.
  const span = random.chance(0.05) ? EXTENT_SIZE + 40_000 : 40_000;
  const file = new PagedFile();
  const live = new Bytes();
  const stored = new Bytes();
  /** What is committed; the same as `live` outside transactions. */
  let committed = new Uint8Array(0);
  /** @type {{delta: FileDelta, view: FileView, expected: Uint8Array} | null} */
  let taken = null;
  /** @type {{view: FileView, expected: Uint8Array}[]} */
  const frozen = [];
  let checkpoint = new Bytes();

  for (let step = 0; step < 40; step++) {
    const action = random.below(13);
    if (action < 4) {
      const length = random.below(3 * PAGE_SIZE);
      const bytes = new Uint8Array(length).fill(1 + random.below(255));
      const position = random.below(span);
      if (length > 0) live.write(bytes, position);
      file.write(bytes, position);
    } else if (action === 4) {
      const size = random.below(span);
      live.resize(size);
      file.resize(size);
    } else if (action === 5) {
      file.beginTransaction();
    } else if (action === 6) {
      file.endTransaction();
    } else if (action === 7 && !taken) {
      const { delta, view } = file.takeDelta();
      taken = { delta, view, expected: committed.slice() };
    } else if (action === 8 && taken) {
      store(stored, taken.delta, taken.view);
      taken.view.close();
      assert.deepEqual(stored.bytes, taken.expected);
      taken = null;
    } else if (action === 9 && taken) {
      file.giveBack(taken.delta, taken.view);
      taken = null;
    } else if (action === 10 && !file.inTransaction) {
      frozen.push({ view: file.freeze(), expected: live.bytes.slice() });
    } else if (action === 11) {
      const [first] = frozen.splice(0, 1);
      if (!first) continue;
      assert.deepEqual(imageOf(first.view), first.expected);
      first.view.close();
    } else if (action === 12 && !file.inTransaction) {
      checkpoint = checkpointed(file, checkpoint);
      assert.deepEqual(checkpoint.bytes, live.bytes);
    }
    if (!file.inTransaction) committed = live.bytes.slice();
    assert.deepEqual(contentOf(file), live.bytes);
  }
  for (const { view, expected } of frozen) {
    assert.deepEqual(imageOf(view), expected);
  }
  if (taken) file.giveBack(taken.delta, taken.view);
  const { delta, view } = file.takeDelta();
  store(stored, delta, view);
  assert.deepEqual(stored.bytes, committed);
}

/**
 * The image made of changed extents, as the checkpointer does it.
 *
 * @param {PagedFile} file
 * @param {Bytes} before
 */
function checkpointed(file, before) {
  const view = file.freeze();
  const changed = file.takeChangedExtents();
  const after = new Bytes();
  after.resize(view.size);
  for (let number = 0; number < view.extentCount; number++) {
    const start = number * EXTENT_SIZE;
    const length = Math.min(EXTENT_SIZE, view.size - start);
    const old = before.bytes.subarray(start, start + EXTENT_SIZE);
    // An unchanged extent is taken over as it was stored, if it was.
    const isStale = old.length === 0 || changed.has(number);
    if (!isStale) assert.equal(old.length, length);
    after.bytes.set(isStale ? view.extent(number) : old, start);
  }
  view.close();
  return after;
}

test('random histories of a file keep every promise of it', () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    try {
      history(seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test('a flush in mid-transaction takes the committed state', () => {
  const file = new PagedFile();
  file.write(new Uint8Array(2 * PAGE_SIZE).fill(1), 0);

  file.beginTransaction();
  file.write(new Uint8Array(PAGE_SIZE).fill(2), 0);
  file.resize(PAGE_SIZE);
  const { delta, view } = file.takeDelta();

  assert.equal(delta.size, 2 * PAGE_SIZE);
  assert.deepEqual([...delta.pages], [0, 1]);
  assert.equal(view.page(0)[0], 1);
  assert.equal(view.page(1)[0], 1);
});

test('a transaction that wrote nothing is no commit', () => {
  const file = new PagedFile();
  file.write(new Uint8Array(10).fill(1), 0);

  file.beginTransaction();
  assert.equal(file.endTransaction(), false);

  file.beginTransaction();
  file.write(new Uint8Array(1), 0);
  assert.equal(file.endTransaction(), true);
});

test('an image can be replaced, and the replacement undone', () => {
  const file = new PagedFile();
  file.write(new Uint8Array(3 * PAGE_SIZE).fill(1), 0);
  file.takeDelta().view.close();
  const other = new PagedFile();
  other.write(new Uint8Array(PAGE_SIZE + 1).fill(2), 0);

  const undo = file.become(other);
  assert.deepEqual(contentOf(file), new Uint8Array(PAGE_SIZE + 1).fill(2));
  const { delta, view } = file.takeDelta();
  assert.equal(delta.cutAt, 0);
  assert.deepEqual([...delta.pages], [0, 1]);
  file.giveBack(delta, view);

  undo();
  assert.deepEqual(contentOf(file), new Uint8Array(3 * PAGE_SIZE).fill(1));
  assert.ok(file.isClean);
});

test('a view stays what it was when the file becomes another one', () => {
  const file = new PagedFile();
  file.write(new Uint8Array(3 * PAGE_SIZE).fill(1), 0);
  const other = new PagedFile();
  other.write(new Uint8Array(PAGE_SIZE).fill(2), 0);

  const view = file.freeze();
  const undo = file.become(other);
  assert.deepEqual(imageOf(view), new Uint8Array(3 * PAGE_SIZE).fill(1));
  undo();
  file.write(new Uint8Array(2 * PAGE_SIZE).fill(3), 0);
  file.resize(0);

  assert.deepEqual(imageOf(view), new Uint8Array(3 * PAGE_SIZE).fill(1));
});

test('a file in a transaction can be neither frozen nor replaced', () => {
  const file = new PagedFile();
  file.beginTransaction();

  assert.throws(() => file.freeze(), /transaction/);
  assert.throws(() => file.become(new PagedFile()), /transaction/);
});

test('one delta after the other is their composition', () => {
  const random = new Random(3);
  const delta = () => ({
    size: random.below(20) * PAGE_SIZE,
    cutAt: random.chance(0.5) ? NOTHING_CUT : random.below(20),
    pages: new Set(Array.from({ length: 5 }, () => random.below(20))),
  });

  for (let i = 0; i < 500; i++) {
    const [older, newer] = [delta(), delta()];
    const kept = [...older.pages].filter((page) => page < newer.cutAt);

    const { size, cutAt, pages } = compose(older, newer);

    assert.equal(size, newer.size);
    assert.equal(cutAt, Math.min(older.cutAt, newer.cutAt));
    assert.deepEqual(pages, new Set([...kept, ...newer.pages]));
  }
});
