"""What a page may call, on a real storage in memory."""

import asyncio
import itertools
from typing import Any

import pytest

from pyodide_app.browser.agents import Agents
from pyodide_app.browser.call import Surroundings
from pyodide_app.browser.databases import Databases
from pyodide_app.browser.dispatcher import Dispatcher
from pyodide_app.browser.methods import ALONE, METHODS, STREAMS
from pyodide_app.browser.wire import decode, encode
from pyodide_app.storage import MemoryAdapter

_call_ids = itertools.count(1)


class Tab:
    """A tab, as far as the dispatcher can tell."""

    def __init__(self, dispatcher: Dispatcher, tab_id: str = "tab-1") -> None:
        self._dispatcher = dispatcher
        self._tab_id = tab_id
        self._newest = 0
        self.items: list[Any] = []
        self.storage_id = ""

    async def ask(self, method: str, **arguments: object) -> Any:
        """Return the answer as it crosses: ``{text}``, ``{}`` or ``{error}``."""
        self._newest = next(_call_ids)
        if self.storage_id:
            arguments.setdefault("storageId", self.storage_id)
        text, blobs = encode(arguments)
        return await self._begun(method, text, blobs)

    async def call(self, method: str, **arguments: object) -> Any:
        """Return the result; an error fails the test."""
        answer = await self.ask(method, **arguments)
        assert "error" not in answer, answer
        return decode(answer["text"], answer["parts"], bytes)

    async def fail(self, method: str, **arguments: object) -> dict[str, Any]:
        """Return the error."""
        answer = await self.ask(method, **arguments)
        assert "error" in answer, answer
        return dict(answer["error"])

    async def open(self, **options: object) -> "Tab":
        """Open a database and use it from now on."""
        opened = await self.call("storage.open", dbName="test", **options)
        self.storage_id = opened["storageId"]
        return self

    def begin(self, method: str, **arguments: object) -> asyncio.Future[Any]:
        """Begin a call without waiting for its first step."""
        self._newest = next(_call_ids)
        text, blobs = encode({"storageId": self.storage_id, **arguments})
        return self._begun(method, text, blobs)

    def _begun(self, method: str, text: str, blobs: list[Any]) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self._dispatcher.serve(
            self._newest,
            method,
            text,
            blobs,
            self._tab_id,
            self._item,
            answer.set_result,
        )
        return answer

    def cancel(self) -> None:
        """Cancel the newest call."""
        self._dispatcher.cancel(self._newest)

    def _item(self, text: str, answer: dict[str, Any]) -> None:
        self.items.append(decode(text, answer["parts"], bytes))


@pytest.fixture
def dispatcher():
    """A dispatcher whose databases are in memory, and otherwise real."""
    host = Surroundings(
        databases=Databases(make=lambda _: MemoryAdapter()),
        volume=None,
        agents=Agents(bridge=None),
        tab_count=lambda: 1,
        transaction_idle_s=0.05,
    )
    return Dispatcher(host, read_bytes=bytes, give=lambda answer: answer)


@pytest.fixture
async def tab(dispatcher):
    """A tab with an open database."""
    return await Tab(dispatcher).open()


async def test_what_the_table_does_not_name_cannot_be_called(tab):
    """No attribute, module or private name is reachable."""
    for method in ("__class__", "storage.adapter", "os.system", "", "db._run"):
        assert (await tab.fail(method))["code"] == "unknown_method"


async def test_values_of_every_kind_survive_the_border(tab):
    """Integers of 64 bits, bytes, NULL, and every script."""
    row = {"i": 2**63 - 1, "f": -1.5, "b": b"\0\xff", "n": None, "t": "שלום 🌱"}

    found = await tab.call("db.get", sql="SELECT :i i,:f f,:b b,:n n,:t t", params=row)

    assert found == row


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"sql": 5}, "sql"),
        ({"sql": "SELECT 1", "params": "x"}, "params"),
        ({"sql": "SELECT 1", "storageId": None}, "storageId"),
        ({"sql": "SELECT 1", "transactionId": 7}, "transactionId"),
    ],
)
async def test_a_wrong_argument_is_named(tab, arguments, field):
    """The error says which field is wrong, and nothing runs."""
    error = await tab.fail("db.run", **arguments)

    assert error["code"] == "invalid_arguments"
    assert error["message"].startswith(field)


async def test_an_unexpected_error_keeps_its_inside_to_the_log(tab, caplog):
    """The page gets the code `internal`; the traceback stays here."""
    # This dispatcher has no volume to stage the file on.
    error = await tab.fail("storage.inspectBackup", bytes=b"")

    assert error["code"] == "internal"
    assert "NoneType" not in error["message"]
    assert "storage.inspectBackup failed" in caplog.text


