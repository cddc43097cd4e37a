import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  checksumOfRecord,
  decodeRecord,
  encodeFence,
  encodePages,
  RECORD_FORMAT,
  RecordTooNewError,
  seal,
} from '../../web/core/page-record.js';
import { PAGE_SIZE } from '../../web/core/paged-file.js';
import { PagedFolder } from '../../web/core/paged-folder.js';
import { Random } from './fakes/random.js';

/** @import { LogPosition } from '../../web/core/page-record.js' */

/** @type {LogPosition} */
const AT = { epoch: 3, seq: 7, checksum: [0xdeadbeef, 0xfffffffe] };

/** A record of two files, one of them new, and of one that was removed. */
function sample() {
  const folder = new PagedFolder(() => {});
  const random = new Random(1);
  const first = folder.create('notes/ä b.db');
  const page = Uint8Array.from({ length: PAGE_SIZE }, () => random.below(256));
  folder.write('notes/ä b.db', first, page, 0);
  folder.write('notes/ä b.db', first, page.subarray(0, 100), 3 * PAGE_SIZE);
  folder.create('empty');
  folder.create('old');
  folder.remove('old');
  const changes = folder.takeChanges();
  return { folder, ...encodePages(AT, changes, 1234.5) };
}

/** @param {Uint8Array} bytes */
function decoded(bytes) {
  const record = decodeRecord(bytes, AT);
  assert.ok(typeof record !== 'string', String(record));
  return record;
}

/** @param {PagedFolder} folder */
function contentOf(folder) {
  return folder.files.map(([path, file]) => {
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0);
    return [path, bytes];
  });
}

test('what a record says is what was taken', () => {
  const { folder, bytes, checksum } = sample();

  const record = decoded(bytes);
  const copy = new PagedFolder(() => {});
  copy.load(record);

  assert.equal(record.kind, 'pages');
  assert.equal(record.time, 1234.5);
  assert.deepEqual(record.checksum, checksum);
  assert.deepEqual(checksumOfRecord(bytes), checksum);
  assert.deepEqual(contentOf(copy), contentOf(folder));
  assert.ok(copy.isClean);
});

test('a record does not decode at any other place', () => {
  const { bytes } = sample();

  for (const at of [
    { ...AT, epoch: 2 },
    { ...AT, seq: 8 },
    { ...AT, checksum: /** @type {const} */ ([0xdeadbeef, 1]) },
  ]) {
    assert.equal(typeof decodeRecord(bytes, at), 'string');
  }
});

test('a fence decodes as a fence and carries nothing', () => {
  const { bytes } = encodeFence(AT, 5);

  assert.equal(decoded(bytes).kind, 'fence');
  assert.deepEqual(decoded(bytes).files, []);
});

test('every truncation of a record is refused', () => {
  const { bytes } = sample();

  for (let length = 0; length < bytes.length; length++) {
    assert.equal(typeof decodeRecord(bytes.subarray(0, length), AT), 'string');
  }
});

test('every changed byte of a record is refused', () => {
  const { bytes } = sample();

  for (let at = 0; at < bytes.length; at++) {
    for (const bit of at < 200 ? [1, 2, 4, 8, 16, 32, 64, 128] : [0x10]) {
      bytes[at] = /** @type {number} */ (bytes[at]) ^ bit;
      assert.equal(typeof decodeRecord(bytes, AT), 'string', `byte ${at}`);
      bytes[at] = /** @type {number} */ (bytes[at]) ^ bit;
    }
  }
});

test('a record of a newer format is refused as such, not as damage', () => {
  const { bytes } = sample();
  new DataView(bytes.buffer).setUint32(8, RECORD_FORMAT + 1, true);
  seal(bytes);

  assert.throws(
    () => decodeRecord(bytes, AT),
    (error) =>
      error instanceof RecordTooNewError && error.code === 'store_too_new',
  );
});

test('hostile fields with a right checksum are refused or harmless', () => {
  const random = new Random(2);
  const { bytes: good } = sample();
  const hostile = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];

  for (let at = 8; at < 200; at++) {
    for (const value of [...hostile, random.below(0xffffffff)]) {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(at, value, true);
      seal(bytes);
      assertHarmless(bytes);
    }
    for (const value of [NaN, -1, 0.5, 1e300, Infinity]) {
      const bytes = good.slice();
      new DataView(bytes.buffer).setFloat64(at, value, true);
      seal(bytes);
      assertHarmless(bytes);
    }
  }
});

/** @param {Uint8Array} bytes */
function assertHarmless(bytes) {
  let record;
  try {
    record = decodeRecord(bytes, AT);
  } catch (error) {
    assert.ok(error instanceof RecordTooNewError, String(error));
    return;
  }
  if (typeof record === 'string') return;
  for (const { delta, page } of record.files) {
    if (!delta) continue;
    assert.ok(Number.isSafeInteger(delta.size) && delta.size >= 0);
    for (const number of delta.pages) {
      assert.ok(number * PAGE_SIZE < delta.size);
      assert.equal(page(number).length, PAGE_SIZE);
    }
  }
}
