"""The language model that comes with the browser, where there is one."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pyodide_app.agentos.ports import BuiltInModel
from pyodide_app.agentos.providers.model import (
    Completed,
    ModelEvent,
    ModelRequest,
    Progress,
    TextDelta,
    TokenCount,
)
from pyodide_app.agentos.providers.spec import BuiltInSpec
from pyodide_app.agentos.tokens import MESSAGE_TOKENS, estimate_tokens
from pyodide_app.errors import ProviderError, ProviderResponseError

__all__ = ["BuiltInProvider"]

_MODEL = "built-in"
_DOWNLOAD = "The browser downloads its model first; that can take minutes."


class BuiltInProvider:
    """A `Provider` over a `BuiltInModel`.

    It counts no tokens and calls no tools.
    """

    name = "built-in"
    model = _MODEL
    context_tokens = 4096

    def __init__(self, spec: BuiltInSpec, model: BuiltInModel | None) -> None:
        self._spec = spec
        self._model = model

    async def answer(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Stream the answer, see `Provider.answer`."""
        model, availability = await self._ready()
        if availability != "available":
            yield Progress(_DOWNLOAD)
        messages = [
            {"role": message.role, "content": message.text}
            for message in request.messages
        ]
        said: list[str] = []
        pieces = model.prompt(messages, temperature=self._spec.temperature)
        async with aclosing(pieces):
            async for piece in pieces:
                if piece:
                    said.append(piece)
                    yield TextDelta(piece)
        text = "".join(said)
        if not text.strip():
            msg = "the browser's model sent an empty answer; try again"
            raise ProviderResponseError(msg)
        prompt = sum(estimate_tokens(m.text) + MESSAGE_TOKENS for m in request.messages)
        tokens = TokenCount(prompt, estimate_tokens(text), is_estimated=True)
        yield Completed("stop", tokens)

    async def check(self) -> tuple[str, ...]:
        """Return the one model that the browser has."""
        await self._ready()
        return (_MODEL,)

    def cost_usd(self, tokens: TokenCount) -> float | None:
        """Return 0: it runs on this device."""
        return 0.0

    async def _ready(self) -> tuple[BuiltInModel, str]:
        model = self._model
        availability = "unavailable" if model is None else await model.availability()
        if model is None or availability == "unavailable":
            msg = (
                "this browser has no language model of its own; choose another provider"
            )
            raise ProviderError(msg, retryable=False)
        return model, availability
