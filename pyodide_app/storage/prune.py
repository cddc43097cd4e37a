"""Giving space back: old conversations go, and the file gets smaller.

A conversation is as old as its last update. What belongs to it goes with it: its
events, their words in the full-text index, its session and its telemetry. Sessions
and telemetry of no conversation go by their own time. Personas, workflows and
tables of your own stay.
"""

import contextlib
import errno
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from pyodide_app.errors import NoRoomForRestorePointError, QuotaExceededError
from pyodide_app.ids import now_ms
from pyodide_app.storage.adapter import RestorePoint, StorageAdapter

__all__ = ["Age", "PrunePlan", "PruneReport", "plan_prune", "prune"]

Age: TypeAlias = int | datetime | timedelta
"""A moment, as Unix milliseconds or a datetime, or how long ago it was."""

_END_OF_TIME = (1 << 63) - 1

# What the triggers take out of the index is only marked in it; this removes it.
_OPTIMIZE = "INSERT INTO message_search (message_search) VALUES ('optimize')"


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What `prune` would delete now.

    Attributes:
        conversations: How many go.
        events: Of those conversations.
        sessions: How many go.
        telemetry: Measurements that go.
        bytes_before: Size of the database file.
        bytes_freed: By how much it would shrink; an estimate.
    """

    conversations: int
    events: int
    sessions: int
    telemetry: int
    bytes_before: int
    bytes_freed: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What `prune` deleted.

    Attributes:
        conversations: How many are gone.
        events: Of those conversations.
        sessions: How many are gone.
        telemetry: Measurements that are gone.
        bytes_before: Size of the database file before.
        bytes_freed: By how much it shrank.
        restore_point: The state before; None if it was not to be kept.
        restore_points_deleted: How many older ones were given up.
    """

    conversations: int
    events: int
    sessions: int
    telemetry: int
    bytes_before: int
    bytes_freed: int
    restore_point: RestorePoint | None
    restore_points_deleted: int


async def plan_prune(
    adapter: StorageAdapter, *, older_than: Age | None, keep: int | None
) -> PrunePlan:
    """Return what `prune` would delete now; nothing is changed."""
    choice = _Choice.of(older_than, keep)
    return await adapter.transaction(choice.plan)


