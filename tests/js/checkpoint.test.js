import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  decodeCheckpoint,
  encodeCheckpoint,
} from '../../web/core/checkpoint.js';
import {
  RECORD_FORMAT,
  RecordTooNewError,
  seal,
} from '../../web/core/page-record.js';
import { EXTENT_SIZE } from '../../web/core/paged-file.js';

/** @import { Checkpoint } from '../../web/core/checkpoint.js' */

/** @type {Checkpoint} */
const SAMPLE = {
  next: { epoch: 2, seq: 0xfffffff0, checksum: [1, 0xffffffff] },
  time: 1_700_000_000_000.5,
  files: [
    {
      path: 'a/日本.db',
      size: 2 * EXTENT_SIZE + 17,
      extents: [
        { key: 2 ** 40, offset: 8, checksum: [5, 6] },
        { key: 0, offset: 0, checksum: [0, 0] },
        { key: 9, offset: EXTENT_SIZE, checksum: [7, 8] },
      ],
    },
    { path: 'empty', size: 0, extents: [] },
  ],
};

test('a checkpoint comes back as it was', () => {
  assert.deepEqual(decodeCheckpoint(encodeCheckpoint(SAMPLE)), SAMPLE);
  const empty = { ...SAMPLE, files: [] };
  assert.deepEqual(decodeCheckpoint(encodeCheckpoint(empty)), empty);
});

test('every truncation of a checkpoint is refused', () => {
  const bytes = encodeCheckpoint(SAMPLE);

  for (let length = 0; length < bytes.length; length++) {
    assert.equal(typeof decodeCheckpoint(bytes.subarray(0, length)), 'string');
  }
});

test('every changed bit of a checkpoint is refused', () => {
  const bytes = encodeCheckpoint(SAMPLE);

  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      bytes[at] = /** @type {number} */ (bytes[at]) ^ bit;
      assert.equal(typeof decodeCheckpoint(bytes), 'string', `byte ${at}`);
      bytes[at] = /** @type {number} */ (bytes[at]) ^ bit;
    }
  }
});

test('a checkpoint of a newer format is refused as such, not as damage', () => {
  const bytes = encodeCheckpoint(SAMPLE);
  new DataView(bytes.buffer).setUint32(8, RECORD_FORMAT + 1, true);
  seal(bytes);

  assert.throws(() => decodeCheckpoint(bytes), RecordTooNewError);
});

test('hostile fields with a right checksum are refused or harmless', () => {
  const good = encodeCheckpoint(SAMPLE);

  for (let at = 8; at < good.length - 16; at++) {
    for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
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
  let checkpoint;
  try {
    checkpoint = decodeCheckpoint(bytes);
  } catch (error) {
    assert.ok(error instanceof RecordTooNewError, String(error));
    return;
  }
  if (typeof checkpoint === 'string') return;
  for (const { size, extents } of checkpoint.files) {
    assert.ok(extents.length === Math.ceil(size / EXTENT_SIZE));
    for (const { key } of extents) {
      assert.ok(Number.isSafeInteger(key) && key >= 0);
    }
  }
}
