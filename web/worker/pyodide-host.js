/**
 * Booting Python: the runtime, the packages, the mounts.
 *
 * A device that has a copy of Python's memory starts from that (snapshot.js).
 *
 * Everything comes from our own origin, and is asked for in the first moment
 * (fetch-ahead.js). Nothing is installed: build.py has compiled the packages, and
 * here they are placed where Python imports from, while the runtime compiles.
 */

import { unpack } from '../core/sparse-bytes.js';
import { fetchAhead } from './fetch-ahead.js';
import { mountFolder } from './page-fs.js';
import { restoring } from './python-memory.js';
import { findSnapshot, forgetSnapshot } from './snapshot.js';

/** @import { Sparse } from '../core/sparse-bytes.js' */
/** @import { Volume } from './volume.js' */

/**
 * @typedef {object} Progress
 * @property {string} phase  'runtime', 'database', 'python', 'ready'.
 * @property {number} fraction  Of the whole start, 0 to 1.
 * @property {string} message  For people.
 */

const ROOT = new URL('../', import.meta.url);
const RUNTIME = new URL('pyodide/', ROOT);

/** What the runtime asks for by itself, when it has come that far. */
const AHEAD = [
  'pyodide/pyodide.asm.wasm',
  'pyodide/python_stdlib.zip',
  'pyodide/pyodide-lock.json',
];

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
  /** @param {number} fraction */
  const loading = (fraction) =>
    onProgress({ phase: 'runtime', fraction, message: 'Loading Python' });
  /** @param {number} fraction */
  const starting = (fraction) =>
    onProgress({ phase: 'python', fraction, message: 'Starting Python' });
  loading(0);
  const parts = fetchParts((share) => loading(share * DOWNLOAD_SHARE));
  const start = async () => {
    const onCompiled = () => starting(0.7);
    const found = await findSnapshot();
    if (found) {
      try {
        return await startFrom(found.memory, parts, onCompiled);
      } catch (error) {
        await forgetSnapshot(error);
      }
    }
    const pyodide = await loadFrom(parts, onCompiled);
    findPackages(pyodide);
    return pyodide;
  };
  // Both, so that what could not be fetched is the error, not what follows.
  const [, pyodide] = await Promise.all([parts.packages, start()]);
  starting(0.9);
  return pyodide;
}

/** @returns {Promise<Uint8Array>} Python's memory, our packages imported. */
export async function copyPython() {
  const { packages, ...parts } = fetchParts();
  // Nothing of an extension module can be in a copy.
  const withoutEngine = packages.then((all) => ({ ...all, engine: null }));
  const pyodide = await loadFrom(
    { ...parts, packages: withoutEngine },
    () => {},
    { _makeSnapshot: true },
  );
  findPackages(pyodide);
  pyodide.runPython('from pyodide_app.browser import host; host.preload()');
  return pyodide.makeMemorySnapshot();
}

/** @param {Uint8Array} packed  Of `copyPython`. */
export async function startCopy(packed) {
  const memory = unpack(packed);
  if (!memory) throw new Error('the copy of Python was packed wrongly');
  return startFrom(Promise.resolve(memory), fetchParts(), () => {});
}

/**
 * @typedef {object} Parts  Of Python, on their way.
 * @property {Promise<any>} loader  The module of Pyodide.
 * @property {Promise<any>} runtime  Of Emscripten.
 * @property {Promise<Packages>} packages
 *
 * @typedef {object} Packages
 * @property {WebAssembly.Module | null} engine
 * @property {Uint8Array} modules  Our own, and Python's of others.
 */

/**
 * Ask for everything at once: each part is there sooner than it is waited for.
 *
 * @param {(share: number) => void} [onShare]  Of the bytes, on a first visit.
 * @returns {Parts}
 */
function fetchParts(onShare = () => {}) {
  fetchAhead(AHEAD.map(addressOf), onShare);
  const parts = {
    loader: import(new URL('pyodide.mjs', RUNTIME).href),
    runtime: import(new URL('pyodide.asm.mjs', RUNTIME).href),
    packages: fetchPackages(),
  };
  // Whoever needs one is told why it is missing; the others may never be needed.
  for (const part of Object.values(parts)) part.catch(() => {});
  return parts;
}

/** @param {string} path  Of a file of the app. */
const addressOf = (path) => new URL(path, ROOT).href;

/** @returns {Promise<Packages>} */
async function fetchPackages() {
  const [engine, modules] = await Promise.all([
    compile(addressOf('packages/apsw.wasm')),
    fetchBytes(addressOf('packages/packages.zip')),
  ]);
  return { engine, modules };
}

/**
 * @param {Parts} parts
 * @param {() => void} onCompiled
 * @param {object} [options]
 */
async function loadFrom({ loader, packages }, onCompiled, options) {
  const { loadPyodide } = await loader;
  return loadPyodide({
    indexURL: RUNTIME.href,
    enableRunUntilComplete: false,
    // The runtime is compiled, and Python not yet started.
    async fsInit(/** @type {any} */ FS, /** @type {any} */ { sitePackages }) {
      onCompiled();
      const { engine, modules } = await packages;
      if (engine) placeCompiled(FS, `${sitePackages}/${ENGINE}`, engine);
      FS.writeFile(MODULES, modules);
    },
    ...options,
  });
}

/**
 * @param {Promise<Sparse>} memory
 * @param {Parts} parts
 * @param {() => void} onCompiled
 */
async function startFrom(memory, parts, onCompiled) {
  const factory = parts.runtime.then((module) => module.default);
  const options = restoring(factory, memory);
  const pyodide = await loadFrom(parts, onCompiled, options);
  const host = pyodide.pyimport('pyodide_app.browser.host');
  host.wake();
  host.destroy();
  return pyodide;
}

/** @param {any} pyodide */
function findPackages(pyodide) {
  pyodide.runPython(`import sys; sys.path.append("${MODULES}")`);
}

/**
 * @param {any} pyodide
 * @param {Volume} volume
 */
export function mountVolume({ FS }, volume) {
  const onDamage = (/** @type {unknown} */ error) => volume.noteDamage(error);
  mountFolder(FS, volume.folder, volume.root, onDamage);
  mountFolder(FS, volume.scratchFolder, volume.scratch);
  volume.mounted({
    create: (path) => FS.close(FS.open(path, 'w')),
    remove: (path) => FS.unlink(path),
  });
}

/**
 * A library that needs no compiling when it is loaded: Emscripten reads its file as
 * a whole, and takes a module as well as bytes.
 *
 * @param {any} FS
 * @param {string} path
 * @param {WebAssembly.Module} module
 */
function placeCompiled(FS, path, module) {
  FS.mkdirTree(path.slice(0, path.lastIndexOf('/')));
  FS.writeFile(path, '');
  const { readFile } = FS;
  FS.readFile = (/** @type {string} */ name, /** @type {any} */ options) =>
    name === path && options?.encoding === 'binary'
      ? module
      : readFile(name, options);
}

/** @param {string} url */
async function compile(url) {
  const response = await fetched(url);
  return response.headers.get('content-type') === 'application/wasm'
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}

/** @param {string} url */
async function fetchBytes(url) {
  return new Uint8Array(await (await fetched(url)).arrayBuffer());
}

/** @param {string} url */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response;
}
