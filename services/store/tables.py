"""The tables of our own store; the same on SQLite and Postgres."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time as fixed-width ISO text, which sorts as time does on both databases."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class JsonText(TypeDecorator[Any]):
    """A JSON document as canonical text (sorted keys), so that equal documents are equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(80), nullable=False),
    Column("target", String(80), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("previous", String(64), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("actor", JsonText, nullable=False),
    Column("opened", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("closed", UtcTime),
)

release_contents = Table(
    "release_contents",
    metadata,
    Column("content_hash", String(64), primary_key=True),
    Column("release_id", String(120), nullable=False),
    Column("files", JsonText, nullable=False),
    Column("stored", UtcTime, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("release_id", String(120), nullable=False),
    Column("content_hash", String(64), ForeignKey("release_contents.content_hash"), nullable=False),
    Column("target", String(80), nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Index(None, "target", "started"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("run_id", String(40), ForeignKey("runs.id"), nullable=False),
    Column("step_id", String(80)),
    Column("kind", String(40), nullable=False),
    # The n-th human decision on this step: two people who decide on the same view collide here, and one wins.
    Column("decision", Integer),
    Column("actor", String(200), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("idempotency_key", String(200), unique=True),
    UniqueConstraint("run_id", "step_id", "decision"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("run_id", String(40)),
    Column("step_id", String(80)),
    Column("target", String(80), nullable=False),
    Column("check_id", String(120), nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("body", JsonText, nullable=False),
    Column("started", UtcTime, nullable=False),
    Index(None, "target", "check_id", "seq"),
    Index(None, "run_id", "step_id", "seq"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("target", String(80), nullable=False),
    Column("run_id", String(40)),
    Column("step_id", String(80)),
    Column("payload", JsonText, nullable=False),
    Column("actor", JsonText, nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Column("created", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    # The target's name while a job that changes it is active, else null: at most one row may hold it.
    Column("slot", String(80), unique=True),
    # The one worker that may claim it, since it alone holds what the job needs; null: any.
    Column("for_worker", String(120)),
    Column("worker", String(120)),
    Column("lease_until", UtcTime),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("result", JsonText),
    Index(None, "state", "created"),
    Index(None, "run_id", "step_id", "created"),
)

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("payload", JsonText, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("host", String(120), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("heartbeat", UtcTime, nullable=False),
)

interests = Table(
    "interests",
    metadata,
    Column("target", String(80), primary_key=True),
    Column("view", String(40), primary_key=True),
    Column("until", UtcTime, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target", String(80), nullable=False),
    Column("title", String(300), nullable=False),
    Column("opened_by", String(200), nullable=False),
    Column("opened", UtcTime, nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Index(None, "target", "opened"),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("incident_id", String(40), ForeignKey("incidents.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("idempotency_key", String(200), unique=True),
)

# Whose memory holds the owner's address of a target; the address itself is nowhere but there.
armings = Table(
    "armings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target", String(80), nullable=False),
    # The target's name while it holds, else null: one arming a target at a time.
    Column("slot", String(80), unique=True),
    Column("run_id", String(40)),
    Column("worker", String(120), nullable=False),
    Column("place", String(200), nullable=False),
    Column("role", String(80), nullable=False),
    Column("actor", JsonText, nullable=False),
    Column("armed", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("ended", UtcTime),
    Column("ended_because", String(200)),
    Index(None, "target", "armed"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target", String(80), nullable=False),
    Column("person", String(200), nullable=False),
    Column("salt", String(64), nullable=False),
    Column("code_hash", String(128), nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("made", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("used", UtcTime),
    Column("withdrawn", UtcTime),
    Index(None, "target", "used"),
)

# What everybody on a target must know now; shown on every page, and sent where an address for it is set.
notices = Table(
    "notices",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("target", String(80), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("sent", UtcTime),
    # When it is to be sent, by whoever moves this time on first; null: never again.
    Column("next_try", UtcTime),
    Column("not_sent_because", String(300)),
    Index(None, "target", "until"),
)

# What our own test accounts have spent on a target in one UTC day, by what they are for.
probe_spending = Table(
    "probe_spending",
    metadata,
    Column("target", String(80), primary_key=True),
    Column("purpose", String(40), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("cents", Float, nullable=False),
)

# What one worker at a time does for all: whose turn it is, until when, and what it told last.
turns = Table(
    "turns",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("holder", String(120), nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("told", JsonText),
)

level_proofs = Table(
    "level_proofs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("target", String(80), nullable=False),
    Column("level", String(20), nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("body", JsonText, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "target", "level", "seq"),
)

backups = Table(
    "backups",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target", String(80), nullable=False),
    Column("job_id", String(40)),
    Column("verdict", String(10), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Column("file", Text, nullable=False),
    Column("bytes", BigInteger),
    Column("digest", String(64)),
    Column("keep_until", UtcTime),
    Column("removed", UtcTime),
    Column("body", JsonText, nullable=False),
    Index(None, "target", "started"),
)

# Catalogs as they were read, by the digest of their fingerprint: what drifted since can be told, not only that it did.
catalogs = Table(
    "catalogs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("facts", JsonText, nullable=False),
    Column("stored", UtcTime, nullable=False),
)

# A second person's yes or no to one plan (a release's content on one catalog), asked for by the first. A row says all
# that became of it: a yes that was taken back, or that a deploy has used up, still stands there as given.
approvals = Table(
    "approvals",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target", String(80), nullable=False),
    Column("run_id", String(40)),
    Column("release_id", String(120), nullable=False),
    Column("plan_hash", String(64), nullable=False),
    Column("asked_by", JsonText, nullable=False),
    Column("asked", UtcTime, nullable=False),
    Column("decided_by", JsonText),
    Column("decision", String(10)),
    Column("reason", Text),
    Column("decided", UtcTime),
    Column("expires", UtcTime, nullable=False),
    # What the plan is of; null in rows of before this was kept, which no plan of today fits.
    Column("content_hash", String(64)),
    # What a yes accepts beside: rows that go, and how long writers may wait.
    Column("accepts", JsonText),
    Column("used", UtcTime),
    # The job by which the target's receipt of the deploy knows it.
    Column("used_by", String(80)),
    Column("withdrawn", UtcTime),
    Column("withdrawn_by", JsonText),
    Column("withdrawn_because", Text),
    Index(None, "target", "plan_hash", "asked"),
)

# What was asked on the read-only console, by whom, and how it ended; never the rows that came back.
console_queries = Table(
    "console_queries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target", String(80), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("sql", Text, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("rows", Integer),
    Column("took_ms", Float, nullable=False),
    Column("saved_as", String(120)),
    Index(None, "target", "actor", "at"),
)
