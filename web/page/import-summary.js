/** What an import would bring and what it brought, as rows for a person. Pure. */

import { formatBytes, formatCount, formatDate } from './format.js';

/** @import { BackupCounts, BackupInspection, ImportReport } from '../client.js' */

/** @type {Record<string, string>} */
const KINDS = {
  pyodide_app: 'A backup of this app',
  'original-seed': 'A database of the original AgentOS storage adapter',
  'original-agentos-storage': 'A database of the original AgentOS storage',
  'original-agentos-runtime': 'A database of the original AgentOS runtime',
};

/** @type {Record<keyof BackupCounts, string>} */
const NAMES = {
  conversations: 'Conversations',
  events: 'Events',
  messages: 'Messages',
  toolCalls: 'Tool calls',
  sessions: 'Sessions',
  personas: 'Personas',
  telemetry: 'Telemetry rows',
  workflows: 'Workflows',
  otherTables: 'Other tables',
};

const KEYS = /** @type {(keyof BackupCounts)[]} */ (Object.keys(NAMES));

/** @param {string} kind */
export const describeKind = (kind) =>
  KINDS[kind] ?? 'A database of another app';

/**
 * @param {BackupInspection} inspection
 * @returns {[string, string | null][]}
 */
export function inspectionFacts(inspection) {
  const { counts, firstAt, lastAt, sizeBytes, schemaVersion } = inspection;
  return [
    ...countFacts(counts),
    ['From', firstAt === null ? null : formatDate(firstAt)],
    ['To', lastAt === null ? null : formatDate(lastAt)],
    ['Size', formatBytes(sizeBytes)],
    ['Schema version', schemaVersion ? String(schemaVersion) : null],
  ];
}

/**
 * @param {ImportReport} report
 * @returns {[string, string | null][]}
 */
export function reportFacts({ added, updated, skipped }) {
  return KEYS.map((key) => {
    const words = [
      count(added[key], 'added'),
      count(updated[key], 'updated'),
      count(skipped[key], 'already here'),
    ].filter((word) => word !== null);
    return [NAMES[key], words.length > 0 ? words.join(', ') : null];
  });
}

/**
 * @param {BackupCounts} counts
 * @returns {[string, string | null][]}
 */
function countFacts(counts) {
  return KEYS.map((key) => [
    NAMES[key],
    counts[key] > 0 ? formatCount(counts[key]) : null,
  ]);
}

/**
 * @param {number} value
 * @param {string} word
 */
function count(value, word) {
  return value > 0 ? `${formatCount(value)} ${word}` : null;
}
