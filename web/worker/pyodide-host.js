/**
 * Booting Python: the runtime, the packages, the mounts.
 *
 * A device that has a copy of Python's memory starts from that (snapshot.js).
 *
 * Everything comes from our own origin. Nothing is installed: build.py has
 * compiled the packages, and here they are placed where Python imports from, while
 * the runtime compiles. Progress on a first visit is of bytes that have really
 * arrived: the large files are read ahead, and the runtime finds them in the
 * cache. What cannot be fetched is looked for in Cache Storage, because offline
 * requests of a dedicated worker pass the service worker by in Firefox (Gecko bug
 * 2067202).
 */

import { mountFolder } from './page-fs.js';
import { findSnapshot, forgetSnapshot } from './snapshot.js';

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

/** Where Python looks for the engine, below its site-packages. */
const ENGINE = 'apsw/__init__.cpython-314-wasm32-emscripten.so';

/** Where Python finds its other packages; their tracebacks name it. */
const MODULES = '/lib/packages.zip';

/** The share of the start that is over when the large files are there. */
const DOWNLOAD_SHARE = 0.5;

/**
 * @param {(progress: Progress) => void} onProgress
 * @returns {Promise<any>} The Pyodide API; our packages can be imported.
 */
export async function bootPyodide(onProgress) {
  fallBackToCache();
  /** @param {number} fraction */
  const loading = (fraction) =>
    onProgress({ phase: 'runtime', fraction, message: 'Loading Python' });
  /** @param {number} fraction */
  const starting = (fraction) =>
    onProgress({ phase: 'python', fraction, message: 'Starting Python' });
  loading(0);
  const packages = fetchPackages();
  const start = async () => {
    const [pyodideModule, memory] = await Promise.all([
      importRuntime(),
      findSnapshot(),
    ]);
    /** @param {object} options */
    const load = (options) =>
      loadFrom(pyodideModule, packages, () => starting(0.7), options);
    if (memory) {
      try {
        return await wake(await load({ _loadSnapshot: memory }));
      } catch (error) {
        await forgetSnapshot(error);
      }
    }
    await readAhead((fraction) => loading(fraction * DOWNLOAD_SHARE));
    loading(DOWNLOAD_SHARE);
    const pyodide = await load({});
    findPackages(pyodide);
    return pyodide;
  };
  // Both, so that what could not be fetched is the error, not what follows.
  const [, pyodide] = await Promise.all([packages, start()]);
  starting(0.9);
  return pyodide;
}

/** @returns {Promise<Uint8Array>} Python's memory, our packages imported. */
export async function copyPython() {
  fallBackToCache();
  const pyodide = await loadFrom(
    await importRuntime(),
    // Nothing of an extension module can be in a copy.
    fetchPackages().then(([, modules]) => [null, modules]),
    () => {},
    { _makeSnapshot: true },
  );
  findPackages(pyodide);
  pyodide.runPython('from pyodide_app.browser import host; host.preload()');
  return pyodide.makeMemorySnapshot();
}

/** @param {Uint8Array} memory  Of `copyPython`. */
export async function startCopy(memory) {
  const options = { _loadSnapshot: memory };
  const started = loadFrom(
    await importRuntime(),
    fetchPackages(),
    () => {},
    options,
  );
  return wake(await started);
}

const importRuntime = () => import(new URL('pyodide.mjs', RUNTIME).href);

/** @returns {Promise<[Uint8Array, Uint8Array]>}  The engine, and all else. */
const fetchPackages = () =>
  Promise.all([
    fetchBytes(new URL('packages/apsw.so', ROOT)),
    fetchBytes(new URL('packages/packages.zip', ROOT)),
  ]);

/**
 * @param {any} runtime  The module of Pyodide.
 * @param {Promise<[Uint8Array | null, Uint8Array]>} packages
 * @param {() => void} onCompiled
 * @param {object} options
 */
function loadFrom({ loadPyodide }, packages, onCompiled, options) {
  return loadPyodide({
    indexURL: RUNTIME.href,
    enableRunUntilComplete: false,
    // The runtime is compiled, and Python not yet started.
    async fsInit(/** @type {any} */ FS, /** @type {any} */ { sitePackages }) {
      onCompiled();
      const [engine, modules] = await packages;
      FS.mkdirTree(`${sitePackages}/apsw`);
      if (engine) FS.writeFile(`${sitePackages}/${ENGINE}`, engine);
      FS.writeFile(MODULES, modules);
    },
    ...options,
  });
}

/** @param {any} pyodide */
function findPackages(pyodide) {
  pyodide.runPython(`import sys; sys.path.append("${MODULES}")`);
}

/** @param {any} pyodide  Started from a copy. */
function wake(pyodide) {
  pyodide.runPython('from pyodide_app.browser import host; host.wake()');
  return pyodide;
}

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
 * On a first visit. What this device keeps already is there sooner than it could
 * be read twice.
 *
 * @param {(fraction: number) => void} onFraction
 */
async function readAhead(onFraction) {
  if (await isKeptHere()) return;
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

async function isKeptHere() {
  try {
    const found = LARGE_FILES.map((name) =>
      caches.match(new URL(name, RUNTIME)),
    );
    return (await Promise.all(found)).every(Boolean);
  } catch {
    // There is no Cache Storage, or it is blocked.
    return false;
  }
}

/** @param {URL} url */
async function fetchBytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
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
