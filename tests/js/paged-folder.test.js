import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NO_CHECKSUM } from '../../web/core/checksum.js';
import { decodeRecord, encodePages } from '../../web/core/page-record.js';
import { PAGE_SIZE } from '../../web/core/paged-file.js';
import { PagedFolder } from '../../web/core/paged-folder.js';

/** @import { PagedFile } from '../../web/core/paged-file.js' */

const MAGIC = Uint8Array.of(0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7);
const AT = { epoch: 1, seq: 0, checksum: NO_CHECKSUM };

/** A folder that keeps the paths of its commits. */
function folderWithLog() {
  /** @type {string[]} */
  const commits = [];
  const folder = new PagedFolder((path) => commits.push(path));
  return { folder, commits };
}

/**
 * @param {PagedFolder} folder
 * @param {string} path
 * @param {number} value  Of each byte of the first page.
 */
function fill(folder, path, value) {
  const file = folder.find(path) ?? folder.create(path);
  folder.write(path, file, new Uint8Array(PAGE_SIZE).fill(value), 0);
  return file;
}

/**
 * @param {PagedFolder} folder
 * @param {string} path
 */
function makeHot(folder, path) {
  const name = `${path}-journal`;
  const journal = folder.find(name) ?? folder.create(name);
  folder.write(name, journal, new Uint8Array(512), 0);
  folder.write(name, journal, MAGIC, 0);
  return journal;
}

/** @param {PagedFolder} folder  What a flush takes now, as first bytes. */
function flushed(folder) {
  const changes = folder.takeChanges();
  const { bytes } = encodePages(AT, changes, 0);
  for (const { taken } of changes) taken?.view.close();
  const record = decodeRecord(bytes, AT);
  assert.ok(typeof record !== 'string');
  return Object.fromEntries(
    record.files.map(({ path, delta, page }) => [
      path,
      delta ? (delta.pages.has(0) ? page(0)[0] : 'same') : 'removed',
    ]),
  );
}

/** How SQLite ends a transaction, by journal mode. */
const ENDINGS = {
  /** @type {(folder: PagedFolder, name: string, journal: PagedFile) => void} */
  DELETE: (folder, name) => folder.remove(name),
  /** @type {(folder: PagedFolder, name: string, journal: PagedFile) => void} */
  TRUNCATE: (folder, name, journal) => folder.resize(name, journal, 0),
  /** @type {(folder: PagedFolder, name: string, journal: PagedFile) => void} */
  PERSIST: (folder, name, journal) =>
    folder.write(name, journal, new Uint8Array(28), 0),
};

for (const [mode, end] of Object.entries(ENDINGS)) {
  test(`a transaction lasts as long as its journal is hot: ${mode}`, () => {
    const { folder, commits } = folderWithLog();
    const file = fill(folder, 'a.db', 1);
    flushed(folder);
    commits.length = 0;

    const journal = makeHot(folder, 'a.db');
    assert.ok(file.inTransaction && folder.inTransaction);
    fill(folder, 'a.db', 2);
    assert.ok(folder.isClean);
    assert.deepEqual(commits, []);

    end(folder, 'a.db-journal', journal);
    assert.ok(!file.inTransaction);
    assert.deepEqual(commits, ['a.db']);
    assert.deepEqual(flushed(folder), { 'a.db': 2 });

    // The next transaction may begin with the journal that is still there.
    const again = makeHot(folder, 'a.db');
    assert.ok(file.inTransaction);
    end(folder, 'a.db-journal', again);
    assert.deepEqual(commits, ['a.db']);
  });
}

test('a journal that begins with zeros is not hot', () => {
  const { folder } = folderWithLog();
  const file = fill(folder, 'a.db', 1);

  const journal = folder.create('a.db-journal');
  folder.write('a.db-journal', journal, new Uint8Array(512), 0);
  assert.ok(!file.inTransaction);

  folder.write('a.db-journal', journal, MAGIC, 512);
  assert.ok(!file.inTransaction);
});

