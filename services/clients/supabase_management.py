"""Supabase's Management API: the project's state, backups, advisors, logs, limits, and read-only SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import SecretStr

from services.clients.budget import Allowance, Budget
from services.clients.http import Answer, HttpClient, Kind, UpstreamError, failure, kind_of, message_in
from services.clients.redaction import redact
from services.clients.supabase_answers import (
    ApiCounts,
    Backups,
    DiskUse,
    Lint,
    LogLine,
    Pooler,
    Project,
    ReadOnlyState,
    ServiceHealth,
    read_api_counts,
    read_backups,
    read_disk,
    read_health,
    read_lints,
    read_log_lines,
    read_poolers,
    read_project,
    read_read_only,
)
from services.clients.supabase_rest import bearer, hidden, kind_of_code, not_set

T = TypeVar("T")
MANAGEMENT = "https://api.supabase.com"
HEALTH_OF = ("auth", "db", "pooler", "rest", "storage")
LONGEST_LOG_SPAN = timedelta(hours=24)
LogSource = Literal[
    "edge_logs", "postgres_logs", "auth_logs", "storage_logs", "realtime_logs", "function_logs", "function_edge_logs"
]
Interval = Literal["15min", "30min", "1hr", "3hr", "1day", "3day", "7day"]
_SQLSTATE = re.compile(r"ERROR:\s{1,8}([0-9A-Z]{5}):")
# What tells a failure in each source: the gateway by its status, everything else by its severity.
_IS_ERROR = "log_attributes['parsed.error_severity'] in ('ERROR', 'FATAL', 'PANIC')"
_IS_FAILED_REQUEST = "toInt32OrZero(log_attributes['response.status_code']) >= 500"


class SupabaseManagement:
    """Needs an access token and the project's reference; raises Unavailable where one is not set."""

    def __init__(self, *, management_url: str | None, access_token: str | SecretStr | None, ref: str | None) -> None:
        self._ref = ref
        self._allowance = Allowance("Supabase", "minute")
        token = hidden(access_token)
        self._management = (
            HttpClient("Supabase", management_url or MANAGEMENT, headers={"authorization": bearer(token)})
            if token is not None
            else None
        )

    @property
    def budget(self) -> Budget | None:
        """What the last answer that told it said of the calls left this minute; None before any did."""
        return self._allowance.budget

    def project(self) -> Project:
        return self._managed("", read_project)

    def health(self) -> list[ServiceHealth]:
        return self._managed("/health", read_health, {"services": list(HEALTH_OF)})

    def backups(self) -> Backups:
        return self._managed("/database/backups", read_backups)

    def advisors(self, kind: Literal["security", "performance"]) -> list[Lint]:
        """What Supabase's own advisor finds in the database, the gravest first. Its list of names is open."""
        return self._managed(f"/advisors/{kind}", read_lints)

    def poolers(self) -> list[Pooler]:
        """The connection poolers: addresses and modes only. The answer's connection string is not kept."""
        return self._managed("/config/database/pooler", read_poolers)

    def disk(self) -> DiskUse:
        return self._managed("/config/disk/util", read_disk)

    def read_only_state(self) -> ReadOnlyState:
        """Whether the database takes no writes, which is what a full disk does, and whether somebody lifted that."""
        return self._managed("/readonly", read_read_only)

    def read_only(self) -> bool:
        """`read_only_state` in a word."""
        return self.read_only_state().enabled

    def api_counts(self, interval: Interval = "1hr") -> list[ApiCounts]:
        """Requests by service, in steps that Supabase chooses for the interval."""
        return self._managed("/analytics/endpoints/usage.api-counts", read_api_counts, {"interval": interval})

    def logs(self, sql: str, start: datetime, end: datetime) -> list[Mapping[str, Any]]:
        """Rows of a ClickHouse query over the one table `logs`, whose column `source` tells whose line it is.

        start, end: aware; at most 24 hours apart
        """
        if not timedelta(0) < end - start <= LONGEST_LOG_SPAN:
            raise ValueError("logs are asked for a span of at most 24 hours")
        asked = {"sql": sql, "iso_timestamp_start": _iso(start), "iso_timestamp_end": _iso(end)}
        answer = self._answered("GET", "/analytics/endpoints/logs", params=asked)
        failed = _log_failure(answer)
        if failed is not None:
            raise failed
        return answer.read(_result)

    def log_lines(
        self, source: LogSource, start: datetime, end: datetime, *, errors_only: bool = True, limit: int = 100
    ) -> list[LogLine]:
        """The newest lines of one source, redacted. errors_only: errors of Postgres, or requests answered with 5xx."""
        gateway = source in ("edge_logs", "function_edge_logs")
        where = f"source = '{source}'"
        if errors_only:
            where += f" and {_IS_FAILED_REQUEST if gateway else _IS_ERROR}"
        sql = (
            "select id, timestamp, event_message, log_attributes['parsed.error_severity'] as error_severity,"
            " log_attributes['response.status_code'] as status_code, log_attributes['request.path'] as path"
            f" from logs where {where} order by timestamp desc limit {int(limit)}"
        )
        return read_log_lines(source, self.logs(sql, start, end))

    def run_read_only(self, sql: str, parameters: Sequence[Any] = ()) -> list[Mapping[str, Any]]:
        """The rows of the last statement, run as a role that sees all rows and writes none. Qualify every name.

        Raises UpstreamError; its code is the SQLSTATE where the database refused the statement.
        """
        body = {"query": sql, **({"parameters": list(parameters)} if parameters else {})}
        return self._answered("POST", "/database/query/read-only", json=body).read(_list_of_rows)

    def _managed(self, path: str, parse: Callable[[Any], T], params: Mapping[str, Any] | None = None) -> T:
        return self._answered("GET", path, params=params).read(parse)

    def _answered(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: object = None
    ) -> Answer:
        if self._management is None or self._ref is None:
            raise not_set("supabase_access_token and supabase_project_ref")
        self._allowance.require()
        answer = self._management.request(method, f"/v1/projects/{self._ref}{path}", params=params, json=json)
        self._allowance.note(answer.status, answer.headers)
        if not answer.ok:
            raise _refusal(answer)
        return answer

    def _close_management(self) -> None:
        if self._management is not None:
            self._management.close()


