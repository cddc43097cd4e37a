"""Carries out the calls that the border brings, one answer each.

Rule 1: a call ends in exactly one of an answer, an error, the end of its stream.
Rule 2: an error of ours crosses with its code; any other becomes ``internal``, and
        its traceback goes to the log, not to the page.
Rule 3: a cancelled call is cancelled where it is, also in a stream, unless the
        table says that it finishes.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pyodide_app.browser.arguments import (
    Arguments,
    InvalidArgumentsError,
    UnknownMethodError,
)
from pyodide_app.browser.call import Call, Surroundings
from pyodide_app.browser.methods import ALONE, FINISHES, KEEPS_BYTES, METHODS, STREAMS
from pyodide_app.browser.prompt import begin_at_once
from pyodide_app.browser.wire import Blob, as_record, decode, encode
from pyodide_app.errors import PyodideAppError

__all__ = ["Dispatcher"]

_logger = logging.getLogger(__name__)


class Dispatcher:
    """Serves the method table to the border.

    Args:
        host: What handlers may use.
        read_bytes: Turns a byte array of the other side into `bytes`.
        give: Turns an answer into what the other side gets.
    """

    def __init__(
        self,
        host: Surroundings,
        *,
        read_bytes: Callable[[Any], bytes],
        give: Callable[[dict[str, Any]], Any],
    ) -> None:
        self._host = host
        self._read_bytes = read_bytes
        self._give = give
        self._calls: dict[int, asyncio.Task[Any]] = {}
        self._farewells: set[asyncio.Task[None]] = set()

    def serve(
        self,
        call_id: int,
        method: str,
        text: str,
        blobs: Sequence[Any],
        tab_id: str,
        send_item: Callable[[str, Any], None],
        answer: Callable[[Any], None],
    ) -> None:
        """Begin one call. It can be cancelled from the moment this returns.

        Args:
            call_id: Names it for `cancel`.
            method: Of the table.
            text: The argument, encoded.
            blobs: Byte arrays beside it.
            tab_id: Whose call it is.
            send_item: Gets each item of a stream.
            answer: Gets, once, ``{text, parts}`` for the result, ``{}`` for the end
                of a stream, or ``{error: {code, message, detail}}``. What does not
                have to wait is answered before this returns.
        """

        async def serve() -> None:
            work = self._carry_out(method, text, blobs, tab_id, send_item)
            answer(await work)

        task = begin_at_once(serve())
        if method in FINISHES or task.done():
            return

        def ended(task: asyncio.Task[None]) -> None:
            del self._calls[call_id]
            if task.cancelled():  # before its first step
                answer(self._give({}))

        self._calls[call_id] = task
        task.add_done_callback(ended)

    def cancel(self, call_id: int) -> None:
        """The caller does not want the answer any more."""
        task = self._calls.get(call_id)
        if task is not None:
            task.cancel()

    def tab_gone(self, tab_id: str) -> None:
        """Let go of what that tab had open."""
        farewell = asyncio.ensure_future(self._host.databases.tab_gone(tab_id))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def _carry_out(
        self,
        method: str,
        text: str,
        blobs: Sequence[Any],
        tab_id: str,
        send_item: Callable[[str, Any], None],
    ) -> Any:  # noqa: ANN401  # what `give` makes
        try:
            arguments = self._arguments(method, text, blobs)

            def tell(item: object) -> None:
                item_text, parts = encode(as_record(item))
                send_item(item_text, self._give({"parts": parts}))

            call = Call(tab_id, arguments, self._host, tell)
            if method in ALONE:
                call.handle.expect_no_transaction()
            if method in STREAMS:
                async with contextlib.aclosing(STREAMS[method](call)) as items:
                    async for item in items:
                        tell(item)
                return self._give({})
            handler = METHODS.get(method, _unknown(method))
            result_text, parts = encode(as_record(await handler(call)))
            return self._give({"text": result_text, "parts": parts})
        except asyncio.CancelledError:
            return self._give({})
        except PyodideAppError as error:
            return self._give({"error": _error_data(error.code, error)})
        except Exception as error:
            _logger.exception("%s failed", method)
            return self._give({"error": _error_data("internal", error)})

    def _arguments(self, method: str, text: str, blobs: Sequence[Any]) -> Arguments:
        read = Blob if method in KEEPS_BYTES else self._read_bytes
        try:
            return Arguments(decode(text, blobs, read))
        except ValueError as error:
            raise InvalidArgumentsError(
                field="the argument", expected="a payload of the wire codec"
            ) from error


def _unknown(method: str) -> Callable[[Call], Awaitable[object]]:
    async def refuse(_: Call) -> object:
        raise UnknownMethodError(method)

    return refuse


def _error_data(code: str, error: Exception) -> dict[str, Any]:
    detail = error.detail if isinstance(error, PyodideAppError) else {}
    text = str(error) if isinstance(error, PyodideAppError) else _UNEXPECTED
    return {"code": code, "message": text, "detail": encode(as_record(detail))[0]}


_UNEXPECTED = "something unexpected went wrong; the console of the host has the details"
