/**
 * Our side's host: it starts as `/worker/host.js` does, from the same modules of
 * dist/, but opens a volume of its own and runs `workloads.py` instead of serving
 * tabs.
 */

import { bootPyodide, mountVolume } from '/worker/pyodide-host.js';
import { createPythonDispatch } from '/worker/python-dispatch.js';
import { Volume } from '/worker/volume.js';
import { countWrittenBytes, writtenBytes } from './written-bytes.js';

countWrittenBytes();

const text = async (path) => (await fetch(path)).text();
const sources = Promise.all([
  text('/bench/sides/workloads.py'),
  text('/bench/data/workload.json'),
]);

let volume = null;
let pyodide = null;
let side = null;

/** What the host does between two moments: see `start` in host.js. */
const openVolume = (name) =>
  Volume.open(name, {
    events: { sealed() {}, settled() {}, changed() {} },
  });

const boot = async () => {
  pyodide ??= await bootPyodide(() => {});
};

const load = async () => {
  const [source, workload] = await sources;
  const names = pyodide.toPy({ __name__: 'workloads' });
  pyodide.runPython(source, { globals: names, filename: 'workloads.py' });
  side = names.get('Side')(workload);
};

const start = async (database, durability) => {
  [volume] = await Promise.all([openVolume(database), boot()]);
  mountVolume(pyodide, volume);
  await createPythonDispatch(pyodide, volume, {});
  if (!side) await load();
  await inPython('open', { durability });
};

const inPython = async (method, args) =>
  JSON.parse(await side.call(method, JSON.stringify(args)));

const withRows = async (method, args) =>
  inPython(method, { ...args, rows: await text('/bench/data/rows.json') });

const methods = {
  /**
   * Open, and answer a first query. With `warm`, the host has done so with
   * another database before the clock starts, as the original has.
   */
  async start({ database, warm, durability }) {
    await sources;
    if (warm) {
      await start(`${database}-warm`, durability);
      await methods.close();
      for (const folder of [volume.root, volume.scratch]) {
        pyodide.FS.unmount(folder);
      }
    }
    const began = performance.now();
    await start(database, durability);
    return { ms: performance.now() - began };
  },

  async update(args) {
    const before = writtenBytes();
    const { ms } = await inPython('update', args);
    return { ms, bytes: (writtenBytes() - before) / args.count };
  },

  insert: () => withRows('insert', {}),
  conversations: (args) => withRows('conversations', args),

  async collect() {
    await inPython('collect', {});
    globalThis.gc?.();
    return null;
  },

  async close() {
    await inPython('close', {});
    await volume.close();
    return null;
  },
};

globalThis.onmessage = async ({ data: { method, args } }) => {
  try {
    const call = methods[method] ?? ((given) => inPython(method, given));
    globalThis.postMessage({ result: await call(args) });
  } catch (error) {
    globalThis.postMessage({ error: String(error.stack ?? error) });
  }
};
