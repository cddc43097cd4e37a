"""The browser's built-in model, asked through the page that called.

``LanguageModel`` exists in documents only; the host calls back to the tab
(``web/page/built-in-model.js``).
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast

from pyodide_app.agentos.ports import Availability
from pyodide_app.browser.volume import as_app_error

__all__ = ["PageModel"]


class PageModel:
    """Implements `pyodide_app.agentos.ports.BuiltInModel` over one tab.

    Args:
        bridge: JavaScript's way to the tabs (``web/worker/python-dispatch.js``).
        tab_id: The tab whose model it is.
    """

    def __init__(self, bridge: Any, tab_id: str) -> None:  # noqa: ANN401  # a JsProxy
        self._bridge = bridge
        self._tab_id = tab_id

    async def availability(self) -> Availability:
        """Return whether it can answer; ``unavailable`` also if there is none."""
        from pyodide.ffi import JsException

        try:
            answer = await self._bridge.callPage(
                self._tab_id, "languageModel.availability", "null"
            )
        except JsException as error:
            raise as_app_error(error) from error
        return cast("Availability", str(answer))

    async def prompt(
        self, messages: Sequence[Mapping[str, str]], *, temperature: float | None = None
    ) -> AsyncGenerator[str, None]:
        """Yield the answer piece by piece. Closing the iterator stops the model."""
        from pyodide.ffi import JsException

        argument = {"messages": [dict(m) for m in messages], "temperature": temperature}
        pieces = self._bridge.streamFromPage(
            self._tab_id, "languageModel.prompt", json.dumps(argument)
        )
        is_over = False
        try:
            while True:
                step = await pieces.next()
                if step.done:
                    is_over = True
                    return
                yield str(step.value)
        except JsException as error:
            is_over = True
            raise as_app_error(error) from error
        finally:
            if not is_over:
                # Not awaited: a generator that is being closed must not wait.
                getattr(pieces, "return")()
