"""Knows what others did to the catalog while a deploy ran: what it takes for its own work, its way back would drop."""

from __future__ import annotations

from typing import Any

import psycopg

from services.database.fingerprint import Difference, Fingerprint, bare_search_path, difference
from services.database.script import Statement
from services.errors import Refused

_OWN = """
SELECT kind || name FROM (
  SELECT 'relation ' AS kind, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.xmin
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  UNION ALL SELECT 'schema ', n.nspname, n.xmin FROM pg_catalog.pg_namespace n
  UNION ALL SELECT 'function ', pg_catalog.format(
    '%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), p.xmin
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
) AS made
WHERE pg_catalog.age(xmin) <= 0 AND pg_catalog.pg_xact_status(
  (pg_catalog.pg_current_xact_id()::text::bigint - pg_catalog.age(xmin))::text::xid8) = 'in progress'
"""
"""What this transaction made or altered, in whichever savepoint: what others did that we can see has been committed."""


_MADE = ("relation ", "schema ", "function ")


def refuse_others_inside(conn: psycopg.Connection[Any], before: Fingerprint, after: Fingerprint) -> None:
    """Raises Refused where what is new in the catalog since the transaction began was made by others."""
    new = sorted(name for name in after.facts.keys() - before.facts.keys() if name.startswith(_MADE))
    if not new:
        return
    conn.execute("SELECT pg_catalog.pg_current_xact_id()")  # Ages count from it once there is one.
    with bare_search_path(conn):
        own = {str(row[0]) for row in conn.execute(_OWN).fetchall()}
    if others := [name for name in new if name not in own]:
        raise Refused(
            f"Somebody else changed the catalog while this ran ({Difference(others, [], []).sentence()}).",
            "This transaction was undone: that would pass for the deploy's own work, and go with it on the way back.",
            "Rehearse on the database as it is now, and deploy when nobody else changes it.",
        )


def refuse_meanwhile(left: Fingerprint | None, found: Fingerprint) -> None:
    """Raises Refused, with the difference, if somebody changed the catalog since the last part of the deploy."""
    if left is None or left.digest == found.digest:
        return
    raise Refused(
        f"The catalog was changed by others since the last part of this deploy ({difference(left, found).sentence()}).",
        "Nothing more was changed; the parts that are in stay in.",
        "Rehearse on the database as it is now: a deploy bound to that begins anew.",
    )


def with_own(left: Fingerprint | None, found: Fingerprint, statement: Statement) -> Fingerprint:
    """The catalog as the last part left it, with what this statement, outside any transaction, may have done to it.

    Where that cannot be told from what others did, it is `found`.
    """
    if left is None:
        return found
    changes = difference(left, found)
    if statement.kind in ("index_stmt", "reindex_stmt"):
        # One that was invalid may have been built anew.
        names = [name for name in [*changes.added, *changes.changed] if _is_of_an_index(name, found)]
        return Fingerprint.of({**left.facts, **{name: found.facts[name] for name in names}})
    if statement.kind == "drop_stmt":
        return Fingerprint.of({name: fact for name, fact in left.facts.items() if name not in changes.removed})
    return left if statement.kind == "vacuum_stmt" else found


def _is_of_an_index(name: str, catalog: Fingerprint) -> bool:
    kind, _, of = name.partition(" ")
    return kind in ("index", "relation") and f"index {of}" in catalog.facts
