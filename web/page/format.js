/** Numbers, sizes and times as people read them. Pure; locale of the browser. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** @param {number | null | undefined} bytes */
export function formatBytes(bytes) {
  if (bytes === null || bytes === undefined) return 'unknown';
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** @param {number} value */
export const formatCount = (value) => value.toLocaleString();

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export const formatPlural = (count, one, many = `${one}s`) =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

/** @param {number} usd */
export function formatCost(usd) {
  if (usd === 0) return '$0';
  return usd < 0.01 ? `$${usd.toPrecision(2)}` : `$${usd.toFixed(2)}`;
}

/** @param {number} ms */
export function formatDuration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.round(ms / 60_000)} min`;
}

/** @param {number} ms */
export const formatTime = (ms) =>
  new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

/** @param {number} ms */
export const formatDate = (ms) =>
  new Date(ms).toLocaleDateString([], {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
  });

/** @param {number} ms */
export const formatDateTime = (ms) => `${formatDate(ms)}, ${formatTime(ms)}`;

/**
 * The time of today, the weekday of this week, else the date.
 *
 * @param {number} ms
 * @param {number} now
 */
export function formatWhen(ms, now) {
  const days = daysBetween(ms, now);
  if (days === 0) return formatTime(ms);
  if (days === 1) return 'Yesterday';
  if (days > 1 && days < 7) {
    return new Date(ms).toLocaleDateString([], { weekday: 'long' });
  }
  return formatDate(ms);
}

/**
 * The heading a conversation is listed under.
 *
 * @param {number} ms
 * @param {number} now
 */
export function formatAge(ms, now) {
  const days = daysBetween(ms, now);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return 'This week';
  if (days < 31) return 'This month';
  return new Date(ms).toLocaleDateString([], {
    month: 'long',
    year: 'numeric',
  });
}

/**
 * The name of a backup made at that time: `agentos-YYYY-MM-DD.db`.
 *
 * @param {number} ms
 */
export function backupFileName(ms, isEncrypted = false) {
  const date = new Date(ms);
  const month = String(date.getMonth() + 1).padStart(2, '0');
  const day = String(date.getDate()).padStart(2, '0');
  const end = isEncrypted ? 'encrypted.db' : 'db';
  return `agentos-${date.getFullYear()}-${month}-${day}.${end}`;
}

/**
 * Days on the calendar, not spans of 24 hours.
 *
 * @param {number} earlier
 * @param {number} later
 */
function daysBetween(earlier, later) {
  const start = new Date(earlier).setHours(0, 0, 0, 0);
  const end = new Date(later).setHours(0, 0, 0, 0);
  return Math.round((end - start) / 86_400_000);
}
