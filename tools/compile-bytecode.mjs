/**
 * Compile Python sources to the bytecode of Pyodide's own Python, inside it.
 *
 *     node compile-bytecode.mjs RUNTIME SOURCES TARGET PLACE
 *
 * Each `.py` below the folder SOURCES becomes a `.pyc` below TARGET. Tracebacks
 * name the file as below PLACE.
 *
 * The result depends on nothing but the sources: no time is in it, and it is not
 * checked against a source, which is not there (PEP 552).
 */

import { pathToFileURL } from 'node:url';

const [runtime, sources, target, place] = process.argv.slice(2);

const COMPILE = `
import importlib.util
from importlib._bootstrap_external import _code_to_hash_pyc
from pathlib import Path

def compile_all(place):
    count = 0
    for path in sorted(Path("/sources").rglob("*.py")):
        source = path.read_bytes()
        name = path.relative_to("/sources")
        code = compile(source, f"{place}/{name}", "exec", dont_inherit=True)
        digest = importlib.util.source_hash(source)
        compiled = Path("/target", name).with_suffix(".pyc")
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.write_bytes(_code_to_hash_pyc(code, digest, False))
        count += 1
    return count

compile_all
`;

const { loadPyodide } = await import(pathToFileURL(`${runtime}/pyodide.mjs`));
const pyodide = await loadPyodide({ indexURL: `${runtime}/` });
pyodide.mountNodeFS('/sources', sources);
pyodide.mountNodeFS('/target', target);
const count = pyodide.runPython(COMPILE)(place);
console.log(
  `compiled ${count} modules for Python ${pyodide.runPython('import sys; sys.version.split()[0]')}`,
);
process.exit(0);
