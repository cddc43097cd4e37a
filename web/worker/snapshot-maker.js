/**
 * Makes the copy of Python's memory (see snapshot.js), in a worker of its own: one
 * message says how it ended, `{made}` or `{failed}`.
 */

import { pack } from '../core/sparse-bytes.js';
import { copyPython, startCopy } from './pyodide-host.js';
import { hasSnapshot, keepSnapshot } from './snapshot.js';

/** What a start does with a copy. */
const TRY = `
import apsw
apsw.Connection(":memory:").execute("SELECT 6 * 7").get
`;

const ANSWER = 42;

/** @returns {Promise<boolean>}  False if there was one. */
async function make() {
  if (await hasSnapshot()) return false;
  const packed = pack(await copyPython());
  const pyodide = await startCopy(packed);
  if (pyodide.runPython(TRY) !== ANSWER) throw new Error('it cannot count');
  await keepSnapshot(packed);
  return true;
}

try {
  globalThis.postMessage({ made: await make() });
} catch (error) {
  globalThis.postMessage({ failed: String(error) });
}
