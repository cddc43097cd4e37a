"""Where answers come from: servers, the browser's model, the stored conversations."""

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

__all__ = [
    "BuiltInProvider",
    "BuiltInSpec",
    "OpenAiProvider",
    "OpenAiSpec",
    "Provider",
    "ProviderSpec",
    "RecallProvider",
    "RecallSpec",
    "parse_spec",
]
