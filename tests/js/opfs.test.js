/** What a volume promises of files whose image lies in OPFS, case by case. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PAGE_SIZE } from '../../web/core/paged-file.js';
import {
  contentOf,
  DATABASE,
  Machine,
  sameContent,
  stage,
} from './fakes/machine.js';
import { PowerCutError } from './fakes/world.js';

/** @import { Host } from './fakes/machine.js' */
/** @import { World } from './fakes/world.js' */

const PATH = '/persist/a.db';

async function started(seed = 1) {
  const machine = new Machine(seed, { hasOpfs: true });
  const host = await machine.open();
  return { machine, world: machine.world, host };
}

/**
 * One commit: pages full of *value*.
 *
 * @param {Host} host
 * @param {number} value
 */
function commit(host, value, { path = 'a.db', pages = 1, at = 0 } = {}) {
  const { folder } = host.opened;
  const file = folder.find(path) ?? folder.create(path);
  const bytes = new Uint8Array(pages * PAGE_SIZE).fill(value);
  folder.write(path, file, bytes, at * PAGE_SIZE);
}

/** A file of 40 pages in OPFS. */
async function moved(seed = 1) {
  const all = await started(seed);
  const { world, host } = all;
  commit(host, 1, { pages: 40 });
  await world.until(host.opened.moveFile(PATH, 'opfs'));
  return all;
}

/** @param {Machine} machine */
function reopened(machine) {
  machine.world.killBrowser();
  return machine.open();
}

/** @param {Host} host */
const storeOf = (host) => host.opened.status(PATH).store;

/** @param {World} world  The only image file. */
function onlyImage(world) {
  assert.equal(world.files.files.size, 1);
  const [file] = world.files.files.values();
  return /** @type {NonNullable<typeof file>} */ (file);
}

/** @param {string} code */
const coded = (code) => (/** @type {any} */ error) => {
  assert.equal(error.code, code, error.message);
  return true;
};

/** @param {Machine} machine */
const extentKeys = (machine) =>
  machine.disk.rows(DATABASE, 'extents').filter(([key]) => Number(key) > 0);

test('a file that was moved is found again, and its status says where', async () => {
  const { machine, world, host } = await moved();
  assert.equal(storeOf(host), 'opfs');
  const content = contentOf(host.opened);

  const next = await reopened(machine);

  assert.equal(storeOf(next), 'opfs');
  assert.ok(sameContent(contentOf(next.opened), content));
  await world.until(next.opened.moveFile(PATH, 'indexeddb'));
  const last = await reopened(machine);
  assert.equal(storeOf(last), 'indexeddb');
  assert.ok(sameContent(contentOf(last.opened), content));
});

test('what a move has left behind is deleted', async () => {
  const { machine, world, host } = await moved();
  assert.equal(extentKeys(machine).length, 1, 'the page table alone');
  assert.equal(onlyImage(world).live.length, 40 * PAGE_SIZE);

  await world.until(host.opened.moveFile(PATH, 'indexeddb'));

  assert.equal(world.files.files.size, 0);
});

test('a move that is cut short at any step leaves one whole state', async () => {
  for (const to of /** @type {const} */ (['opfs', 'indexeddb'])) {
    const outcomes = { before: 0, after: 0 };
    for (let cut = 1; ; cut++) {
      const { machine, world, host } =
        to === 'opfs' ? await started(cut) : await moved(cut);
      commit(host, 2, { pages: 30 });
      await world.until(host.opened.flush(true));
      const content = contentOf(host.opened);
      const before = storeOf(host);
      world.cutAt = world.steps + cut;
      let isCut = false;
      try {
        await world.until(host.opened.moveFile(PATH, to));
        await world.pass(100);
      } catch (error) {
        if (!(error instanceof PowerCutError)) throw error;
        isCut = true;
      }
      world.losePower({ tear: cut % 2 === 0 });

      const next = await machine.open();

      assert.ok(sameContent(contentOf(next.opened), content), `step ${cut}`);
      outcomes[storeOf(next) === before ? 'before' : 'after']++;
      // An older checkpoint may list an image until the next one is written.
      await world.until(next.opened.shrink());
      const last = await reopened(machine);
      await world.pass(1000);
      const images = storeOf(last) === 'opfs' ? 1 : 0;
      assert.equal(world.files.files.size, images);
      if (!isCut) break;
    }
    assert.ok(
      outcomes.before > 3 && outcomes.after > 1,
      JSON.stringify(outcomes),
    );
  }
});

