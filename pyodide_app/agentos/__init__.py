"""The agent runtime: personas, providers, and turns that survive a crash.

It stands on `pyodide_app.storage` and knows no browser: HTTP, the browser's model
and time are ports.
"""

from pyodide_app.agentos.messages import Message, messages_from_events
from pyodide_app.agentos.ports import BuiltInModel, Clock, HttpClient, HttpResponse
from pyodide_app.agentos.providers import (
    BuiltInSpec,
    OpenAiSpec,
    Provider,
    ProviderSpec,
    RecallSpec,
)
from pyodide_app.agentos.runtime import AgentOS, AgentResponse, ProviderInput
from pyodide_app.agentos.tools import ToolContext, ToolHandler

__all__ = [
    "AgentOS",
    "AgentResponse",
    "BuiltInModel",
    "BuiltInSpec",
    "Clock",
    "HttpClient",
    "HttpResponse",
    "Message",
    "OpenAiSpec",
    "Provider",
    "ProviderInput",
    "ProviderSpec",
    "RecallSpec",
    "ToolContext",
    "ToolHandler",
    "messages_from_events",
]
