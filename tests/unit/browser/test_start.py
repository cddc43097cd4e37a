"""What the start of the host imports."""

import subprocess
import sys

from tools.project import ROOT

START = """
import sys
import pyodide_app.browser.agents
import pyodide_app.browser.databases
import pyodide_app.browser.dispatcher
print(*(name for name in sys.modules if name.startswith(("pyodide_app.", "apsw"))))
"""


def test_nothing_is_imported_that_the_first_query_does_not_need():
    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    later = (
        "apsw",  # cannot be in a copy of Python's memory
        "pyodide_app.agentos",
        "pyodide_app.storage.adapters.postgres",
        "pyodide_app.storage.backup",
        "pyodide_app.storage.postgres",
    )
    assert "pyodide_app.storage.engine" in done.stdout.split()
    assert [name for name in done.stdout.split() if name.startswith(later)] == []
