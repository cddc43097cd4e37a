"""Databases that tabs share: locked for all, unlocked for all, daily copies."""

import asyncio

import pytest

from pyodide_app.browser import databases as module
from pyodide_app.browser.databases import Databases, Opening
from pyodide_app.errors import (
    NotEncryptedError,
    PassphraseRequiredError,
    StorageClosedError,
    WrongPassphraseError,
)
from pyodide_app.storage import IndexedDbAdapter
from pyodide_app.testing import FolderVolume

PASSPHRASE = "correct horse"


def opening(passphrase=None, *, with_schema=True):
    return Opening(
        db_name="live",
        persistent=True,
        with_schema=with_schema,
        durability="batched",
        auto_save=True,
        save_interval_ms=100,
        passphrase=passphrase,
    )


@pytest.fixture
def databases(tmp_path):
    """Databases on a volume in a folder, and otherwise real."""
    volume = FolderVolume(tmp_path)

    def make(opening):
        return IndexedDbAdapter(
            opening.db_name, volume=volume, passphrase=opening.passphrase
        )

    return Databases(make=make)


async def test_what_one_tab_locks_is_locked_for_all(databases):
    """No handle reaches it, and nobody opens it without the passphrase."""
    first = await databases.open("tab-1", opening(PASSPHRASE))
    other = await databases.open("tab-2", opening())

    await databases.lock(first)
    await databases.lock(other)

    for handle in (first, other):
        with pytest.raises(PassphraseRequiredError):
            _ = handle.adapter
        with pytest.raises(PassphraseRequiredError):
            _ = handle.storage
    with pytest.raises(PassphraseRequiredError):
        await databases.open("tab-3", opening())
    with pytest.raises(WrongPassphraseError):
        await databases.open("tab-3", opening("wrong"))
    with pytest.raises(PassphraseRequiredError):
        await databases.with_schema(other)


async def test_whoever_unlocks_it_unlocks_it_for_all(databases):
    """Also for the typed storage of a tab, when a bare one has unlocked it."""
    first = await databases.open("tab-1", opening(PASSPHRASE))
    event = {"type": "user_message", "text": "a secret"}
    await first.storage.conversations.save("c", "me", "assistant", [event])
    await databases.lock(first)

    bare = await databases.open("tab-2", opening(PASSPHRASE, with_schema=False))

    assert await first.storage.conversations.search("secret")
    assert bare.adapter is first.adapter


async def test_who_comes_later_with_a_wrong_passphrase_is_refused(databases):
    """An open database does not vouch for whoever asks."""
    await databases.open("tab-1", opening(PASSPHRASE))

    with pytest.raises(WrongPassphraseError):
        await databases.open("tab-2", opening("wrong"))


async def test_what_is_not_encrypted_has_no_lock(databases):
    """It stays open."""
    handle = await databases.open("tab-1", opening())

    with pytest.raises(NotEncryptedError):
        await databases.lock(handle)

    assert await handle.adapter.all("SELECT 1 AS one") == [{"one": 1}]


async def test_locked_and_left_by_all_it_is_closed(databases):
    """It opens again, with the passphrase."""
    handle = await databases.open("tab-1", opening(PASSPHRASE))
    await databases.lock(handle)

    await databases.tab_gone("tab-1")

    with pytest.raises(StorageClosedError):
        databases.get(handle.id, "tab-1")
    with pytest.raises(PassphraseRequiredError):
        await databases.open("tab-2", opening())
    await databases.open("tab-2", opening(PASSPHRASE))


async def test_a_short_visit_leaves_its_daily_restore_point(databases, monkeypatch):
    """The first look comes soon, the next ones hourly."""
    monkeypatch.setattr(module, "_FIRST_LOOK_S", 0.01)
    handle = await databases.open("tab-1", opening())

    for _ in range(500):
        await asyncio.sleep(0.01)
        if points := await handle.storage.restore_points():
            break
    assert [point.reason for point in points] == ["daily"]
    await databases.close(handle)
