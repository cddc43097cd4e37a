import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CHECKPOINT_FORMAT,
  decodeCheckpoint,
  encodeCheckpoint,
  storedSize,
} from '../../web/core/checkpoint.js';
import { RecordTooNewError, seal } from '../../web/core/page-record.js';
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
      image: 0,
      extents: [
        { key: 2 ** 40, offset: 8, checksum: [5, 6] },
        { key: 0, offset: 0, checksum: [0, 0] },
        { key: 9, offset: EXTENT_SIZE, checksum: [7, 8] },
      ],
    },
    { path: 'empty', size: 0, image: 0, extents: [] },
  ],
};

/** One of its files lies in an image file. @type {Checkpoint} */
const WITH_IMAGE = {
  ...SAMPLE,
  files: [
    ...SAMPLE.files,
    {
      path: 'large.db',
      size: 65_537 * 4096,
      image: 2 ** 52 + 1,
      extents: [
        { key: 3, offset: 0, checksum: [1, 2] },
        { key: 3, offset: EXTENT_SIZE, checksum: [3, 4] },
      ],
    },
  ],
};

test('a checkpoint comes back as it was', () => {
  assert.deepEqual(decodeCheckpoint(encodeCheckpoint(SAMPLE)), SAMPLE);
  assert.deepEqual(decodeCheckpoint(encodeCheckpoint(WITH_IMAGE)), WITH_IMAGE);
  const empty = { ...SAMPLE, files: [] };
  assert.deepEqual(decodeCheckpoint(encodeCheckpoint(empty)), empty);
});

test('a checkpoint without an image is one that earlier releases read', () => {
  const version = (/** @type {Checkpoint} */ checkpoint) =>
    new DataView(encodeCheckpoint(checkpoint).buffer).getUint32(8, true);

  assert.equal(version(SAMPLE), 1);
  assert.equal(version(WITH_IMAGE), 2);
});

test('every truncation of a checkpoint is refused', () => {
  const bytes = encodeCheckpoint(WITH_IMAGE);

  for (let length = 0; length < bytes.length; length++) {
    assert.equal(typeof decodeCheckpoint(bytes.subarray(0, length)), 'string');
  }
});

test('every changed bit of a checkpoint is refused', () => {
  const bytes = encodeCheckpoint(WITH_IMAGE);

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
  new DataView(bytes.buffer).setUint32(8, CHECKPOINT_FORMAT + 1, true);
  seal(bytes);

  assert.throws(() => decodeCheckpoint(bytes), RecordTooNewError);
});

test('hostile fields with a right checksum are refused or harmless', () => {
  for (const checkpoint of [SAMPLE, WITH_IMAGE]) hurt(checkpoint);
});

/** @param {Checkpoint} checkpoint */
function hurt(checkpoint) {
  const good = encodeCheckpoint(checkpoint);
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
}

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
  for (const file of checkpoint.files) {
    const { extents, image } = file;
    assert.ok(extents.length === Math.ceil(storedSize(file) / EXTENT_SIZE));
    assert.ok(Number.isSafeInteger(image) && image >= 0);
    for (const { key } of extents) {
      assert.ok(Number.isSafeInteger(key) && key >= 0);
    }
  }
}
