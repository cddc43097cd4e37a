/** What the volume promises, case by case. Each fault found became one of these. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { seal } from '../../web/core/page-record.js';
import { PAGE_SIZE } from '../../web/core/paged-file.js';
import { FakeBlob } from './fakes/indexeddb.js';
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

const MAGIC = Uint8Array.of(0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7);

async function started(seed = 1) {
  const machine = new Machine(seed);
  const host = await machine.open();
  return { machine, world: machine.world, host };
}

/**
 * One commit: a file of *pages* pages full of *value*.
 *
 * @param {Host} host
 * @param {number} value
 */
function commit(host, value, { path = 'a.db', pages = 1 } = {}) {
  const { folder } = host.opened;
  const file = folder.find(path) ?? folder.create(path);
  const bytes = new Uint8Array(pages * PAGE_SIZE).fill(value);
  folder.write(path, file, bytes, 0);
}

/**
 * @param {Host} host
 * @param {string} [path]
 */
function valueOf(host, path = 'a.db') {
  return contentOf(host.opened).get(path)?.[0];
}

/** @param {World} world @param {Host} host @param {boolean} [strict] */
function flush(world, host, strict = false) {
  return world.until(host.opened.flush(strict));
}

/**
 * The browser is killed, and started again.
 *
 * @param {Machine} machine
 */
function reopened(machine) {
  machine.world.killBrowser();
  return machine.open();
}

/** @param {string} code */
function coded(code) {
  return (/** @type {any} */ error) => {
    assert.equal(error.code, code, error.message);
    return true;
  };
}

/** @param {Machine} machine @param {string} store */
function stored(machine, store) {
  return /** @type {[any, any][]} */ (machine.disk.rows(DATABASE, store));
}

/** The reserve has negative keys. @param {Machine} machine */
function segments(machine) {
  return stored(machine, 'extents').filter(([key]) => key > 0);
}

/**
 * Flip a bit of the last stored value, or of another one.
 *
 * @param {Machine} machine
 * @param {string} store
 */
function damage(machine, store, index = -1) {
  const [key, value] = /** @type {[any, Uint8Array]} */ (
    stored(machine, store).at(index)
  );
  const bytes = value.slice();
  bytes[60] = (bytes[60] ?? 0) ^ 1;
  machine.disk.tamper(DATABASE, store, key, bytes.slice(0, value.length));
}

/** @param {World} world  Whatever deletes fails from now on. */
function failDeletions(world) {
  world.faults = (point, { operation }) =>
    point === 'request' && operation === 'delete' ? 'QuotaExceededError' : null;
}

test('what was flushed is there after the browser was killed', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  commit(host, 2);

  assert.equal(valueOf(await reopened(machine)), 1);
});

test('what was flushed strictly is there after the power went', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host, true);
  commit(host, 2);
  await flush(world, host);

  world.losePower();

  assert.ok([1, 2].includes(valueOf(await machine.open()) ?? 0));
});

test('a commit is flushed by itself within the interval of its file', async () => {
  const { world, host } = await started();
  host.opened.setAutosave('/persist/slow.db', 5000);
  host.opened.setAutosave('/persist/never.db', -1);

  commit(host, 1, { path: 'never.db' });
  await world.pass(60_000);
  assert.equal(host.opened.summary().durableSeq, 0);
  commit(host, 1, { path: 'slow.db' });
  await world.pass(4900);
  assert.equal(host.opened.summary().durableSeq, 0);
  await world.pass(200);

  const { durableSeq, committedSeq } = host.opened.summary();
  assert.equal(durableSeq, committedSeq);
});

test('a checkpoint of extents that are gone is not published', async () => {
  const STEP = 0.25;
  for (let seed = 1; seed < 50; seed++) {
    const { machine, world, host } = await started(seed);
    const wipedAt = machine.random.below(40) * STEP;
    for (const value of [1, 2]) {
      commit(host, value, { pages: 9 });
      await flush(world, host);
    }
    await world.pass(wipedAt);
    world.wipe();
    for (let ms = 0; ms < 30; ms += STEP) {
      await world.pass(STEP);
      const isPublished = machine.count('checkpoints') > 0;
      assert.ok(!isPublished || segments(machine).length > 0, `seed ${seed}`);
    }
    await world.pass(1000);
    assert.equal(valueOf(await reopened(machine)), 2);
  }
});

test('a log is checkpointed also while somebody always waits', async () => {
  const { machine, world, host } = await started();
  let left = 60;
  const write = async () => {
    while (left-- > 0) {
      commit(host, left);
      await host.opened.flush(false);
    }
  };

  const first = write();
  await world.pass(0.25);
  // It waits while the record of the other one is under way, and so on.
  await world.until(Promise.all([first, write()]));

  assert.ok(machine.count('checkpoints') > 0, 'the log was never checkpointed');
});

