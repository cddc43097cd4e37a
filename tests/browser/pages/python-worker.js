/**
 * A worker like the host: the app's Pyodide on the app's volume, without the
 * app. It runs the Python it is sent, so that tests can use any library on
 * `/persist`.
 *
 * Messages: {id, code, packages} in; {id, value} or {id, error} out.
 */

import { bootPyodide, mountVolume } from '/worker/pyodide-host.js';
import { Volume } from '/worker/volume.js';
import { acquireWriterLock } from '/worker/writer-lock.js';

const NAME = 'tests';

const started = start();

async function start() {
  await acquireWriterLock(NAME, {
    takeOver: true,
    onAsked: async () => (await started).volume.close(),
  });
  const events = { sealed() {}, settled() {}, changed() {} };
  const [volume, pyodide] = await Promise.all([
    Volume.open(NAME, { events }),
    bootPyodide(() => {}),
  ]);
  mountVolume(pyodide, volume);
  pyodide.registerJsModule('volume_js', volume);
  return { volume, pyodide };
}

globalThis.onmessage = async ({ data: { id, code, packages = [] } }) => {
  try {
    const { pyodide } = await started;
    if (packages.length > 0) {
      await pyodide.loadPackage(packages, { checkIntegrity: false });
    }
    const value = await pyodide.runPythonAsync(code);
    globalThis.postMessage({ id, value: String(value) });
  } catch (error) {
    globalThis.postMessage({ id, error: String(error?.message ?? error) });
  }
};
