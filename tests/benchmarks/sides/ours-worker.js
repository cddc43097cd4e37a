/**
 * Our side's host: it starts as `/worker/host.js` does, from the same modules of
 * dist/, but opens a volume of its own and runs `workloads.py` instead of serving
 * tabs.
 */

import { bootPyodide, mountVolume } from '/worker/pyodide-host.js';
import { createPythonDispatch } from '/worker/python-dispatch.js';
import { Volume } from '/worker/volume.js';
import { answerFromWorker } from './worker-side.js';
import { countWrittenBytes, writtenBytes } from './written-bytes.js';

countWrittenBytes();

const SOURCES = '/bench/tests/benchmarks/sides/';
const MODULES = [
  'workloads.py',
  'statements.py',
  'conversations.py',
  'messages.py',
  'search.py',
];

const text = async (path) => (await fetch(path)).text();
const sources = Promise.all([
  text('/bench/data/workload.json'),
  ...MODULES.map((name) => text(`/bench/sides/${name}`)),
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
  const [workload, ...modules] = await sources;
  pyodide.FS.mkdirTree(SOURCES);
  for (const [at, name] of MODULES.entries()) {
    pyodide.FS.writeFile(SOURCES + name, modules[at]);
  }
  pyodide.runPython('import sys; sys.path.append("/bench")');
  const workloads = pyodide.pyimport('tests.benchmarks.sides.workloads');
  side = workloads.Side(workload);
  workloads.destroy();
};

const mount = async (database) => {
  [volume] = await Promise.all([openVolume(database), boot()]);
  mountVolume(pyodide, volume);
  await createPythonDispatch(pyodide, volume, {});
  if (!side) await load();
};

const start = async (database, durability) => {
  await mount(database);
  await inPython('open', { durability });
};

const inPython = async (method, args) =>
  JSON.parse(await side.call(method, JSON.stringify(args)));

const withFile = (name, method, field) => async (args) => {
  const data = await text(`/bench/data/${name}`);
  return inPython(method, { ...args, [field]: data });
};

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

  async startEmpty({ database, durability }) {
    await mount(database);
    return inPython('open_empty', { durability });
  },

  async update(args) {
    const before = writtenBytes();
    const answer = await inPython('update', args);
    return { ...answer, bytes: (writtenBytes() - before) / args.count };
  },

  async tests({ name, only }) {
    const run = withFile(`${name}.json`, 'tests', 'tests');
    const before = writtenBytes();
    const answers = await run({ only });
    return { answers, bytes: writtenBytes() - before };
  },

  insert: withFile('rows.json', 'insert', 'rows'),
  conversations: withFile('rows.json', 'conversations', 'rows'),
  warmUp: (args) => inPython('warm_up', args),
  fillMessages: (args) => inPython('fill_messages', args),
  checkSearch: (args) => inPython('check_search', args),
  roundTrips: withFile('round-trips.json', 'round_trips', 'trips'),

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

answerFromWorker((method, args) =>
  methods[method] ? methods[method](args) : inPython(method, args),
);
