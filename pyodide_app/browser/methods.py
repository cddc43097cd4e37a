"""The method table: everything that a page may call in Python.

A handler gets the call with its checked arguments and returns data; a stream is an
async generator of data. Names are renamed to JavaScript's in `wire.as_record` and
nowhere else.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final

from pyodide_app.browser._handlers import (
    agents,
    backups,
    encryption,
    health,
    lifecycle,
    records,
    sql,
)
from pyodide_app.browser.call import Call

__all__ = ["ALONE", "FINISHES", "KEEPS_BYTES", "METHODS", "STREAMS"]

METHODS: Final[Mapping[str, Callable[[Call], Awaitable[object]]]] = {
    "storage.open": lifecycle.open_database,
    "storage.close": lifecycle.close,
    "storage.flush": lifecycle.flush,
    "storage.status": lifecycle.status,
    "storage.moveTo": lifecycle.move,
    "storage.encrypt": encryption.encrypt,
    "storage.changePassphrase": encryption.change_passphrase,
    "storage.decrypt": encryption.decrypt,
    "storage.lock": encryption.lock,
    "storage.planPrune": lifecycle.plan_prune,
    "storage.prune": lifecycle.prune,
    "storage.exportDatabase": backups.export,
    "storage.exportBlob": backups.export_blob,
    "storage.inspectBackup": backups.inspect,
    "storage.importDatabase": backups.import_database,
    "storage.restorePoints": backups.restore_points,
    "storage.restore": backups.restore,
    "storage.readRestorePoint": backups.read_restore_point,
    "storage.deleteRestorePoint": backups.delete_restore_point,
    "storage.diagnose": health.diagnose,
    "storage.quarantine": health.quarantine,
    "storage.readQuarantined": health.read_quarantined,
    "storage.deleteQuarantined": health.delete_quarantined,
    "db.run": sql.run,
    "db.get": sql.get,
    "db.all": sql.all_rows,
    "db.exec": sql.execute,
    "db.check": sql.check,
    "db.batch": sql.batch,
    "db.begin": sql.begin,
    "db.commit": sql.commit,
    "db.rollback": sql.roll_back,
    "db.importDatabase": backups.import_bare,
    "conversations.save": records.conversations_save,
    "conversations.get": records.conversations_get,
    "conversations.list": records.conversations_list,
    "conversations.append": records.conversations_append,
    "conversations.rename": records.conversations_rename,
    "conversations.delete": records.conversations_delete,
    "conversations.search": records.conversations_search,
    "sessions.save": records.sessions_save,
    "sessions.get": records.sessions_get,
    "sessions.list": records.sessions_list,
    "sessions.delete": records.sessions_delete,
    "personas.cache": records.personas_cache,
    "personas.get": records.personas_get,
    "personas.list": records.personas_list,
    "personas.delete": records.personas_delete,
    "telemetry.record": records.telemetry_record,
    "telemetry.list": records.telemetry_list,
    "telemetry.summary": records.telemetry_summary,
    "workflows.save": records.workflows_save,
    "workflows.get": records.workflows_get,
    "workflows.list": records.workflows_list,
    "workflows.delete": records.workflows_delete,
    "agentos.personas": agents.personas,
    "agentos.checkProvider": agents.check_provider,
}

STREAMS: Final[Mapping[str, Callable[[Call], AsyncGenerator[object, None]]]] = {
    "storage.watch": lifecycle.watch,
    "agentos.stream": agents.stream,
}

KEEPS_BYTES: Final = frozenset(
    {"storage.inspectBackup", "storage.importDatabase", "db.importDatabase"}
)
"""Methods whose byte arrays never enter the heap."""

FINISHES: Final = frozenset(
    {
        "storage.close",
        "storage.encrypt",
        "storage.changePassphrase",
        "storage.decrypt",
        "storage.lock",
        "storage.moveTo",
        "storage.prune",
        "storage.importDatabase",
        "storage.restore",
        "db.importDatabase",
    }
)
"""Methods that go on when their caller is gone: half of one would leave a file that
is being replaced under an open connection, or a database that nobody closes."""

ALONE: Final = frozenset(
    {
        "storage.encrypt",
        "storage.changePassphrase",
        "storage.decrypt",
        "storage.moveTo",
        "storage.prune",
        "storage.exportDatabase",
        "storage.exportBlob",
        "storage.importDatabase",
        "storage.restore",
        "db.importDatabase",
    }
)
"""Methods that take the file as a whole. Inside a transaction of the same tab they
would wait for its end, and it for them, until it is rolled back for being idle: they
are refused at once."""