test('a checkpoint that is cut short at any step leaves every commit', async () => {
  let isCut = true;
  for (let cut = 1; isCut; cut++) {
    const { machine, world, host } = await moved(cut);
    // Half of the pages change, and the log is not yet due for a checkpoint.
    for (let at = 0; at < 10; at += 2) commit(host, 2 + at, { at });
    await world.until(host.opened.flush(true));
    const content = contentOf(host.opened);
    world.cutAt = world.steps + cut;
    isCut = false;
    try {
      await world.until(host.opened.shrink());
      await world.pass(100);
    } catch (error) {
      if (!(error instanceof PowerCutError)) throw error;
      isCut = true;
    }
    world.losePower({ tear: cut % 2 === 0 });

    const next = await machine.open();

    assert.ok(sameContent(contentOf(next.opened), content), `step ${cut}`);
  }
});

test('opening reads nothing of the image but its size', async () => {
  const { machine, world } = await moved();
  onlyImage(world).live.fill(0xff);

  const host = await reopened(machine);

  assert.equal(storeOf(host), 'opfs');
  assert.equal(host.opened.status(PATH).fileBytes, 40 * PAGE_SIZE);
  assert.throws(() => contentOf(host.opened), coded('store_damaged'));
});

test('a damaged page is an error for who reads it, and for nobody else', async () => {
  const { machine, world } = await moved();
  onlyImage(world).live[5 * PAGE_SIZE + 7] ^= 1;
  const host = await reopened(machine);
  const file = host.opened.folder.find('a.db');
  const bytes = new Uint8Array(PAGE_SIZE);

  assert.equal(file?.read(bytes, 4 * PAGE_SIZE), PAGE_SIZE);
  assert.throws(() => file?.read(bytes, 5 * PAGE_SIZE), coded('store_damaged'));
  const { verification } = await world.until(host.opened.diagnose(true));
  assert.equal(verification?.ok, false);
  assert.match(String(verification?.problems), /image does not verify/);

  // It is healed by writing it.
  commit(host, 3, { at: 5 });
  await world.until(host.opened.shrink());
  const healed = await world.until(host.opened.diagnose(true));
  assert.equal(healed.verification?.ok, true);
});

test('an image that is missing or too short is damage, and nothing is changed', async () => {
  for (const spoil of ['missing', 'short']) {
    const { machine, world, host } = await moved();
    const content = contentOf(host.opened);
    const [[path, file]] = world.files.files;
    const whole = file.live;
    if (spoil === 'missing') world.files.files.delete(path);
    else file.live = whole.slice(0, 39 * PAGE_SIZE);

    await assert.rejects(reopened(machine), coded('store_damaged'));
    assert.equal(machine.count('quarantine'), 0);

    world.files.files.set(path, file);
    file.live = whole;
    const next = await reopened(machine);
    assert.ok(sameContent(contentOf(next.opened), content));
  }
});

test('where there is no OPFS a move is refused, and a file that lies there too', async () => {
  const machine = new Machine(1);
  const { world } = machine;
  const host = await machine.open();
  commit(host, 1);
  const moving = host.opened.moveFile(PATH, 'opfs');
  await assert.rejects(world.until(moving), coded('opfs_unavailable'));
  assert.equal(storeOf(host), 'indexeddb');
  await world.until(host.opened.flush(true));

  const other = await moved();
  const content = contentOf(other.host.opened);
  other.machine.hasOpfs = false;
  await assert.rejects(reopened(other.machine), coded('opfs_unavailable'));
  other.machine.hasOpfs = true;
  const next = await reopened(other.machine);
  assert.ok(sameContent(contentOf(next.opened), content));
});

test('a worker that has just died may hold its files for a moment', async () => {
  const { machine, world } = await moved();
  world.killBrowser();
  let looks = 0;
  const holder = {
    get isDead() {
      return ++looks > 2;
    },
  };
  onlyImage(world).handle = /** @type {any} */ (holder);
  const { now } = world;

  const host = await machine.open();

  assert.equal(storeOf(host), 'opfs');
  assert.ok(world.now - now < 10_000);
});

test('a file that somebody else keeps open is in use', async () => {
  const { machine, world } = await moved();
  world.killBrowser();
  onlyImage(world).handle = /** @type {any} */ ({ isDead: false });

  await assert.rejects(machine.open(), coded('storage_in_use'));
});

