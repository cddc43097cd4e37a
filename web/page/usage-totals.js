/** Sums over the rows of `telemetry.summary`: one row per day and model. Pure. */

/** @import { UsageRow } from '../client.js' */

/**
 * @typedef {object} UsageGroup
 * @property {string} name
 * @property {number} calls
 * @property {number} totalTokens
 * @property {number} costUsd
 * @property {number | null} latencyMs  Mean over all calls; `null` if unknown.
 */

/**
 * @param {readonly UsageRow[]} rows
 * @param {(row: UsageRow) => string} nameOf
 * @returns {UsageGroup[]}  In order of first appearance.
 */
export function groupUsage(rows, nameOf) {
  /** @type {Map<string, UsageRow[]>} */
  const groups = new Map();
  for (const row of rows) {
    const name = nameOf(row);
    const group = groups.get(name);
    if (group) group.push(row);
    else groups.set(name, [row]);
  }
  return [...groups].map(([name, group]) => ({ ...totalUsage(group), name }));
}

/**
 * @param {readonly UsageRow[]} rows
 * @returns {UsageGroup}
 */
export function totalUsage(rows) {
  const timed = rows.filter(
    ({ latencyMsAvg }) => typeof latencyMsAvg === 'number',
  );
  const timedCalls = sum(timed, ({ calls }) => calls);
  const waited = sum(timed, (row) => (row.latencyMsAvg ?? 0) * row.calls);
  return {
    name: '',
    calls: sum(rows, ({ calls }) => calls),
    totalTokens: sum(rows, ({ totalTokens }) => totalTokens),
    costUsd: sum(rows, ({ costUsd }) => costUsd),
    latencyMs: timedCalls > 0 ? waited / timedCalls : null,
  };
}

/**
 * @param {readonly UsageRow[]} rows
 * @param {(row: UsageRow) => number} valueOf
 */
function sum(rows, valueOf) {
  return rows.reduce((total, row) => total + valueOf(row), 0);
}
