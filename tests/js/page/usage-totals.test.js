import assert from 'node:assert/strict';
import { test } from 'node:test';

import { groupUsage, totalUsage } from '../../../web/page/usage-totals.js';

/** @import { UsageRow } from '../../../web/client.js' */

/**
 * @param {Partial<UsageRow>} change
 * @returns {UsageRow}
 */
const row = (change) => ({
  day: '2026-05-01',
  model: 'a',
  calls: 1,
  promptTokens: 0,
  completionTokens: 0,
  totalTokens: 10,
  costUsd: 0.5,
  latencyMsAvg: 100,
  latencyMsP95: 100,
  ...change,
});

test('the mean waiting time counts calls, not rows', () => {
  const total = totalUsage([
    row({ calls: 1, latencyMsAvg: 100 }),
    row({ calls: 3, latencyMsAvg: 500 }),
  ]);

  assert.equal(total.latencyMs, 400);
  assert.equal(total.calls, 4);
  assert.equal(total.costUsd, 1);
});

test('rows without a waiting time do not count as instant', () => {
  const total = totalUsage([
    row({ latencyMsAvg: 100 }),
    row({ calls: 9, latencyMsAvg: null }),
  ]);

  assert.equal(total.latencyMs, 100);
  assert.equal(totalUsage([]).latencyMs, null);
});

test('groups keep the order in which their names appear', () => {
  const rows = [row({ model: 'b' }), row({ model: 'a' }), row({ model: 'b' })];

  const groups = groupUsage(rows, ({ model }) => model ?? '');

  assert.deepEqual(
    groups.map(({ name, totalTokens }) => [name, totalTokens]),
    [
      ['b', 20],
      ['a', 10],
    ],
  );
});