async def test_a_handle_of_another_tab_is_nobody_elses(tab, dispatcher):
    """Knowing the id of a handle gives no access."""
    other = Tab(dispatcher, "tab-2")

    error = await other.fail("db.get", sql="SELECT 1", storageId=tab.storage_id)

    assert error["code"] == "storage_closed"


async def test_two_tabs_share_one_database(tab, dispatcher):
    """What one writes, the other reads; the last one to go closes it."""
    other = await Tab(dispatcher, "tab-2").open()
    await tab.call("db.exec", script="CREATE TABLE t (a)")

    await tab.call("storage.close")

    assert await other.call("db.all", sql="SELECT * FROM t") == []
    assert (await tab.fail("db.get", sql="SELECT 1"))["code"] == "storage_closed"


async def test_a_transaction_keeps_others_out_until_it_commits(tab, dispatcher):
    """Another tab's read waits, and then sees all of it."""
    other = await Tab(dispatcher, "tab-2").open()
    await tab.call("db.exec", script="CREATE TABLE t (a)")
    begun = await tab.call("db.begin")
    inside = {"transactionId": begun["transactionId"]}
    await tab.call("db.run", sql="INSERT INTO t VALUES (1)", **inside)

    reading = asyncio.create_task(other.call("db.get", sql="SELECT count(*) n FROM t"))
    await asyncio.sleep(0)
    assert not reading.done()
    await tab.call("db.run", sql="INSERT INTO t VALUES (2)", **inside)
    await tab.call("db.commit", **inside)

    assert await reading == {"n": 2}


async def test_a_transaction_of_a_tab_that_dies_is_rolled_back(tab, dispatcher):
    """Nobody waits for the dead, and nothing of it stays."""
    other = await Tab(dispatcher, "tab-2").open()
    await tab.call("db.exec", script="CREATE TABLE t (a)")
    begun = await tab.call("db.begin")
    await tab.call(
        "db.run", sql="INSERT INTO t VALUES (1)", transactionId=begun["transactionId"]
    )

    dispatcher.tab_gone("tab-1")

    assert await other.call("db.get", sql="SELECT count(*) n FROM t") == {"n": 0}


async def test_an_ended_transaction_says_so(tab):
    """A statement that comes too late is an error, not a commit of its own."""
    begun = await tab.call("db.begin")
    await tab.call("db.rollback", **begun)

    error = await tab.fail("db.run", sql="SELECT 1", **begun)

    assert error["code"] == "transaction"


async def test_a_failed_statement_leaves_its_transaction_usable(tab):
    """As in SQLite: the statement is undone, the rest is the caller's decision."""
    await tab.call("db.exec", script="CREATE TABLE t (a UNIQUE)")
    begun = await tab.call("db.begin")
    await tab.call("db.run", sql="INSERT INTO t VALUES (1)", **begun)

    error = await tab.fail("db.run", sql="INSERT INTO t VALUES (1)", **begun)
    await tab.call("db.run", sql="INSERT INTO t VALUES (2)", **begun)
    await tab.call("db.commit", **begun)

    assert error["code"] == "sql_constraint"
    assert len(await tab.call("db.all", sql="SELECT a FROM t")) == 2


async def test_watch_tells_of_commits_and_ends_when_cancelled(tab, dispatcher):
    """A stream of changes, ended by its reader."""
    other = await Tab(dispatcher, "tab-2").open()
    watching = asyncio.create_task(tab.ask("storage.watch", tables=["conversations"]))
    await asyncio.sleep(0.01)

    await other.call("conversations.save", id="c", userId="u", personaId="p")
    await asyncio.sleep(0.01)
    tab.cancel()

    assert await watching == {}
    assert "conversations" in tab.items[0]["tables"]


async def test_a_call_cancelled_while_it_waits_does_nothing(tab, dispatcher):
    """The cancel may come in the same turn as the call."""
    other = await Tab(dispatcher, "tab-2").open()
    await tab.call("db.exec", script="CREATE TABLE t (a)")
    begun = await tab.call("db.begin")

    writing = other.begin("db.run", sql="INSERT INTO t VALUES (1)")
    other.cancel()

    assert await writing == {}
    await tab.call("db.commit", **begun)
    assert await tab.call("db.get", sql="SELECT count(*) n FROM t") == {"n": 0}


async def test_a_close_finishes_although_its_tab_is_gone(tab, dispatcher):
    """A cancelled close would leave a database that nobody closes."""
    closing = tab.begin("storage.close")
    tab.cancel()

    assert "error" not in await closing

    assert (await tab.fail("db.get", sql="SELECT 1"))["code"] == "storage_closed"


@pytest.mark.parametrize(
    "text",
    ["no json", "[", '{"$":"later"}', '{"$":"blob","i":7}', '{"$":"int","v":[]}', "[]"],
)
async def test_a_payload_of_no_format_is_refused(dispatcher, text):
    """What JavaScript did not encode is the caller's mistake, not ours."""
    answer = await Tab(dispatcher)._begun("db.run", text, [])

    assert answer["error"]["code"] == "invalid_arguments"


