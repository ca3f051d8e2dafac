"""Knows how many rows of a table strangers are shown, by really asking as them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from services.database.dangers.rights import Opened
from services.database.dangers.strangers import acting_as
from services.database.dangers.trail import Facts, Key

_ASK_S = 2
_OUTSIDE = ("anon", "authenticated")
_REACH = ("relation", "policy", "schema")


def newly_seen(
    before: psycopg.Connection[Any], after: psycopg.Connection[Any], old: Facts, new: Facts, told: Iterable[str]
) -> list[Opened]:
    """Tables of whose rows a stranger, who has none, is shown more than before, although no rule says so.

    before, after: superuser connections to the two clones. told: tables that are known to be open already.
    """
    changed = {key for key in new if key[0] in _REACH and old.get(key) != new[key]}
    changed |= {key for key in old if key[0] == "policy" and key not in new}
    tables = {_table_of(key, old, new) for key in changed} - {None, *told}
    found = []
    for name in sorted(str(table) for table in tables):
        if ("relation", name) not in old or ("relation", name) not in new:
            continue
        for role in _OUTSIDE:
            if ("role", role) in new and (more := _shown(after, name, role)) > (was := _shown(before, name, role)):
                keys = frozenset(key for key in changed if _table_of(key, old, new) == name)
                found.append(Opened(name, f"{role} is shown {more} rows of it; before, {was}.", keys))
    return found


def _table_of(key: Key, old: Facts, new: Facts) -> str | None:
    if key[0] == "policy":
        return str((new.get(key) or old[key])["relation"])
    return key[1] if key[0] == "relation" else None


def _shown(conn: psycopg.Connection[Any], name: str, role: str) -> int:
    """Rows that the role is shown; none where it may not ask."""
    schema, _, table = name.partition(".")
    try:
        with acting_as(conn, role, seconds=_ASK_S):
            row = conn.execute(
                sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(
                    sql.Identifier(schema.strip('"'), table.strip('"'))
                )
            ).fetchone()
    except psycopg.Error:
        return 0
    return int(row[0]) if row else 0
