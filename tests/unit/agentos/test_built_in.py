import pytest

from pyodide_app.agentos.providers import BuiltInProvider, BuiltInSpec
from pyodide_app.agentos.providers.model import (
    ChatMessage,
    Completed,
    ModelRequest,
    Progress,
    TextDelta,
    TokenCount,
)
from pyodide_app.errors import ProviderError, ProviderInterruptedError

REQUEST = ModelRequest((ChatMessage("system", "Be kind."), ChatMessage("user", "Hi")))


class Model:
    """A model of a browser that says what it is told to."""

    def __init__(self, *pieces, availability="available"):
        self.pieces = pieces
        self.asked = []
        self.is_closed = False
        self._availability = availability

    async def availability(self):
        return self._availability

    async def prompt(self, messages, *, temperature=None):
        self.asked.append((list(messages), temperature))
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.is_closed = True


async def answer(model, spec=None):
    provider = BuiltInProvider(spec or BuiltInSpec(), model)
    return [event async for event in provider.answer(REQUEST)]


async def test_the_browser_s_model_answers_with_estimated_tokens():
    model = Model("Hel", "", "lo!")

    events = await answer(model, BuiltInSpec(temperature=0.5))

    assert events == [
        TextDelta("Hel"),
        TextDelta("lo!"),
        Completed("stop", TokenCount(11, 2, is_estimated=True)),
    ]
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]
    assert model.asked == [(messages, 0.5)]


async def test_a_download_is_announced():
    events = await answer(Model("Hi", availability="downloadable"))

    assert isinstance(events[0], Progress)


@pytest.mark.parametrize("model", [None, Model(availability="unavailable")])
async def test_a_browser_without_a_model_says_so(model):
    with pytest.raises(ProviderError, match="no language model of its own"):
        await answer(model)
    with pytest.raises(ProviderError, match="choose another provider"):
        await BuiltInProvider(BuiltInSpec(), model).check()


async def test_an_error_of_the_model_passes_through():
    with pytest.raises(ProviderInterruptedError):
        await answer(Model("Hi", ProviderInterruptedError()))


async def test_an_empty_answer_is_an_error():
    with pytest.raises(ProviderError, match="empty answer"):
        await answer(Model("", " "))


async def test_it_offers_one_model_and_costs_nothing():
    provider = BuiltInProvider(BuiltInSpec(), Model())

    assert await provider.check() == ("built-in",)
    assert provider.cost_usd(TokenCount(5, 5)) == 0
