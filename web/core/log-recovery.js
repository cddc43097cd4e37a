/**
 * Which records of a log make up the durable state.
 *
 * Rule 1: the longest prefix that verifies, from the checkpoint on. Each record
 *         carries the checksum of the one before, so nothing can be left out,
 *         swapped, or taken from another history.
 * Rule 2: a fence ends its epoch; the log goes on with record 0 of the next.
 *         A record behind a fence was written by a host that had lost the store
 *         and was never acknowledged: it is an orphan, not damage.
 * Rule 3: what lies behind the first record that fails is damage: it is
 *         reported, to be kept aside, and never applied.
 */

import { decodeRecord } from './page-record.js';

/** @import { Checksum } from './checksum.js' */
/** @import { LogPosition, PageRecord } from './page-record.js' */

/** @typedef {[epoch: number, seq: number]} LogKey */

/**
 * @typedef {object} Damage
 * @property {LogKey} key
 * @property {string} reason
 */

export class LogReader {
  /** @type {Damage[]} */
  damaged = [];

  /** Where the epochs ended. @type {LogKey[]} */
  fences = [];

  /** Of the last record that verified. @type {LogKey | null} */
  lastKey = null;

  /** Records that verified. */
  records = 0;

  /** In bytes: of the records that verified. */
  bytes = 0;

  /** @param {LogPosition} start  Where the checkpoint says the log goes on. */
  constructor(start) {
    this.next = start;
  }

  /**
   * Take the next stored record, in the order of the keys.
   *
   * @param {LogKey} key
   * @param {Uint8Array} bytes
   * @returns {PageRecord | null} To be applied; null if there is nothing to apply.
   * @throws {RecordTooNewError} A newer release has written this log.
   */
  take(key, bytes) {
    const [epoch, seq] = key;
    if (this.damaged.length > 0) {
      this.damaged.push({ key, reason: 'it follows a damaged record' });
      return null;
    }
    if (isBefore(key, this.next)) return null;
    if (epoch !== this.next.epoch || seq !== this.next.seq) {
      const { epoch: e, seq: s } = this.next;
      this.damaged.push({ key, reason: `record ${e}.${s} is missing` });
      return null;
    }
    const record = decodeRecord(bytes, this.next);
    if (typeof record === 'string') {
      this.damaged.push({ key, reason: record });
      return null;
    }
    this.records++;
    this.bytes += bytes.length;
    this.lastKey = key;
    this.next = positionAfter(record);
    if (record.kind === 'pages') return record;
    this.fences.push(key);
    return null;
  }
}

/**
 * @param {{kind: 'pages' | 'fence', at: LogPosition, checksum: Checksum}} record
 * @returns {LogPosition}
 */
export function positionAfter({ kind, at: { epoch, seq }, checksum }) {
  return kind === 'fence'
    ? { epoch: epoch + 1, seq: 0, checksum }
    : { epoch, seq: seq + 1, checksum };
}

/**
 * @param {LogKey} key
 * @param {LogPosition} position
 */
export function isBefore([epoch, seq], position) {
  return (
    epoch < position.epoch || (epoch === position.epoch && seq < position.seq)
  );
}
