"""The truth of blocking, without the engine: writers and readers who really try, and the blocks that are touched."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.script import Script, read_scripts
from tests.dangers.cases import Case
from tests.dangers.world import LARGE, SMALL, World

GROWTH = 8
"""Blocks that a statement touches more in the large database than in the small one: it goes through a table."""
MANY = 150
"""Blocks that are long work wherever they are."""
LONG_S = 0.5

_BLOCKS = (
    "SELECT oid::bigint, pg_stat_get_xact_blocks_fetched(oid) FROM pg_class"
    " WHERE oid >= 16384 AND relkind IN ('r', 'i', 't', 'm')"
)
_RELATIONS = """
SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname IN ('public', 'private', 'reports', 'api')
"""


def is_blocking(world: World, case: Case) -> str:
    """Who waits while what is worked on, or "" for nobody."""
    if _runs_apart(world, case):
        return _waits_apart(world, case)
    small, large = _run(world, case, SMALL), _run(world, case, LARGE)
    for number, ((few, seconds, _), (many, _, stuck)) in enumerate(zip(small, large, strict=True), 1):
        if stuck and (many - few > GROWTH or many > MANY or seconds > LONG_S):
            return f"{', '.join(sorted(stuck))} during statement {number} ({few} blocks, then {many})"
    return ""


def _statements(case: Case) -> list[str]:
    return [one.sql for one in read_scripts([Script("case.sql", case.sql)]).statements]


def _run(world: World, case: Case, rows: int) -> list[tuple[int, float, set[str]]]:
    """Of each statement: the blocks it touched, its seconds, and who is kept waiting when it has ended."""
    told = []
    with world.clone(rows) as name, world.runner(case, name) as conn, world.superuser(name) as other:
        relations = other.execute(_RELATIONS).fetchall()
        conn.execute("BEGIN")
        before = dict(conn.execute(_BLOCKS).fetchall())
        for text in _statements(case):
            started = time.monotonic()
            conn.execute(text.encode())
            took = time.monotonic() - started
            after = dict(conn.execute(_BLOCKS).fetchall())
            touched = sum(max(0, blocks - before.get(oid, 0)) for oid, blocks in after.items())
            before = after
            told.append((touched, took, _waiting(other, relations)))
        conn.execute("ROLLBACK")
    return told


def _waiting(
    other: psycopg.Connection[Any], relations: Sequence[tuple[str, str, str]], patience_ms: int = 3
) -> set[str]:
    """Relations that a writer, or of a view a reader, cannot get at."""
    other.execute(f"SET lock_timeout = {patience_ms}")
    stuck = set()
    for schema, name, kind in relations:
        attempt = "DELETE FROM {} WHERE false" if kind in ("r", "p") else "SELECT FROM {} WHERE false"
        try:
            other.execute(sql.SQL(attempt).format(sql.Identifier(schema, name)))
        except errors.LockNotAvailable:
            stuck.add(f"{schema}.{name}")
    return stuck


def _runs_apart(world: World, case: Case) -> bool:
    with world.clone(SMALL) as name, world.runner(case, name) as conn:
        conn.execute("BEGIN")
        try:
            for text in _statements(case):
                conn.execute(text.encode())
        except errors.ActiveSqlTransaction:
            return True
        finally:
            conn.execute("ROLLBACK")
    return False


def _waits_apart(world: World, case: Case) -> str:
    """A reader stays in all tables; who wants one for itself waits behind it, and writers wait behind that."""
    with world.clone(LARGE) as name, world.runner(case, name) as conn, world.superuser(name) as other:
        relations = other.execute(_RELATIONS).fetchall()
        with world.superuser(name) as reader:
            reader.execute("BEGIN")
            for schema, relation, _ in relations:
                reader.execute(sql.SQL("SELECT FROM {} WHERE false").format(sql.Identifier(schema, relation)))
            work = threading.Thread(target=lambda: [conn.execute(text.encode()) for text in _statements(case)])
            work.start()
            deadline = time.monotonic() + 1
            stuck: set[str] = set()
            while work.is_alive() and not stuck and time.monotonic() < deadline:
                stuck = _waiting(other, relations, patience_ms=20)
            reader.execute("ROLLBACK")
        work.join()
    return ", ".join(sorted(stuck))
