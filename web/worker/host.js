/**
 * The host: the one worker that runs Python and owns the database. Entry point
 * of the SharedWorker (one for all tabs), or of a dedicated Worker where there
 * is no SharedWorker; then one tab owns the database.
 *
 * It joins the parts and starts them; tabs may call from the first moment on and
 * wait for the start.
 *
 * Rule 1: nothing is opened without the writer lock.
 * Rule 2: when another host asks for the lock, this one makes everything durable,
 *         ends all calls with `host_changed`, never writes again, and ends.
 * Rule 3: a file in OPFS can be opened by a dedicated Worker only. A SharedWorker
 *         that finds one refuses, and does not take it from the tab that has it.
 */

import { databaseName, DEFAULT_VOLUME } from '../core/names.js';
import { ImageFiles } from './image-files.js';
import { assertOpenable } from './lazy-images.js';
import { PageStore } from './page-store.js';
import { bootPyodide, mountVolume } from './pyodide-host.js';
import { createPythonDispatch } from './python-dispatch.js';
import { RpcServer } from './rpc-server.js';
import { TailKeeper } from './tail-keeper.js';
import { Volume } from './volume.js';
import { acquireWriterLock } from './writer-lock.js';

/** @import { Progress } from './pyodide-host.js' */

/** In milliseconds between two status events. */
const STATUS_INTERVAL = 100;

/** In milliseconds: for those who wait to be told why the start failed. */
const LAST_WORDS = 500;

/** In milliseconds. A gigabyte is read in a second or two. */
const SLOW_STORE = 15_000;

/** The name carries what a worker's script address cannot: see client.js. */
const takeOver =
  'onconnect' in globalThis || globalThis.name.endsWith(':take-over');

/** @type {Volume | null} */
let volume = null;
let statusIsDue = false;

/** Of the start, 0 to 1. */
let reached = 0;

const tail = new TailKeeper(DEFAULT_VOLUME, (tabId, payload, transfer) =>
  server.send(tabId, 'tail', payload, transfer),
);

const starting = start();

const server = new RpcServer({
  dispatch: starting,
  hostMethods: {
    /** The page is being left: there may be no later moment. */
    'host.leaving': async () => {
      await volume?.flush(false);
      return null;
    },
  },
  onTab: (tabId) => tail.tabCame(tabId, volume?.sealed ?? null),
  onTabGone: (tabId) => tail.tabWent(tabId, volume?.sealed ?? null),
});

async function start() {
  const lock = await acquireWriterLock(DEFAULT_VOLUME, {
    takeOver,
    onAsked: letGo,
    beforeAsking: assertMine,
  });
  try {
    const opening = Volume.open(DEFAULT_VOLUME, {
      events: {
        sealed: (record) => tail.sealed(record),
        settled: (key) => tail.settled(key),
        changed: announceStatus,
      },
    });
    const [opened, pyodide] = await Promise.all([
      sayIfSlow(opening),
      bootPyodide(report),
    ]);
    volume = opened;
    mountVolume(pyodide, opened);
    const dispatch = await createPythonDispatch(pyodide, opened, server);
    report({ phase: 'ready', fraction: 1, message: 'Ready' });
    return dispatch;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** @param {Progress} progress */
function report(progress) {
  reached = progress.fraction;
  server.broadcast('progress', progress);
}

/**
 * A browser may hold a store for a tab that is gone (see page-store.js, Rule 1):
 * then nothing but its end helps, and who waits should know.
 *
 * @template R
 * @param {Promise<R>} opening
 */
async function sayIfSlow(opening) {
  const say = () =>
    report({
      phase: 'database',
      fraction: reached,
      message:
        'The browser does not answer about what it has stored. If this stays, ' +
        'close every tab of this app, or the browser, and open it again',
    });
  const timer = setTimeout(say, SLOW_STORE);
  try {
    return await opening;
  } finally {
    clearTimeout(timer);
  }
}

/** A host that failed to start stays failed: make room for another try. */
async function endIfFailed() {
  try {
    await starting;
  } catch {
    setTimeout(() => globalThis.close(), LAST_WORDS);
  }
}

async function letGo() {
  server.close();
  try {
    await volume?.close();
  } finally {
    // As long as a tab is connected it would be the host of all that come later.
    setTimeout(() => globalThis.close(), LAST_WORDS);
  }
}

async function assertMine() {
  const store = new PageStore(databaseName(DEFAULT_VOLUME));
  try {
    await assertOpenable(store, new ImageFiles(DEFAULT_VOLUME));
  } finally {
    store.close();
  }
}

function announceStatus() {
  if (statusIsDue) return;
  statusIsDue = true;
  setTimeout(() => {
    statusIsDue = false;
    if (volume) server.broadcast('status', volume.summary());
  }, STATUS_INTERVAL);
}

globalThis.addEventListener('connect', (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  if (port) server.connect(port);
});
globalThis.addEventListener('message', (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  if (port) server.connect(port);
});

void endIfFailed();
