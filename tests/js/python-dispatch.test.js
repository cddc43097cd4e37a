/** What Python is told of the host, and when. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bridge } from '../../web/worker/python-dispatch.js';

/** @param {() => Promise<number>} flush */
function bridgeTo(flush) {
  return new Bridge(/** @type {any} */ (null), /** @type {any} */ ({ flush }));
}

test('the end of a flush is told in the turn in which it comes', async () => {
  const bridge = bridgeTo(async () => 7);
  /** @type {unknown[]} */
  const told = [];
  bridge.onFlushed = (...how) => told.push(how);

  bridge.flush(1, false);
  for (let tick = 0; tick < 5; tick++) await Promise.resolve();

  assert.deepEqual(told, [[1, 7]]);
});

test('a flush that fails is told with its error', async () => {
  const failure = new Error('no space');
  const bridge = bridgeTo(() => Promise.reject(failure));

  const told = new Promise((resolve) => {
    bridge.onFlushed = (...how) => resolve(how);
  });
  bridge.flush(3, true);

  assert.deepEqual(await told, [3, 0, failure]);
});

test('who flushes on end what is durable lets others go on', async () => {
  const bridge = bridgeTo(async () => 7);
  let isOver = false;
  let flushes = 0;
  bridge.onFlushed = () => {
    if (!isOver && ++flushes < 10_000) bridge.flush(flushes, false);
  };

  bridge.flush(0, false);
  await new Promise((resolve) => {
    setTimeout(resolve);
  });
  isOver = true;

  assert.ok(flushes < 10_000, 'it never let go');
});
