/** How much room there is and who might take the data away, in words. Pure. */

import { isLittleQuota } from '../core/eviction-risk.js';
import { formatBytes, formatCount, formatPlural } from './format.js';

/** @import { EvictionRisk, PrunePlan, PruneReport, StorageStatus } from '../client.js' */

/**
 * @typedef {object} Pressure
 * @property {'full' | 'near'} kind  Nothing fits any more; soon nothing will.
 * @property {string} title
 * @property {string} text
 */

/** Share of the quota from which on it is said. */
const NEAR = 0.9;

/** A day, in milliseconds. */
const DAY = 86_400_000;

/**
 * @param {StorageStatus} status
 * @returns {Pressure | null}
 */
export function pressureOf(status) {
  if (status.lastErrorCode === 'quota_exceeded') {
    return {
      kind: 'full',
      title: 'Not durable: the browser has no more space for this site',
      text: 'Everything is committed and in memory. Keep this tab open, and download a backup or free space. It becomes durable by itself once there is room.',
    };
  }
  if (status.mode !== 'memory' && shareOf(status) > NEAR) {
    return {
      kind: 'near',
      title: 'Space is running out',
      text: `${spaceWords(status)} Free some before it is used up.`,
    };
  }
  return null;
}

/**
 * @param {StorageStatus} status
 * @returns {number}  Of the quota, from 0 to 1; 0 if not known.
 */
export function shareOf({ usage, quota }) {
  return usage !== null && quota ? Math.min(1, usage / quota) : 0;
}

/** @param {StorageStatus} status */
export function spaceWords({ usage, quota }) {
  if (usage === null || quota === null) {
    return 'The browser does not say how much room there is.';
  }
  const share = quota > 0 ? Math.round((100 * usage) / quota) : 100;
  return `${formatBytes(usage)} of ${formatBytes(quota)} that this browser allows are used (${share} %).`;
}

/**
 * What is to be said at the start; null if nothing is.
 *
 * @param {StorageStatus} status
 */
export function littleSpaceWords({ mode, quota }) {
  if (mode === 'memory' || !isLittleQuota(quota)) return null;
  return `This browser allows only ${formatBytes(quota)} here. It may be a private window, in which everything goes with the window, or the disk is nearly full.`;
}

/** @type {Record<EvictionRisk, string>} */
export const RISKS = {
  none: 'Nobody deletes it but you.',
  low: 'The browser keeps it until you clear it.',
  disk_pressure: 'The browser may clear it when the disk gets full.',
  unused_7_days:
    'Safari clears it after 7 days of use without a visit to this page. Install the app (Share, then Add to Dock or Home Screen): then it stays.',
  private_window:
    'This is probably a private window: everything goes with it, or earlier.',
  memory_only: 'It is in memory only, and goes with this tab.',
};

/** How old; the longest first. @type {readonly [days: number, words: string][]} */
export const AGES = [
  [365, 'a year ago or earlier'],
  [180, 'half a year ago or earlier'],
  [90, 'three months ago or earlier'],
  [30, 'a month ago or earlier'],
  [7, 'a week ago or earlier'],
  [0, 'at any time'],
];

/**
 * @param {number} days  Of AGES.
 * @param {number} now  Unix milliseconds.
 */
export const momentOf = (days, now) => now - days * DAY;

/** @param {PrunePlan} plan */
export function planWords({ conversations, bytesFreed, bytesBefore }) {
  if (conversations === 0) return 'No conversation goes.';
  const freed = `about ${formatBytes(bytesFreed)} of ${formatBytes(bytesBefore)}`;
  const verb = conversations === 1 ? 'goes' : 'go';
  return `${formatPlural(conversations, 'conversation')} ${verb}, which frees ${freed}.`;
}

/**
 * The smaller database is written before the larger one is deleted.
 *
 * @param {PrunePlan} plan
 * @param {number} room  In bytes: what can be given up for it.
 * @returns {string | null}  Null if it will fit.
 */
export function tooMuchWords({ bytesBefore, bytesFreed }, room) {
  const after = bytesBefore - bytesFreed;
  if (after <= room) return null;
  return `About ${formatBytes(after)} would stay. Only about ${formatBytes(room)} are sure to fit beside what is stored now, so it may not become durable: let more go, or delete restore points.`;
}

/**
 * @param {PrunePlan} plan
 * @returns {[string, string | null][]}
 */
export function planFacts({ conversations, events, sessions, telemetry }) {
  const count = (/** @type {number} */ value) =>
    value === 0 ? null : formatCount(value);
  return [
    ['Conversations', count(conversations)],
    ['Events in them', count(events)],
    ['Sessions', count(sessions)],
    ['Telemetry rows', count(telemetry)],
  ];
}

/** @param {PruneReport} report */
export function reportWords({ bytesFreed, bytesBefore, restorePoint }) {
  const after = formatBytes(bytesBefore - bytesFreed);
  const kept = restorePoint
    ? ' The state before is a restore point.'
    : ' No restore point was kept.';
  return `The database had ${formatBytes(bytesBefore)} and has ${after} now.${kept}`;
}
