"""Backups: looking into one, taking one over.

A backup is hostile until it has been checked; `source` says how that is done. Its
schema is never adopted: rows are copied into a database that our migrations made.
"""

from pyodide_app.storage.backup.adopting import replace_with_backup
from pyodide_app.storage.backup.header import LARGEST_BACKUP, check_header
from pyodide_app.storage.backup.importing import import_backup
from pyodide_app.storage.backup.inspecting import ainspect_backup, inspect_backup
from pyodide_app.storage.backup.report import (
    BackupCounts,
    BackupInspection,
    BackupKind,
    BackupProblem,
    ImportReport,
)

__all__ = [
    "LARGEST_BACKUP",
    "BackupCounts",
    "BackupInspection",
    "BackupKind",
    "BackupProblem",
    "ImportReport",
    "ainspect_backup",
    "check_header",
    "import_backup",
    "inspect_backup",
    "replace_with_backup",
]
