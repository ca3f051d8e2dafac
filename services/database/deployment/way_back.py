"""Knows how to keep, for scripts that bring no rollback, the way back that the catalog before and after them tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg

from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.execution import Emit
from services.database.inverse.derive import derive_inverse

_Read = TypeVar("_Read")


def definitions_before(conn: psycopg.Connection[Any], emit: Emit) -> Definitions | None:
    """All definitions as the open transaction sees them before its statements; None where they cannot be read."""
    return _in_savepoint(conn, emit, lambda: read_definitions(conn))


def way_back(conn: psycopg.Connection[Any], before: Definitions | None, emit: Emit) -> Mapping[str, Any] | None:
    """The inverse of what the open transaction has done since, as the receipt keeps it; None where it is not known.

    before_rows and after_rows are what is run before and after rows are put back; sql is both.
    """
    if before is None:
        return None
    known = before
    inverse = _in_savepoint(conn, emit, lambda: derive_inverse(known, read_definitions(conn)))
    if inverse is None:
        return None
    return {
        "sql": inverse.sql,
        "before_rows": list(inverse.before_rows),
        "after_rows": list(inverse.after_rows),
        "not_restored": list(inverse.not_restored),
        "rows": list(inverse.rows),
    }


def _in_savepoint(conn: psycopg.Connection[Any], emit: Emit, read: Callable[[], _Read]) -> _Read | None:
    """What was read; where the server refuses it, the deploy goes on without it, and says so."""
    conn.execute("SAVEPOINT way_back")
    try:
        found = read()
    except psycopg.Error as error:
        if conn.closed:
            raise
        conn.execute("ROLLBACK TO SAVEPOINT way_back; RELEASE SAVEPOINT way_back")
        message = f"No way back can be derived: {error.diag.message_primary or 'the catalog could not be read'}"
        emit("notice", {"message": message, "severity": "WARNING"})
        return None
    conn.execute("RELEASE SAVEPOINT way_back")
    return found