test('no two transactions write at once: Chromium may not outlive that', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 20 });
  await flush(world, host);
  let most = 0;
  world.faults = () => {
    const halfDone = world.transactions.filter((tx) => tx.isHalfDone);
    most = Math.max(most, halfDone.length);
    return null;
  };

  for (let value = 2; value < 12; value++) {
    commit(host, value, { pages: 9 });
    host.writeTail();
    await flush(world, host);
  }
  await world.pass(1000);

  assert.ok(segments(machine).length > 0, 'there was no checkpoint');
  assert.equal(most, 1);
});

test('a store that the browser has deleted as damaged says so once', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  world.wipe();
  world.wasDamaged = true;

  const next = await reopened(machine);
  const [problem] = next.opened.status('/persist/a.db').recovery.problems;
  assert.match(problem ?? '', /damaged, and has deleted it/);

  const later = await reopened(machine);
  assert.deepEqual(later.opened.status('/persist/a.db').recovery.problems, []);
});

test('a store that is emptied while it is open is filled again', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);

  world.wipe();
  await world.pass(100);

  assert.equal(valueOf(await reopened(machine)), 1);
});

test('a commit behind an emptied store brings back all before it', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { path: 'a.db' });
  await flush(world, host);

  world.wipe();
  await world.pass(1);
  commit(host, 2, { path: 'b.db' });
  await flush(world, host);

  const again = await reopened(machine);
  assert.equal(valueOf(again, 'a.db'), 1);
  assert.equal(valueOf(again, 'b.db'), 2);
});

test('a tail in an emptied store is not taken for a log', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  commit(host, 2);
  world.quota = 0;
  const failed = host.opened.flush(false);
  await assert.rejects(world.until(failed), coded('quota_exceeded'));
  world.quota = Infinity;

  world.wipe();
  host.writeTail();
  await world.pass(10_000);

  assert.equal(valueOf(await reopened(machine)), 2);
});

test('a tail written into an emptied store before a kill is set aside', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  commit(host, 2);
  world.quota = 0;
  await assert.rejects(flush(world, host), coded('quota_exceeded'));
  world.quota = Infinity;

  world.wipe();
  host.writeTail();
  host.worker.kill();
  await world.pass(10);
  const again = await reopened(machine);

  assert.equal(contentOf(again.opened).size, 0);
  const { recovery } = again.opened.status('a.db');
  assert.match(recovery.problems[0] ?? '', /deleted what was stored/);
  assert.equal(stored(machine, 'quarantine').length, recovery.setAside);
  commit(again, 3);
  await flush(world, again);
  assert.equal(valueOf(await reopened(machine)), 3);
});

test('a store that is emptied between a collision and the look is no fence', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  world.faults = (_, { process }) =>
    process === host.worker ? 'InvalidStateError' : null;
  host.opened.flush(false).catch(() => {});
  await world.pass(1000);
  host.writeTail();
  await world.pass(10);
  const { record } = host.store;
  host.store.record = (key) => {
    if (key[0] > 0) {
      host.store.record = record;
      world.wipe();
    }
    return record.call(host.store, key);
  };
  world.faults = () => null;
  await world.pass(10_000);

  assert.equal(host.store.record, record);
  assert.equal(host.opened.summary().lastError, null);
  assert.equal(valueOf(await reopened(machine)), 1);
});

test('without space nothing is acknowledged, and it goes on by itself', async () => {
  const { machine, world, host } = await started();
  world.quota = world.disk.usage + 1000;
  commit(host, 1);
  await assert.rejects(flush(world, host), coded('quota_exceeded'));
  commit(host, 2);
  await assert.rejects(flush(world, host), coded('quota_exceeded'));
  assert.equal(host.opened.summary().lastErrorCode, 'quota_exceeded');
  assert.equal(host.opened.summary().durableSeq, 0);
  assert.equal(valueOf(host), 2);

  world.quota = Infinity;
  await world.pass(11_000);

  const { durableSeq, committedSeq, lastError } = host.opened.summary();
  assert.equal(durableSeq, committedSeq);
  assert.equal(lastError, null);
  assert.equal(valueOf(await reopened(machine)), 2);
});

test('a store with no space left can still be opened and read', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  world.quota = 0;

  const again = await reopened(machine);
  assert.equal(valueOf(again), 1);
  commit(again, 2);
  await assert.rejects(flush(world, again), coded('quota_exceeded'));
  world.quota = Infinity;
  await flush(world, again);

  assert.equal(valueOf(await reopened(machine)), 2);
});

