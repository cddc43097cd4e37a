import assert from 'node:assert/strict';
import { test } from 'node:test';

import { copyTo, pack, unpack } from '../../web/core/sparse-bytes.js';

/** @param {number} length @param {Record<number, number>} values */
function memory(length, values) {
  const bytes = new Uint8Array(length);
  for (const [at, value] of Object.entries(values)) bytes[Number(at)] = value;
  return bytes;
}

/**
 * @param {Uint8Array} packed
 * @param {number} from
 * @param {number} length
 */
function part(packed, from, length) {
  const sparse = unpack(packed);
  assert.ok(sparse);
  const target = new Uint8Array(length).fill(9);
  copyTo(sparse, from, target);
  return target;
}

for (const [what, bytes] of Object.entries({
  'no byte': memory(0, {}),
  'only zeros': memory(20_000, {}),
  'no zero': new Uint8Array(20_000).fill(7),
  'a last block that is short': memory(8193, { 8192: 1 }),
  'runs of their own': memory(40_000, { 0: 1, 5000: 2, 20_000: 3, 39_999: 4 }),
})) {
  test(`what was packed comes back: ${what}`, () => {
    assert.deepEqual(part(pack(bytes), 0, bytes.length), bytes);
  });

  test(`so does each part of it, followed by zeros: ${what}`, () => {
    for (const from of [1, 4095, 4096, 5001, 19_999]) {
      for (const length of [0, 3, 4096, 30_000]) {
        const expected = new Uint8Array(length);
        expected.set(bytes.subarray(from, from + length));
        assert.deepEqual(part(pack(bytes), from, length), expected);
      }
    }
  });
}

test('zeros take no room', () => {
  assert.ok(pack(memory(1 << 20, { 70_000: 1 })).length < 5000);
});

test('any other bytes are not taken', () => {
  const packed = pack(memory(20_000, { 9000: 1 }));
  for (let at = 0; at < packed.length; at += 97) {
    const changed = packed.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.equal(unpack(changed), null, `a bit of byte ${at}`);
  }
  assert.equal(unpack(packed.subarray(0, -8)), null);
  assert.equal(unpack(new Uint8Array(3)), null);
});
