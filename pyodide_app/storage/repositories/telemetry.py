"""Telemetry: measurements, and what they add up to."""

import json
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


def _first_of(*paths: str) -> str:
    """Return SQL for the first of *paths* that is there, as JSON."""
    values = (f"nullif(event_data -> '$.{path}', 'null')" for path in paths)
    return f"coalesce({', '.join(values)}, NULL)"


# The original writes usage flat or, as in a response, under "usage".
# Numbers come as JSON, because not every database has a column that holds either
# a number or a text.
_USAGE = f"""
SELECT * FROM (
    SELECT date(timestamp / 1000, 'unixepoch') AS day,
        coalesce(event_data ->> '$.model', event_data ->> '$.modelId', 'unknown')
            AS model,
        {_first_of("usage.promptTokens", "promptTokens")} AS prompt_tokens,
        {_first_of("usage.completionTokens", "completionTokens")}
            AS completion_tokens,
        {_first_of("usage.totalTokens", "totalTokens")} AS total_tokens,
        {_first_of("usage.totalCostUSD", "totalCostUSD", "costUSD")} AS cost_usd,
        {_first_of("latencyMs")} AS latency_ms
    FROM telemetry
    WHERE timestamp >= ? AND timestamp < ?
) AS call
WHERE prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL
    OR total_tokens IS NOT NULL
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
        if isinstance(latency := _value(call["latency_ms"]), int | float)
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
    """Return JSON as a number; what is none counts nothing."""
    number = _value(value)
    return number if isinstance(number, int | float) else 0


def _value(value: SqlValue) -> object:
    return json.loads(value) if isinstance(value, str) else None