test('a checkpoint that finds no space leaves nothing behind', async () => {
  const { machine, world, host } = await started();
  for (let i = 0; i < 9; i++) {
    commit(host, i, { pages: 3 });
    await flush(world, host);
  }
  const before = machine.count('extents');
  world.faults = (point, { transaction }) =>
    point === 'request' && transaction?.stores.includes('checkpoints')
      ? 'QuotaExceededError'
      : null;
  commit(host, 100, { pages: 9 });
  await flush(world, host);
  world.faults = () => null;
  await world.pass(1000);

  assert.ok(machine.count('extents') <= before + 1);
  assert.equal(valueOf(await reopened(machine)), 100);
});

/**
 * A store with a reserve whose quota is used up, and a commit that did not fit.
 *
 * @param {{changed?: number}} [options]  Pages of that commit.
 */
async function full({ changed = 64 } = {}) {
  const pages = 64;
  const { machine, world, host } = await started();
  commit(host, 1, { pages });
  await flush(world, host);
  await world.pass(1000);
  world.quota = world.disk.usage;
  commit(host, 2, { pages: changed });
  await assert.rejects(flush(world, host), coded('quota_exceeded'));
  return { machine, world, host };
}

/** Delete most of it. @param {Host} host @param {number} pages  What stays. */
function cut(host, pages) {
  const { folder } = host.opened;
  const file = folder.find('a.db');
  if (file) folder.resize('a.db', file, pages * PAGE_SIZE);
}

test('a full store shrinks with the help of its reserve', async () => {
  const { machine, world, host } = await full();
  const before = world.disk.usage;
  cut(host, 3);

  await world.until(host.opened.shrink());

  const { committedSeq, durableSeq, lastError } = host.opened.summary();
  assert.equal(durableSeq, committedSeq);
  assert.equal(lastError, null);
  await world.pass(10_000);
  assert.ok(world.disk.usage < before / 4, `${before} to ${world.disk.usage}`);
  commit(host, 3);
  await flush(world, host);
  assert.equal(valueOf(await reopened(machine)), 3);
});

test('a record that found no space is in the smaller store, also as a tail', async () => {
  const { machine, world, host } = await full({ changed: 2 });
  cut(host, 3);
  const tail = [...host.tail];
  assert.equal(tail.length, 1);
  await world.until(host.opened.shrink());
  assert.equal(host.tail.size, 0);

  // A page that was told too late writes it all the same.
  host.tail = new Map(tail);
  host.writeTail();
  await world.pass(100);

  const again = await reopened(machine);
  assert.equal(contentOf(again.opened).get('a.db')?.length, 3 * PAGE_SIZE);
  assert.equal(valueOf(again), 2);
  assert.equal(again.opened.status('a.db').recovery.setAside, 0);
});

test('what does not fit is refused, and what was durable stays so', async () => {
  const { machine, world, host } = await full();

  await assert.rejects(
    world.until(host.opened.shrink()),
    coded('quota_exceeded'),
  );

  assert.equal(valueOf(host), 2);
  assert.equal(valueOf(await reopened(machine)), 1);
});

test('a store that was opened without space shrinks too', async () => {
  const { machine, world } = await full();
  const again = await reopened(machine);
  cut(again, 3);

  await world.until(again.opened.shrink());
  commit(again, 5);
  await flush(world, again);

  assert.equal(valueOf(await reopened(machine)), 5);
});

test('whenever the power goes while a full store shrinks, nothing is lost', async () => {
  for (let cutAfter = 1, isOver = false; !isOver; cutAfter++) {
    const { machine, world, host } = await full();
    cut(host, 3);
    world.cutAt = world.steps + cutAfter;
    let isShrunk = false;
    try {
      await world.until(host.opened.shrink());
      isShrunk = true;
      await world.pass(1000);
      isOver = true;
    } catch (error) {
      if (!(error instanceof PowerCutError)) throw error;
    }
    world.losePower();
    const found = contentOf((await machine.open()).opened).get('a.db');

    const before = found?.[0] === 1 && found.length === 64 * PAGE_SIZE;
    const after = found?.[0] === 2 && found.length === 3 * PAGE_SIZE;
    assert.ok(isShrunk ? after : before || after, `step ${cutAfter}`);
  }
});

test('nothing makes the reserve smaller than it is', async () => {
  const { machine } = await full();
  const reserve = stored(machine, 'extents').filter(([key]) => key < 0);
  assert.ok(reserve.length > 0);
  for (const [, bytes] of reserve) {
    assert.ok(gzipSync(bytes).length > bytes.length * 0.99);
  }
});

test('a reserve that cannot be written is no failure', async () => {
  const { machine, world, host } = await started();
  world.faults = (point, { transaction, operation }) =>
    point === 'request' &&
    operation === 'add' &&
    transaction?.stores.includes('extents')
      ? 'QuotaExceededError'
      : null;
  for (let i = 0; i < 5; i++) {
    commit(host, i, { pages: 9 });
    await flush(world, host);
  }
  await world.pass(1000);

  assert.equal(host.opened.summary().lastError, null);
  assert.equal(stored(machine, 'extents').length, 0);
});

