import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  checksum,
  NO_CHECKSUM,
  sameChecksum,
} from '../../web/core/checksum.js';
import { Random } from './fakes/random.js';

/** @param {number} length */
function noise(length, seed = length) {
  const random = new Random(seed);
  return Uint8Array.from({ length }, () => random.below(256));
}

test('one changed byte changes the checksum, wherever it is', () => {
  const bytes = noise(4111);
  const sum = checksum(bytes);

  for (let at = 0; at < bytes.length; at++) {
    const before = /** @type {number} */ (bytes[at]);
    for (const bit of [1, 0x80, 0xff]) {
      bytes[at] = before ^ bit;
      assert.ok(!sameChecksum(checksum(bytes), sum), `byte ${at}`);
    }
    bytes[at] = before;
  }

  assert.ok(sameChecksum(checksum(bytes), sum));
});

test('the checksum does not depend on where in a buffer the bytes lie', () => {
  const bytes = noise(1003);
  const sum = checksum(bytes);

  for (let shift = 1; shift < 9; shift++) {
    const shifted = new Uint8Array(bytes.length + shift);
    shifted.set(bytes, shift);
    assert.deepEqual(checksum(shifted.subarray(shift)), sum);
  }
});

test('it is the sum of SQLite for frames of a write-ahead log', () => {
  // By hand: s0 += x0 + s1, s1 += x1 + s0, for the words 1, 2 and 3, 4.
  const words = new Uint8Array(new Uint32Array([1, 2, 3, 4]).buffer);

  assert.deepEqual(checksum(words.subarray(0, 8)), [1, 3]);
  assert.deepEqual(checksum(words), [7, 14]);
  assert.deepEqual(checksum(new Uint8Array(0)), NO_CHECKSUM);
});
