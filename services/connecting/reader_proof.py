"""Proves by what it does what a reading role can and cannot: rows come, private text and every write are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import errors, sql

from services.app_definition import AppDefinition
from services.connecting.reader_catalog import (
    Reaching,
    Relation,
    Role,
    reaching_functions,
    readable_beyond,
    relations,
    role,
    writable,
)
from services.connecting.reader_role import RECEIPTS, ROLE, readable
from services.connecting.seen import Seen
from services.database.connect import connect
from services.errors import Unavailable
from services.verdict import Verdict

STATEMENT_S = 5.0
SOON = timedelta(days=14)
_AGAIN = "Run its SQL again."
_SHOWN = 4

Conn = psycopg.Connection[Any]


def prove_reader(
    url: str, app: AppDefinition, now: datetime, *, counted: Mapping[str, int] | None = None
) -> tuple[Seen, ...]:
    """What was seen through the address: rows, private columns, writes, grants, the role itself, what is left open.

    All is tried in one transaction that is rolled back whatever happens. counted: rows by table as another way showed
    them (Supabase REST with the service key), for comparison.
    Raises as `connect` does, and Unavailable where the connection is lost on the way.
    """
    wanted = readable(app)
    try:
        with (
            connect(url, deadline_s=STATEMENT_S, application_name="ops proof") as conn,
            _ready_to_write(conn),
        ):
            there = relations(conn, wanted.columns)
            who = role(conn)
            return (
                _rows(conn, there, counted or {}),
                _private(conn, wanted.private),
                _writes(conn, there, writable(conn)),
                _grants(conn, there, wanted.private),
                _role(who, now),
                _left_open(who, reaching_functions(conn), readable_beyond(conn, wanted.columns)),
            )
    except psycopg.Error as error:
        why = error.sqlstate or "the connection was lost"
        raise Unavailable(f"The reading role could not be tried to the end ({why}).", "Nothing was changed.") from None


@contextmanager
def _ready_to_write(conn: Conn) -> Iterator[None]:
    """A transaction that may write as far as the session decides, so that only rights can refuse; rolled back."""
    standby = conn.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    with conn.transaction(force_rollback=True):
        if standby is not None and not standby[0]:
            conn.execute("SET TRANSACTION READ WRITE")
        conn.execute(
            "SELECT pg_catalog.set_config('statement_timeout', %s, true),"
            " pg_catalog.set_config('lock_timeout', '2s', true)",
            (f"{round(STATEMENT_S * 1000)}ms",),
        )
        yield


def _tried(conn: Conn, query: sql.Composed) -> str | None:
    """Run a statement in a savepoint that is rolled back: the SQLSTATE it was refused with, None where it was not."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query)
    except psycopg.Error as error:
        if error.sqlstate is None or conn.closed:
            raise
        return error.sqlstate
    return None


def _name(relation: str) -> sql.Identifier:
    return sql.Identifier(*relation.split(".", 1))


def _short(name: str) -> str:
    return name.removeprefix("public.")


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    rest = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(map(_short, every[:_SHOWN])) + rest


# ---- rows


def _rows(conn: Conn, there: Sequence[Relation], counted: Mapping[str, int]) -> Seen:
    """Rows of each declared table, beside what the catalog estimates or another way counted."""
    tables = [one for one in there if not one.is_view and one.name != RECEIPTS and one.reachable]
    seen, blind, unclear = {}, [], []
    for one in tables:
        rows = _count(conn, one.name)
        if rows is None:
            continue
        seen[one.name] = rows
        verdict, text = judged_rows(one, rows, counted.get(_short(one.name)))
        blind += [text] if verdict is Verdict.FAIL else []
        unclear += [text] if verdict is Verdict.UNKNOWN else []
    what = "rows"
    if blind:
        return Seen(what, Verdict.FAIL, " ".join(blind))
    if unclear:
        return Seen(what, Verdict.UNKNOWN, " ".join(unclear))
    if not seen:
        said = "None of the app's tables can be read through this role" if there else "None of the app's tables is here"
        return Seen(what, Verdict.FAIL if there else Verdict.UNKNOWN, f"{said}.")
    told = ", ".join(f"{rows:,} rows of {_short(name)}" for name, rows in seen.items())
    return Seen(what, Verdict.PASS, f"Read through this role: {told}.")


