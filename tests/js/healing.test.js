/** What becomes of stored bytes that are damaged: kept aside, and handed out. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checksum } from '../../web/core/checksum.js';
import { PAGE_SIZE } from '../../web/core/paged-file.js';
import { PageStore } from '../../web/worker/page-store.js';
import { startAnew } from '../../web/worker/start-anew.js';
import { contentOf, DATABASE, Machine } from './fakes/machine.js';
import { PowerCutError } from './fakes/world.js';

/** @import { Host } from './fakes/machine.js' */

/**
 * Commit a file full of *value*, and flush it.
 *
 * @param {Host} host
 * @param {number} value
 */
async function write(host, value, pages = 1) {
  const { folder } = host.opened;
  const file = folder.find('a.db') ?? folder.create('a.db');
  const bytes = new Uint8Array(pages * PAGE_SIZE).fill(value);
  folder.write('a.db', file, bytes, 0);
  await host.machine.world.until(host.opened.flush(false));
}

/** @param {Host} host */
const valueOf = (host) => contentOf(host.opened).get('a.db')?.[0];

/** @param {Machine} machine */
function reopened(machine) {
  machine.world.killBrowser();
  return machine.open();
}

/** @param {Machine} machine @param {string} store */
function stored(machine, store) {
  const rows = /** @type {[any, any][]} */ (machine.disk.rows(DATABASE, store));
  // The reserve has negative keys.
  return rows.filter(([key]) => Array.isArray(key) || key > 0);
}

/**
 * @param {Machine} machine
 * @param {string} store
 * @returns {Uint8Array} What it is now.
 */
function damage(machine, store, index = -1) {
  const [key, value] = stored(machine, store).at(index) ?? [];
  const bytes = value.slice();
  bytes[60] ^= 1;
  machine.disk.tamper(DATABASE, store, key, bytes);
  return bytes;
}

/** @param {Machine} machine */
async function beganAnew(machine) {
  const page = machine.world.process('page');
  const store = new PageStore(DATABASE, page);
  await machine.world.until(startAnew(store, page.clock.now()));
  page.kill();
}

/** @param {Machine} machine  Every value that is stored anywhere. */
function everyValue(machine) {
  const values = ['log', 'checkpoints', 'extents'].flatMap((name) =>
    stored(machine, name).map(([, value]) => value),
  );
  const aside = stored(machine, 'quarantine').map(([, { bytes }]) => bytes);
  return [...values, ...aside].map((value) => String(checksum(value)));
}

test('what was set aside can be listed, read byte by byte, and deleted', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  for (let i = 1; i <= 4; i++) await write(host, i);
  const before = host.machine.world.now;
  const bad = damage(machine, 'log', -2);
  const last = stored(machine, 'log').at(-1)?.[1];

  const again = await reopened(machine);
  const { world } = machine;
  const items = await world.until(again.opened.quarantine());

  assert.deepEqual(
    items.map(({ name, size }) => [name, size]),
    [
      ['record-1.2.bin', bad.length],
      ['record-1.3.bin', last.length],
    ],
  );
  assert.match(String(items[0]?.reason), /checksum/);
  assert.equal(items[0]?.setAsideAt, items[1]?.setAsideAt);
  assert.ok(Number(items[0]?.openedAs) <= before);
  const read = (/** @type {number} */ id) =>
    world.until(again.opened.readQuarantined(id));
  assert.deepEqual(await read(items[0]?.id ?? 0), bad);
  assert.deepEqual(await read(items[1]?.id ?? 0), last);

  await world.until(again.opened.deleteQuarantined(items[0]?.id ?? 0));

  assert.equal(await read(items[0]?.id ?? 0), null);
  const left = await world.until(again.opened.quarantine());
  assert.deepEqual(left, items.slice(1));
});

test('an item of an earlier release is listed too', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1);
  damage(machine, 'log');
  const again = await reopened(machine);
  const [[id, row] = []] = stored(machine, 'quarantine');
  delete row.openedAs;
  machine.disk.tamper(DATABASE, 'quarantine', id, row);

  const [item] = await machine.world.until(again.opened.quarantine());

  assert.equal(item?.openedAs, null);
});

test('the extents of a damaged checkpoint are kept with it', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1, 30);
  // The old checkpoint stays, as if the power had gone before it was deleted.
  machine.world.faults = (point, { operation }) =>
    point === 'request' && operation === 'delete' ? 'QuotaExceededError' : null;
  await write(host, 2, 30);
  machine.world.faults = () => null;
  assert.equal(machine.count('checkpoints'), 2);
  const [, extents] = stored(machine, 'extents').map(([, bytes]) => bytes);
  damage(machine, 'checkpoints');

  const again = await reopened(machine);

  assert.equal(valueOf(again), 1);
  for (let i = 3; i < 6; i++) await write(again, i, 30);
  const items = await machine.world.until(again.opened.quarantine());
  assert.deepEqual(
    items.map(({ name }) => name),
    ['checkpoint-2.bin', 'extents-2.bin'],
  );
  const kept = again.opened.readQuarantined(items[1]?.id ?? 0);
  const bytes = await machine.world.until(kept);
  assert.deepEqual(bytes, new Uint8Array(extents));
});

