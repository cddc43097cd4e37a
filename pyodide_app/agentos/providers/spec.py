"""How a provider is named: plain data, as they come from a page or a program.

A key lives in these objects only. It is left out of their repr, and nothing writes
them anywhere.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pyodide_app.agentos.providers.address import api_address
from pyodide_app.errors import AgentError

__all__ = ["BuiltInSpec", "OpenAiSpec", "ProviderSpec", "RecallSpec", "parse_spec"]

CONTEXT_TOKENS = 8192
"""What a small model takes in, answer included."""


@dataclass(frozen=True, slots=True)
class OpenAiSpec:
    """A server that speaks OpenAI's chat completions.

    Attributes:
        base_url: With or without ``/v1``.
        model: As the server names it.
        api_key: Sent to that server alone.
        temperature: None for the server's own.
        input_price_per_million: US dollars per million tokens, if known.
        output_price_per_million: The same for tokens it writes.
        context_tokens: What the model can take in, answer included.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    temperature: float | None = None
    input_price_per_million: float | None = None
    output_price_per_million: float | None = None
    context_tokens: int = CONTEXT_TOKENS

    def __post_init__(self) -> None:
        api_address(self.base_url)  # refuses what is no address


@dataclass(frozen=True, slots=True)
class BuiltInSpec:
    """The model that comes with the browser."""

    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class RecallSpec:
    """No model: search in what was said before."""


ProviderSpec: TypeAlias = OpenAiSpec | BuiltInSpec | RecallSpec


def parse_spec(value: Mapping[str, Any]) -> ProviderSpec:
    """Return the spec that *value*, with the names of JavaScript, describes.

    Raises:
        AgentError: It is none; says what is wrong. A key is never quoted.
    """
    kind = value.get("type")
    if kind == "recall":
        return RecallSpec()
    if kind == "built-in":
        return BuiltInSpec(temperature=_number(value, "temperature"))
    if kind != "openai":
        msg = "a provider's type is 'openai', 'built-in' or 'recall'"
        raise AgentError(msg)
    context = _number(value, "contextTokens")
    return OpenAiSpec(
        base_url=_text(value, "baseUrl"),
        model=_text(value, "model"),
        api_key=_text(value, "apiKey") or None,
        temperature=_number(value, "temperature"),
        input_price_per_million=_number(value, "inputPricePerMillion"),
        output_price_per_million=_number(value, "outputPricePerMillion"),
        context_tokens=CONTEXT_TOKENS if context is None else int(context),
    )


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        msg = f"a provider's {key} is a text"
        raise AgentError(msg)
    return text.strip()


def _number(value: Mapping[str, Any], key: str) -> float | None:
    number = value.get(key)
    if number is None:
        return None
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not math.isfinite(number) or number < 0:
        msg = f"a provider's {key} is a number, 0 or greater"
        raise AgentError(msg)
    return float(number)