def judged_rows(one: Relation, rows: int, counted: int | None) -> tuple[Verdict, str]:
    """rows: as the role sees them; counted: as another way showed them, where there is one."""
    name = _short(one.name)
    if counted is not None and rows < counted and not one.hides:
        said = f"{rows:,} rows of {name} are seen and {counted:,} were counted another way, though nothing hides them"
        return Verdict.UNKNOWN, f"{said}: some have just gone, or it is another database. Try again."
    if counted is not None and rows < counted:
        said = f"{rows:,} of {counted:,} rows of {name} are seen: row-level security hides the others (blind). {_AGAIN}"
        return Verdict.FAIL, said
    if not one.hides or counted is not None:
        # Nothing stands between the role and the rows: what it counts is what there is.
        return Verdict.PASS, ""
    if rows == 0 and one.estimate > 0:
        said = f"0 rows of {name} are seen where the catalog estimates {one.estimate:,}"
        return Verdict.FAIL, f"{said}: row-level security hides them (blind). {_AGAIN}"
    if rows * 2 < one.estimate:
        said = f"{rows:,} rows of {name} are seen where the catalog estimates {one.estimate:,}"
        return Verdict.FAIL, f"{said}: row-level security hides the others (blind in part). {_AGAIN}"
    if rows == 0 and one.bytes == 0:
        return Verdict.PASS, ""
    said = f"Row-level security applies to this role on {name}, so whether its {rows:,} rows are all is not known."
    return Verdict.UNKNOWN, f"{said} {_AGAIN}"


def _count(conn: Conn, name: str) -> int | None:
    """None where the role may not read the table at all; that is told with the grants."""
    try:
        with conn.transaction(force_rollback=True):
            found = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(_name(name))).fetchone()
    except errors.InsufficientPrivilege:
        return None
    return int(found[0]) if found else 0


# ---- what must be refused


def _private(conn: Conn, private: Mapping[str, tuple[str, ...]]) -> Seen:
    """Each private column asked for, and the whole row, of which nothing is fetched even where it is allowed."""
    what = "private columns"
    named = conn.execute(
        "SELECT c.relname::text, a.attname::text FROM pg_catalog.pg_attribute AS a"
        " JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relnamespace = pg_catalog.to_regnamespace('public')"
        " WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum"
    ).fetchall()
    asked = [(table, column) for table, column in named if column in private.get(table, ())]
    if not asked:
        return Seen(what, Verdict.UNKNOWN, "None of the columns that hold people's words is here, so none was refused.")
    answers = {
        f"{table}.{column}": _tried(
            conn, sql.SQL("SELECT {} FROM {} LIMIT 0").format(sql.Identifier(column), sql.Identifier("public", table))
        )
        for table, column in asked
    }
    whole = {
        table: _tried(conn, sql.SQL("SELECT r FROM {} AS r LIMIT 0").format(sql.Identifier("public", table)))
        for table, _ in asked
    }
    open_to_us = [name for name, state in {**answers, **whole}.items() if state is None]
    if open_to_us:
        said = f"This role can read what people wrote: {_listed(open_to_us)}. It does not need to."
        return Seen(what, Verdict.FAIL, said)
    odd = {name: state for name, state in answers.items() if state != "42501"}
    if odd:
        name, state = next(iter(odd.items()))
        return Seen(what, Verdict.UNKNOWN, f"{name} was not refused by rights, but failed otherwise ({state}).")
    return Seen(what, Verdict.PASS, f"What people wrote is refused (42501): {_listed(answers)}.")


def _writes(conn: Conn, there: Sequence[Relation], by_catalog: Sequence[str]) -> Seen:
    """Each way of writing to each table, first as EXPLAIN, which asks for the rights and runs nothing: no row, no
    trigger. Only where all were refused one is really tried, of no row, in the transaction that is rolled back."""
    what = "a write"
    if by_catalog:
        said = f"This role may write to {_listed(by_catalog)}. It does not need to."
        return Seen(what, Verdict.FAIL, said)
    tables = [one for one in there if not one.is_view and one.a_column is not None and one.reachable]
    allowed, odd, tried = [], [], 0
    for one in tables:
        for statement in _statements(one):
            state = _tried(conn, sql.SQL("EXPLAIN {}").format(statement))
            tried += 1
            allowed += [one.name] if state is None else []
            odd += [f"{_short(one.name)} ({state})"] if state not in (None, "42501") else []
    if allowed:
        return Seen(what, Verdict.FAIL, f"A write to {_listed(dict.fromkeys(allowed))} would not be refused.")
    if not tables or odd:
        why = f"the server answered otherwise for {odd[0]}" if odd else "there is no table to try it on"
        return Seen(what, Verdict.UNKNOWN, f"Whether a write is refused is not known: {why}.")
    state = _tried(conn, _statements(tables[0])[1])
    if state != "42501":
        return Seen(what, Verdict.UNKNOWN, f"A write was not refused by rights, but failed otherwise ({state}).")
    said = f"A write was refused by rights (42501), in a session that was allowed to write: {tried} ways tried."
    return Seen(what, Verdict.PASS, said)