test('strict is not acknowledged for a tail that a page stored relaxed', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host, true);
  commit(host, 2);
  world.faults = (point, { process }) =>
    point === 'request' && process === host.worker ? 'UnknownError' : null;
  host.opened.flush(false).catch(() => {});
  await world.pass(150);
  host.writeTail();
  await world.pass(10);
  world.faults = () => null;
  await flush(world, host, true);

  // Every relaxed commit is lost.
  world.random.below = () => 0;
  world.losePower();

  assert.equal(valueOf(await machine.open()), 2);
});

test('strict is not acknowledged for what the host before stored relaxed', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  const second = await reopened(machine);
  await flush(world, second, true);

  world.random.below = () => 0;
  world.losePower();

  assert.equal(valueOf(await machine.open()), 1);
});

test('a tail counts for the next host, and later writing of it is harmless', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  world.faults = (_, { process }) =>
    process === host.worker ? 'InvalidStateError' : null;
  host.opened.flush(false).catch(() => {});
  await world.pass(1000);
  host.writeTail();
  host.worker.kill();
  await world.pass(10);
  world.faults = () => null;

  const second = await machine.open();
  assert.equal(valueOf(second), 1);
  commit(second, 2);
  await flush(world, second);
  host.writeTail();
  await world.pass(10);

  assert.equal(valueOf(await reopened(machine)), 2);
});

test('a host that was fenced is told so, and stores nothing any more', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 20 });
  await flush(world, host);
  host.worker.freeze();
  const second = await machine.open();
  commit(second, 2);
  await flush(world, second);
  host.worker.thaw();

  commit(host, 3);
  await assert.rejects(flush(world, host), coded('writer_fenced'));
  await assert.rejects(flush(world, host), coded('writer_fenced'));
  stage(host.opened, 'staged', new Uint8Array(PAGE_SIZE));
  const replaced = host.opened.replaceFile('/persist/a.db', '/scratch/staged');
  await assert.rejects(world.until(replaced), coded('writer_fenced'));
  host.writeTail();
  await world.pass(100);

  assert.equal(valueOf(await reopened(machine)), 2);
});

test('a checkpoint of a host that was fenced is not published', async () => {
  const { machine, world, host } = await started();
  for (let i = 0; i < 4; i++) {
    commit(host, i, { pages: 3 });
    await flush(world, host);
  }
  world.faults = (point, { transaction }) => {
    // Its extents are written, the record that lists them is not.
    if (point === 'commit' && transaction?.stores.includes('extents')) {
      host.worker.freeze();
    }
    return null;
  };
  commit(host, 9, { pages: 9 });
  await flush(world, host);
  await world.pass(20);
  world.faults = () => null;
  const second = await machine.open();
  commit(second, 10);
  await flush(world, second);
  await world.pass(100);
  const published = stored(machine, 'checkpoints');
  host.worker.thaw();
  await world.pass(100);

  assert.deepEqual(stored(machine, 'checkpoints'), published);
  assert.equal(valueOf(await reopened(machine)), 10);
});

test('a replaced file is durable, and its staging is gone', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 5 });
  stage(host.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(7));

  await world.until(
    host.opened.replaceFile('/persist/a.db', '/scratch/staged'),
  );

  assert.equal(host.opened.scratchFolder.find('staged'), undefined);
  const again = await reopened(machine);
  assert.deepEqual(
    contentOf(again.opened).get('a.db'),
    new Uint8Array(PAGE_SIZE).fill(7),
  );
});

test('a replacement that fails leaves the file as it was', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 5 });
  await flush(world, host);
  stage(host.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(7));
  world.quota = world.disk.usage + 1000;

  const replaced = host.opened.replaceFile('/persist/a.db', '/scratch/staged');
  await assert.rejects(world.until(replaced), coded('quota_exceeded'));

  assert.equal(valueOf(host), 1);
  assert.equal(contentOf(host.opened).get('a.db')?.length, 5 * PAGE_SIZE);
  assert.ok(host.opened.scratchFolder.find('staged'));
  world.quota = Infinity;
  commit(host, 2);
  await flush(world, host);
  assert.equal(valueOf(await reopened(machine)), 2);
});

test('a replacement waits for a transaction on another file', async () => {
  const { machine, world, host } = await started();
  const { folder } = host.opened;
  commit(host, 1);
  commit(host, 1, { path: 'b.db' });
  const journal = folder.create('b.db-journal');
  folder.write('b.db-journal', journal, MAGIC, 0);
  stage(host.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(7));

  const replaced = host.opened.replaceFile('/persist/a.db', '/scratch/staged');
  await world.pass(1000);
  assert.equal(valueOf(host), 1);
  commit(host, 2, { path: 'b.db' });
  folder.remove('b.db-journal');
  await world.until(replaced);

  const again = await reopened(machine);
  assert.equal(valueOf(again), 7);
});

