/**
 * The Web Lock of the one writer of a volume.
 *
 * Rule 1: the worker that will write requests the lock itself, so that its death
 *         releases it.
 * Rule 2: it is never stolen. Who wants it asks on a channel, and the holder
 *         finishes its flush before it lets go.
 * Rule 3: without Web Locks nothing is opened. Two writers would corrupt.
 *
 * Source: https://w3c.github.io/web-locks/
 */

import { handOverChannel, writerLockName } from '../core/names.js';
import { StoreError } from './page-store.js';

/** In milliseconds: how long a holder may take to finish its flush. */
const HAND_OVER_TIME = 10_000;

/**
 * @typedef {object} WriterLock
 * @property {() => void} release
 */

/**
 * @param {string} volume
 * @param {object} options
 * @param {boolean} options.takeOver  Ask the holder to let go.
 * @param {() => Promise<void>} options.onAsked  Another host asks for the lock:
 *   finish; the lock is released when the promise settles.
 * @param {() => Promise<void>} [options.beforeAsking]  Rejects if this host could
 *   do nothing with it.
 * @returns {Promise<WriterLock>}
 * @throws {StoreError} 'store_unavailable' without Web Locks; `storage_in_use`
 *   if the holder keeps it.
 */
export async function acquireWriterLock(
  volume,
  { takeOver, onAsked, beforeAsking },
) {
  if (!globalThis.navigator?.locks) {
    throw new StoreError(
      'store_unavailable',
      'this browser has no Web Locks here, so a second writer could not be ' +
        'kept out; use HTTPS or localhost, and a current browser',
    );
  }
  const free = await request(volume, { ifAvailable: true });
  if (free) return listen(volume, free, onAsked);
  if (!takeOver) throw inUse();
  await beforeAsking?.();
  const channel = new BroadcastChannel(handOverChannel(volume));
  channel.postMessage('let go');
  channel.close();
  const signal = AbortSignal.timeout(HAND_OVER_TIME);
  const handed = await request(volume, { signal });
  if (!handed) throw inUse();
  return listen(volume, handed, onAsked);
}

/**
 * @param {string} volume
 * @param {LockOptions} options
 * @returns {Promise<(() => void) | null>} Releases the lock; null if not had.
 */
function request(volume, options) {
  return new Promise((resolve, reject) => {
    const hold = (/** @type {Lock | null} */ lock) => {
      if (!lock) {
        resolve(null);
        return undefined;
      }
      return new Promise((/** @type {(value: void) => void} */ release) => {
        resolve(() => release());
      });
    };
    const requested = navigator.locks.request(
      writerLockName(volume),
      options,
      hold,
    );
    requested.catch((error) => {
      if (error.name === 'TimeoutError') resolve(null);
      else reject(error);
    });
  });
}

/**
 * @param {string} volume
 * @param {() => void} release
 * @param {() => Promise<void>} onAsked
 * @returns {WriterLock}
 */
function listen(volume, release, onAsked) {
  const channel = new BroadcastChannel(handOverChannel(volume));
  const letGo = () => {
    channel.close();
    release();
  };
  channel.onmessage = () => void onAsked().finally(letGo);
  return { release: letGo };
}

function inUse() {
  const error = new StoreError(
    'store_unavailable',
    'another tab is using this database; close it, or take over',
  );
  return Object.assign(error, { code: 'storage_in_use' });
}
