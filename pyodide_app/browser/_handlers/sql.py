"""Statements and transactions."""

from pyodide_app.browser.arguments import Arguments
from pyodide_app.browser.call import Call
from pyodide_app.browser.interactive import InteractiveTransaction
from pyodide_app.errors import PyodideAppError
from pyodide_app.ids import new_id
from pyodide_app.storage.adapter import BatchOperation

__all__ = [
    "all_rows",
    "batch",
    "begin",
    "check",
    "commit",
    "execute",
    "get",
    "roll_back",
    "run",
]


async def run(call: Call) -> object:
    sql, parameters = call.arguments.text("sql"), call.arguments.parameters()
    result = await call.write(
        ("run", sql, parameters), lambda adapter: adapter.run(sql, parameters)
    )
    return {"changes": result.changes, "lastInsertRowid": result.last_row_id}


async def get(call: Call) -> object:
    sql, parameters = call.arguments.text("sql"), call.arguments.parameters()
    return await call.read(lambda adapter: adapter.get(sql, parameters))


async def all_rows(call: Call) -> object:
    sql, parameters = call.arguments.text("sql"), call.arguments.parameters()
    return await call.read(lambda adapter: adapter.all(sql, parameters))


async def execute(call: Call) -> object:
    script = call.arguments.text("script")
    await call.write(("exec", script), lambda adapter: adapter.exec(script))
    return None


async def check(call: Call) -> object:
    sql = call.arguments.text("sql")
    await call.read(lambda adapter: adapter.prepare(sql))
    return None


async def batch(call: Call) -> object:
    operations = [
        BatchOperation(
            Arguments(operation).text("statement"),
            Arguments(operation).parameters("parameters"),
        )
        for operation in call.arguments.objects("operations")
    ]
    result = await call.write(
        ("batch", operations), lambda adapter: adapter.batch(operations)
    )
    return {
        "successful": result.successful,
        "failed": result.failed,
        "results": [
            one and {"changes": one.changes, "lastInsertRowid": one.last_row_id}
            for one in result.results
        ],
        "errors": [
            {"index": one.index, "error": _error_data(one.error)}
            for one in result.errors
        ],
    }


def _error_data(error: Exception) -> dict[str, object]:
    code = error.code if isinstance(error, PyodideAppError) else "internal"
    return {"code": code, "message": str(error)}


async def begin(call: Call) -> object:
    handle = call.handle
    transaction = InteractiveTransaction(
        handle.adapter, idle_s=call.host.transaction_idle_s
    )
    id = new_id()
    handle.transactions[id] = transaction
    try:
        await transaction.begin()
    except BaseException:
        del handle.transactions[id]
        await transaction.roll_back()
        raise
    return {"transactionId": id}


async def commit(call: Call) -> object:
    id = call.arguments.text("transactionId")
    transaction = call.handle.transaction(id)
    try:
        await transaction.commit()
    finally:
        call.handle.transactions.pop(id, None)
    return None


async def roll_back(call: Call) -> object:
    transaction = call.handle.transactions.pop(
        call.arguments.text("transactionId"), None
    )
    if transaction is not None:
        await transaction.roll_back()
    return None
