/** The way out of a host that does not start: the store is read by the page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readStored } from '../../../web/page/rescue.js';
import { PageStore } from '../../../web/worker/page-store.js';
import { contentOf, DATABASE, Machine, sameContent } from '../fakes/machine.js';

/** @param {number} seed */
async function filled(seed) {
  const machine = new Machine(seed);
  const host = await machine.open();
  const { folder } = host.opened;
  const write = async (
    /** @type {string} */ path,
    /** @type {number} */ length,
    /** @type {number} */ at,
  ) => {
    const file = folder.find(path) ?? folder.create(path);
    const bytes = new Uint8Array(length).fill(1 + machine.random.below(255));
    folder.write(path, file, bytes, at);
    await machine.world.until(host.opened.flush(false));
  };
  return { machine, host, write };
}

test('what is in checkpoints and in the log is rescued', async () => {
  const { machine, host, write } = await filled(1);
  await write('large.db', (5 << 20) / 2, 0);
  await write('small.db', 5000, 0);
  await write('large.db', 100, 1 << 20);
  assert.ok(machine.count('checkpoints') > 0 && machine.count('log') > 0);
  const before = contentOf(host.opened);
  host.kill();

  const store = new PageStore(DATABASE, machine.world.process('page'));
  const folder = await machine.world.until(readStored(store));

  assert.ok(sameContent(contentOf({ folder }), before));
});

test('rescuing changes nothing that is stored', async () => {
  const { machine, host, write } = await filled(2);
  await write('a.db', 200_000, 0);
  host.kill();
  const before = JSON.stringify(machine.disk.rows(DATABASE, 'log'));

  const store = new PageStore(DATABASE, machine.world.process('page'));
  await machine.world.until(readStored(store));

  assert.equal(JSON.stringify(machine.disk.rows(DATABASE, 'log')), before);
});
