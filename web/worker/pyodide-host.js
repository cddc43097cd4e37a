/**
 * Booting Python: the runtime, the wheels, the mounts.
 *
 * Everything comes from our own origin. Progress is of bytes that have really
 * arrived: the large files are read ahead, and the runtime finds them in the
 * cache. What cannot be fetched is looked for in Cache Storage, because offline
 * requests of a dedicated worker pass the service worker by in Firefox (Gecko bug
 * 2067202).
 */

import { mountFolder } from './page-fs.js';

/** @import { Volume } from './volume.js' */

/**
 * @typedef {object} Progress
 * @property {string} phase  'runtime', 'database', 'python', 'ready'.
 * @property {number} fraction  Of the whole start, 0 to 1.
 * @property {string} message  For people.
 */

const ROOT = new URL('../', import.meta.url);
const RUNTIME = new URL('pyodide/', ROOT);

/** Read ahead: what makes up most of the bytes. */
const LARGE_FILES = ['pyodide.asm.wasm', 'python_stdlib.zip'];

/** The share of the start that is over when the large files are there. */
const DOWNLOAD_SHARE = 0.5;

/**
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<any>} The Pyodide API, with our packages installed.
 */
export async function bootPyodide(onProgress) {
  fallBackToCache();
  onProgress({ phase: 'runtime', fraction: 0, message: 'Loading Python' });
  const [{ loadPyodide }, lock] = await Promise.all([
    import(new URL('pyodide.mjs', RUNTIME).href),
    fetchJson(new URL('pyodide-lock.json', RUNTIME)),
    readAhead((fraction) =>
      onProgress({
        phase: 'runtime',
        fraction: fraction * DOWNLOAD_SHARE,
        message: 'Loading Python',
      }),
    ),
  ]);
  onProgress({
    phase: 'python',
    fraction: DOWNLOAD_SHARE,
    message: 'Starting Python',
  });
  const packages = STARTED_WITH.filter((name) => name in lock.packages);
  const pyodide = await loadPyodide({
    indexURL: RUNTIME.href,
    packages,
    enableRunUntilComplete: false,
  });
  // A package that fails to load does not reject: look.
  for (const name of packages) {
    if (!(name in pyodide.loadedPackages)) {
      throw new Error(`the package ${name} did not load`);
    }
  }
  onProgress({ phase: 'python', fraction: 0.9, message: 'Starting Python' });
  return pyodide;
}

/** Packages of the lock file that every start needs. */
const STARTED_WITH = ['pyodide-app', 'apsw-sqlite3mc'];

/**
 * @param {any} pyodide
 * @param {Volume} volume
 */
export function mountVolume({ FS }, volume) {
  mountFolder(FS, volume.folder, volume.root);
  mountFolder(FS, volume.scratchFolder, volume.scratch);
  volume.mounted({
    create: (path) => FS.close(FS.open(path, 'w')),
    remove: (path) => FS.unlink(path),
  });
}

/**
 * @param {(fraction: number) => void} onFraction
 */
async function readAhead(onFraction) {
  const responses = await Promise.all(
    LARGE_FILES.map((name) => fetch(new URL(name, RUNTIME))),
  );
  const total = responses.reduce(
    (sum, { headers }) => sum + Number(headers.get('content-length')),
    0,
  );
  let arrived = 0;
  const drain = async (/** @type {Response} */ { body }) => {
    const reader = body?.getReader();
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) return;
      arrived += part.value.length;
      if (total > 0) onFraction(Math.min(1, arrived / total));
    }
  };
  await Promise.all(responses.map(drain));
}

/** @param {URL} url */
async function fetchJson(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: ${response.status}`);
  return response.json();
}

function fallBackToCache() {
  const { caches, fetch: network } = globalThis;
  if (!caches) return;
  globalThis.fetch = async (input, init) => {
    try {
      return await network(input, init);
    } catch (error) {
      const { method, url } = new Request(input, init);
      const isOurs = method === 'GET' && url.startsWith(ROOT.href);
      const cached = isOurs ? await caches.match(url) : undefined;
      if (cached) return cached;
      throw error;
    }
  };
}
