"""What the Management API's answers hold, as types; another shape makes a reader raise an ordinary error of types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.clients.redaction import redact

_GRAVEST_FIRST = {"ERROR": 0, "WARN": 1, "INFO": 2}


@dataclass(frozen=True, slots=True)
class Project:
    """status is Supabase's word: ACTIVE_HEALTHY, INACTIVE (paused) ...; a word not known here is kept as it is."""

    ref: str
    name: str
    status: str
    region: str
    postgres_version: str | None = None
    database_host: str | None = None

    @property
    def paused(self) -> bool:
        return self.status in {"INACTIVE", "PAUSING", "PAUSE_FAILED"}


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """status: COMING_UP, ACTIVE_HEALTHY or UNHEALTHY; error: what the service said, redacted."""

    name: str
    status: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Backups:
    """newest: when the newest completed backup was made; failed: backups that were tried and came to nothing; pitr:
    any moment can be restored."""

    count: int
    newest: datetime | None
    pitr: bool
    kind: str
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Lint:
    """A finding of the advisor. level: ERROR, WARN or INFO; entity: the table, view or function it is about."""

    name: str
    title: str
    level: str
    detail: str
    remediation: str
    entity: str | None


@dataclass(frozen=True, slots=True)
class Pooler:
    """A connection pooler. mode: "transaction" or "session"; primary: not one of a read replica."""

    host: str
    port: int
    user: str
    database: str
    mode: str
    primary: bool
    pool_size: int | None
    max_clients: int | None


@dataclass(frozen=True, slots=True)
class DiskUse:
    """The database's disk, in bytes."""

    size_bytes: int
    used_bytes: int
    available_bytes: int

    @property
    def used_share(self) -> float | None:
        return self.used_bytes / self.size_bytes if self.size_bytes > 0 else None


@dataclass(frozen=True, slots=True)
class ReadOnlyState:
    """enabled: the database takes no writes; override_enabled: somebody lifted that, until override_until."""

    enabled: bool
    override_enabled: bool
    override_until: datetime | None


@dataclass(frozen=True, slots=True)
class ApiCounts:
    """Requests in one step of time, by the service that was asked."""

    at: datetime
    auth: int
    realtime: int
    rest: int
    storage: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of Supabase's logs. severity: Postgres' word; status, path: those of a request at the gateway."""

    source: str
    at: datetime | None
    severity: str
    message: str
    status: int | None
    path: str | None


def read_project(body: Any) -> Project:
    database = body.get("database") or {}
    return Project(
        _text(body["ref"]),
        _text(body["name"]),
        _text(body["status"]),
        str(body.get("region", "")),
        _optional_text(database.get("version")),
        _optional_text(database.get("host")),
    )


def read_health(body: Any) -> list[ServiceHealth]:
    return [ServiceHealth(_text(one["name"]), _text(one["status"]), _said(one.get("error"))) for one in _list(body)]


def read_backups(body: Any) -> Backups:
    done = [one for one in _list(body["backups"]) if one["status"] == "COMPLETED"]
    made = [moment(one["inserted_at"]) for one in done]
    latest_unix = (body.get("physical_backup_data") or {}).get("latest_physical_backup_date_unix")
    if latest_unix:
        made.append(datetime.fromtimestamp(int(latest_unix), UTC))
    physical = any(one.get("is_physical_backup") for one in done)
    return Backups(
        count=len(done),
        newest=max(made, default=None),
        pitr=_flag(body["pitr_enabled"]),
        kind="physical" if physical or latest_unix else "logical",
        failed=sum(one["status"] == "FAILED" for one in _list(body["backups"])),
    )


def read_lints(body: Any) -> list[Lint]:
    found = [
        Lint(
            _text(one["name"]),
            _text(one["title"]),
            _text(one["level"]),
            redact(_text(one["detail"])),
            _text(one.get("remediation") or ""),
            _entity(one.get("metadata")),
        )
        for one in _list(body["lints"])
    ]
    return sorted(found, key=lambda lint: (_GRAVEST_FIRST.get(lint.level, 3), lint.name, lint.entity or ""))


def _entity(metadata: Any) -> str | None:
    if not isinstance(metadata, Mapping):
        return None
    if isinstance(metadata.get("entity"), str):
        return str(metadata["entity"])
    named = [str(metadata[key]) for key in ("schema", "name") if isinstance(metadata.get(key), str)]
    return ".".join(named) or None


def read_poolers(body: Any) -> list[Pooler]:
    return [
        Pooler(
            _text(one["db_host"]),
            _count(one["db_port"]),
            _text(one["db_user"]),
            _text(one["db_name"]),
            _text(one["pool_mode"]),
            one.get("database_type") != "READ_REPLICA",
            _optional_count(one.get("default_pool_size")),
            _optional_count(one.get("max_client_conn")),
        )
        for one in _list(body)
    ]


def read_disk(body: Any) -> DiskUse:
    metrics = body["metrics"]
    return DiskUse(
        _count(metrics["fs_size_bytes"]), _count(metrics["fs_used_bytes"]), _count(metrics["fs_avail_bytes"])
    )


def read_read_only(body: Any) -> ReadOnlyState:
    until = body.get("override_active_until")
    return ReadOnlyState(_flag(body["enabled"]), _flag(body["override_enabled"]), moment(until) if until else None)


def read_api_counts(body: Any) -> list[ApiCounts]:
    return [
        ApiCounts(
            moment(one["timestamp"]),
            _count(one["total_auth_requests"]),
            _count(one["total_realtime_requests"]),
            _count(one["total_rest_requests"]),
            _count(one["total_storage_requests"]),
        )
        for one in _list(body["result"])
    ]


def read_log_lines(source: str, rows: Iterable[Mapping[str, Any]]) -> list[LogLine]:
    """Lines out of rows whose values may all be texts, as log attributes are."""
    return [
        LogLine(
            source,
            _log_moment(row.get("timestamp")),
            str(row.get("error_severity") or ""),
            redact(str(row.get("event_message") or "")),
            _status(row.get("status_code")),
            redact(str(row["path"])) if row.get("path") else None,
        )
        for row in rows
    ]


def moment(value: Any) -> datetime:
    """An ISO time, read as UTC where it names no zone."""
    found = datetime.fromisoformat(_text(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _log_moment(value: Any) -> datetime | None:
    """The logs write times as ISO texts or as microseconds since 1970; None for anything else."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1_000_000, UTC)
        return moment(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _status(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if len(text) == 3 and text.isascii() and text.isdigit() and text != "000" else None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _said(value: Any) -> str | None:
    return redact(str(value))[:200] if value else None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return int(value)


def _optional_count(value: Any) -> int | None:
    return None if value is None else _count(value)
