"""The Management API's logs and counts: the database server's own log, and the calls that came to the gateway."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox.supabase_database import message
from services.sandbox.supabase_state import GatewayCall, SupabaseState

READ_AT_MOST = 4_000_000
LONGEST_SPAN = timedelta(hours=24)
# An interval of the counts, and the seconds of one step in it.
INTERVALS: Mapping[str, tuple[timedelta, int]] = {
    "15min": (timedelta(minutes=15), 60),
    "30min": (timedelta(minutes=30), 60),
    "1hr": (timedelta(hours=1), 60),
    "3hr": (timedelta(hours=3), 300),
    "1day": (timedelta(days=1), 3600),
    "3day": (timedelta(days=3), 3600),
    "7day": (timedelta(days=7), 86_400),
}

# The one shape of question that the vendor documents.
_QUERY = re.compile(
    r"^\s*select\s+(?P<columns>.+?)\s+from\s+logs\s+where\s+source\s*=\s*'(?P<source>\w+)'"
    r"(?:\s+and\s+(?P<condition>.+?))?\s+order\s+by\s+timestamp\s+desc\s+limit\s+(?P<limit>\d+)\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_COLUMN = re.compile(r"^(?:(\w+)|log_attributes\['([\w.]+)'\])(?:\s+as\s+(\w+))?$", re.IGNORECASE)
_ONE_OF = re.compile(r"^log_attributes\['([\w.]+)'\]\s+in\s+\(([^()]*)\)$", re.IGNORECASE)
_AT_LEAST = re.compile(r"^toInt32OrZero\(log_attributes\['([\w.]+)'\]\)\s*>=\s*(\d+)$", re.IGNORECASE)
_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC \[(\d+)\] ([A-Z]+):  (.*)$")
_SEVERITIES = frozenset({"DEBUG", "INFO", "NOTICE", "WARNING", "LOG", "ERROR", "FATAL", "PANIC"})
_EMPTY_SOURCES = ("auth_logs", "storage_logs", "realtime_logs", "function_logs", "function_edge_logs")

Row = dict[str, Any]


class _NotUnderstood(Exception):
    """The question is of another shape than the documented one."""


async def logs(state: SupabaseState, request: Request) -> Response:
    """Rows of the one documented question; the default span is the last minute, the longest a day."""
    asked = request.query_params
    until = _moment(asked.get("iso_timestamp_end")) or state.now()
    since = _moment(asked.get("iso_timestamp_start")) or until - timedelta(minutes=1)
    if until - since > LONGEST_SPAN:
        return message(400, "The maximum time range is 24 hours")
    try:
        rows = await asyncio.to_thread(_answer, state, asked.get("sql", ""), since, until)
    except _NotUnderstood as error:
        return JSONResponse({"result": [], "error": _told(str(error))})
    return JSONResponse({"result": rows})


def _answer(state: SupabaseState, query: str, since: datetime, until: datetime) -> list[Row]:
    found = _QUERY.match(query)
    if found is None:
        raise _NotUnderstood("only select ... from logs where source = ... order by timestamp desc limit n is served")
    columns = [_column(part.strip()) for part in found["columns"].split(",")]
    passes = _condition(found["condition"])
    rows = [row for row in _rows(state, found["source"]) if since <= row["timestamp"] <= until and passes(row)]
    rows.sort(key=lambda row: row["timestamp"], reverse=True)
    return [{name: _value(row, key) for name, key in columns} for row in rows[: int(found["limit"])]]


def _rows(state: SupabaseState, source: str) -> Iterable[Row]:
    if source == "postgres_logs":
        return list(server_lines(state.cluster().server.log))
    if source == "edge_logs":
        return [_call(call) for call in state.calls]
    if source in _EMPTY_SOURCES:
        return []
    raise _NotUnderstood(f"there is no source '{source}'")


def server_lines(file: Path) -> Iterator[Row]:
    """The lines of a Postgres server's log, as far back as is worth reading."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - READ_AT_MOST))
        text = opened.read().decode("utf-8", errors="replace")
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None or found[3] not in _SEVERITIES:
            continue
        at = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        attributes = {"parsed.error_severity": found[3], "parsed.process_id": found[2]}
        yield {"id": _id(line), "timestamp": at, "event_message": found[4], "log_attributes": attributes}


def _call(call: GatewayCall) -> Row:
    attributes = {
        "request.method": call.method,
        "request.path": call.path,
        "response.status_code": str(call.status),
    }
    words = f"{call.method} | {call.status} | {call.path}"
    return {
        "id": _id(f"{call.at} {words}"),
        "timestamp": call.at,
        "event_message": words,
        "log_attributes": attributes,
    }


def _column(text: str) -> tuple[str, str]:
    """(the name it gets, the column or the attribute it is)."""
    found = _COLUMN.match(text)
    if found is None or (found[1] and found[1] not in ("id", "timestamp", "event_message")):
        raise _NotUnderstood(f"cannot select {text}")
    key = found[1] or found[2]
    return found[3] or key, key


def _value(row: Row, key: str) -> str:
    """Attributes are texts, and the empty text where a line has none of this name."""
    if key == "timestamp":
        moment: datetime = row["timestamp"]
        return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(row.get(key) or row["log_attributes"].get(key, ""))


def _condition(text: str | None) -> Callable[[Row], bool]:
    if text is None:
        return lambda _: True
    if found := _ONE_OF.match(text.strip()):
        name, wanted = found[1], {part.strip().strip("'") for part in found[2].split(",")}
        return lambda row: row["log_attributes"].get(name) in wanted
    if found := _AT_LEAST.match(text.strip()):
        name, least = found[1], int(found[2])
        return lambda row: _number(row["log_attributes"].get(name)) >= least
    raise _NotUnderstood(f"cannot filter by {text}")


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0


def _id(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _told(what: str) -> dict[str, Any]:
    return {
        "code": 400,
        "errors": [
            {"domain": "global", "location": "sql", "locationType": "parameter", "message": what, "reason": "invalid"}
        ],
        "message": what,
        "status": "INVALID_ARGUMENT",
    }


async def api_counts(state: SupabaseState, request: Request) -> Response:
    """The calls at the gateway in steps of time; steps without a call are left out."""
    interval = request.query_params.get("interval", "1day")
    if interval not in INTERVALS:
        return message(400, f"interval: Invalid enum value, received '{interval}'")
    span, step_s = INTERVALS[interval]
    since = state.now() - span
    counted: dict[int, Counter[str]] = {}
    for call in state.calls:
        if call.at >= since:
            moment = int(call.at.timestamp())
            counted.setdefault(moment - moment % step_s, Counter())[call.path.split("/")[1]] += 1
    return JSONResponse(
        {
            "result": [
                {
                    "timestamp": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
                    **{f"total_{name}_requests": counts[name] for name in ("auth", "realtime", "rest", "storage")},
                }
                for at, counts in sorted(counted.items())
            ]
        }
    )
