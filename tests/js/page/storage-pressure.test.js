import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  littleSpaceWords,
  planWords,
  pressureOf,
  reportWords,
  RISKS,
  spaceWords,
  tooMuchWords,
} from '../../../web/page/storage-pressure.js';

/** @import { StorageStatus } from '../../../web/client.js' */

/** @param {Partial<StorageStatus>} [change] */
const status = (change = {}) =>
  /** @type {StorageStatus} */ ({
    mode: 'indexeddb',
    lastErrorCode: null,
    usage: 1e6,
    quota: 100e6,
    ...change,
  });

const plan = {
  conversations: 3,
  events: 9,
  sessions: 3,
  telemetry: 0,
  bytesBefore: 10e6,
  bytesFreed: 4e6,
};

test('a full store is more urgent than one that is nearly full', () => {
  const full = status({ lastErrorCode: 'quota_exceeded', usage: 99e6 });

  assert.equal(pressureOf(full)?.kind, 'full');
  assert.match(pressureOf(full)?.title ?? '', /^Not durable: /);
  assert.equal(pressureOf(status({ usage: 91e6 }))?.kind, 'near');
  assert.equal(pressureOf(status({ usage: 90e6 })), null);
});

test('where nothing is known, nothing is claimed', () => {
  const unknown = status({ usage: null, quota: null });

  assert.equal(pressureOf(unknown), null);
  assert.equal(littleSpaceWords(unknown), null);
  assert.match(spaceWords(unknown), /does not say/);
  assert.equal(pressureOf(status({ mode: 'memory', usage: 99e6 })), null);
});

test('no space at all is not a division by zero', () => {
  assert.match(spaceWords(status({ usage: 0, quota: 0 })), /\(100 %\)/);
});

test('little space is said at the start', () => {
  assert.match(littleSpaceWords(status({ quota: 12e6 })) ?? '', /12\.0 MB/);
  assert.equal(littleSpaceWords(status()), null);
});

test('a plan says what goes', () => {
  assert.match(planWords(plan), /^3 conversations go, .* 4\.0 MB of 10\.0 MB/);
  assert.match(
    planWords({ ...plan, conversations: 1 }),
    /^1 conversation goes/,
  );
  assert.match(planWords({ ...plan, conversations: 0 }), /^No conversation/);
});

test('what stays may be more than what can be given up for it', () => {
  assert.equal(tooMuchWords(plan, 6e6), null);
  assert.match(tooMuchWords(plan, 5e6) ?? '', /6\.0 MB would stay/);
});

test('a report says whether there is a way back', () => {
  const report = { ...plan, restorePoint: null, restorePointsDeleted: 0 };
  const kept = { id: 'r', reason: 'prune', createdAt: 1 };
  const point = { ...kept, size: 2, stored: 1, encrypted: false };

  assert.match(reportWords(report), /has 6\.0 MB now\. No restore point/);
  assert.match(
    reportWords({ ...report, restorePoint: point }),
    /is a restore point/,
  );
});

test('on Safari the way out is to install', () => {
  assert.match(RISKS.unused_7_days, /Install/);
});
