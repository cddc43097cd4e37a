import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describeStatus, durabilityOf } from '../../../web/page/durability.js';

/** @import { StorageStatus } from '../../../web/client.js' */

/**
 * @param {Partial<StorageStatus>} [change]
 * @returns {StorageStatus}
 */
const status = (change = {}) => ({
  mode: 'indexeddb',
  durability: 'batched',
  committedSeq: 7,
  durableSeq: 7,
  pendingBytes: 0,
  lastError: null,
  lastErrorCode: null,
  usage: 1,
  quota: 2,
  persisted: false,
  evictionRisk: 'disk_pressure',
  databaseBytes: 4096,
  tabs: 1,
  release: 'test',
  sharedHost: true,
  encryption: null,
  store: 'indexeddb',
  ...change,
});

test('durable is said only of what the browser has confirmed', () => {
  assert.equal(describeStatus(status()).word, 'Durable');
  assert.equal(
    describeStatus(status({ committedSeq: 8 })).word,
    'Not yet durable',
  );
});

test('an error is named even when nothing is pending', () => {
  const { tone, word } = describeStatus(
    status({ lastError: 'no room', lastErrorCode: 'quota_exceeded' }),
  );

  assert.equal(tone, 'unsaved');
  assert.equal(word, 'Not saved: storage is full');
});

test('an error of an unknown kind is named too', () => {
  const { word } = describeStatus(
    status({ lastError: 'strange', lastErrorCode: 'new_code' }),
  );

  assert.match(word, /^Not saved: /);
});

test('memory is never called durable', () => {
  const { tone, word } = describeStatus(status({ mode: 'memory' }));

  assert.equal(tone, 'unsaved');
  assert.match(word, /^Not saved: /);
});

test('an unknown mode in the preferences is the default', () => {
  assert.equal(durabilityOf('strict'), 'strict');
  assert.equal(durabilityOf('fast'), 'batched');
  assert.equal(durabilityOf(null), 'batched');
});