def _refusal(answer: Answer) -> UpstreamError:
    """The error for a failing status, with the missing permissions or the SQLSTATE that the body names."""
    missing = _missing_permissions(answer)
    if missing:
        return failure(answer, Kind.FORBIDDEN, said=f"the access token lacks {_listed(missing)}")
    said = message_in(answer)
    found = _SQLSTATE.search(said)
    if found:
        code = found[1]
        return failure(answer, kind_of_code(code) or kind_of(answer.status), code=code)
    if answer.status == 400 and "paused" in said.lower():
        return failure(answer, Kind.PAUSED)
    return failure(answer)


def _missing_permissions(answer: Answer) -> list[str]:
    try:
        found = answer.read(lambda body: body["missing_permissions"])
    except UpstreamError:
        return []
    return [one for one in found if isinstance(one, str)][:20] if isinstance(found, list) else []


def _listed(names: Sequence[str]) -> str:
    """One sentence's worth of permissions."""
    shown = [redact(name)[:60] for name in names]
    noun = "permission" if len(shown) == 1 else "permissions"
    return f"the {noun} " + (" and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0])


def _log_failure(answer: Answer) -> UpstreamError | None:
    """The error in an answer of 200; None where there is none."""

    def read(body: Any) -> UpstreamError | None:
        error = body.get("error")
        if error is None:
            return None
        code, said = (None, error) if isinstance(error, str) else (error.get("code"), str(error.get("message") or ""))
        kind = kind_of(int(code)) if isinstance(code, int | float) and code >= 400 else Kind.NOT_UNDERSTOOD
        words = answer.redacted(said)[:200]
        what = f"Supabase could not read its logs: {words or 'it did not say why'}."
        return UpstreamError("Supabase", kind, what, status=answer.status, detail=words, took_s=answer.took_s)

    return answer.read(read)


def _result(body: Any) -> list[Mapping[str, Any]]:
    return _list_of_rows(body["result"])


def _list_of_rows(body: Any) -> list[Mapping[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise TypeError
    return body


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
