"""Makes the provider that a spec names."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pyodide_app.agentos.http_native import HttpxClient
from pyodide_app.agentos.ports import BuiltInModel, HttpClient
from pyodide_app.agentos.providers.built_in import BuiltInProvider
from pyodide_app.agentos.providers.model import Provider
from pyodide_app.agentos.providers.openai import OpenAiProvider
from pyodide_app.agentos.providers.recall import RecallProvider
from pyodide_app.agentos.providers.spec import (
    BuiltInSpec,
    OpenAiSpec,
    ProviderSpec,
    RecallSpec,
    parse_spec,
)
from pyodide_app.storage.facade import AgentOSStorage

__all__ = ["ProviderChoice", "ProviderInput"]

ProviderInput: TypeAlias = Mapping[str, Any] | ProviderSpec | Provider
"""A provider, or what names one; a mapping has the names of JavaScript."""


class ProviderChoice:
    """Knows what providers are made of.

    Args:
        storage: What recall reads.
        defaults: The first one answers when none is named; recall if there is none.
        http: How to reach servers; None for httpx, once a server is needed.
        built_in_model: The browser's model, if there is one.

    Raises:
        AgentError: One of *defaults* is not usable.
    """

    def __init__(
        self,
        storage: AgentOSStorage,
        *,
        defaults: Sequence[ProviderInput],
        http: HttpClient | None,
        built_in_model: BuiltInModel | None,
    ) -> None:
        self._storage = storage
        specs = [*map(_spec_of, defaults), RecallSpec()]
        self._default = specs[0]
        self._http = http
        self._own_http: HttpxClient | None = None
        self._built_in_model = built_in_model

    def choose(self, given: ProviderInput | None) -> Provider:
        """Return the provider that *given* names, or the default.

        Raises:
            AgentError: It names none, or what it needs is not installed.
        """
        spec = self._default if given is None else _spec_of(given)
        match spec:
            case OpenAiSpec():
                return OpenAiProvider(spec, self._http_client())
            case BuiltInSpec():
                return BuiltInProvider(spec, self._built_in_model)
            case RecallSpec():
                return RecallProvider(self._storage)
        return spec

    async def aclose(self) -> None:
        """Close the connections that were made here."""
        if self._own_http is not None:
            await self._own_http.aclose()
            self._own_http = None

    def _http_client(self) -> HttpClient:
        if self._http is not None:
            return self._http
        if self._own_http is None:
            self._own_http = HttpxClient()
        return self._own_http


def _spec_of(given: ProviderInput) -> ProviderSpec | Provider:
    return parse_spec(given) if isinstance(given, Mapping) else given
