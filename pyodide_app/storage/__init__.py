"""SQL storage: adapters, typed repositories, search and backup."""

from pyodide_app.storage.adapter import (
    BatchError,
    BatchOperation,
    BatchResult,
    Durability,
    Parameters,
    RestorePoint,
    Row,
    RunResult,
    SqlValue,
    Statement,
    StorageAdapter,
    StorageStatus,
)
from pyodide_app.storage.adapters import (
    IndexedDbAdapter,
    MemoryAdapter,
    NativeSqliteAdapter,
)
from pyodide_app.storage.changes import Change, ChangeFeed, Subscription
from pyodide_app.storage.facade import (
    AgentOSStorage,
    Resolution,
    create_agentos_storage,
)
from pyodide_app.storage.hooks import HookContext, StorageHooks, combine_hooks
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

__all__ = [
    "AgentOSStorage",
    "BatchError",
    "BatchOperation",
    "BatchResult",
    "Change",
    "ChangeFeed",
    "Conversation",
    "ConversationEvent",
    "ConversationWithEvents",
    "Durability",
    "HookContext",
    "IndexedDbAdapter",
    "MemoryAdapter",
    "NativeSqliteAdapter",
    "Page",
    "Parameters",
    "Persona",
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
    "Subscription",
    "TelemetryRecord",
    "UsageRow",
    "UsageSummary",
    "Workflow",
    "combine_hooks",
    "create_agentos_storage",
]