test('a file that is replaced stays where it is', async () => {
  const { machine, world, host } = await moved();
  stage(host.opened, 'staged', new Uint8Array(9 * PAGE_SIZE).fill(5));

  await world.until(host.opened.replaceFile(PATH, '/scratch/staged'));

  assert.equal(storeOf(host), 'opfs');
  assert.equal(onlyImage(world).live.length, 9 * PAGE_SIZE);
  const next = await reopened(machine);
  assert.equal(contentOf(next.opened).get('a.db')?.[0], 5);
  assert.equal(storeOf(next), 'opfs');
});

test('a restore point is kept of it, and taken while it changes', async () => {
  const { world, host } = await moved();
  const keeping = host.opened.keepRestorePoint(PATH, 'a test', false);
  await world.few(3);
  for (let at = 0; at < 40; at += 3) commit(host, 9, { at });
  await world.until(host.opened.shrink());
  const { id } = await world.until(keeping);

  const kept = await world.until(host.opened.readRestorePoint(id));

  assert.deepEqual(kept, new Uint8Array(40 * PAGE_SIZE).fill(1));
});

test('a replaced image is deleted when nobody reads it any more', async () => {
  const { world, host } = await moved();
  const view = host.opened.folder.find('a.db')?.freeze();
  await world.until(host.opened.moveFile(PATH, 'indexeddb'));
  assert.equal(world.files.files.size, 1);
  assert.equal(view?.page(3)[0], 1);

  view?.close();
  await world.until(host.opened.forgetReplaced(false));

  assert.equal(world.files.files.size, 0);
});

test('a file that has shrunk takes less space', async () => {
  const { world, host } = await moved();
  const { folder } = host.opened;
  const file = folder.find('a.db');
  assert.ok(file);
  folder.resize('a.db', file, 4 * PAGE_SIZE);
  commit(host, 3, { pages: 4 });

  await world.until(host.opened.shrink());

  assert.equal(onlyImage(world).live.length, 4 * PAGE_SIZE);
});

test('an image of a checkpoint that was set aside stays', async () => {
  const { machine, world, host } = await moved();
  await world.until(host.opened.moveFile(PATH, 'indexeddb'));
  await world.until(host.opened.moveFile(PATH, 'opfs'));
  const [[key, value]] = machine.disk.rows(DATABASE, 'checkpoints').slice(-1);
  const listed = /** @type {Uint8Array} */ (value);
  world.killBrowser();
  const { startAnew } = await import('../../web/worker/start-anew.js');
  const { PageStore } = await import('../../web/worker/page-store.js');
  const store = new PageStore(DATABASE, world.process('page'));
  await world.until(startAnew(store, world.now));
  store.close();

  const anew = await reopened(machine);
  await world.pass(1000);
  assert.equal(contentOf(anew.opened).size, 0);
  assert.equal(world.files.files.size, 1, 'it is all there is of the data');
  assert.ok(key && listed.length > 0);

  // Given up by a person, it goes.
  for (const { id } of await world.until(anew.opened.quarantine())) {
    await world.until(anew.opened.deleteQuarantined(id));
  }
  await reopened(machine);
  await world.pass(1000);
  assert.equal(world.files.files.size, 0);
});

test('a log of a file in OPFS does not grow with the file', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 400 });
  await world.until(host.opened.moveFile(PATH, 'opfs'));

  for (let i = 0; i < 100; i++) {
    commit(host, i, { at: (7 * i) % 400 });
    await world.until(host.opened.flush(false));
    await world.pass(50);
    assert.ok(host.opened.status(PATH).logBytes < 80_000);
  }

  const content = contentOf(host.opened);
  const next = await reopened(machine);
  assert.ok(sameContent(contentOf(next.opened), content));
});

test('without space a file is changed in memory until there is some', async () => {
  const { machine, world, host } = await moved();
  world.quota = world.usage + 20_000;
  for (let at = 0; at < 40; at++) commit(host, 7, { at });
  const flushing = host.opened.flush(false);
  await assert.rejects(world.until(flushing), coded('quota_exceeded'));
  assert.equal(host.opened.summary().lastErrorCode, 'quota_exceeded');
  assert.equal(contentOf(host.opened).get('a.db')?.at(-1), 7);

  world.quota = Infinity;
  await world.pass(20_000);

  const next = await reopened(machine);
  assert.equal(contentOf(next.opened).get('a.db')?.at(-1), 7);
});
