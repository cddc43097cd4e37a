/**
 * The last way out of a store that cannot be opened: all of it is set aside, and
 * an empty one begins.
 *
 * Rule 1: whoever calls holds the writer lock.
 * Rule 2: nothing is deleted. It is in quarantine afterwards; restore points stay.
 * Rule 3: it may be cut short after any step, and called again. Extents go first
 *         and checkpoints last: a checkpoint without its extents does not open,
 *         while a log without its checkpoint, or a checkpoint without its log,
 *         would open as an earlier state.
 * Rule 4: the new log begins behind a fence at the end of the old one, as with
 *         every change of the host.
 */

import { encodeCheckpoint } from '../core/checkpoint.js';
import { NO_CHECKSUM } from '../core/checksum.js';
import { encodeFence } from '../core/page-record.js';

/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { DurableStore, PageStore } from './page-store.js' */

/** @type {DurableStore[]} */
const IN_ORDER = ['extents', 'log', 'checkpoints'];

const REASON = 'it was set aside to start anew';

/**
 * @param {PageStore} store
 * @param {number} time  Unix milliseconds.
 */
export async function startAnew(store, time) {
  const logKeys = /** @type {LogKey[]} */ (await store.keys('log'));
  const checkpointIds = await store.keys('checkpoints');
  for (const name of IN_ORDER) {
    const items = (await store.keys(name))
      // Negative ones are the reserve's: they hold nothing.
      .filter((key) => Array.isArray(key) || Number(key) > 0)
      .map((key) => ({ store: name, key, reason: REASON }));
    await store.setAside(items, { time, openedAs: null });
  }
  const [epoch, seq] = logKeys.at(-1) ?? [0, -1];
  const end = { epoch, seq: seq + 1, checksum: NO_CHECKSUM };
  const next = { epoch: epoch + 1, seq: 0, checksum: NO_CHECKSUM };
  await store.addRecord([end.epoch, end.seq], encodeFence(end, time).bytes);
  await store.publishCheckpoint(
    { head: [next.epoch, next.seq], wrote: () => false },
    Number(checkpointIds.at(-1) ?? 0) + 1,
    encodeCheckpoint({ next, time, files: [] }),
    [],
  );
}
