/**
 * Has a copy of Python made for the next start (see worker/snapshot.js), when the
 * person and the device have time for it.
 *
 * One tab orders it; what goes wrong costs nothing but the time of the next start.
 */

import { mayCopy } from '../worker/snapshot.js';

const MAKER = new URL('../worker/snapshot-maker.js', import.meta.url);

/** In milliseconds after the app is there. */
const LATER = 10_000;

/** In bytes that are still free: the copy must not crowd out the data. */
const ROOM = 500e6;

const LOCK = 'pyodide-app:copies-python';

export function orderSnapshot() {
  if (mayCopy()) setTimeout(() => whenIdle(() => void order()), LATER);
}

async function order() {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  if (quota - usage < ROOM) return;
  await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
    const { failed } = lock ? await make() : {};
    if (failed) console.warn('no copy of Python was made:', failed);
  });
}

/** @returns {Promise<{failed?: string}>} */
function make() {
  return new Promise((resolve) => {
    const worker = new Worker(MAKER, { type: 'module' });
    const end = (/** @type {{failed?: string}} */ outcome) => {
      worker.terminate();
      resolve(outcome);
    };
    worker.onmessage = ({ data }) => end(data);
    worker.onerror = ({ message }) => end({ failed: message });
  });
}

/** @param {() => void} work */
function whenIdle(work) {
  // WebKit has none.
  if ('requestIdleCallback' in globalThis) requestIdleCallback(work);
  else work();
}