test('a flush in mid-transaction takes the committed state of each file', () => {
  const { folder } = folderWithLog();
  fill(folder, 'a.db', 1);
  fill(folder, 'b.db', 1);
  makeHot(folder, 'a.db');
  fill(folder, 'a.db', 2);
  fill(folder, 'b.db', 2);

  assert.deepEqual(flushed(folder), { 'a.db': 1, 'b.db': 2 });

  folder.remove('a.db-journal');
  assert.deepEqual(flushed(folder), { 'a.db': 2 });
});

test('journals, shared memory and super-journals are never flushed', () => {
  const { folder, commits } = folderWithLog();
  for (const suffix of ['-journal', '-shm', '-mj3A5F9C2B']) {
    fill(folder, `a.db${suffix}`, 1);
  }

  assert.deepEqual(commits, []);
  assert.ok(folder.isClean);
  assert.deepEqual(flushed(folder), {});

  fill(folder, 'a.db-wal', 1);
  assert.deepEqual(flushed(folder), { 'a.db-wal': 1 });
});

test('a file that is removed and made again is stored without its past', () => {
  const { folder } = folderWithLog();
  const old = folder.create('a');
  folder.write('a', old, new Uint8Array(3 * PAGE_SIZE).fill(1), 0);
  const stored = new PagedFolder(() => {});
  const apply = () => {
    const changes = folder.takeChanges();
    const record = decodeRecord(encodePages(AT, changes, 0).bytes, AT);
    assert.ok(typeof record !== 'string');
    stored.load(record);
  };
  apply();

  folder.remove('a');
  const file = folder.create('a');
  folder.resize('a', file, 2 * PAGE_SIZE);
  apply();

  const bytes = new Uint8Array(2 * PAGE_SIZE);
  assert.equal(stored.find('a')?.size, bytes.length);
  stored.find('a')?.read(bytes, 0);
  assert.ok(bytes.every((byte) => byte === 0));
});

test('a file that is renamed is stored whole under its new name', () => {
  const { folder } = folderWithLog();
  fill(folder, 'a', 1);
  fill(folder, 'b', 2);
  flushed(folder);

  folder.rename('a', 'b');

  assert.deepEqual(flushed(folder), { a: 'removed', b: 1 });
  assert.equal(folder.find('a'), undefined);
});

test('what was taken and not stored is taken again', () => {
  const { folder } = folderWithLog();
  fill(folder, 'a', 1);
  fill(folder, 'b', 1);
  folder.takeChanges().forEach(({ taken }) => taken?.view.close());
  fill(folder, 'a', 2);
  folder.remove('b');

  const changes = folder.takeChanges();
  assert.ok(folder.isClean);
  folder.create('b');
  folder.giveBack(changes);

  assert.deepEqual(flushed(folder), { a: 2, b: 'same' });
});

test('who waits for a file to settle is told when its transaction ends', async () => {
  const { folder } = folderWithLog();
  fill(folder, 'a.db', 1);
  makeHot(folder, 'a.db');
  let isSettled = false;
  const settled = folder.settled('a.db').then(() => {
    isSettled = true;
  });

  await Promise.resolve();
  assert.ok(!isSettled);
  folder.remove('a.db-journal');

  await settled;
});

test('who waits for a file that is removed does not wait for ever', async () => {
  const { folder } = folderWithLog();
  fill(folder, 'a.db', 1);
  makeHot(folder, 'a.db');
  const settled = folder.settled('a.db');

  folder.remove('a.db');

  await settled;
});

test('a file in a transaction is not renamed', () => {
  const { folder } = folderWithLog();
  fill(folder, 'a.db', 1);
  makeHot(folder, 'a.db');

  assert.throws(() => folder.rename('a.db', 'b.db'), /transaction/);
  assert.ok(folder.find('a.db'));
});
