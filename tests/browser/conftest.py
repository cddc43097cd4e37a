"""The app served from dist/, and browsers to open it in.

Two pages of one context are two tabs; two contexts are two devices. Pages are
under the app's own Content-Security-Policy, which refuses
`page.wait_for_function` with a string: use `expect` or `wait_until`.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from tests.benchmarks.bundles import BUNDLES, set_up_peers
from tests.browser.faults import Faults
from tests.browser.peer_report import Row, peers_page
from tests.browser.profile import PersistentProfile
from tests.browser.sides import Side
from tests.browser.workbench import Workbench
from tools.browsers import CHROMIUM_ARGS, find_chromium, find_firefox
from tools.project import CACHE, DIST, MODULES, BuildError, settings
from tools.server import AppServer

_PAGES = Path(__file__).parent / "pages"

# Served beside the app to tests only.
_EXTRA = {"/tests/": _PAGES, "/tests/wheels/": CACHE, "/tests/peers/": BUNDLES}

# Two cores, a first boot of Python, and other programs: generous, as a limit is
# only reached by what is broken.
_TIMEOUT_MS = 30_000
expect.set_options(timeout=20_000)


class RestartableServer:
    """The app's server, which a test may stop and start again on the same port.

    Attributes:
        folder: What the next start serves: a release. It is dist/ for each test.
    """

    def __init__(self) -> None:
        self.folder = DIST
        self._server: AppServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """The app's origin, without a slash at its end."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve, if not already."""
        if self._server is None:
            self._server = AppServer(
                self.folder, port=self._port, extra=_EXTRA, beneath=MODULES
            )
            self._port = self._server.port

    def stop(self) -> None:
        """Answer nobody, old connections included, until started again."""
        if self._server is not None:
            self._server.close()
            self._server = None


class OpenApp(Protocol):
    """Opens the app at *path* in a new tab of *context*; see `open_app`."""

    def __call__(self, context: BrowserContext, path: str = "/") -> Page: ...


@pytest.fixture(scope="session")
def _session_server() -> Iterator[RestartableServer]:
    if not (DIST / "release.json").is_file():
        pytest.fail("there is no dist/; run `python3 build.py test`", pytrace=False)
    server = RestartableServer()
    yield server
    server.stop()


@pytest.fixture
def app_server(_session_server: RestartableServer) -> Iterator[RestartableServer]:
    """The running server of dist/; whoever stops it need not start it again."""
    yield _session_server
    if _session_server.folder != DIST:
        _session_server.stop()
        _session_server.folder = DIST
    _session_server.start()


@pytest.fixture(scope="session")
def base_url(_session_server: RestartableServer) -> str:
    """What relative addresses in `page.goto` are relative to."""
    return _session_server.url


@pytest.fixture(scope="session")
def wheel_urls(base_url: str) -> dict[str, str]:
    """Addresses of the pinned wheels as downloaded, by package name.

    Those that only tests need are there too: `pyodide.loadPackage` takes them.
    """
    return {
        wheel.name: f"{base_url}/tests/wheels/{wheel.file}"
        for wheel in settings().wheels
    }


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_name: str, playwright: Playwright
) -> dict[str, Any]:
    """How to launch the browser of this session, which `--browser` chooses."""
    args = _launch_args(playwright, browser_name)
    if args is None:
        pytest.skip(f"there is no {browser_name} on this machine")
    return {**args, **browser_type_launch_args}


@pytest.fixture(scope="session")
def _firefox(playwright: Playwright, pytestconfig: pytest.Config) -> Iterator[Browser]:
    args = _launch_args(playwright, "firefox")
    if args is None:
        pytest.skip("there is no Firefox on this machine")
    headless = not pytestconfig.getoption("--headed")
    browser = playwright.firefox.launch(**args, headless=headless)
    yield browser
    browser.close()


