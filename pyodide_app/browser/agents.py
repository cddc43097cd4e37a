"""The agent runtime as pages reach it.

Each call gets an `AgentOS` of its own, which holds nothing but what the call brought:
the tab whose built-in model it may ask, and the provider with its key.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from pyodide_app.browser.arguments import Arguments
from pyodide_app.storage import AgentOSStorage

if TYPE_CHECKING:
    from pyodide_app.agentos import AgentOS

__all__ = ["Agents"]


class Agents:
    """Agents of this host.

    Args:
        bridge: JavaScript's way to the tabs.
    """

    def __init__(self, bridge: Any) -> None:  # noqa: ANN401  # a JsProxy
        self._bridge = bridge

    async def personas(self, storage: AgentOSStorage, tab_id: str) -> list[object]:
        """Return all personas, the built-in ones among them."""
        await self._agent(storage, tab_id)
        page = await storage.personas.list(limit=1000)
        return list(page.items)

    async def check_provider(
        self, storage: AgentOSStorage, tab_id: str, provider: Mapping[str, Any]
    ) -> object:
        """Reach the provider without asking it anything."""
        agent = await self._agent(storage, tab_id)
        return {"models": list(await agent.check_provider(provider))}

    async def stream(
        self, storage: AgentOSStorage, tab_id: str, arguments: Arguments
    ) -> AsyncGenerator[object, None]:
        """Yield the chunks of an answer."""
        agent = await self._agent(storage, tab_id)
        chunks = agent.stream_user_message(
            user_id=arguments.text("userId"),
            persona_id=arguments.text("personaId"),
            user_message=arguments.text_or_none("userMessage"),
            conversation_id=arguments.text_or_none("conversationId"),
            provider=arguments.object_or_none("provider"),
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _agent(self, storage: AgentOSStorage, tab_id: str) -> "AgentOS":
        # Not needed for the first query, so not imported at the start.
        from pyodide_app.agentos import AgentOS
        from pyodide_app.browser.built_in_model import PageModel
        from pyodide_app.browser.fetch_client import FetchClient

        agent = AgentOS()
        await agent.initialize(
            storage_adapter=storage,
            http=FetchClient(),
            built_in_model=PageModel(self._bridge, tab_id),
            # A browser profile is one person's, whatever user an import names.
            reads_all_users=True,
        )
        return agent
