"""Encryption at rest: who opens it, what is left, and what happens half-way."""

import gzip
import sqlite3

import pytest

from pyodide_app.errors import (
    EncryptionError,
    NotEncryptedError,
    PassphraseRequiredError,
    QuotaExceededError,
    SqlError,
    StorageInUseError,
    WrongPassphraseError,
)
from pyodide_app.storage import (
    IndexedDbAdapter,
    MemoryAdapter,
    NativeSqliteAdapter,
    create_agentos_storage,
)
from pyodide_app.storage.encryption import EncryptionKey, looks_encrypted

SECRET = "the treasure is under the third oak"
MESSAGE = {"type": "user_message", "text": SECRET, "timestamp": 7}
PASSPHRASE = "correct horse 'battery\" staple é"


@pytest.fixture(params=["native", "native-batched", "indexeddb"])
def make(request, tmp_path, volume):
    """Return a function that makes an adapter of the one database."""

    def make(passphrase=None, cipher=None):
        if request.param == "indexeddb":
            return IndexedDbAdapter(
                "live", volume=volume, passphrase=passphrase, cipher=cipher
            )
        return NativeSqliteAdapter(
            tmp_path / "live.db",
            durability="batched" if request.param == "native-batched" else "commit",
            passphrase=passphrase,
            cipher=cipher,
        )

    return make


@pytest.fixture
async def storage(make):
    """A plain storage with something in it, and two restore points."""
    async with await create_agentos_storage(adapter=make()) as storage:
        await storage.keep_restore_point("empty")
        await storage.conversations.save("c", "me", "v_researcher", [MESSAGE])
        await storage.keep_restore_point("with the secret")
        await storage.flush()
        yield storage


def stored(tmp_path):
    """Yield the content of every file below, as it is and unpacked."""
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            yield file, content
            if file.suffix == ".gz":
                yield file, gzip.decompress(content)


def holds_plain_text(tmp_path):
    return [file for file, content in stored(tmp_path) if SECRET.encode() in content]


async def texts(storage):
    events = await storage.adapter.all("SELECT event_data FROM conversation_events")
    return [SECRET in event["event_data"] for event in events]


async def refused(awaitable, kind):
    with pytest.raises(kind) as info:
        await awaitable
    return info.value


async def test_what_was_encrypted_is_nowhere_as_plain_text(storage, make, tmp_path):
    assert holds_plain_text(tmp_path)

    await storage.encrypt(PASSPHRASE)
    await storage.conversations.append("c", MESSAGE)
    await storage.flush()

    assert holds_plain_text(tmp_path) == []
    assert await texts(storage) == [True, True]
    assert (await storage.status()).encryption == "chacha20"
    assert all(point.encrypted for point in await storage.restore_points())
    await storage.close()
    assert holds_plain_text(tmp_path) == []
    async with await create_agentos_storage(adapter=make(PASSPHRASE)) as again:
        assert await texts(again) == [True, True]
        assert len(await again.conversations.search("treasure")) == 2


@pytest.mark.parametrize("cipher", ["chacha20", "sqlcipher"])
async def test_a_new_database_is_encrypted_from_its_first_page(make, tmp_path, cipher):
    adapter = make(PASSPHRASE, cipher)
    async with await create_agentos_storage(adapter=adapter) as storage:
        await storage.conversations.save("c", "me", "v_researcher", [MESSAGE])
        await storage.flush()
        assert holds_plain_text(tmp_path) == []
        assert (await storage.status()).encryption == cipher

    # Which cipher it is need not be said.
    async with await create_agentos_storage(adapter=make(PASSPHRASE)) as again:
        assert await texts(again) == [True]
        assert (await again.status()).encryption == cipher


async def test_who_has_not_the_passphrase_gets_a_word_of_it(storage, make):
    await storage.encrypt(PASSPHRASE)
    await storage.close()

    error = await refused(make().open(), PassphraseRequiredError)
    assert error.code == "passphrase_required"
    error = await refused(make("correct horse").open(), WrongPassphraseError)
    assert error.code == "wrong_passphrase"
    assert PASSPHRASE not in str(error)
    other = make(PASSPHRASE, "sqlcipher")
    await refused(other.open(), WrongPassphraseError)
    # Composed in another way, it is the same passphrase.
    adapter = make(PASSPHRASE.replace("é", "e\N{COMBINING ACUTE ACCENT}"))
    await adapter.open()
    await adapter.close()


async def test_a_plain_database_is_not_taken_for_an_encrypted_one(storage, make):
    await storage.close()
    await refused(make(PASSPHRASE).open(), NotEncryptedError)


