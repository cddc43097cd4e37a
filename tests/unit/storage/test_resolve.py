import pytest

from pyodide_app.errors import StorageResolutionError
from pyodide_app.storage import create_agentos_storage
from pyodide_app.storage.resolve import Detected, candidates, detect

NATIVE = Detected(is_browser=False, has_volume=False, environment={})
BROWSER = Detected(is_browser=True, has_volume=True, environment={})
BARE_BROWSER = Detected(is_browser=True, has_volume=False, environment={})
VARIABLE = Detected(
    is_browser=False, has_volume=False, environment={"STORAGE_ADAPTER": "memory"}
)
SERVER = Detected(
    is_browser=False,
    has_volume=False,
    environment={"DATABASE_URL": "postgresql://db/agentos"},
)
OTHER_SERVER = Detected(
    is_browser=False, has_volume=False, environment={"DATABASE_URL": "mysql://db/x"}
)


def kinds(found, **asked):
    return [candidate.kind for candidate in candidates(found, **asked)]


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (NATIVE, {}, ["native"]),
        (BROWSER, {}, ["indexeddb"]),
        # No volume is a fault to report, not a reason to keep nothing.
        (BARE_BROWSER, {}, ["indexeddb"]),
        (NATIVE, {"platform": "web"}, ["indexeddb"]),
        (BROWSER, {"platform": "server"}, ["native"]),
        (BROWSER, {"platform": "memory"}, ["memory"]),
        (BROWSER, {"persistence": False}, ["memory"]),
        (BROWSER, {"adapter": "memory"}, ["memory"]),
        (BROWSER, {"adapter": "native", "persistence": False}, ["native"]),
        (NATIVE, {"adapter": "better-sqlite3"}, ["native"]),
        (BROWSER, {"adapter": "sqljs"}, ["indexeddb"]),
        (NATIVE, {"priority": ["indexeddb", "native"]}, ["indexeddb", "native"]),
        (VARIABLE, {}, ["memory"]),
        (VARIABLE, {"platform": "server"}, ["native"]),
        (NATIVE, {"platform": "electron"}, ["native"]),
        (BROWSER, {"platform": "electron"}, ["indexeddb"]),
        (NATIVE, {"platform": "desktop"}, ["native"]),
        (NATIVE, {"platform": "capacitor"}, ["capacitor-sqlite"]),
        (NATIVE, {"adapter": "supabase-postgres"}, ["postgres"]),
        (SERVER, {}, ["postgres"]),
        (SERVER, {"platform": "server"}, ["postgres"]),
        (SERVER, {"platform": "desktop"}, ["native"]),
        (SERVER, {"has_path": True}, ["native"]),
        (OTHER_SERVER, {}, ["native"]),
        (NATIVE, {"has_url": True}, ["postgres"]),
        (NATIVE, {"has_url": True, "platform": "server"}, ["postgres"]),
    ],
)
def test_what_is_tried_follows_from_what_was_asked_and_found(found, asked, expected):
    assert kinds(found, **asked) == expected


@pytest.mark.parametrize("name", ["mystery", ""])
def test_an_adapter_that_does_not_exist_is_refused_by_name(name):
    with pytest.raises(StorageResolutionError) as caught:
        candidates(NATIVE, adapter=name)

    assert caught.value.attempts[0][0] == name


async def test_every_attempt_is_listed_with_its_reason(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)

    with pytest.raises(StorageResolutionError) as caught:
        await create_agentos_storage(
            priority=["capacitor-sqlite", "indexeddb", "postgres"]
        )

    attempts = dict(caught.value.attempts)
    assert list(attempts) == ["capacitor-sqlite", "indexeddb", "postgres"]
    assert "not part of this release" in attempts["capacitor-sqlite"]
    assert "DATABASE_URL" in attempts["postgres"]


async def test_what_opened_after_failures_says_so(tmp_path):
    async with await create_agentos_storage(
        priority=["capacitor-sqlite", "native"], path=tmp_path / "a.db"
    ) as storage:
        assert storage.resolution.kind == "native"
        assert [kind for kind, _ in storage.resolution.attempts] == ["capacitor-sqlite"]


async def test_a_server_that_the_environment_names_is_used(
    monkeypatch, postgres_database
):
    monkeypatch.setenv("DATABASE_URL", postgres_database)
    async with await create_agentos_storage() as storage:
        assert storage.resolution.kind == "postgres"
        assert "DATABASE_URL" in storage.resolution.reason


def test_an_unknown_platform_is_refused():
    with pytest.raises(ValueError, match="platform"):
        candidates(NATIVE, platform="toaster")


def test_detection_finds_this_platform():
    found = detect()

    assert (found.is_browser, found.has_volume) == (False, False)