test('a replacement of which nobody knows whether it was stored is looked up', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  stage(host.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(7));
  world.faults = (point, { transaction }) =>
    point === 'commit' &&
    transaction?.mode === 'readwrite' &&
    transaction.stores.includes('checkpoints')
      ? 'ambiguous'
      : null;

  await world.until(
    host.opened.replaceFile('/persist/a.db', '/scratch/staged'),
  );

  assert.equal(valueOf(await reopened(machine)), 7);
});

test('a checkpoint of another host is not taken for one in doubt', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  await flush(world, host);
  commit(host, 2);
  /** @param {Host} of */
  const replaceIn = (of) => {
    stage(of.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(7));
    return of.opened.replaceFile('/persist/b.db', '/scratch/staged');
  };
  world.faults = (point, { transaction }) => {
    const isPublishing =
      point === 'commit' &&
      transaction?.mode === 'readwrite' &&
      transaction.stores.includes('checkpoints');
    if (isPublishing) host.worker.freeze();
    return isPublishing ? 'UnknownError' : null;
  };
  const replaced = replaceIn(host);
  await world.pass(50);
  world.faults = () => null;
  const second = await machine.open();
  await world.until(replaceIn(second));
  host.worker.thaw();

  await assert.rejects(world.until(replaced), coded('store_lost'));
  await assert.rejects(flush(world, host), coded('writer_fenced'));
  assert.equal(stored(machine, 'checkpoints').length, 1);
});

test('a damaged checkpoint never mixes with records that follow another', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 5 });
  await flush(world, host);
  commit(host, 2, { pages: 1, path: 'b.db' });
  await flush(world, host);
  failDeletions(world);
  stage(host.opened, 'staged', new Uint8Array(3 * PAGE_SIZE).fill(7));
  await world.until(
    host.opened.replaceFile('/persist/a.db', '/scratch/staged'),
  );
  const before = contentOf(host.opened);
  stage(host.opened, 'staged', new Uint8Array(3 * PAGE_SIZE).fill(8));
  await world.until(
    host.opened.replaceFile('/persist/a.db', '/scratch/staged'),
  );
  commit(host, 9);
  await flush(world, host);
  world.faults = () => null;
  assert.equal(machine.count('checkpoints'), 2);
  damage(machine, 'checkpoints');

  const again = await reopened(machine);

  assert.ok(sameContent(contentOf(again.opened), before));
  const { setAside } = again.opened.status('a.db').recovery;
  // The checkpoint, its extents, and the record that follows it.
  assert.equal(setAside, 3);
  assert.equal(machine.count('quarantine'), 3);
});

test('what an interrupted checkpoint left behind goes with the next one', async () => {
  const { machine, world, host } = await started();
  for (let i = 0; i < 4; i++) {
    commit(host, i, { pages: 3 });
    await flush(world, host);
  }
  failDeletions(world);
  commit(host, 9, { pages: 30 });
  await flush(world, host);
  await world.pass(100);
  assert.equal(machine.count('checkpoints'), 1);
  assert.ok(machine.count('log') >= 5);

  world.faults = () => null;
  const again = await reopened(machine);
  commit(again, 10, { pages: 30 });
  await flush(world, again);
  await world.pass(100);

  assert.equal(machine.count('log'), 2, 'the two fences');
  assert.equal(segments(machine).length, 1);
  assert.equal(machine.count('checkpoints'), 1);
  assert.equal(valueOf(await reopened(machine)), 10);
});

for (const storesBlobs of [true, false]) {
  const kind = storesBlobs ? 'Blobs' : 'no Blobs';
  test(`a browser that stores ${kind} keeps images all the same`, async () => {
    const { machine, world, host } = await started();
    world.storesBlobs = storesBlobs;
    commit(host, 1, { pages: 30 });
    await flush(world, host);

    const [[, extent] = []] = stored(machine, 'extents');
    assert.equal(extent instanceof FakeBlob, storesBlobs);
    assert.equal(valueOf(await reopened(machine)), 1);
  });
}

test('an image that the browser does not hand out is no damage', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 30 });
  await flush(world, host);
  const [[key, extent] = []] = stored(machine, 'extents');
  class Unreadable extends FakeBlob {
    /** @override @returns {Promise<never>} */
    async arrayBuffer() {
      throw new DOMException('locked', 'NotReadableError');
    }
  }
  machine.disk.tamper(DATABASE, 'extents', key, new Unreadable([extent]));

  await assert.rejects(reopened(machine), coded('store_lost'));

  assert.equal(machine.count('quarantine'), 0);
  machine.disk.tamper(DATABASE, 'extents', key, extent);
  assert.equal(valueOf(await reopened(machine)), 1);
});

