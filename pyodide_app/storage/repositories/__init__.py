"""Typed access to the six tables."""

from pyodide_app.storage.repositories.conversations import Conversations, EventInput
from pyodide_app.storage.repositories.personas import Personas
from pyodide_app.storage.repositories.sessions import Sessions
from pyodide_app.storage.repositories.telemetry import Telemetry
from pyodide_app.storage.repositories.workflows import Workflows

__all__ = [
    "Conversations",
    "EventInput",
    "Personas",
    "Sessions",
    "Telemetry",
    "Workflows",
]