test('a store that does not open begins anew, and nothing of it is lost', async () => {
  for (const store of ['log', 'checkpoints', 'extents']) {
    const machine = new Machine(1);
    const host = await machine.open();
    await write(host, 1, store === 'log' ? 1 : 30);
    await write(host, 2);
    await write(host, 3);
    damage(machine, store, 1 - (store === 'log' ? 0 : 2));
    await assert.rejects(reopened(machine), { code: 'store_damaged' });
    const before = everyValue(machine);

    await beganAnew(machine);

    const again = await reopened(machine);
    assert.equal(valueOf(again), undefined);
    assert.equal(again.opened.status('a.db').recovery.setAside, 0);
    const items = await machine.world.until(again.opened.quarantine());
    assert.equal(items.length, before.length);
    const kept = new Set(everyValue(machine));
    assert.ok(before.every((value) => kept.has(value)));
    await write(again, 9, 30);
    assert.equal(valueOf(await reopened(machine)), 9);
    assert.equal(stored(machine, 'quarantine').length, items.length);
  }
});

test('beginning anew keeps out a host that had the store before', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1);
  await write(host, 2);

  await beganAnew(machine);
  const again = await machine.open();
  await write(again, 7);

  await assert.rejects(write(host, 3), { code: 'writer_fenced' });
  assert.equal(valueOf(await reopened(machine)), 7);
});

/** @param {Host} host */
async function verified(host) {
  const { world } = host.machine;
  const { verification } = await world.until(host.opened.diagnose(true));
  assert.ok(verification);
  return verification;
}

test('a sound store verifies, and is compared with the image', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1, 30);
  await write(host, 2);

  const { ok, problems, ...counts } = await verified(host);

  assert.deepEqual(problems, []);
  assert.ok(ok);
  assert.equal(counts.records, 1);
  assert.equal(counts.segments, 1);
  assert.ok(counts.bytes > 30 * PAGE_SIZE);
  assert.ok(counts.comparedImage);
});

for (const [store, name] of /** @type {const} */ ([
  ['log', 'record-1.0.bin does not verify'],
  ['extents', 'checkpoint-1.bin does not verify'],
  ['checkpoints', 'checkpoint-1.bin does not verify'],
])) {
  test(`damage in ${store} is found while the store is open`, async () => {
    const machine = new Machine(1);
    const host = await machine.open();
    await write(host, 1, 30);
    await write(host, 2);
    damage(machine, store);

    const { ok, problems } = await verified(host);

    assert.ok(!ok);
    assert.ok(problems.includes(name), String(problems));
  });
}

test('a record that has gone is missed', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1);
  const [[key, bytes] = []] = stored(machine, 'log').slice(-1);
  await write(host, 2);
  machine.disk.tamper(DATABASE, 'log', [1, 1], bytes);
  assert.deepEqual(key, [1, 0]);

  assert.ok(!(await verified(host)).ok);
});

test('what is stored and what is in memory are compared byte by byte', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1);
  const { folder } = host.opened;
  // Behind the back of what notes changes.
  folder.find('a.db')?.loadExtent(0, new Uint8Array(PAGE_SIZE).fill(9));

  const { problems } = await verified(host);

  assert.deepEqual(problems, ['what is stored is not what is in memory']);
});

test('the diagnosis counts what is stored, and remembers the last flushes', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  for (let i = 1; i <= 25; i++) await write(host, i, i === 25 ? 30 : 2);

  const found = await machine.world.until(host.opened.diagnose(false));

  assert.equal(found.verification, null);
  assert.equal(found.checkpoints, machine.count('checkpoints'));
  assert.equal(found.records, machine.count('log'));
  assert.equal(found.garbage, 0);
  assert.equal(found.losses, 0);
  assert.equal(found.flushes.length, 20);
  const [first, last] = [found.flushes[0], found.flushes.at(-1)];
  assert.equal(first?.kind, 'record');
  assert.equal(first?.pages, 2);
  assert.ok(Number(first?.bytes) > 2 * PAGE_SIZE);
  assert.equal(last?.kind, 'checkpoint');
  assert.equal(last?.bytes, 30 * PAGE_SIZE);
  assert.equal(found.checkpointBytes, 30 * PAGE_SIZE);
});

test('a store that was written anew from memory says so', async () => {
  const machine = new Machine(1);
  const host = await machine.open();
  await write(host, 1);
  machine.world.wipe();
  await write(host, 2);

  const found = await machine.world.until(host.opened.diagnose(true));

  assert.equal(found.rewrites, 1);
  assert.equal(found.losses, 1);
  assert.ok(found.verification?.ok);
});

for (const state of ['damaged', 'sound']) {
  test(`wherever the power goes while a ${state} store begins anew, nothing is lost`, async () => {
    for (let step = 1, isDone = false; !isDone; step++) {
      const machine = new Machine(step);
      const { world } = machine;
      const host = await machine.open();
      await write(host, 1, 30);
      await write(host, 2);
      await world.until(host.opened.flush(true));
      world.losePower();
      if (state === 'damaged') damage(machine, 'extents');
      const before = everyValue(machine);
      const page = world.process('page');
      const store = new PageStore(DATABASE, page);
      world.cutAt = world.steps + step;
      try {
        await world.until(startAnew(store, page.clock.now()));
        isDone = true;
      } catch (error) {
        if (!(error instanceof PowerCutError)) throw error;
      }
      world.losePower();

      const kept = new Set(everyValue(machine));
      assert.ok(before.every((value) => kept.has(value)));
      // Never an earlier state in silence.
      try {
        const found = valueOf(await machine.open());
        assert.ok([undefined, 2].includes(found), String(found));
      } catch (error) {
        assert.equal(/** @type {any} */ (error).code, 'store_damaged');
      }
      await beganAnew(machine);
      const again = await reopened(machine);
      await write(again, 9);
      assert.equal(valueOf(await reopened(machine)), 9);
    }
  });
}
