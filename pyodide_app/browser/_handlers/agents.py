"""The agent runtime."""

import contextlib
from collections.abc import AsyncGenerator

from pyodide_app.browser.call import Call
from pyodide_app.storage import AgentOSStorage

__all__ = ["check_provider", "personas", "stream"]


async def personas(call: Call) -> object:
    return await call.host.agents.personas(await _storage(call), call.tab_id)


async def check_provider(call: Call) -> object:
    provider = call.arguments.object("provider")
    storage = await _storage(call)
    return await call.host.agents.check_provider(storage, call.tab_id, provider)


async def stream(call: Call) -> AsyncGenerator[object, None]:
    storage = await _storage(call)
    async with contextlib.aclosing(
        call.host.agents.stream(storage, call.tab_id, call.arguments)
    ) as chunks:
        async for chunk in chunks:
            yield chunk


async def _storage(call: Call) -> AgentOSStorage:
    """Return the typed storage, also of a database that was opened bare."""
    return await call.host.databases.with_schema(call.handle)