test('a damaged record is set aside with all behind it, and reported', async () => {
  const { machine, world, host } = await started();
  for (let i = 1; i <= 5; i++) {
    commit(host, i);
    await flush(world, host);
  }
  damage(machine, 'log', 3);

  const again = await reopened(machine);

  assert.equal(valueOf(again), 2);
  const { recovery } = again.opened.status('a.db');
  assert.equal(recovery.setAside, 3);
  assert.match(String(recovery.problems[0]), /checksum/);
  assert.deepEqual(
    stored(machine, 'quarantine').map(([, { key }]) => key),
    [
      [1, 2],
      [1, 3],
      [1, 4],
    ],
  );
  commit(again, 9);
  await flush(world, again);
  assert.equal(valueOf(await reopened(machine)), 9);
});

test('if nothing verifies, opening fails and nothing is changed', async () => {
  for (const lose of [
    // The log from its beginning, with no checkpoint.
    async (/** @type {Host} */ host, /** @type {Machine} */ machine) => {
      for (let i = 1; i < 4; i++) {
        commit(host, i);
        await flush(machine.world, host);
      }
      damage(machine, 'log', 1);
    },
    // The only checkpoint, and an extent of it.
    async (/** @type {Host} */ host, /** @type {Machine} */ machine) => {
      commit(host, 1, { pages: 30 });
      await flush(machine.world, host);
      damage(machine, 'checkpoints');
    },
    async (/** @type {Host} */ host, /** @type {Machine} */ machine) => {
      commit(host, 1, { pages: 30 });
      await flush(machine.world, host);
      damage(machine, 'extents');
    },
  ]) {
    const { machine, host } = await started();
    await lose(host, machine);
    const everything = () =>
      ['log', 'checkpoints', 'extents', 'quarantine'].map((store) =>
        stored(machine, store).map(([key]) => String(key)),
      );
    const before = everything();

    await assert.rejects(reopened(machine), coded('store_damaged'));

    assert.deepEqual(everything(), before);
  }
});

test('a store whose first record was torn is an empty one', async () => {
  const { machine, world, host } = await started();
  assert.ok(host.opened);
  const [[key, value] = []] = stored(machine, 'log');
  machine.disk.tamper(DATABASE, 'log', key, value.slice(0, 20));

  const again = await reopened(machine);

  commit(again, 1);
  await flush(world, again);
  assert.equal(valueOf(await reopened(machine)), 1);
});

test('what a newer release has written is left alone', async () => {
  for (const store of ['log', 'checkpoints']) {
    const { machine, world, host } = await started();
    commit(host, 1, { pages: store === 'log' ? 1 : 30 });
    await flush(world, host);
    const [key, value] = stored(machine, store).at(-1) ?? [];
    const newer = value.slice();
    new DataView(newer.buffer).setUint32(8, 99, true);
    machine.disk.tamper(DATABASE, store, key, seal(newer).bytes);

    await assert.rejects(reopened(machine), coded('store_too_new'));

    assert.deepEqual(stored(machine, store).at(-1)?.[1], newer);
    assert.equal(machine.count('quarantine'), 0);
  }
});

test('every stored byte that changes is noticed, or changes nothing', async () => {
  const { machine, world, host } = await started();
  /** @type {Map<string, Uint8Array>[]} */
  const states = [new Map()];
  for (let i = 1; i <= 8; i++) {
    commit(host, i, { path: i % 2 ? 'a.db' : 'b.db', pages: i === 4 ? 30 : 1 });
    states.push(contentOf(host.opened));
    await flush(world, host);
  }
  const last = /** @type {Map<string, Uint8Array>} */ (states.at(-1));
  const { random } = world;
  for (const store of ['log', 'checkpoints', 'extents']) {
    for (const [key, value] of stored(machine, store)) {
      for (let i = 0; i < 12; i++) {
        const at = i < 6 ? random.below(64) : random.below(value.length);
        const bytes = value.slice();
        bytes[at % value.length] ^= 1 << random.below(8);
        await assertNoticed(machine, store, key, bytes, states, last);
      }
    }
  }
});

/**
 * @param {Machine} machine
 * @param {string} store
 * @param {any} key
 * @param {Uint8Array} bytes
 * @param {Map<string, Uint8Array>[]} states
 * @param {Map<string, Uint8Array>} last
 */
async function assertNoticed(machine, store, key, bytes, states, last) {
  const copy = new Machine(7);
  for (const name of ['log', 'checkpoints', 'extents']) {
    if (name === 'log') await copy.open();
    for (const [k] of stored(copy, name)) {
      copy.disk.tamper(DATABASE, name, k, undefined);
    }
    for (const [k, v] of stored(machine, name)) {
      copy.disk.tamper(DATABASE, name, k, v);
    }
  }
  copy.disk.tamper(DATABASE, store, key, bytes);
  copy.world.killBrowser();
  try {
    const host = await copy.open();
    const found = contentOf(host.opened);
    assert.ok(states.some((state) => sameContent(state, found)));
    const { setAside } = host.opened.status('a.db').recovery;
    assert.ok(setAside > 0 || sameContent(found, last));
  } catch (error) {
    coded('store_damaged')(error);
  }
}

