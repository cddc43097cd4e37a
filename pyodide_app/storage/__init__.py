"""SQL storage: adapters, typed repositories, search and backup."""

from typing import TYPE_CHECKING

from pyodide_app.storage.adapter import (
    BatchError,
    BatchOperation,
    BatchResult,
    Durability,
    EvictionRisk,
    Parameters,
    QuarantinedItem,
    RestorePoint,
    Row,
    RunResult,
    SqlValue,
    Statement,
    StorageAdapter,
    StorageStatus,
    Store,
)
from pyodide_app.storage.adapters.indexeddb import IndexedDbAdapter
from pyodide_app.storage.adapters.memory import MemoryAdapter
from pyodide_app.storage.adapters.native import NativeSqliteAdapter
from pyodide_app.storage.changes import Change, ChangeFeed, Subscription
from pyodide_app.storage.diagnostics import (
    Diagnosis,
    FlushTiming,
    StoreState,
    Verification,
)
from pyodide_app.storage.facade import (
    AgentOSStorage,
    Resolution,
    create_agentos_storage,
)
from pyodide_app.storage.hooks import HookContext, StorageHooks, combine_hooks
from pyodide_app.storage.prune import Age, PrunePlan, PruneReport
from pyodide_app.storage.records import (
    Conversation,
    ConversationEvent,
    ConversationWithEvents,
    Page,
    Persona,
    SearchHit,
    Session,
    TelemetryRecord,
    UsageRow,
    UsageSummary,
    Workflow,
)

if TYPE_CHECKING:
    from pyodide_app.storage.adapters.postgres import PostgresAdapter

__all__ = [
    "Age",
    "AgentOSStorage",
    "BatchError",
    "BatchOperation",
    "BatchResult",
    "Change",
    "ChangeFeed",
    "Conversation",
    "ConversationEvent",
    "ConversationWithEvents",
    "Diagnosis",
    "Durability",
    "EvictionRisk",
    "FlushTiming",
    "HookContext",
    "IndexedDbAdapter",
    "MemoryAdapter",
    "NativeSqliteAdapter",
    "Page",
    "Parameters",
    "Persona",
    "PostgresAdapter",
    "PrunePlan",
    "PruneReport",
    "QuarantinedItem",
    "Resolution",
    "RestorePoint",
    "Row",
    "RunResult",
    "SearchHit",
    "Session",
    "SqlValue",
    "Statement",
    "StorageAdapter",
    "StorageHooks",
    "StorageStatus",
    "Store",
    "StoreState",
    "Subscription",
    "TelemetryRecord",
    "UsageRow",
    "UsageSummary",
    "Verification",
    "Workflow",
    "combine_hooks",
    "create_agentos_storage",
]


def __getattr__(name: str) -> object:
    # Nothing of it is needed in a browser, where each import delays the start.
    if name != "PostgresAdapter":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from pyodide_app.storage.adapters.postgres import PostgresAdapter

    return PostgresAdapter
