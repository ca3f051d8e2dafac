"""Knows how what a change made of values is said anew while their types are turned back, so that it can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.definitions.definition import Definitions
from services.database.inverse.alter import alter, is_same
from services.database.snapshots.after_images import common_columns, hash_text
from services.database.snapshots.snapshot import Part

_TYPES = """
SELECT w.name, COALESCE(b.oid, e.oid, t.oid)::bigint, COALESCE(e.typname, t.typname) ~ '^reg'
  AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace,
  ARRAY(SELECT d.oid::bigint FROM pg_catalog.pg_type d WHERE d.oid IN (t.oid, e.oid) AND d.typtype = 'd'),
  COALESCE(r.oid, 0)::bigint
FROM pg_catalog.unnest(%s::text[]) w(name) JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype(w.name)
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_catalog.pg_type b ON b.oid = COALESCE(e.typbasetype, t.typbasetype)
LEFT JOIN pg_catalog.pg_class r ON r.oid = COALESCE(b.typrelid, e.typrelid, t.typrelid) AND r.relkind = 'r'
"""
"""By name: the oid of its element or what that is a domain over, whether it names objects, the domains that it is over,
and the table whose row type it is."""

_NO_VALUES_OF_IT = (errors.DataError, errors.IntegrityError, errors.ProgrammingError, errors.NotSupportedError)
"""How the server refuses texts that are not, or cannot be, of a type; a wish to stop is another thing."""

Columns = list[tuple[Part, list[str]]]


@contextmanager
def restated(
    conn: psycopg.Connection[Any], parts: Sequence[Part], now: Definitions, target: Definitions
) -> Iterator[None]:
    """Within, types are turned back in place: labels get their old names, attributes come and go, objects are renamed.

    What the change made of rows is kept as texts of the types as they were after it. They are values of those types
    meanwhile, and go along. Of types that are made anew instead, nothing can be said anew.
    """
    changed = _turned_back(now, target)
    columns = _become_values(conn, parts, changed, {d.oid for d in now if d.kind == "table"} & _tables(target))
    yield
    for part, names in columns:
        image = sql.Identifier("ops", str(part.after_name))
        for name in names:
            conn.execute(
                sql.SQL('ALTER TABLE {0} ALTER {1} TYPE text COLLATE pg_catalog."C" USING {1}::text').format(
                    image, sql.Identifier(name)
                )
            )
        if not part.key_columns:
            common = common_columns(part, part.after_columns)
            conn.execute(
                sql.SQL('UPDATE {} a SET "ops key" = ARRAY[{}] WHERE "ops what" = \'more\'').format(
                    image, hash_text("a", common)
                )
            )


def _tables(definitions: Definitions) -> set[int]:
    return {d.oid for d in definitions if d.kind == "table" and d.oid}


def _turned_back(now: Definitions, target: Definitions) -> dict[int, bool]:
    """The oids of types and domains that get their definition of before, and whether in place, not made anew."""
    return {
        old.oid: old.kind == "type" and alter(old, is_now) is not None
        for old in target
        if old.kind in ("type", "domain") and (is_now := now.by_place.get((old.kind, old.oid, 0))) is not None
        if not is_same(old, is_now, same_database=True)
    }


def _become_values(
    conn: psycopg.Connection[Any], parts: Sequence[Part], changed: Mapping[int, bool], tables: AbstractSet[int]
) -> Columns:
    """changed: of `_turned_back`; tables: the oids of those that stand before and after."""
    done: Columns = []
    for part in parts:
        if part.after_name is None:
            continue
        kinds = {row[0]: row for row in conn.execute(_TYPES, (list(set(part.after_types)),)).fetchall()}
        names = []
        for name, kind in zip(part.after_columns, part.after_types, strict=True):
            _, oid, names_objects, domains, table = kinds.get(kind, (kind, 0, False, (), 0))
            goes_along = (changed.get(oid, table in tables) or names_objects) and not changed.keys() & {*domains}
            if goes_along and _becomes(conn, part, name, kind):
                names.append(name)
        if names:
            done.append((part, names))
    return done


def _becomes(conn: psycopg.Connection[Any], part: Part, name: str, kind: str) -> bool:
    """False where somebody altered the type since, so that the texts are none of its values any more."""
    conn.execute("SAVEPOINT ops_restate")
    try:
        conn.execute(
            sql.SQL("ALTER TABLE {0} ALTER {1} TYPE {2} USING {1}::{2}").format(
                sql.Identifier("ops", str(part.after_name)), sql.Identifier(name), sql.SQL(kind)
            )
        )
    except _NO_VALUES_OF_IT:
        conn.execute("ROLLBACK TO SAVEPOINT ops_restate; RELEASE SAVEPOINT ops_restate")
        return False
    conn.execute("RELEASE SAVEPOINT ops_restate")
    return True
