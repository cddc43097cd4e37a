"""One release is kept as a whole; a new one is offered, never mixed in."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.workbench import Workbench
from tools.project import DIST

# Of every file the cache holds, and of what a request from the page gets.
CACHED = """async () => {
  const hex = (buffer) =>
    [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const body = await (await cache.match(request)).arrayBuffer();
      const path = new URL(request.url).pathname.slice(1);
      found[path] = hex(await crypto.subtle.digest('SHA-256', body));
    }
  }
  return found;
}"""

SERVED = """async (paths) => {
  const hex = (buffer) =>
    [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
  const found = {};
  for (const path of paths) {
    const body = await (await fetch('/' + path)).arrayBuffer();
    found[path] = hex(await crypto.subtle.digest('SHA-256', body));
  }
  return found;
}"""

UPDATE = "navigator.serviceWorker.ready.then((one) => one.update()).then(() => true)"


def release_of(folder: Path) -> dict:
    return json.loads((folder / "release.json").read_text("utf-8"))


@pytest.fixture
def bench(context, open_app) -> Workbench:
    """A first visit whose release is kept."""
    bench = Workbench(open_app(context))
    bench.expect_ready()
    expect(bench.page.locator("#facts")).to_contain_text("Works offlineready")
    return bench


@pytest.fixture
def next_release(tmp_path) -> Path:
    """The release after this one: one style sheet and the name of the app differ."""
    folder = tmp_path / "next"
    shutil.copytree(DIST, folder)
    index = folder / "index.html"
    index.write_text(
        index.read_text("utf-8").replace(">Workbench</p>", ">Workbench 2</p>"), "utf-8"
    )
    styles = folder / "styles.css"
    styles.write_text(styles.read_text("utf-8") + "\n/* 2 */\n", "utf-8")
    before = release_of(folder)
    files = {
        path: hashlib.sha256((folder / path).read_bytes()).hexdigest()
        for path in before["files"]
    }
    release = {**before, "release": "next", "files": files}
    (folder / "release.json").write_text(json.dumps(release), "utf-8")
    worker = folder / "service-worker.js"
    source = re.sub(
        r"const RELEASE = \{.*?\n\};",
        lambda _match: f"const RELEASE = {json.dumps(release)};",
        worker.read_text("utf-8"),
        flags=re.DOTALL,
    )
    worker.write_text(source, "utf-8")
    return folder


def test_the_whole_release_is_kept_after_the_first_visit(shared_workbench):
    """Each file that release.json names is in the cache, with its SHA-256."""
    page = shared_workbench.page
    expect(page.locator("#facts")).to_contain_text("Works offlineready")

    assert page.evaluate(CACHED) == release_of(DIST)["files"]
    assert page.evaluate("navigator.serviceWorker.controller !== null")


def test_only_the_pages_of_the_app_are_answered_by_it(shared_workbench):
    """Also with a query, which a link may carry; any other page is the server's."""
    page = shared_workbench.page.context.new_page()
    names = {}
    for path in ("/", "/?from=a-link", "/index.html", "/tests/blank.html"):
        response = page.goto(path)
        names[path] = (page.title(), response.from_service_worker)

    page.close()
    app = ("Workbench", True)
    expected = {"/": app, "/?from=a-link": app, "/index.html": app}
    assert names == {**expected, "/tests/blank.html": ("Blank", False)}


def test_the_manifest_makes_it_installable(shared_workbench):
    """Name, start, display and icons that exist in the sizes they claim."""
    manifest = shared_workbench.page.evaluate("""async () => {
      const { href } = document.querySelector('link[rel=manifest]');
      const manifest = await (await fetch(href)).json();
      const icons = [];
      for (const { src, sizes, type } of manifest.icons) {
        const image = new Image();
        image.src = new URL(src, href);
        await image.decode();
        icons.push([type, sizes, `${image.naturalWidth}x${image.naturalHeight}`]);
      }
      return { ...manifest, icons };
    }""")

    assert manifest["name"]
    assert manifest["display"] == "standalone"
    assert manifest["start_url"]
    pngs = [icon for icon in manifest["icons"] if icon[0] == "image/png"]
    assert {size for _type, size, _real in pngs} >= {"192x192", "512x512"}
    assert all(size == real for _type, size, real in pngs)


def test_a_new_release_is_offered_and_then_whole(bench, app_server, next_release):
    """Nothing changes until asked; then every file is new, and the data are there."""
    bench.converse("Said with the old release")
    page = bench.page
    app_server.stop()
    app_server.folder = next_release
    app_server.start()

    page.evaluate(UPDATE)
    reload = page.get_by_role("button", name="Reload", exact=True)
    expect(reload).to_be_visible()
    bench.converse("Still with the old release")
    page.reload()
    expect(page.get_by_text("Workbench 2")).to_have_count(0)
    old = release_of(DIST)["files"]
    assert page.evaluate(SERVED, list(old)) == old

    reload.click()

    expect(page.get_by_text("Workbench 2")).to_be_visible()
    bench.expect_ready()
    expect(bench.questions).to_have_count(2)
    new = release_of(next_release)["files"]
    assert page.evaluate(SERVED, list(new)) == new
    expect(reload).to_be_hidden()


def test_a_half_updated_server_changes_nothing(bench, app_server, next_release, faults):
    """A file that is not of the release it says: the old release stays whole."""
    faults.allow("Failed to update a ServiceWorker|service-worker")
    (next_release / "styles.css").write_text("/* of a third release */", "utf-8")
    app_server.stop()
    app_server.folder = next_release
    app_server.start()

    bench.page.evaluate("""async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update();
      const { installing } = registration;
      if (!installing) return;
      await new Promise((resolve) => {
        installing.addEventListener('statechange', () => {
          if (installing.state === 'redundant') resolve();
        });
      });
    }""")
    bench.page.reload()

    bench.expect_ready()
    old = release_of(DIST)["files"]
    assert bench.page.evaluate(SERVED, list(old)) == old
    expect(bench.page.get_by_role("button", name="Reload", exact=True)).to_be_hidden()
