/**
 * A copy of Python's memory with our packages imported, kept on this device: the
 * next start puts it back instead of starting Python.
 *
 * Rule 1: it is of this release's Python and packages, and of this browser, or it
 *         is not found. Pyodide itself checks the runtime only.
 * Rule 2: its checksum is compared before it is used, and it was started once
 *         before it was kept. What fails all the same is forgotten.
 * Rule 3: it has nothing of a person in it: it is made in a worker that has opened
 *         no database. What must differ between two starts, `wake` in
 *         pyodide_app/browser/host.py makes anew.
 *
 * Made here and not by the build, because a first visit would have to fetch it: 5 MB
 * more than the files it is made from, which are needed in any case.
 * Pyodide's memory snapshots are a private feature of its own. `snapshot = false` in
 * pyproject.toml does without.
 */

import { unpack } from '../core/sparse-bytes.js';

/** @import { Sparse } from '../core/sparse-bytes.js' */

/** Names the Python that this release has. Replaced by build.py. */
/** @type {string | null} */
// prettier-ignore
const PYTHON = null;

const CACHE = 'pyodide-app:python';

/** In milliseconds. A start from files takes about a second. */
const PATIENCE = 3000;

/** Whether this release makes copies. */
export const mayCopy = () => PYTHON !== null && 'caches' in globalThis;

/** @returns {Promise<boolean>} */
export async function hasSnapshot() {
  return Boolean(await find());
}

/**
 * Whether there is a copy is known before it is read.
 *
 * @returns {Promise<{memory: Promise<Sparse>} | null>}  Never fails; `memory` may.
 */
export async function findSnapshot() {
  if (!mayCopy()) return null;
  try {
    const kept = await Promise.race([find(), nothingIn(PATIENCE)]);
    if (!kept) return null;
    const memory = read(kept);
    // Who starts from it is told, if it comes to that.
    memory.catch(() => {});
    return { memory };
  } catch (error) {
    console.warn('the copy of Python cannot be read:', error);
    return null;
  }
}

/** @param {Uint8Array<ArrayBuffer>} packed  See sparse-bytes.js. */
export async function keepSnapshot(packed) {
  const cache = await caches.open(CACHE);
  for (const other of await cache.keys()) await cache.delete(other);
  await cache.put(address(), new Response(packed));
}

/** @param {unknown} reason */
export async function forgetSnapshot(reason) {
  console.warn('Python starts from its files, not from a copy:', reason);
  // It may be sound, and the next start has more time for it.
  const { name } = /** @type {Error} */ (reason);
  if (name !== 'TimeoutError') await caches.delete(CACHE);
}

async function find() {
  return (await caches.open(CACHE)).match(address());
}

/** @param {Response} kept */
async function read(kept) {
  const packed = await Promise.race([kept.arrayBuffer(), nothingIn(PATIENCE)]);
  const memory = packed && unpack(new Uint8Array(packed));
  if (!packed) throw new DOMException('reading it took long', 'TimeoutError');
  if (!memory) throw new Error('its checksum is wrong');
  return memory;
}

function address() {
  const url = new URL('../python-memory', import.meta.url);
  url.searchParams.set('of', `${PYTHON}`);
  url.searchParams.set('in', navigator.userAgent);
  return url;
}

/**
 * Some caches never answer, for instance while the browser clears them.
 *
 * @param {number} ms
 * @returns {Promise<null>}
 */
function nothingIn(ms) {
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), ms);
  });
}