/** @param {World} world @param {Host} host @param {string} reason */
function keep(world, host, reason, { path = 'a.db', encrypted = false } = {}) {
  const kept = host.opened.keepRestorePoint(path, reason, encrypted);
  return world.until(kept);
}

test('restore points: ten of a file are kept, and read back whole', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { path: 'other.db' });
  await keep(world, host, 'other', { path: '/persist/other.db' });
  for (let i = 1; i <= 12; i++) {
    commit(host, i, { pages: i });
    await world.pass(1);
    await keep(world, host, `before ${i}`, { path: '/persist/a.db' });
  }

  const again = (await reopened(machine)).opened;
  const kept = await world.until(again.restorePoints('/persist/a.db'));

  assert.deepEqual(
    kept.map(({ reason, size }) => [reason, size / PAGE_SIZE]),
    [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((i) => [`before ${i}`, i]),
  );
  const [newest] = kept;
  assert.ok((newest?.stored ?? Infinity) < PAGE_SIZE);
  const bytes = await world.until(again.readRestorePoint(newest?.id ?? ''));
  assert.deepEqual(bytes, new Uint8Array(12 * PAGE_SIZE).fill(12));
  await world.until(again.stageRestorePoint(newest?.id ?? '', '/scratch/x'));
  assert.equal(again.scratchFolder.find('x')?.size, 12 * PAGE_SIZE);
  await world.until(again.deleteRestorePoint(newest?.id ?? ''));
  await assert.rejects(
    world.until(again.readRestorePoint(newest?.id ?? '')),
    coded('restore_point_not_found'),
  );
  assert.equal(machine.count('restore_points'), 10);
  assert.equal(machine.count('restore_extents'), 10);
});

test('what is encrypted is kept as it is, and is rewritten at once', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 2 });
  const { id } = await keep(world, host, 'plain');
  stage(host.opened, 'sealed', new Uint8Array(3 * PAGE_SIZE).fill(9));

  const rewritten = host.opened.rewriteRestorePoint(id, 'sealed', true);
  await world.until(rewritten);

  const again = (await reopened(machine)).opened;
  const [point] = await world.until(again.restorePoints('a.db'));
  assert.equal(point?.id, id);
  assert.equal(point.reason, 'plain');
  assert.equal(point.encrypted, true);
  assert.equal(point.stored, 3 * PAGE_SIZE);
  assert.equal((await world.until(again.readRestorePoint(id)))[0], 9);
  assert.equal(machine.count('restore_extents'), 1);
});

test('a restore point tells whether its file has changed since', async () => {
  const { world, host } = await started();
  commit(host, 1, { pages: 2 });
  const { id } = await keep(world, host, 'daily');
  const isSame = () => world.until(host.opened.isRestorePointOf(id, 'a.db'));
  assert.equal(await isSame(), true);
  commit(host, 2);
  assert.equal(await isSame(), false);
  commit(host, 1);
  assert.equal(await isSame(), true);
});

test('a restore point that is damaged says so', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  for (const encrypted of [false, true]) {
    const { id } = await keep(world, host, 'x', { encrypted });
    const [key, value] =
      stored(machine, 'restore_extents').find(([[data]]) => data === id) ?? [];
    const bytes = value.slice();
    bytes[5] ^= 1;
    machine.disk.tamper(DATABASE, 'restore_extents', key, bytes);
    const read = world.until(host.opened.readRestorePoint(id));
    await assert.rejects(read, coded('store_damaged'));
  }
});

test('the oldest restore points make room for a new one', async () => {
  const { world, host } = await started();
  for (let i = 1; i <= 3; i++) {
    commit(host, i, { pages: 2 });
    await world.pass(1);
    await keep(world, host, `${i}`, { encrypted: true });
  }
  world.quota = world.disk.usage + PAGE_SIZE;

  await world.pass(1);
  await keep(world, host, '4', { encrypted: true });

  const kept = await world.until(host.opened.restorePoints('a.db'));
  assert.deepEqual(
    kept.map(({ reason }) => reason),
    ['4', '3', '2'],
  );
});

