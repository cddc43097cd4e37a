/** The codec of the border, against the vectors that Python is held to as well. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { decode, encode, transferables } from '../../web/core/wire-codec.js';

const vectors = JSON.parse(
  readFileSync(new URL('../data/wire-vectors.json', import.meta.url), 'utf8'),
);

/** @param {string} hex */
function bufferOf(hex) {
  return new Uint8Array(Buffer.from(hex, 'hex')).buffer;
}

for (const { name, json, blobs } of vectors) {
  test(`${name} crosses and comes back the same`, () => {
    const value = decode({ json, blobs: blobs.map(bufferOf) });

    const payload = encode(value);

    assert.equal(payload.json, json);
    assert.deepEqual(
      payload.blobs.map((blob) =>
        Buffer.from(/** @type {ArrayBuffer} */ (blob)).toString('hex'),
      ),
      blobs,
    );
  });
}

test('a BigInt that fits a number becomes one', () => {
  assert.equal(encode([5n]).json, '[5]');
});

test('undefined becomes null', () => {
  assert.equal(encode({ a: undefined }).json, '{"a":null}');
});

test('a view is copied, so that its owner keeps the bytes', () => {
  const owned = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);

  const { blobs } = encode(owned);

  assert.notEqual(blobs[0], owned.buffer);
  assert.deepEqual(
    new Uint8Array(/** @type {any} */ (blobs[0])),
    owned.slice(),
  );
});

for (const value of [new Date(), new Map(), Symbol('x'), () => {}]) {
  test(`a ${value.constructor.name} is refused, not guessed`, () => {
    assert.throws(() => encode({ value }), TypeError);
  });
}

test('an unknown mark is refused', () => {
  assert.throws(() => decode({ json: '{"$":"later"}', blobs: [] }), TypeError);
});

test('a Blob crosses as a reference, and is not handed over', () => {
  const blob = new Blob(['bytes']);

  const payload = encode({ file: blob, bytes: new Uint8Array(2) });

  assert.equal(decode(payload).file, blob);
  assert.deepEqual(transferables(payload.blobs), [new ArrayBuffer(2)]);
});