async def test_an_idle_transaction_is_rolled_back(tab):
    """Whoever forgets to end it keeps the others waiting for a limited time."""
    await tab.call("db.exec", script="CREATE TABLE t (a)")
    begun = await tab.call("db.begin")
    await tab.call("db.run", sql="INSERT INTO t VALUES (1)", **begun)

    assert await tab.call("db.get", sql="SELECT count(*) n FROM t") == {"n": 0}
    assert (await tab.fail("db.commit", **begun))["code"] == "transaction"


@pytest.mark.parametrize("method", sorted(ALONE))
async def test_what_takes_the_whole_file_is_refused_inside_a_transaction(tab, method):
    """Each would wait for the other; the transaction goes on."""
    begun = await tab.call("db.begin")

    assert (await tab.fail(method))["code"] == "transaction"

    await tab.call("db.commit", **begun)


async def test_a_repeated_write_is_carried_out_once(tab, dispatcher):
    """The repeat, of any tab, gets the first answer."""
    other = await Tab(dispatcher, "tab-2").open()
    await tab.call("db.exec", script="CREATE TABLE t (a)")
    write = {"sql": "INSERT INTO t VALUES (?)", "params": [1], "idempotencyKey": "k"}

    first, second = await asyncio.gather(
        tab.call("db.run", **write), other.call("db.run", **write)
    )

    assert first == second == {"changes": 1, "lastInsertRowid": 1}
    assert await tab.call("db.get", sql="SELECT count(*) n FROM t") == {"n": 1}


async def test_a_keyed_script_is_all_or_nothing_and_may_be_repeated(tab):
    """What failed has left nothing, so its repeat runs from the start."""
    await tab.call("db.exec", script="CREATE TABLE t (a UNIQUE)")
    await tab.call("db.run", sql="INSERT INTO t VALUES (2)")
    script = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"

    error = await tab.fail("db.exec", script=script, idempotencyKey="k")
    await tab.call("db.run", sql="DELETE FROM t")
    await tab.call("db.exec", script=script, idempotencyKey="k")
    await tab.call("db.exec", script=script, idempotencyKey="k")

    assert error["code"] == "sql_constraint"
    assert len(await tab.call("db.all", sql="SELECT * FROM t")) == 2


@pytest.mark.parametrize(
    "change", [{"params": [2]}, {"sql": "SELECT ?"}, {"transactionId": "t"}]
)
async def test_a_key_stands_for_one_call(tab, change):
    """The same key with another call is a mistake, and nothing runs."""
    await tab.call("db.exec", script="CREATE TABLE t (a)")
    write = {"sql": "INSERT INTO t VALUES (?)", "params": [1], "idempotencyKey": "k"}
    await tab.call("db.run", **write)

    error = await tab.fail("db.run", **write | change)

    assert error["code"] == "invalid_arguments"
    assert error["message"].startswith("idempotencyKey")


async def test_a_bare_database_gets_its_schema_for_agents(dispatcher):
    """`AgentOS` works on an adapter that was opened for SQL alone."""
    bare = await Tab(dispatcher).open(bare=True)
    assert await bare.call("db.all", sql="SELECT name FROM sqlite_schema") == []

    personas = await bare.call("agentos.personas")

    assert personas
    rows = await bare.call("db.all", sql="SELECT id FROM personas")
    assert {row["id"] for row in rows} == {persona["id"] for persona in personas}


async def test_the_strictest_durability_holds(tab, dispatcher):
    """A tab that wants durable commits gets them, whoever opened first."""
    strict = await Tab(dispatcher, "tab-2").open(durability="strict")

    assert (await strict.call("storage.status"))["durability"] == "strict"
    assert (await tab.call("storage.status"))["durability"] == "batched"


async def test_batch_reports_each_failure(tab):
    """The good rows stay, the bad ones are named by their place."""
    await tab.call("db.exec", script="CREATE TABLE t (a UNIQUE)")
    insert = "INSERT INTO t VALUES (?)"

    result = await tab.call(
        "db.batch",
        operations=[
            {"statement": insert, "parameters": [1]},
            {"statement": insert, "parameters": [1]},
            {"statement": insert, "parameters": [2]},
        ],
    )

    assert (result["successful"], result["failed"]) == (2, 1)
    assert result["errors"][0]["index"] == 1
    assert result["errors"][0]["error"]["code"] == "sql_constraint"


def test_every_public_method_is_in_the_table():
    """The table is the border: a change to it is a decision."""
    assert not set(METHODS) & set(STREAMS)
    assert {name.split(".")[0] for name in METHODS | STREAMS} == {
        "storage",
        "db",
        "conversations",
        "sessions",
        "personas",
        "telemetry",
        "workflows",
        "agentos",
    }
