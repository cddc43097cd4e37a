/**
 * Who might delete what is durable, from what can be known.
 *
 * Rule 1: in doubt the greater risk is told.
 * Rule 2: Safari's 7 days are not lifted by a promise to a tab, only by
 *         installing: reports say that `persist()` does not help there.
 * Rule 3: no browser says that a window is private. Where almost no space is
 *         given it probably is one, or the disk is nearly full.
 *
 * Source: https://webkit.org/tracking-prevention/,
 * https://developer.mozilla.org/docs/Web/API/Storage_API
 */

import { isWebKit } from './webkit.js';

/**
 * @typedef {'none' | 'low' | 'disk_pressure' | 'unused_7_days' |
 *   'private_window' | 'memory_only'} EvictionRisk  See client-types.d.ts.
 */

/**
 * @typedef {object} EvictionFacts
 * @property {string} mode  Of the storage.
 * @property {string} userAgent
 * @property {boolean} isInstalled  As an app; false if not known.
 * @property {boolean | null} persisted  Null if not known.
 * @property {number | null} quota  In bytes; null if not known.
 */

/** In bytes. An ordinary window is given gigabytes. */
const LITTLE_QUOTA = 50e6;

/**
 * @param {EvictionFacts} facts
 * @returns {EvictionRisk}
 */
export function evictionRisk(facts) {
  const { mode, userAgent, isInstalled, persisted, quota } = facts;
  if (mode === 'memory') return 'memory_only';
  if (mode === 'native') return 'none';
  if (isLittleQuota(quota)) return 'private_window';
  if (isInstalled) return 'low';
  if (isWebKit(userAgent)) return 'unused_7_days';
  return persisted ? 'low' : 'disk_pressure';
}

/** @param {number | null} quota */
export function isLittleQuota(quota) {
  return quota !== null && quota < LITTLE_QUOTA;
}
