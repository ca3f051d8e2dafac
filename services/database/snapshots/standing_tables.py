"""Knows how tables that stand are made ready for rows that come back: no trigger, rule or foreign key acts on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definitions
from services.database.snapshots.effects import Place
from services.database.snapshots.keyed_rows import Standing
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import columns_of, every_row_seen

_ON = {"O": "ENABLE {}", "A": "ENABLE ALWAYS {}"}

_ACTING = """
SELECT 'TRIGGER', tgname::text, tgenabled::text FROM pg_catalog.pg_trigger
WHERE tgrelid = %(table)s AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgparentid = 0
UNION ALL
SELECT 'RULE', rulename::text, ev_enabled::text FROM pg_catalog.pg_rewrite
WHERE ev_class = %(table)s AND rulename <> '_RETURN' AND ev_enabled IN ('O', 'A')
"""

_FOREIGN_KEYS = """
SELECT n.nspname::text, c.relname::text, k.conname::text FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY(%(tables)s) OR k.confrelid = ANY(%(tables)s))
  AND n.nspname <> 'ops' AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
"""


def standing(conn: psycopg.Connection[Any], place: Place, target: Definitions, *, filled: bool = False) -> Standing:
    """The table as it stands, with the defaults that its columns are to have."""
    columns, types = columns_of(conn, *place)
    quoted = sql.Identifier(*place).as_string(conn)
    defaults = {}
    for name in columns:
        for written in (f"{place[0]}.{place[1]}.{name}", f"{quoted}.{sql.Identifier(name).as_string(conn)}"):
            found = target.by_key.get(f"default column {written}")
            if found is not None and found.create:
                defaults[name] = found.create[0].partition(" SET DEFAULT ")[2]
    return Standing(sql.Identifier(*place), dict(zip(columns, types, strict=True)), defaults, filled)


_ALWAYS = """
SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = COALESCE(pg_catalog.pg_partition_root(a.attrelid), a.attrelid)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = 'a'
"""


@contextmanager
def nothing_acts(conn: psycopg.Connection[Any], place: Place) -> Iterator[None]:
    """Within: triggers and rules of the table do nothing, every row is seen, and numbers that the server always gives
    can be written. Triggers and rules have acted when the rows were first written."""
    acting = conn.execute(_ACTING, {"table": oid_of(conn, place)}).fetchall()
    table = sql.Identifier(*place)
    for word, name, _ in acting:
        conn.execute(sql.SQL("ALTER TABLE {} DISABLE {} {}").format(table, sql.SQL(word), sql.Identifier(name)))
    always = conn.execute(_ALWAYS, (oid_of(conn, place),)).fetchall()
    identity = sql.SQL("ALTER TABLE {} ALTER {} SET GENERATED {}")
    for schema, name, column in always:
        root, number = sql.Identifier(schema, name), sql.Identifier(column)
        conn.execute(identity.format(root, number, sql.SQL("BY DEFAULT")))
    with every_row_seen(conn, place):
        yield
    for schema, name, column in always:
        conn.execute(identity.format(sql.Identifier(schema, name), sql.Identifier(column), sql.SQL("ALWAYS")))
    for word, name, state in acting:
        enable = sql.SQL(_ON[state].format(word))
        conn.execute(sql.SQL("ALTER TABLE {} {} {}").format(table, enable, sql.Identifier(name)))


def take_off_foreign_keys(conn: psycopg.Connection[Any], places: Sequence[Place]) -> None:
    """Drop the foreign keys from and to these tables: rows come back in any order, and nothing cascades. They are made
    again, and with that checked, when all rows are in."""
    oids = [oid for place in places if (oid := oid_of(conn, place))]
    for schema, table, name in conn.execute(_FOREIGN_KEYS, {"tables": oids}).fetchall():
        conn.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(schema, table), sql.Identifier(name))
        )