test('a restore point that finds no space half-way is written again', async () => {
  const { world, host } = await started();
  commit(host, 1, { pages: 2 });
  await keep(world, host, 'old');
  let refusals = 0;
  world.faults = (point, { transaction }) => {
    const isRow =
      point === 'request' &&
      transaction?.mode === 'readwrite' &&
      transaction.stores.includes('restore_points');
    return isRow && refusals++ === 0 ? 'QuotaExceededError' : null;
  };
  await world.pass(1);

  const { id } = await keep(world, host, 'new');

  assert.ok(refusals > 1);
  const kept = await world.until(host.opened.restorePoints('a.db'));
  assert.deepEqual(
    kept.map(({ reason }) => reason),
    ['new'],
  );
  const bytes = await world.until(host.opened.readRestorePoint(id));
  assert.deepEqual(bytes, new Uint8Array(2 * PAGE_SIZE).fill(1));
});

test('what a restore point cut short has left goes with the next one', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);
  world.faults = (point, { transaction }) =>
    point === 'request' &&
    transaction?.mode === 'readwrite' &&
    transaction.stores.includes('restore_points')
      ? 'UnknownError'
      : null;
  const failed = keep(world, host, 'cut short');
  await assert.rejects(failed, coded('store_lost'));
  assert.equal(machine.count('restore_extents'), 1);
  world.faults = () => null;

  await keep(world, host, 'next');

  assert.equal(machine.count('restore_points'), 1);
  assert.equal(machine.count('restore_extents'), 1);
});

test('nothing stays of what a file was before it was replaced', async () => {
  const { machine, world, host } = await started();
  commit(host, 1, { pages: 30 });
  await flush(world, host);
  commit(host, 2);
  await flush(world, host);
  await world.pass(1000);
  damage(machine, 'log');
  const again = await reopened(machine);
  assert.equal(machine.count('quarantine'), 1);
  failDeletions(world);
  stage(again.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(7));
  await world.until(again.opened.replaceFile('a.db', 'staged'));
  const left = again.opened.forgetReplaced(true);
  await assert.rejects(world.until(left), coded('quota_exceeded'));
  world.faults = () => null;

  await world.until(again.opened.forgetReplaced(true));

  assert.equal(machine.count('quarantine'), 0);
  assert.equal(machine.count('checkpoints'), 1);
  assert.equal(segments(machine).length, 1);
  const isFence = (/** @type {Uint8Array} */ bytes) => bytes.length < PAGE_SIZE;
  assert.ok(stored(machine, 'log').every(([, bytes]) => isFence(bytes)));
  assert.equal(valueOf(await reopened(machine)), 7);
});

test('an export is a commit point: it waits for the transaction', async () => {
  const { world, host } = await started();
  const { folder } = host.opened;
  commit(host, 1);
  const journal = folder.create('a.db-journal');
  folder.write('a.db-journal', journal, MAGIC, 0);
  commit(host, 2, { pages: 2 });

  const exported = host.opened.exportFile('/persist/a.db');
  await world.pass(100);
  commit(host, 3, { pages: 2 });
  folder.remove('a.db-journal');

  const bytes = await world.until(exported);
  assert.deepEqual(bytes, new Uint8Array(2 * PAGE_SIZE).fill(3));
});

test('what leaves as a Blob is one commit, whatever is written meanwhile', async () => {
  const { world, host } = await started();
  const pages = (17 << 20) / PAGE_SIZE + 1;
  commit(host, 1, { pages });
  const file = await world.until(host.opened.frozen('/persist/a.db'));

  const leaving = file.toBlob('text/plain');
  commit(host, 2, { pages });
  const blob = await leaving;
  file.close();

  assert.equal(blob.type, 'text/plain');
  const bytes = new Uint8Array(await blob.arrayBuffer());
  assert.equal(bytes.length, pages * PAGE_SIZE);
  assert.ok(bytes.every((byte) => byte === 1));
  assert.equal(valueOf(host), 2);
});

test('a file that is only given is read, and replaces nothing', async () => {
  const { world, host } = await started();
  commit(host, 1);
  const given = Uint8Array.from({ length: 600_000 }, (_, i) => i % 251);

  host.opened.placeScratch('given', given);

  const file = /** @type {any} */ (host.opened.scratchFolder.find('given'));
  assert.deepEqual(host.opened.readScratch('given'), given);
  const some = new Uint8Array(300_000);
  assert.equal(file.read(some, 250_000), 300_000);
  assert.deepEqual(some, given.subarray(250_000, 550_000));
  assert.equal(file.read(some, 599_990), 10);
  assert.equal(file.read(some, 700_000), 0);
  const replacing = world.until(host.opened.replaceFile('a.db', 'given'));
  await assert.rejects(replacing, coded('store_unavailable'));
  assert.equal(valueOf(host), 1);
});

test('closing makes everything durable, and nothing can follow', async () => {
  const { machine, world, host } = await started();
  commit(host, 1);

  await world.until(host.opened.close());
  commit(host, 2);
  await assert.rejects(flush(world, host), coded('store_unavailable'));
  await world.pass(1000);

  assert.equal(valueOf(await reopened(machine)), 1);
});
