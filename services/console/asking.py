"""Knows how to ask a question: on a connection of its own, prepared, read-only, with a deadline and an end of rows."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq
from pydantic import SecretStr

from services.access.permissions import Actor, Permission
from services.app_definition import AppDefinition
from services.clients.redaction import redact
from services.console.allowed import require_allowed
from services.console.catalog import Catalog
from services.console.cutting import Column, cut
from services.console.masking import Privacy, is_private, masked_sql
from services.console.question import Question, read_question
from services.database.connect import connect
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.settings import Level, Target

APPLICATION = "release-cockpit console"
CONNECT_S = 2.5
_OWN_COLUMN = re.compile(r"\b(ctid|xmin|xmax|cmin|cmax|tableoid)\b")


@dataclass(frozen=True, slots=True)
class Limits:
    """deadline_s: seconds for the whole question; rows and value_bytes (of all values together): the most that is
    fetched."""

    deadline_s: float = 8.0
    rows: int = 500
    value_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, as the server's text, None for NULL. more: there is more than was fetched, and why it ended."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    more: str | None
    masked: tuple[str, ...]
    took_ms: float


def ask(target: Target, app: AppDefinition, actor: Actor, text: str, limits: Limits | None = None) -> Reply:
    """Ask one question as the role of `read_only_url`.

    Raises NotUnderstood (no SQL, or the server refuses it), Refused (more than reading, no address, a role that may
    write), Unavailable (no answer in time, no connection).
    """
    actor.require(Permission.VIEW, target.name)
    target.require(Level.OBSERVE)
    question = read_question(text)
    limits = limits or Limits()
    with _reading(address_of(target), limits) as conn:
        return _asked(conn, question, _privacy(app, actor), limits, _secrets(target))


def address_of(target: Target) -> str:
    """The console's own address; Raises Refused where there is none: no other is taken in its place."""
    if target.read_only_url is None:
        raise Refused(
            f"The console of {target.name} is off: it has no read_only_url.",
            "Nothing was asked.",
            "Set the address of a role that can only read; /settings makes one with the level observe.",
            f"targets.{target.name}.read_only_url",
        )
    return target.read_only_url.get_secret_value()


def _privacy(app: AppDefinition, actor: Actor) -> Privacy:
    private = {f"public.{table}" if "." not in table else table: columns for table, columns in app.private.items()}
    return Privacy(private, addresses=actor.may(Permission.SEE_ADDRESSES))


