"""The declarations in dist/ are what a TypeScript program can rely on."""

import subprocess

import pytest

from tools.environment import npm_tool
from tools.project import DIST

# As a user of the original's packages would write it.
PROGRAM = """
import { AgentOS, AppError, createAgentOSStorage, IndexedDbAdapter } from '/client.js';

const storage = await createAgentOSStorage({ platform: 'auto', persistence: true });
const db = storage.getAdapter();
const { changes } = await db.run('INSERT INTO t VALUES (?)', [1]);
const total: number = changes + 1;
const bytes: Uint8Array = await storage.exportDatabase();
await storage.importDatabase(bytes, { mode: 'merge' });
for await (const change of storage.watch(['t'])) console.log(change.seq, total);

const adapter = new IndexedDbAdapter({ dbName: 'app-db', durability: 'commit' });
await adapter.open();
const agentos = new AgentOS();
await agentos.initialize({ storageAdapter: adapter });
if (new Error() instanceof AppError) await adapter.close();

// @ts-expect-error  A durability that does not exist.
new IndexedDbAdapter({ durability: 'sometimes' });
"""


@pytest.fixture
def compile_program(tmp_path):
    """Compile *source* strictly against dist/, and return what tsc says."""

    def compile_program(source: str) -> str:
        program = tmp_path / "program.ts"
        program.write_text(source.replace("'/client.js'", f"'{DIST}/client.js'"))
        options = ["--strict", "--noEmit", "--target", "es2022", "--types", ""]
        options += ["--module", "esnext", "--moduleResolution", "bundler"]
        options += ["--lib", "es2022,dom,dom.iterable,dom.asynciterable"]
        return subprocess.run(
            [npm_tool("tsc"), "--ignoreConfig", *options, program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    return compile_program


def test_a_program_of_a_user_compiles(compile_program):
    assert compile_program(PROGRAM) == ""


def test_a_wrong_program_does_not(compile_program):
    said = compile_program("import { nothing } from '/client.js';")

    assert "no exported member" in said
