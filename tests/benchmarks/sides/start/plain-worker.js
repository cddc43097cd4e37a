/** Pyodide as npm has it, as its documentation starts it, and a first query. */

import { loadPyodide } from './npm/pyodide.mjs';

const pyodide = await loadPyodide({
  indexURL: new URL('npm/', import.meta.url).href,
});
const answer = pyodide.runPython(`
import sqlite3
connection = sqlite3.connect(":memory:")
connection.execute("SELECT 6 * 7").fetchone()[0]
`);
postMessage(answer);