@contextmanager
def _reading(url: str, limits: Limits) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own inside a read-only transaction, closed afterwards whatever the question did to it."""
    with connect(url, deadline_s=CONNECT_S, read_only=True, application_name=APPLICATION) as conn:
        conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        conn.execute(
            f"SET LOCAL statement_timeout = {round(limits.deadline_s * 1000)}; SET LOCAL lock_timeout = '500ms';"
            "SET LOCAL idle_in_transaction_session_timeout = '15s';"
            # A question of ours takes little of a server that others need: neither its memory nor its processors.
            "SET LOCAL work_mem = '16MB'; SET LOCAL hash_mem_multiplier = 1;"
            "SET LOCAL max_parallel_workers_per_gather = 0"
        )
        try:
            yield conn
        finally:
            if not conn.closed:
                conn.execute("ROLLBACK")


def _asked(
    conn: psycopg.Connection[Any], question: Question, privacy: Privacy, limits: Limits, secrets: tuple[str, ...]
) -> Reply:
    started = time.monotonic()
    catalog = Catalog(conn)
    if powers := catalog.powers():
        raise Refused(
            f"The role of read_only_url can do more than read: it {powers[0]}.",
            "Nothing was asked.",
            "Set the address of a role that can only read; /settings makes one with the level observe.",
        )
    masked: tuple[str, ...] = ()
    try:
        require_allowed(question, catalog, lambda relation: is_private(relation, catalog, privacy))
        sql, masked = masked_sql(question.tree, catalog, privacy)
        columns, rows, more = _fetched(conn, sql, limits, started)
    except psycopg.Error as error:
        raise _told(error, limits, secrets, masked) from None
    shown = tuple(
        tuple(None if value is None else redact(value, secrets, addresses=not privacy.addresses) for value in row)
        for row in rows
    )
    return Reply(columns, shown, more, masked, (time.monotonic() - started) * 1000)


def _fetched(
    conn: psycopg.Connection[Any], sql: str, limits: Limits, started: float
) -> tuple[tuple[str, ...], list[tuple[str | None, ...]], str | None]:
    """Columns and rows, one by one, until there are no more or there are enough; then the server is told to stop."""
    until = started + limits.deadline_s + 1
    columns = _described(conn, sql, until)
    question = cut(sql, columns, rows=limits.rows + 1, value_bytes=limits.value_bytes)
    rows: list[tuple[str | None, ...]] = []
    held, shortened, more, failure = 0, False, None, None
    raw = conn.pgconn
    # The extended protocol takes one statement only, so nothing can end the transaction and go on.
    raw.send_query_params(question.sql.encode(), None)
    raw.set_single_row_mode()
    while (result := _next_result(conn, until)) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            error = psycopg.errors.error_from_result(result, conn.info.encoding)
            failure = None if more and isinstance(error, psycopg.errors.QueryCanceled) else error
            continue
        if more is None and result.ntuples:
            whole = tuple(_text(result.get_value(0, at)) for at in range(result.nfields))
            row = tuple(None if value is None else value[: question.characters] for value in whole)
            held += sum(len(value) for value in row if value is not None)
            # The first row is shown whatever it holds: its values are cut already.
            more = _enough(len(rows) + 1, held, limits) if rows else None
            rows += [] if more else [row]
            shortened = shortened or (not more and row != whole)
            if more:
                conn.cancel_safe(timeout=1)
    if failure is not None:
        raise failure
    if shortened:
        more = f"Values of more than {question.characters} characters are cut. {more or ''}".strip()
    return tuple(column.name for column in columns), rows, more


def _described(conn: psycopg.Connection[Any], sql: str, until: float) -> tuple[Column, ...]:
    """The columns that an answer will have; the question is understood for that and not yet carried out."""
    raw = conn.pgconn
    raw.send_prepare(b"", sql.encode())
    _require_no_error(conn, until)
    raw.send_describe_prepared(b"")
    result = _require_no_error(conn, until)
    if result is None:
        return ()
    found = [((result.fname(at) or b"").decode(), result.ftype(at)) for at in range(result.nfields)]
    query = "SELECT oid::bigint, typlen::int FROM pg_catalog.pg_type WHERE oid = ANY (%s::bigint[])"
    sizes = dict(conn.execute(query, ([kind for _, kind in found],)).fetchall())
    return tuple(Column(name, kind, sizes.get(kind, -1)) for name, kind in found)


def _require_no_error(conn: psycopg.Connection[Any], until: float) -> pq.abc.PGresult | None:
    last = None
    while (result := _next_result(conn, until)) is not None:
        last = result
    if last is not None and last.status == pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(last, conn.info.encoding)
    return last


def _next_result(conn: psycopg.Connection[Any], until: float) -> pq.abc.PGresult | None:
    raw = conn.pgconn
    while raw.is_busy():
        ready, _, _ = select.select([raw.socket], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            conn.close()
            raise Unavailable(
                "The database has gone silent.", "What it would have said is not known.", "Ask again in a while."
            )
        raw.consume_input()
    return raw.get_result()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _enough(rows: int, held: int, limits: Limits) -> str | None:
    if rows > limits.rows:
        return f"The first {limits.rows} rows; there are more."
    return f"Cut off at {limits.value_bytes // 1000} kB; there is more." if held > limits.value_bytes else None


def _told(error: psycopg.Error, limits: Limits, secrets: tuple[str, ...], masked: tuple[str, ...]) -> OpsError:
    message = redact(error.diag.message_primary or "the connection was lost", secrets)
    if isinstance(error, psycopg.errors.QueryCanceled):
        return Unavailable(
            f"No answer within {limits.deadline_s:g} s.", "What it would have said is not known.", "Ask for less."
        )
    if error.sqlstate == "42501":
        return Refused(
            f"The role that asks may not: {message}.", "Nothing was shown.", "Ask for columns that are granted to it."
        )
    if error.sqlstate is None or error.sqlstate[:2] in ("08", "53", "57"):
        return Unavailable(f"The database gave no answer: {message}.", "What it holds is not known.", "Try again.")
    do = "Mend the SQL."
    if masked and isinstance(error, psycopg.errors.GroupingError):
        do = "Name every column in GROUP BY: a table whose private columns are masked has no key to group by here."
    elif masked and isinstance(error, psycopg.errors.UndefinedColumn) and _OWN_COLUMN.search(message):
        do = "Leave out the server's own columns: a table whose private columns are masked has none here."
    return NotUnderstood(f"The database refuses the question: {message}.", "Nothing was shown.", do)


def _secrets(target: Target) -> tuple[str, ...]:
    values = (getattr(target, name) for name in type(target).model_fields)
    return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))
