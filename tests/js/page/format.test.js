import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  backupFileName,
  formatAge,
  formatBytes,
  formatCost,
  formatDuration,
} from '../../../web/page/format.js';

test('sizes take the unit that keeps them below a thousand', () => {
  assert.deepEqual([0, 999, 1000, 12_345_678, 999_960, 4e15].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '12.3 MB',
    '1.0 MB',
    '4000 TB',
  ]);
  assert.equal(formatBytes(null), 'unknown');
});

test('small costs keep two digits that say something', () => {
  assert.deepEqual([0, 0.00231, 0.05, 12.5].map(formatCost), [
    '$0',
    '$0.0023',
    '$0.05',
    '$12.50',
  ]);
});

test('waiting times are read in one unit', () => {
  assert.deepEqual([12, 2310, 120_000].map(formatDuration), [
    '12 ms',
    '2.3 s',
    '2 min',
  ]);
});

test('a day ends at midnight, not after 24 hours', () => {
  const now = new Date(2026, 4, 10, 0, 30).getTime();
  const anHourAgo = now - 3_600_000;

  assert.equal(formatAge(now, now), 'Today');
  assert.equal(formatAge(anHourAgo, now), 'Yesterday');
});

test('a clock that runs ahead is today', () => {
  const now = new Date(2026, 4, 10, 12).getTime();

  assert.equal(formatAge(now + 3 * 86_400_000, now), 'Today');
});

test('a backup is named after its day', () => {
  const name = backupFileName(new Date(2026, 0, 5, 23, 59).getTime());

  assert.equal(name, 'agentos-2026-01-05.db');
});
