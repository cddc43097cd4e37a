"""Python in a worker of a page, on the app's Pyodide and a volume of its own."""

from collections.abc import Sequence
from textwrap import dedent

from playwright.sync_api import Page

__all__ = ["PythonWorker"]

START = """() => {
  const worker = new Worker('/tests/python-worker.js', { type: 'module' });
  const calls = new Map();
  worker.onmessage = ({ data }) => {
    calls.get(data.id)(data);
    calls.delete(data.id);
  };
  worker.onerror = (event) => {
    for (const settle of calls.values()) settle({ error: event.message });
  };
  globalThis.runPython = (code, packages) =>
    new Promise((settle) => {
      const id = crypto.randomUUID();
      calls.set(id, settle);
      worker.postMessage({ id, code, packages });
    });
}"""

RUN = "([code, packages]) => globalThis.runPython(code, packages)"


class PythonWorker:
    """Runs Python in *page*; ``/persist`` outlives the page, all else does not.

    The module ``volume_js`` is the volume: ``await volume_js.flush(False)``
    makes durable what is committed.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(START)

    def run(self, code: str, packages: Sequence[str] = ()) -> str:
        """Run *code*, which may await, and return the `str` of its last value.

        Args:
            code: Indented as it stands in the test.
            packages: Addresses of wheels to install first.
        """
        answer = self._page.evaluate(RUN, [dedent(code), list(packages)])
        assert "error" not in answer, answer["error"]
        return answer["value"]
