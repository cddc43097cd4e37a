"""How a database is, and what was set aside of it as damaged."""

from pyodide_app.browser.call import Call
from pyodide_app.browser.wire import Blob
from pyodide_app.errors import RecordNotFoundError

__all__ = ["delete_quarantined", "diagnose", "quarantine", "read_quarantined"]


async def diagnose(call: Call) -> object:
    given = call.arguments
    return await call.handle.adapter.diagnose(
        verify=given.truth("verify", default=True),
        integrity_check=given.truth("integrityCheck", default=False),
    )


async def quarantine(call: Call) -> object:
    return await call.handle.adapter.quarantine()


async def read_quarantined(call: Call) -> object:
    id = call.arguments.integer("id", 0)
    if call.handle.adapter.kind != "indexeddb":
        return await call.handle.adapter.read_quarantined(id)
    found = await call.host.volume.quarantined_handle(id)
    if found is None:
        kind = "quarantined item"
        raise RecordNotFoundError(kind, str(id))
    return Blob(found)


async def delete_quarantined(call: Call) -> object:
    await call.handle.adapter.delete_quarantined(call.arguments.integer("id", 0))
    return None