async def prune(
    adapter: StorageAdapter,
    *,
    older_than: Age | None,
    keep: int | None,
    keep_restore_point: bool,
    delete_restore_points: bool,
) -> PruneReport:
    """Delete, and shrink the file; see `AgentOSStorage.prune`."""
    choice = _Choice.of(older_than, keep)
    points = await adapter.restore_points() if delete_restore_points else []
    for point in points:
        await adapter.delete_restore_point(point.id)
    kept = await _keep(adapter) if keep_restore_point else None
    plans: list[PrunePlan] = []

    async def work(inner: StorageAdapter) -> None:
        plans.append(await choice.plan(inner))
        await choice.delete(inner)

    # It is committed all the same; what makes room for it comes now.
    with contextlib.suppress(QuotaExceededError):
        await adapter.transaction(work)
    await adapter.compact()
    [plan] = plans
    after = (await adapter.status()).database_bytes
    return PruneReport(
        conversations=plan.conversations,
        events=plan.events,
        sessions=plan.sessions,
        telemetry=plan.telemetry,
        bytes_before=plan.bytes_before,
        bytes_freed=max(plan.bytes_before - after, 0),
        restore_point=kept,
        restore_points_deleted=len(points),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """What goes, as conditions of SQL; the numbers in them are integers.

    Attributes:
        before: Conversations last updated before this go, in Unix milliseconds.
        keep: But never this many newest ones.
        loose_before: The same for what belongs to no conversation.
    """

    before: int
    keep: int
    loose_before: int

    @classmethod
    def of(cls, older_than: Age | None, keep: int | None) -> "_Choice":
        if older_than is None and keep is None:
            msg = "say what goes: older_than, keep, or both"
            raise ValueError(msg)
        if keep is not None and keep < 0:
            msg = f"keep must not be negative, it is {keep}"
            raise ValueError(msg)
        if older_than is None:
            return cls(_END_OF_TIME, keep or 0, -_END_OF_TIME)
        before = _moment(older_than)
        return cls(before, keep or 0, before)

    @property
    def conversations(self) -> str:
        return (
            "id IN (SELECT id FROM (SELECT id, updated_at, row_number() OVER "
            "(ORDER BY updated_at DESC, id DESC) AS place FROM conversations) AS c "
            f"WHERE updated_at < {self.before} AND place > {self.keep})"
        )

    @property
    def events(self) -> str:
        return f"conversation_id IN ({self._ids})"

    @property
    def sessions(self) -> str:
        return (
            f"id IN ({self._ids}) OR (updated_at < {self.loose_before} "
            "AND id NOT IN (SELECT id FROM conversations))"
        )

    @property
    def telemetry(self) -> str:
        return (
            f"session_id IN ({self._ids}) OR (timestamp < {self.loose_before} "
            "AND (session_id IS NULL "
            "OR session_id NOT IN (SELECT id FROM conversations)))"
        )

    @property
    def _ids(self) -> str:
        return f"SELECT id FROM conversations WHERE {self.conversations}"

    async def plan(self, adapter: StorageAdapter) -> PrunePlan:
        """Return what goes; the space is estimated by what fills a database."""
        row = await adapter.get(
            "SELECT page_size, page_count, freelist_count, conversations, "
            "events.number AS events, sessions, telemetry.number AS telemetry, "
            "coalesce(events.going, 0) + coalesce(telemetry.going, 0) AS going, "
            "coalesce(events.whole, 0) + coalesce(telemetry.whole, 0) AS whole "
            "FROM pragma_page_size, pragma_page_count, pragma_freelist_count, "
            "(SELECT count(*) AS conversations FROM conversations "
            f"WHERE {self.conversations}) AS c, "
            f"(SELECT count(*) AS sessions FROM sessions WHERE {self.sessions}) AS s, "
            f"({_weigh('conversation_events', self.events)}) AS events, "
            f"({_weigh('telemetry', self.telemetry)}) AS telemetry"
        )
        found = {name: int(value or 0) for name, value in (row or {}).items()}
        free = found["freelist_count"]
        used = found["page_count"] - free
        going = used * found["going"] // found["whole"] if found["whole"] else 0
        return PrunePlan(
            conversations=found["conversations"],
            events=found["events"],
            sessions=found["sessions"],
            telemetry=found["telemetry"],
            bytes_before=found["page_count"] * found["page_size"],
            bytes_freed=(free + going) * found["page_size"],
        )

    async def delete(self, adapter: StorageAdapter) -> None:
        """Delete it; conversations last, because the others are found by them."""
        await adapter.run(f"DELETE FROM telemetry WHERE {self.telemetry}")
        await adapter.run(f"DELETE FROM sessions WHERE {self.sessions}")
        await adapter.run(f"DELETE FROM conversations WHERE {self.conversations}")
        await adapter.run(_OPTIMIZE)


def _weigh(table: str, condition: str) -> str:
    """Return SQL for ``number`` of rows and bytes ``going``, of ``whole`` bytes."""
    return (
        f"SELECT count(*) FILTER (WHERE {condition}) AS number, "
        f"sum(octet_length(event_data)) FILTER (WHERE {condition}) AS going, "
        f"sum(octet_length(event_data)) AS whole FROM {table}"
    )


def _moment(age: Age) -> int:
    """Return *age* as Unix milliseconds."""
    if isinstance(age, timedelta):
        return now_ms() - age // timedelta(milliseconds=1)
    if isinstance(age, datetime):
        return int(age.timestamp() * 1000)
    return int(age)


async def _keep(adapter: StorageAdapter) -> RestorePoint:
    try:
        return await adapter.keep_restore_point("before pruning")
    except QuotaExceededError as error:
        raise NoRoomForRestorePointError from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoRoomForRestorePointError from error
