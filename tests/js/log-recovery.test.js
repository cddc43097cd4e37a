import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NO_CHECKSUM } from '../../web/core/checksum.js';
import { LogReader, positionAfter } from '../../web/core/log-recovery.js';
import { encodeFence, encodePages } from '../../web/core/page-record.js';

/** @import { LogKey } from '../../web/core/log-recovery.js' */
/** @import { LogPosition } from '../../web/core/page-record.js' */

/** @type {LogPosition} */
const START = { epoch: 0, seq: 0, checksum: NO_CHECKSUM };

/**
 * A log: 'p' is a record of pages, 'f' a fence.
 *
 * @param {string} kinds
 * @returns {{key: LogKey, bytes: Uint8Array}[]}
 */
function logOf(kinds, at = START) {
  const records = [];
  for (const letter of kinds) {
    const kind = letter === 'f' ? 'fence' : 'pages';
    const { bytes, checksum } =
      kind === 'fence' ? encodeFence(at, 0) : encodePages(at, [], 0);
    records.push({ key: /** @type {LogKey} */ ([at.epoch, at.seq]), bytes });
    at = positionAfter({ kind, at, checksum });
  }
  return records;
}

/** @param {{key: LogKey, bytes: Uint8Array}[]} records */
function read(records, start = START) {
  const reader = new LogReader(start);
  const applied = records
    .filter(({ key, bytes }) => reader.take(key, bytes))
    .map(({ key }) => key.join('.'));
  return { reader, applied: applied.join(' ') };
}

test('a sound log is applied from end to end', () => {
  const { reader, applied } = read(logOf('fppfp'));

  assert.equal(applied, '1.0 1.1 2.0');
  assert.deepEqual(reader.fences, [
    [0, 0],
    [1, 2],
  ]);
  assert.equal(reader.records, 5);
  assert.deepEqual(reader.damaged, []);
  assert.equal(reader.next.epoch, 2);
  assert.equal(reader.next.seq, 1);
});

test('the log before a checkpoint is passed over', () => {
  const log = logOf('fpppp');
  const { next } = read(log.slice(0, 3)).reader;

  assert.equal(read(log, next).applied, '1.2 1.3');
  assert.equal(read(log.slice(3), next).applied, '1.2 1.3');
});

test('nothing behind a damaged record is applied, and all of it is named', () => {
  const log = logOf('fppp');
  const bad = /** @type {{key: LogKey, bytes: Uint8Array}} */ (log[2]);
  bad.bytes[50] = 1;

  const { reader, applied } = read(log);

  assert.equal(applied, '1.0');
  assert.deepEqual(
    reader.damaged.map(({ key }) => key),
    [
      [1, 1],
      [1, 2],
    ],
  );
  assert.equal(reader.next.seq, 1);
});

test('nothing behind a missing record is applied', () => {
  const log = logOf('fppp');

  const { reader, applied } = read(log.filter((_, i) => i !== 2));

  assert.equal(applied, '1.0');
  assert.match(String(reader.damaged[0]?.reason), /1\.1 is missing/);
});

test('a record of another history is not applied', () => {
  const log = logOf('fpp');
  const { bytes, checksum } = encodePages(
    { epoch: 1, seq: 0, checksum: [1, 1] },
    [],
    0,
  );
  const other = logOf('p', { epoch: 1, seq: 1, checksum });
  assert.ok(bytes.length > 0);

  const { reader, applied } = read([...log.slice(0, 2), ...other]);

  assert.equal(applied, '1.0');
  assert.match(String(reader.damaged[0]?.reason), /does not follow/);
});

test('a record behind a fence is an orphan, not damage', () => {
  const log = logOf('fpf');
  const orphan = logOf('pp', { epoch: 1, seq: 2, checksum: [9, 9] });

  const { reader, applied } = read([
    ...log,
    ...orphan,
    ...logOf('p', read(log).reader.next),
  ]);

  assert.equal(applied, '1.0 2.0');
  assert.deepEqual(reader.damaged, []);
});