@pytest.fixture
def firefox_context(_firefox: Browser, base_url: str) -> Iterator[BrowserContext]:
    """A fresh profile in Firefox, for tests marked `firefox`."""
    context = _firefox.new_context(base_url=base_url)
    context.set_default_timeout(_TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    """A fresh profile: pytest-playwright's, with the time a first boot takes."""
    context.set_default_timeout(_TIMEOUT_MS)
    return context


@pytest.fixture(params=["chromium", pytest.param("firefox", marks=pytest.mark.firefox)])
def each_context(request: pytest.FixtureRequest) -> BrowserContext:
    """A fresh profile in each browser in turn."""
    name = "context" if request.param == "chromium" else "firefox_context"
    context: BrowserContext = request.getfixturevalue(name)
    return context


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Fails the test afterwards if a page had an error that it did not allow."""
    faults = Faults()
    yield faults
    assert faults.unexpected == []


@pytest.fixture
def open_app(app_server: RestartableServer, faults: Faults) -> OpenApp:
    """Open the app in a new tab; any error it reports fails the test.

    It returns when the document is loaded. Python may still be booting: what a
    test needs it expects.
    """
    watched: list[BrowserContext] = []

    def open_tab(context: BrowserContext, path: str = "/") -> Page:
        if context not in watched:
            watched.append(context)
            faults.watch(context)
        page = context.new_page()
        page.goto(app_server.url + path)
        return page

    return open_tab


@pytest.fixture(scope="module")
def shared_faults() -> Iterator[Faults]:
    """The `faults` of all pages that the tests of a module share."""
    faults = Faults()
    yield faults
    assert faults.unexpected == []


@pytest.fixture(scope="module")
def shared_context(
    browser: Browser, base_url: str, shared_faults: Faults
) -> Iterator[BrowserContext]:
    """One profile for a whole module, where a boot per test would only take time."""
    context = browser.new_context(base_url=base_url)
    context.set_default_timeout(_TIMEOUT_MS)
    shared_faults.watch(context)
    yield context
    context.close()


@pytest.fixture(scope="module")
def shared_page(shared_context: BrowserContext) -> Page:
    """One empty page of the app's origin for a whole module; see `bare_page`."""
    page = shared_context.new_page()
    page.goto("/tests/blank.html")
    return page


@pytest.fixture(scope="module")
def shared_workbench(shared_context: BrowserContext) -> Workbench:
    """One tab with the Workbench, ready, for a whole module."""
    page = shared_context.new_page()
    page.goto("/")
    workbench = Workbench(page)
    workbench.expect_ready()
    return workbench


@pytest.fixture(scope="session")
def peers() -> None:
    """The systems compared with, installed and served."""
    try:
        set_up_peers()
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def peer_rows(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """What systems compared have borne; `--peers-report` writes it to a file."""
    rows: list[Row] = []
    yield rows
    path = request.config.getoption("--peers-report")
    if path:
        names = [item.name for item in request.session.items]
        soak_count = request.config.getoption("--soak-count")
        path.write_text(peers_page(rows, names, soak_count), "utf-8")


@pytest.fixture(scope="module")
def _ours(shared_context: BrowserContext) -> Side:
    return Side(shared_context, "ours")


@pytest.fixture
def ours(_ours: Side, request: pytest.FixtureRequest) -> Iterator[Side]:
    """Our JavaScript API in a page that a module shares, with a database per test."""
    yield from _ours.visited_by(request.node.name)


@pytest.fixture(scope="module")
def _original(browser: Browser, base_url: str, peers: None) -> Iterator[Side]:
    # Its errors are nobody's fault here: no `Faults`.
    with browser.new_context(base_url=base_url) as context:
        yield Side(context, "original")


@pytest.fixture
def original(_original: Side, request: pytest.FixtureRequest) -> Iterator[Side]:
    """The original's adapter, as `npm install` gives it today, used likewise."""
    yield from _original.visited_by(request.node.name)


@pytest.fixture(scope="module")
def _older_original(browser: Browser, base_url: str, peers: None) -> Iterator[Side]:
    with browser.new_context(base_url=base_url) as context:
        yield Side(context, "original-1.13")


@pytest.fixture
def older_original(
    _older_original: Side, request: pytest.FixtureRequest
) -> Iterator[Side]:
    """The same with the engine that it was written with, sql.js 1.13."""
    yield from _older_original.visited_by(request.node.name)


@pytest.fixture
def bare_page(context: BrowserContext, open_app: OpenApp) -> Page:
    """An empty page of the app's origin; `import('/client.js')` works in it."""
    return open_app(context, "/tests/blank.html")


@pytest.fixture
def persistent_profile(
    playwright: Playwright,
    browser_type_launch_args: Mapping[str, object],
    app_server: RestartableServer,  # it outlives the browser
    tmp_path: Path,
) -> Iterator[PersistentProfile]:
    """A profile on disk; `launch`, `kill` and `launch` again."""
    profile = PersistentProfile(
        playwright.chromium, browser_type_launch_args, tmp_path / "profile"
    )
    yield profile
    profile.close()


@pytest.fixture
def firefox_profile(
    playwright: Playwright,
    app_server: RestartableServer,  # it outlives the browser
    tmp_path: Path,
) -> Iterator[PersistentProfile]:
    """The same in Firefox, for tests marked `firefox`."""
    args = _launch_args(playwright, "firefox")
    if args is None:
        pytest.skip("there is no Firefox on this machine")
    profile = PersistentProfile(playwright.firefox, args, tmp_path / "firefox")
    yield profile
    profile.close()


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """Evaluate JavaScript in a page until its value is true, and return that."""

    def wait(page: Page, script: str, timeout_s: float = _TIMEOUT_MS / 1000) -> Any:
        for _ in range(int(timeout_s / 0.05)):
            value = page.evaluate(script)
            if value:
                return value
            page.wait_for_timeout(50)
        return pytest.fail(f"still not true after {timeout_s} s: {script}")

    return wait


def _launch_args(playwright: Playwright, name: str) -> dict[str, Any] | None:
    """Arguments of `launch` for browser *name*, or None if it is not here."""
    args: dict[str, Any] = {}
    if name == "chromium":
        args["args"] = list(CHROMIUM_ARGS)
    if Path(getattr(playwright, name).executable_path).exists():
        return args
    if name == "chromium" and (path := find_chromium()):
        return {**args, "executable_path": path}
    if name == "firefox" and (path := find_firefox()):
        # A Firefox of the system speaks WebDriver BiDi, not Playwright's own.
        return {"channel": "moz-firefox", "executable_path": path}
    return None
