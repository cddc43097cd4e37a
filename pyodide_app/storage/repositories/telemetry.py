"""Telemetry: measurements, and what they add up to."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyodide_app.ids import new_id, now_ms
from pyodide_app.storage.adapter import Row, SqlValue, StorageAdapter
from pyodide_app.storage.codec import encode_object, telemetry_from
from pyodide_app.storage.paging import Listing, read_page
from pyodide_app.storage.records import Page, TelemetryRecord, UsageRow, UsageSummary

__all__ = ["Telemetry"]

_COLUMNS = "id, session_id, event_type, event_data, timestamp"
_LISTING: Final = Listing(
    "telemetry", _COLUMNS, "telemetry", ("timestamp", "id"), descending=True
)

# The original writes usage flat or, as in a response, under "usage".
_USAGE = """
SELECT date(timestamp / 1000, 'unixepoch') AS day,
    coalesce(event_data ->> '$.model', event_data ->> '$.modelId', 'unknown') AS model,
    coalesce(event_data ->> '$.usage.promptTokens', event_data ->> '$.promptTokens')
        AS prompt_tokens,
    coalesce(event_data ->> '$.usage.completionTokens',
        event_data ->> '$.completionTokens') AS completion_tokens,
    coalesce(event_data ->> '$.usage.totalTokens', event_data ->> '$.totalTokens')
        AS total_tokens,
    coalesce(event_data ->> '$.usage.totalCostUSD', event_data ->> '$.totalCostUSD',
        event_data ->> '$.costUSD') AS cost_usd,
    event_data ->> '$.latencyMs' AS latency_ms
FROM telemetry
WHERE timestamp >= ? AND timestamp < ?
    AND (prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL
        OR total_tokens IS NOT NULL)
"""

_END_OF_TIME = (1 << 63) - 1


class Telemetry:
    """Typed access to ``telemetry``."""

    def __init__(self, adapter: StorageAdapter) -> None:
        self._adapter = adapter

    async def record(
        self,
        session_id: str | None,
        event_type: str,
        event_data: Mapping[str, Any],
        *,
        timestamp: int | None = None,
    ) -> TelemetryRecord:
        """Store a measurement, and return it."""
        record = TelemetryRecord(
            id=new_id(),
            session_id=session_id,
            event_type=event_type,
            event_data=dict(event_data),
            timestamp=now_ms() if timestamp is None else timestamp,
        )
        await self._adapter.run(
            f"INSERT INTO telemetry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (
                record.id,
                session_id,
                event_type,
                encode_object(event_data, kind="telemetry record", id=record.id),
                record.timestamp,
            ),
        )
        return record

    async def list(
        self,
        session_id: str | None = None,
        event_type: str | None = None,
        since: int | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[TelemetryRecord]:
        """Return a page of measurements, the newest first.

        Args:
            session_id: Only those of this session.
            event_type: Only those of this type.
            since: Only those at or after this time, in Unix milliseconds.
            limit: Items on a page.
            cursor: Of the page before.
        """
        where: list[tuple[str, SqlValue]] = [
            (condition, value)
            for condition, value in (
                ("session_id = ?", session_id),
                ("event_type = ?", event_type),
                ("timestamp >= ?", since),
            )
            if value is not None
        ]
        return await read_page(
            self._adapter,
            _LISTING,
            telemetry_from,
            where=where,
            limit=limit,
            cursor=cursor,
        )

    async def summary(
        self, since: int | None = None, until: int | None = None
    ) -> UsageSummary:
        """Return tokens, cost and latency of model calls, by day and model.

        A call is a record that reports tokens. Days are in UTC.

        Args:
            since: Only calls at or after this time, in Unix milliseconds.
            until: Only calls before this time.
        """
        rows = await self._adapter.all(
            _USAGE,
            (
                -_END_OF_TIME if since is None else since,
                _END_OF_TIME if until is None else until,
            ),
        )
        groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            groups[str(row["day"]), str(row["model"])].append(row)
        newest_first = sorted(groups, key=lambda key: key[1])
        newest_first.sort(key=lambda key: key[0], reverse=True)
        return UsageSummary(
            tuple(
                _usage_row(day, model, groups[day, model])
                for day, model in newest_first
            )
        )


def _usage_row(day: str, model: str, calls: Sequence[Row]) -> UsageRow:
    prompt = sum(int(_number(call["prompt_tokens"])) for call in calls)
    completion = sum(int(_number(call["completion_tokens"])) for call in calls)
    total = sum(
        int(
            _number(call["prompt_tokens"]) + _number(call["completion_tokens"])
            if call["total_tokens"] is None
            else _number(call["total_tokens"])
        )
        for call in calls
    )
    latencies = sorted(
        float(latency)
        for call in calls
        if isinstance(latency := call["latency_ms"], int | float)
    )
    return UsageRow(
        day=day,
        model=model,
        calls=len(calls),
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cost_usd=math.fsum(_number(call["cost_usd"]) for call in calls),
        latency_ms_avg=math.fsum(latencies) / len(latencies) if latencies else None,
        latency_ms_p95=_nearest_rank(latencies, 0.95),
    )


def _nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """Return the least value that *share* of all are not above."""
    if not ordered:
        return None
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def _number(value: SqlValue) -> float:
    """Return *value* as a number; what is none counts nothing."""
    return value if isinstance(value, int | float) else 0