async def test_another_passphrase_takes_the_place_of_the_first(storage, make):
    await storage.encrypt(PASSPHRASE)
    await refused(storage.change_passphrase("wrong", "new"), WrongPassphraseError)
    await storage.change_passphrase(PASSPHRASE, "new")
    assert await texts(storage) == [True]
    points = await storage.restore_points()
    await storage.close()

    await refused(make(PASSPHRASE).open(), WrongPassphraseError)
    async with await create_agentos_storage(adapter=make("new")) as again:
        assert await texts(again) == [True]
        for point in points:
            await again.restore(point.id)


async def test_a_decrypted_database_is_a_plain_file_again(storage, make):
    await storage.encrypt(PASSPHRASE, cipher="sqlcipher")
    await refused(storage.decrypt("wrong"), WrongPassphraseError)
    await storage.decrypt(PASSPHRASE)

    assert (await storage.status()).encryption is None
    assert not any(point.encrypted for point in await storage.restore_points())
    await refused(storage.decrypt(PASSPHRASE), NotEncryptedError)
    await storage.close()
    async with await create_agentos_storage(adapter=make()) as again:
        assert await texts(again) == [True]
        assert await again.adapter.get("PRAGMA integrity_check") == {
            "integrity_check": "ok"
        }


async def test_restore_points_keep_their_names_and_can_be_restored(storage):
    before = await storage.restore_points()
    await storage.encrypt(PASSPHRASE)
    after = await storage.restore_points()

    assert [(point.id, point.reason) for point in after[1:]] == [
        (point.id, point.reason) for point in before
    ]
    assert after[0].reason == "before encryption"
    undo = await storage.restore(after[-1].id)
    assert await texts(storage) == []
    await storage.restore(undo.id)
    assert await texts(storage) == [True]
    assert (await storage.status()).encryption == "chacha20"


async def test_a_restore_point_of_another_passphrase_asks_for_it(storage, monkeypatch):
    await storage.encrypt("first")
    [point, *_] = await storage.restore_points()

    async def cut_short(_before):
        """Die before the restore points get the new key."""

    monkeypatch.setattr(storage.adapter, "_recode_points", cut_short)
    await storage.change_passphrase("first", "second")

    await refused(storage.restore(point.id), WrongPassphraseError)
    await storage.restore(point.id, passphrase="first")
    assert await texts(storage) == [True]


async def test_plain_restore_points_left_by_a_crash_are_encrypted_when_opening(
    storage, make, tmp_path, monkeypatch
):
    async def cut_short(_before):
        """Die before the restore points get the new key."""

    monkeypatch.setattr(storage.adapter, "_recode_points", cut_short)
    await storage.encrypt(PASSPHRASE)
    await storage.close()
    assert holds_plain_text(tmp_path)

    async with await create_agentos_storage(adapter=make(PASSPHRASE)) as again:
        assert holds_plain_text(tmp_path) == []
        assert len(await again.restore_points()) == 3


async def test_a_backup_is_plain_unless_a_passphrase_is_given(storage, tmp_path):
    await storage.encrypt(PASSPHRASE)

    plain = await storage.export_database()
    sealed = await storage.export_database(passphrase="for the journey")

    file = tmp_path / "plain.db"
    file.write_bytes(plain)
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert SECRET in db.execute("SELECT * FROM search_text").fetchall()[0][-1]
    db.close()
    assert SECRET.encode() not in sealed
    assert looks_encrypted(sealed[:512], len(sealed))


@pytest.mark.parametrize("cipher", ["chacha20", "sqlcipher"])
@pytest.mark.parametrize("mode", ["replace", "merge"])
@pytest.mark.parametrize("live", [None, PASSPHRASE])
async def test_an_encrypted_backup_is_taken_over(storage, mode, cipher, live, tmp_path):
    sealed = await storage.export_database(passphrase="backup", cipher=cipher)
    await storage.conversations.delete("c")
    if live:
        await storage.encrypt(live)

    await refused(storage.inspect_backup(sealed), PassphraseRequiredError)
    await refused(
        storage.import_database(sealed, passphrase="wrong"), WrongPassphraseError
    )
    found = await storage.inspect_backup(sealed, passphrase="backup")
    assert found.counts.conversations == 1
    await storage.import_database(sealed, mode=mode, passphrase="backup")

    assert await texts(storage) == [True]
    assert (await storage.status()).encryption == (live and "chacha20")
    await storage.flush()
    await storage.close()
    if live:
        assert holds_plain_text(tmp_path) == []