def _statements(one: Relation) -> tuple[sql.Composed, sql.Composed, sql.Composed]:
    name, column = _name(one.name), sql.Identifier(one.a_column or "")
    return (
        sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name),
        sql.SQL("UPDATE {} SET {} = {} WHERE false").format(name, column, column),
        sql.SQL("DELETE FROM {} WHERE false").format(name),
    )


# ---- what it holds, and is


def _grants(conn: Conn, there: Sequence[Relation], private: Mapping[str, tuple[str, ...]]) -> Seen:
    what = "grants"
    closed = {f"{table}.{column}" for table, columns in private.items() for column in columns}
    lacking = [one.name for one in there if one.missing or not one.reachable]
    shut = {}
    for one in there:
        if one.is_view and one.name not in lacking and _tried(conn, _nothing_of(one.name)) == "42501":
            needs = [name for name in one.reads if name in closed]
            shut.update({one.name: needs} if needs else {})
            lacking += [] if needs else [one.name]
    if lacking:
        noun = "table or view" if len(lacking) == 1 else "tables or views"
        said = f"Grants are missing for {len(lacking)} {noun}: {_listed(lacking)}. {_AGAIN}"
        return Seen(what, Verdict.FAIL, said)
    if not there:
        return Seen(what, Verdict.UNKNOWN, "None of the app's tables is here, so nothing could be granted.")
    said = f"All {len(there)} tables and views that the app declares and that are here are granted."
    for name, needs in shut.items():
        said += f" {_short(name)} stays shut, because it reads {_listed(needs)}: what it shows is told as blocked."
    return Seen(what, Verdict.PASS, said)


def _nothing_of(name: str) -> sql.Composed:
    return sql.SQL("SELECT pg_catalog.count(*) FROM {} WHERE false").format(_name(name))


def _role(who: Role, now: datetime) -> Seen:
    what = "the role"
    strong = [
        *(["is a superuser"] if who.superuser else []),
        *(["may make roles"] if who.makes_roles else []),
        *(["may replicate the whole server"] if who.replicates else []),
        *([f"owns {who.owns} objects"] if who.owns else []),
        *(["may make schemas"] if who.makes_schemas else []),
    ]
    if strong:
        said = (
            f"{who.name} {' and '.join(strong)}: it could do far more than read. Use {ROLE}, whose SQL is printed here."
        )
        return Seen(what, Verdict.FAIL, said)
    if who.valid_until is not None and who.valid_until < now + SOON:
        ends = f"{who.valid_until:%Y-%m-%d}"
        return Seen(what, Verdict.UNKNOWN, f"The password of {who.name} ends on {ends}; nothing is read afterwards.")
    more = [
        *(["passes by row-level security"] if who.passes_rls else []),
        *(["may make databases"] if who.makes_databases else []),
        *([f"is a member of {_listed(who.member_of)}"] if who.member_of else []),
    ]
    if more:
        said = f"{who.name} {' and '.join(more)}: it could do more than needed."
        return Seen(what, Verdict.PASS, said)
    return Seen(what, Verdict.PASS, f"{who.name} is no superuser, owns nothing and is a member of nothing.")


def _left_open(who: Role, functions: Sequence[Reaching], beyond: Sequence[str]) -> Seen:
    """What any role can do on any server, and what only a superuser could shut, told by name."""
    what = "what it can still do"
    ours = [one.name for one in functions if one.as_owner and one.public and one.extension is None]
    if ours:
        said = f"It can call {_listed(ours)}, which run with their owner's rights and may write. {_AGAIN}"
        return Seen(what, Verdict.FAIL, said)
    still = [
        "take advisory locks, send NOTIFY, make large objects of its own, change its own password and settings",
        "and keep its connections busy",
        *([", make temporary tables, which end with the connection"] if who.makes_temporary else []),
    ]
    said = f"It can still {' '.join(still[:2])}{''.join(still[2:])}; only a superuser could shut that."
    others = [one.name for one in functions if one.as_owner]
    outward = sorted({one.extension for one in functions if one.extension and not one.as_owner})
    if others:
        said += f" It can call {_listed(others)} with their owner's rights."
    if outward:
        said += f" By the extension {', '.join(outward)} it can reach other servers."
    if beyond:
        said += f" It can read {len(beyond)} columns that nothing here needs, such as {_listed(beyond)}."
    return Seen(what, Verdict.PASS, said)
