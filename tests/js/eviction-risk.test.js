import assert from 'node:assert/strict';
import { test } from 'node:test';

import { evictionRisk } from '../../web/core/eviction-risk.js';

const MOZILLA = 'Mozilla/5.0 (X11; Linux x86_64';
const AGENTS = {
  chrome: `${MOZILLA}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36`,
  edge: `${MOZILLA}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0`,
  firefox: `${MOZILLA}; rv:153.0) Gecko/20100101 Firefox/153.0`,
  safari:
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
  chromeOnIphone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/150.0.0.0 Mobile/15E148 Safari/604.1',
};
const GIGABYTES = 10e9;

/** Browser, installed, persisted, quota; the risk. */
const TABLE = /** @type {const} */ ([
  ['chrome', false, false, GIGABYTES, 'disk_pressure'],
  ['chrome', false, true, GIGABYTES, 'low'],
  ['chrome', true, false, GIGABYTES, 'low'],
  ['chrome', false, null, null, 'disk_pressure'],
  ['chrome', false, false, 30e6, 'private_window'],
  ['edge', false, true, GIGABYTES, 'low'],
  ['firefox', false, false, GIGABYTES, 'disk_pressure'],
  ['firefox', false, true, GIGABYTES, 'low'],
  ['firefox', false, false, 0, 'private_window'],
  ['safari', false, false, GIGABYTES, 'unused_7_days'],
  ['safari', false, true, GIGABYTES, 'unused_7_days'],
  ['safari', true, false, GIGABYTES, 'low'],
  ['chromeOnIphone', false, false, GIGABYTES, 'unused_7_days'],
]);

for (const [browser, isInstalled, persisted, quota, risk] of TABLE) {
  const facts = { isInstalled, persisted, quota };
  test(`${browser} ${JSON.stringify(facts)}: ${risk}`, () => {
    const userAgent = AGENTS[browser];
    assert.equal(
      evictionRisk({ mode: 'indexeddb', userAgent, ...facts }),
      risk,
    );
  });
}

test('what is in memory only is lost, and a file is not', () => {
  const facts = {
    userAgent: AGENTS.chrome,
    isInstalled: true,
    persisted: true,
    quota: GIGABYTES,
  };
  assert.equal(evictionRisk({ mode: 'memory', ...facts }), 'memory_only');
  assert.equal(evictionRisk({ mode: 'native', ...facts }), 'none');
});