async def test_a_bare_database_takes_over_an_encrypted_file(make):
    adapter = make()
    await adapter.open()
    await adapter.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    sealed = await adapter.export_database(passphrase="backup")
    await adapter.run("DELETE FROM t")
    await adapter.encrypt(PASSPHRASE)

    await adapter.import_database(sealed, passphrase="backup")

    assert await adapter.all("SELECT x FROM t") == [{"x": 1}]
    assert (await adapter.status()).encryption == "chacha20"
    await adapter.close()


async def test_nothing_has_changed_if_it_cannot_be_made_durable(volume):
    adapter = IndexedDbAdapter("live", volume=volume)
    async with await create_agentos_storage(adapter=adapter) as storage:
        await storage.conversations.save("c", "me", "v_researcher", [MESSAGE])
        keep = volume.keep_restore_point

        async def keep_and_fail(*args, **kwargs):
            point = await keep(*args, **kwargs)
            volume.failure = QuotaExceededError("full")
            return point

        volume.keep_restore_point = keep_and_fail
        await refused(storage.encrypt(PASSPHRASE), QuotaExceededError)
        volume.failure = None

        assert (await storage.status()).encryption is None
        assert await texts(storage) == [True]
        assert await storage.restore_points() == []


async def test_it_is_not_encrypted_under_another_connection(tmp_path):
    adapter = NativeSqliteAdapter(tmp_path / "live.db")
    async with await create_agentos_storage(adapter=adapter) as storage:
        other = NativeSqliteAdapter(tmp_path / "live.db")
        await other.open()

        await refused(storage.encrypt(PASSPHRASE), StorageInUseError)

        assert (await storage.status()).encryption is None
        assert await storage.adapter.get("PRAGMA journal_mode") == {
            "journal_mode": "wal"
        }
        await other.close()
        await storage.encrypt(PASSPHRASE)


async def test_memory_has_nothing_to_encrypt():
    async with await create_agentos_storage(adapter=MemoryAdapter()) as storage:
        await refused(storage.encrypt(PASSPHRASE), EncryptionError)
        assert await storage.restore_points() == []
    await refused(
        create_agentos_storage(platform="memory", passphrase=PASSPHRASE),
        EncryptionError,
    )


async def test_a_wrong_passphrase_is_no_reason_for_another_adapter(tmp_path):
    path = tmp_path / "live.db"
    made = {"adapter": "native", "path": path}
    await (await create_agentos_storage(**made, passphrase=PASSPHRASE)).close()

    await refused(
        create_agentos_storage(path=path, passphrase="no", priority=["native"]),
        WrongPassphraseError,
    )
    await refused(create_agentos_storage(**made), PassphraseRequiredError)


async def test_damage_behind_the_first_page_is_not_called_a_wrong_passphrase(tmp_path):
    path = tmp_path / "live.db"
    made = {"adapter": "native", "path": path, "passphrase": PASSPHRASE}
    async with await create_agentos_storage(**made) as storage:
        await storage.conversations.save("c", "me", "v_researcher", [MESSAGE])
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 + 1000] ^= 1
    path.write_bytes(content)

    error = await refused(
        NativeSqliteAdapter(path, passphrase=PASSPHRASE).open(), SqlError
    )

    assert "malformed" in str(error)


async def test_sqlcipher_reads_what_we_write_and_writes_what_we_read(tmp_path):
    sqlcipher3 = pytest.importorskip("sqlcipher3")
    ours, theirs = tmp_path / "ours.db", tmp_path / "theirs.db"
    adapter = NativeSqliteAdapter(ours, passphrase=PASSPHRASE, cipher="sqlcipher")
    await adapter.open()
    await adapter.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('from us')")
    await adapter.close()
    key = "PRAGMA key = '" + PASSPHRASE.replace("'", "''") + "'"

    db = sqlcipher3.connect(str(ours))
    db.execute(key)
    assert db.execute("SELECT x FROM t").fetchall() == [("from us",)]
    db.close()
    db = sqlcipher3.connect(str(theirs))
    db.execute(key)
    db.execute("CREATE TABLE t AS SELECT 'from them' AS x")
    db.commit()
    db.close()

    adapter = NativeSqliteAdapter(theirs, passphrase=PASSPHRASE)
    await adapter.open()
    assert await adapter.all("SELECT x FROM t") == [{"x": "from them"}]
    await adapter.close()


@pytest.mark.parametrize(("passphrase", "kind"), [("", ValueError), (7, TypeError)])
def test_what_is_no_passphrase_is_refused(passphrase, kind):
    with pytest.raises(kind):
        EncryptionKey(passphrase)


def test_a_key_does_not_show_its_passphrase():
    assert "sesame" not in repr(EncryptionKey("sesame"))
