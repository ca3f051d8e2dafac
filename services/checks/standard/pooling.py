"""Standard check of the ways into the database: direct, session pooler or transaction pooler, by what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.errors import Unavailable
from services.settings import Level
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

DIRECT, SESSION, TRANSACTION = "direct", "session pooler", "transaction pooler"
CANNOT: Mapping[str, tuple[str, ...]] = {
    DIRECT: (),
    SESSION: ("more clients at once than the pool has connections",),
    TRANSACTION: (
        "hold a session's advisory lock",
        "keep a setting from one transaction to the next",
        "keep a prepared statement or a temporary table",
        "LISTEN",
    ),
}
_LOCK_KEY = 3_519_407_761
_OURS = ("ops.probe", "statement_timeout", "client_connection_check_interval")


@dataclass(frozen=True, slots=True)
class Way:
    """One address of the database, and what was seen through it.

    settings_last, locks_hold, prepared_last: whether they outlived a transaction of another client; None: not tried,
    since what is left behind on a shared connection cannot be taken back
    """

    by_address: str
    pooler: bool
    one_process: bool
    settings_last: bool
    locks_hold: bool | None
    prepared_last: bool | None

    @property
    def kind(self) -> str:
        """What is seen outranks what the address looks like."""
        kept = self.one_process and self.settings_last and self.locks_hold and self.prepared_last
        if not kept:
            return TRANSACTION
        return SESSION if self.pooler else DIRECT

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "by_address": self.by_address,
            "one_process": self.one_process,
            "settings_last": self.settings_last,
            "locks_hold": self.locks_hold,
            "prepared_last": self.prepared_last,
            "cannot": list(CANNOT[self.kind]),
        }


def kind_by_address(url: str) -> str:
    """What the address alone says: port 6543 and a pooler's host are Supabase's way to name them."""
    from services.database.connect import connection_parameters

    parts = connection_parameters(url)
    if parts.get("port") == "6543":
        return TRANSACTION
    return SESSION if ".pooler." in parts.get("host", "") else DIRECT


def way_of(conn: psycopg.Connection[Any], url: str, word: str) -> Way:
    """Look through an open connection, with a second client that takes a transaction between two of ours.

    word: of this run, so that nothing another run has left is taken for ours
    """
    from services.database.connect import connect, inspect_connection

    facts = inspect_connection(conn, url)
    with connect(url, deadline_s=3, statement_timeout_s=5) as other:
        before = _one(conn, "select pg_catalog.pg_backend_pid()")
        conn.execute("select pg_catalog.set_config('ops.probe', %s, false)", (word,))
        with _transaction(other):
            last = _one(conn, "select pg_catalog.current_setting('ops.probe', true)") == word
            same = _one(conn, "select pg_catalog.pg_backend_pid()") == before and not facts.transaction_pooler
        tried = same and last
        found = Way(
            by_address=kind_by_address(url),
            pooler=facts.pooler,
            one_process=same,
            settings_last=last,
            locks_hold=_locks_hold(conn, other) if tried else None,
            prepared_last=_prepared_last(conn, other, word) if tried else None,
        )
        if not tried:
            _put_back(conn, other)
        return found


@contextmanager
def _transaction(other: psycopg.Connection[Any]) -> Iterator[None]:
    """The other client has a server to itself while the block runs."""
    with other.transaction(force_rollback=True):
        other.execute("select 1")
        yield


def _put_back(conn: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> None:
    """Take our settings back from servers that others will be given after us: two at once, since we had two."""
    with other.transaction():
        for name in _OURS:
            other.execute(f"reset {name}".encode())
        with conn.transaction():
            for name in _OURS:
                conn.execute(f"reset {name}".encode())


def _locks_hold(conn: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> bool:
    if not _one(conn, f"select pg_catalog.pg_try_advisory_lock({_LOCK_KEY})"):
        raise Unavailable("Another run is trying the locks of this database.", do="Run the check again.")
    try:
        with _transaction(other):
            # For the transaction only: where it is granted by mistake, its end gives it back.
            return not _one(other, f"select pg_catalog.pg_try_advisory_xact_lock({_LOCK_KEY})")
    finally:
        conn.execute(f"select pg_catalog.pg_advisory_unlock({_LOCK_KEY})".encode())


def _prepared_last(conn: psycopg.Connection[Any], other: psycopg.Connection[Any], word: str) -> bool:
    import psycopg

    name = "ops_" + "".join(letter for letter in word if letter.isalnum())
    conn.execute(f"prepare {name} as select 1".encode())
    with _transaction(other):
        try:
            conn.execute(f"execute {name}".encode())
        except psycopg.errors.InvalidSqlStatementName:
            return False
    conn.execute(f"deallocate {name}".encode())
    return True


def _one(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def connection_kind(context: CheckContext) -> Finding:
    """The address for reading and the one for the deploy, each by its behaviour; a deploy needs a session."""
    ways: dict[str, Way] = {}
    for use, as_owner in (("read", False), ("deploy", True)):
        url = context.target.deploy_url if as_owner else context.target.database_url
        if url is None or (as_owner and not context.target.allows(Level.DEPLOY)):
            continue
        with context.database(as_owner=as_owner, read_only=False) as conn:
            ways[use] = way_of(conn, url.get_secret_value(), context.marker)
    facts: dict[str, Any] = {use: way.kind for use, way in ways.items()}
    facts["seen"] = {use: way.to_json() for use, way in ways.items()}
    return judged(ways, facts)


def judged(ways: Mapping[str, Way], facts: Mapping[str, Any]) -> Finding:
    """A transaction pooler is good enough for reading, and none for a deploy."""
    told = ", ".join(f"{use} by {way.kind}" for use, way in ways.items())
    bad = ways.get("deploy")
    if bad is not None and bad.kind == TRANSACTION:
        said = f"The deploy's address leads through a transaction pooler, which cannot {CANNOT[TRANSACTION][0]}."
        return Finding(Verdict.FAIL, said, facts)
    limits = [f"cannot {what}" for way in ways.values() if way.kind == TRANSACTION for what in CANNOT[way.kind][:2]]
    return Finding(Verdict.PASS, f"Connected for {told}{'; ' if limits else ''}{', '.join(limits)}.", facts)


SPECS = (
    CheckSpec(
        "connection-kind",
        "The database connections fit their use",
        "Direct, session or transaction pooler, by what lasts from one transaction to the next.",
        connection_kind,
        ("before",),
        ("database",),
        ("database_url",),
        blocking=False,
        cost=Cost(4),
        expires_s=3600,
    ),
)
