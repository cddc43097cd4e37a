/**
 * Each byte of a small store is changed once: it is noticed, or it does no harm.
 *
 * Noticed: what opens is an earlier state and the report says so, or nothing opens
 * and the error says so. Never a mix, and never an earlier state in silence.
 */

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

/** @typedef {Map<string, Uint8Array>} Content */

/** A checkpoint, three records behind it, and a fence between them. */
async function smallStore() {
  const machine = new Machine(1);
  const { world } = machine;
  const first = await machine.open();
  stage(first.opened, 'staged', new Uint8Array(PAGE_SIZE).fill(1));
  await world.until(
    first.opened.replaceFile('/persist/a.db', '/scratch/staged'),
  );
  /** @type {Content[]} */
  const states = [contentOf(first.opened)];
  let host = first;
  for (const value of [2, 3, 4]) {
    if (value === 3) {
      world.killBrowser();
      host = await machine.open();
    }
    const { folder } = host.opened;
    const path = value === 4 ? 'b.db' : 'a.db';
    const file = folder.find(path) ?? folder.create(path);
    folder.write(path, file, new Uint8Array(PAGE_SIZE).fill(value), 0);
    await world.until(host.opened.flush(true));
    states.push(contentOf(host.opened));
  }
  world.killBrowser();
  return { disk: machine.disk, states };
}

/**
 * @param {import('./fakes/disk.js').Disk} disk
 * @param {Content[]} states
 * @returns {Promise<'noticed' | 'harmless' | 'refused'>}
 */
async function outcome(disk, states) {
  const machine = new Machine(2);
  machine.world.disk = disk;
  /** @type {import('./fakes/machine.js').Host} */
  let host;
  try {
    host = await machine.open();
  } catch (error) {
    assert.equal(/** @type {any} */ (error).code, 'store_damaged');
    return 'refused';
  }
  const found = contentOf(host.opened);
  const index = states.findIndex((state) => sameContent(state, found));
  assert.notEqual(index, -1, 'it opened as a mix');
  const { setAside } = host.opened.status('a.db').recovery;
  if (index === states.length - 1) return 'harmless';
  assert.ok(setAside > 0, 'an earlier state came in silence');
  return 'noticed';
}

test('each stored byte that changes is noticed, or does no harm', async () => {
  const { disk, states } = await smallStore();
  assert.equal(await outcome(disk.copy(), states), 'harmless');
  const counts = { noticed: 0, harmless: 0, refused: 0 };
  for (const store of ['checkpoints', 'extents', 'log']) {
    for (const [key, value] of disk.rows(DATABASE, store)) {
      const bytes = /** @type {Uint8Array} */ (value);
      for (let at = 0; at < bytes.length; at++) {
        const changed = bytes.slice();
        changed[at] = (bytes[at] ?? 0) ^ (1 + (at % 255));
        const copy = disk.copy();
        copy.tamper(DATABASE, store, key, changed);
        try {
          counts[await outcome(copy, states)]++;
        } catch (error) {
          throw new Error(`${store} ${String(key)}, byte ${at}`, {
            cause: error,
          });
        }
      }
    }
  }
  assert.ok(counts.noticed > 3 * PAGE_SIZE);
  assert.ok(counts.refused > PAGE_SIZE);
});
