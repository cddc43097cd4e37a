"""Starts from a copy of Python's memory: as quick as wanted, and never the same."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.python_worker import PythonWorker
from tests.browser.test_each_start import DRAW
from tests.browser.workbench import Workbench

MAKE = """() => new Promise((resolve) => {
  const worker = new Worker('/worker/snapshot-maker.js', { type: 'module' });
  worker.onmessage = ({ data }) => { worker.terminate(); resolve(data); };
  worker.onerror = ({ message }) => resolve({ failed: message });
})"""

# A start from files has not imported the agents.
IS_COPY = """
    import sys
    str("pyodide_app.agentos" in sys.modules)
"""

# The memory is garbage; all checksums are right.
KEEP_GARBAGE = """async () => {
  const { pack } = await import('/core/sparse-bytes.js');
  const { keepSnapshot } = await import('/worker/snapshot.js');
  const memory = new Uint8Array(30 << 20).map((_, at) => at % 251);
  await keepSnapshot(pack(memory));
}"""

DAMAGE = """async () => {
  const cache = await caches.open('pyodide-app:python');
  const [request] = await cache.keys();
  const bytes = new Uint8Array(
    await (await cache.match(request)).arrayBuffer());
  bytes[bytes.length >> 1] ^= 1;
  await cache.put(request, new Response(bytes));
}"""

KEPT = """async () => {
  const cache = await caches.open('pyodide-app:python');
  return (await cache.keys()).length;
}"""


@pytest.fixture
def page(context, open_app):
    """A page with a copy beside it, and nothing that has started Python."""
    page = open_app(context, "/tests/blank.html")
    assert page.evaluate(MAKE) == {"made": True}
    return page


def test_the_next_start_is_from_the_copy(page, context, open_app):
    assert page.evaluate(MAKE) == {"made": False}

    assert PythonWorker(page).run(IS_COPY) == "True"

    other = open_app(context, "/")
    Workbench(other).expect_ready()
    Workbench(other).converse("Is this the same memory?")


def test_two_starts_from_one_copy_never_draw_the_same(page, context, open_app):
    """Random numbers, identifiers, nonces, file names; `hash` is the device's."""
    draw = DRAW.replace(
        "import json,", "import tempfile, pyodide_app.ids; import json,"
    ).replace(
        '"time":',
        '"name": tempfile.mktemp(), "id": pyodide_app.ids.new_id(), "time":',
    )
    first, second = (
        json.loads(PythonWorker(open_app(context, "/tests/blank.html")).run(draw))
        for _ in range(2)
    )

    same = {name for name, value in first.items() if second[name] == value}
    assert same == {"hash"}
    assert 0 < second["time"] - first["time"] < 600


@pytest.mark.parametrize("spoil", [DAMAGE, KEEP_GARBAGE], ids=["damaged", "garbage"])
def test_a_copy_that_does_not_work_is_forgotten(page, spoil):
    """Python starts from its files, and the console says why."""
    page.evaluate(spoil)
    said = []
    page.on("console", lambda message: said.append(message.text))

    assert PythonWorker(page).run(IS_COPY) == "False"

    assert page.evaluate(KEPT) == 0
    assert any("not from a copy" in text for text in said), said


def test_a_visit_leaves_a_copy_for_the_next(context, open_app):
    """Ten seconds after the app is there, without anybody waiting for it."""
    page = open_app(context)
    Workbench(page).expect_ready()

    for _ in range(60):
        if page.evaluate(KEPT):
            break
        page.wait_for_timeout(500)

    assert page.evaluate(KEPT) == 1
    expect(page.get_by_role("alert")).to_have_count(0)


def test_what_this_browser_keeps_of_another_release_is_not_used(page):
    """Its address names the files that it was made of, and the browser."""
    rename = """async () => {
      const cache = await caches.open('pyodide-app:python');
      const [request] = await cache.keys();
      const url = request.url.replace(/of=\\w+/, 'of=0123456789abcdef');
      await cache.put(url, await cache.match(request));
      await cache.delete(request);
    }"""
    page.evaluate(rename)

    assert PythonWorker(page).run(IS_COPY) == "False"
