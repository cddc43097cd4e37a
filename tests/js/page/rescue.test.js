/** The way out of a host that does not start: the store is read by the page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PAGE_SIZE } from '../../../web/core/paged-file.js';
import { blobOf, readStored } from '../../../web/page/rescue.js';
import { ImageFiles } from '../../../web/worker/image-files.js';
import { PageStore } from '../../../web/worker/page-store.js';
import { contentOf, DATABASE, Machine, sameContent } from '../fakes/machine.js';
import { fakeOpfs } from '../fakes/opfs.js';

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

test('what lies in OPFS is rescued too, with the log over it', async () => {
  const machine = new Machine(3, { hasOpfs: true });
  const { world } = machine;
  const host = await machine.open();
  const { folder } = host.opened;
  const file = folder.create('a.db');
  for (let page = 0; page < 50; page++) {
    const bytes = new Uint8Array(PAGE_SIZE).fill(page + 1);
    folder.write('a.db', file, bytes, page * PAGE_SIZE);
  }
  await world.until(host.opened.moveFile('/persist/a.db', 'opfs'));
  folder.resize('a.db', file, 40 * PAGE_SIZE);
  const bytes = new Uint8Array(PAGE_SIZE).fill(99);
  folder.write('a.db', file, bytes, 7 * PAGE_SIZE);
  // Behind the end: what was cut off must not come back.
  folder.write('a.db', file, bytes, 44 * PAGE_SIZE);
  await world.until(host.opened.flush(true));
  const before = contentOf(host.opened).get('a.db');
  host.kill();
  const process = world.process('page');
  const store = new PageStore(DATABASE, process);
  const images = new ImageFiles('main', fakeOpfs(world, process));

  const found = await world.until(readStored(store, images));

  const [[, rescued]] = found.files;
  const content = await blobOf(rescued).arrayBuffer();
  assert.deepEqual(new Uint8Array(content), before);

  // A damaged page is taken as it is, and what is missing is zeros.
  const [image] = world.files.files.values();
  image.live = image.live.slice(0, 10 * PAGE_SIZE);
  image.live[5] ^= 1;
  const rest = await world.until(readStored(store, images));
  const [[, damaged]] = rest.files;
  const taken = new Uint8Array(await blobOf(damaged).arrayBuffer());
  assert.equal(taken.length, before?.length);
  assert.equal(taken[5], 1 ^ 1);
  assert.equal(taken[8 * PAGE_SIZE], 9);
  assert.equal(taken[7 * PAGE_SIZE], 99);
  assert.equal(taken[30 * PAGE_SIZE], 0);
});
