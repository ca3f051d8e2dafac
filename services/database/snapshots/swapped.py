"""Knows tables with values of types that are made anew: they lie aside as texts, so that the old type can go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definition, Definitions
from services.database.inverse.alter import alter, is_same
from services.database.snapshots.rebuilding import Aside, is_type_of_others
from services.database.snapshots.snapshot import Part, every_row_seen
from services.errors import Refused

_ALONE = """
SELECT c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
FROM pg_catalog.pg_class c WHERE c.oid = %s
"""


def swapped_types(target: Definitions, now: Definitions) -> dict[str, frozenset[str]]:
    """Types and domains that cannot be turned back in place, by their names of now, with the labels that go."""
    found: dict[str, frozenset[str]] = {}
    for is_now in now:
        if is_now.kind not in ("type", "domain"):
            continue
        old = target.by_place.get((is_now.kind, is_now.oid, 0)) or target.by_key.get(is_now.key)
        if old is not None and not is_same(old, is_now, same_database=True) and alter(old, is_now) is None:
            found[is_now.identity] = _labels(is_now) - _labels(old)
    return found


def holding_what_goes(
    conn: psycopg.Connection[Any],
    swapped: Mapping[str, frozenset[str]],
    target: Definitions,
    now: Definitions,
    parts: Sequence[Part],
) -> list[str]:
    """Keys of plain tables, otherwise as they are to be, with rows that have a label that goes.

    Raises Refused where such rows would have to leave their table, and nothing of them was kept.
    """
    found: list[str] = []
    for column in now:
        labels = swapped.get(str(column.facts["type"]).removesuffix("[]")) if column.kind == "column" else None
        table, wanted = now.by_key.get(column.part_of or ""), target.by_key.get(column.part_of or "")
        if not labels or table is None or wanted is None or table.key in found or table.kind != "table":
            continue
        if _is_to_stay(conn, table, wanted, now) and _has_any(conn, table, column, labels):
            if _takes_no_null(conn, column) and not _is_kept(table, column, parts):
                raise Refused(
                    f"Rows of {table.identity} have a label in {column.facts['name']} that goes, and none of before.",
                    "Nothing was changed.",
                    f"Give them another one first: {', '.join(sorted(labels))} was not there before the change.",
                )
            found.append(table.key)
    return found


def as_texts(conn: psycopg.Connection[Any], aside: Aside, swapped: Collection[str]) -> Aside:
    """The table aside with such values as texts: nothing of it depends on their types any more."""
    names = [name for name, kind in aside.types.items() if kind.removesuffix("[]") in swapped]
    if not names:
        return aside
    values = [
        sql.SQL("{0}::text AS {0}" if name in names else "{0}").format(sql.Identifier(name)) for name in aside.types
    ]
    own = aside.name.as_string(conn).rpartition(".")[2].strip('"')
    made = f"{own}_texts"
    conn.execute(
        sql.SQL("CREATE TABLE {} AS SELECT {} FROM ONLY {}").format(
            sql.Identifier("ops", made), sql.SQL(", ").join(values), aside.name
        )
    )
    conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(aside.name))
    conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier("ops", made), sql.Identifier(own)))
    return replace(aside, types={name: "text" if name in names else kind for name, kind in aside.types.items()})


def _labels(definition: Definition) -> frozenset[str]:
    return frozenset(str(label) for _, label in definition.facts.get("labels") or ())


def _is_to_stay(conn: psycopg.Connection[Any], table: Definition, wanted: Definition, now: Definitions) -> bool:
    """Whether nothing but the types of its columns is to be another, and no other table hangs on its rows' type."""
    same = [tuple(one) for one in wanted.facts["columns"]] == [tuple(one) for one in table.facts["columns"]]
    if not same or wanted.oid != table.oid or is_type_of_others(table.key, now):
        return False
    row = conn.execute(_ALONE, (table.oid,)).fetchone()
    return row is not None and bool(row[0])


def _is_kept(table: Definition, column: Definition, parts: Sequence[Part]) -> bool:
    """Whether the column's values of before lie in a copy."""
    name = str(column.facts["name"]).strip('"')
    return any(one.name == table.identity.replace('"', "") and name in one.columns for one in parts)


def _takes_no_null(conn: psycopg.Connection[Any], column: Definition) -> bool:
    row = conn.execute(
        "SELECT attnotnull FROM pg_catalog.pg_attribute WHERE attrelid = %s AND attnum = %s",
        (column.oid, column.number),
    ).fetchone()
    return row is not None and bool(row[0])


def _has_any(conn: psycopg.Connection[Any], table: Definition, column: Definition, labels: frozenset[str]) -> bool:
    place = conn.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
        (table.oid,),
    ).fetchone()
    if place is None:
        return False
    several = str(column.facts["type"]).endswith("[]")
    having = "{}::text[] && %s::text[]" if several else "{}::text = ANY(%s)"
    query = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} WHERE " + having + ")")
    with every_row_seen(conn, (place[0], place[1])):
        row = conn.execute(
            query.format(sql.Identifier(*place), sql.SQL(str(column.facts["name"]))), (sorted(labels),)
        ).fetchone()
    return row is not None and bool(row[0])
