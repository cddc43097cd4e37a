"""Options and order of the whole test run."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.postgres import postgres_of_its_own
from tests.reliability import Row, write_rows

# Here, because browser tests import it too, before its own folder is collected.
pytest.register_assert_rewrite("tests.contract.adapter_contract")

T = TypeVar("T")

_BROWSER_TESTS = Path(__file__).parent / "browser"

# How often the tests with a fixture of that name do what they do.
_USUAL = {"soak_count": 50, "histories": 100_000, "hostile_files": 1000}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `build.py test` passes on."""
    group = parser.getgroup("pyodide_app")
    group.addoption(
        "--soak-count",
        type=int,
        default=_USUAL["soak_count"],
        help="how often the browser is killed under writing (default: %(default)s)",
    )
    group.addoption(
        "--histories",
        type=int,
        default=_USUAL["histories"],
        help="simulated histories of the page store (default: %(default)s)",
    )
    group.addoption(
        "--reliability-report",
        type=Path,
        help="append rows to this file, and run only the tests that have any",
    )
    group.addoption(
        "--hostile-files",
        type=int,
        default=_USUAL["hostile_files"],
        help="how many hostile files are imported (default: %(default)s)",
    )
    group.addoption(
        "--peers-report",
        type=Path,
        help="write what other systems bear beside ours to this file",
    )
    group.addoption(
        "--contract-matrix",
        action="store_true",
        help="print adapter x case of the contract of storage adapters",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Put browser tests last; for a report, leave out what has no row in it.

    What is asked to do more than usual may take as long as that takes.
    Playwright's synchronous API keeps an event loop running in the main thread from
    its first use to the end of the session; no asyncio test can run then.
    """
    items.sort(key=lambda item: item.path.is_relative_to(_BROWSER_TESTS))
    for item in items:
        if any(config.getoption(count) > usual for count, usual in _counts_of(item)):
            item.add_marker(pytest.mark.timeout(0))
    if config.getoption("--reliability-report"):
        others = [item for item in items if not _has_row(item)]
        items[:] = [item for item in items if _has_row(item)]
        config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Connection string of a real PostgreSQL server, which ends with the tests."""
    import psycopg

    with postgres_of_its_own() as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # A hundred databases are made; nobody pulls the plug of this machine.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[str]:
    """Connection string of an empty database on it."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def soak_count(pytestconfig: pytest.Config) -> int:
    """How many times a test that kills the browser does so."""
    return int(pytestconfig.getoption("--soak-count"))


@pytest.fixture
def histories(pytestconfig: pytest.Config) -> int:
    """How many histories of the page store are simulated."""
    return int(pytestconfig.getoption("--histories"))


@pytest.fixture
def reliability(request: pytest.FixtureRequest) -> Iterator[Callable[..., Row]]:
    """Begin a row of the report; whatever becomes of the test, it is written."""
    rows: list[Row] = []
    command = f'python3 build.py test "{request.node.nodeid}"'
    for count in ("soak_count", "histories"):
        if count in request.fixturenames:
            option = f"--{count.replace('_', '-')}"
            command += f" {option} {request.config.getoption(option)}"

    def begin(what: str, **about: str) -> Row:
        rows.append(Row(what, command=command, **about))
        return rows[-1]

    yield begin
    path = request.config.getoption("--reliability-report")
    if path:
        write_rows(path, rows)


@pytest.fixture
def hostile_files(pytestconfig: pytest.Config) -> int:
    """How many hostile files are imported."""
    return int(pytestconfig.getoption("--hostile-files"))


@pytest.fixture
def run_async() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine to its end from a browser test, in a thread of its own."""

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(asyncio.run, coroutine).result()

    return run


def _counts_of(item: pytest.Item) -> Iterator[tuple[str, int]]:
    """Options of how much *item* does, each with what is usual."""
    for name in getattr(item, "fixturenames", ()):
        if name in _USUAL:
            yield f"--{name.replace('_', '-')}", _USUAL[name]


def _has_row(item: pytest.Item) -> bool:
    return "reliability" in getattr(item, "fixturenames", ())
