"""Knows how tables that stand are made ready for rows that come back: no trigger, rule or foreign key acts on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.definitions.definition import Definitions
from services.database.snapshots.effects import Place
from services.database.snapshots.keyed_rows import Standing
from services.database.snapshots.not_owned import as_replica
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import columns_of, every_row_seen
from services.errors import Refused

_ON = {"O": "ENABLE {}", "A": "ENABLE ALWAYS {}"}

_ACTING = """
SELECT 'TRIGGER', tgname::text, tgenabled::text FROM pg_catalog.pg_trigger
JOIN pg_catalog.pg_class c ON c.oid = tgrelid AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
WHERE tgrelid = %(table)s AND NOT tgisinternal AND tgenabled IN ('O', 'A')
UNION ALL
SELECT 'RULE', rulename::text, ev_enabled::text FROM pg_catalog.pg_rewrite
JOIN pg_catalog.pg_class c ON c.oid = ev_class AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
WHERE ev_class = %(table)s AND rulename <> '_RETURN' AND ev_enabled IN ('O', 'A')
"""

_FOREIGN_KEYS = """
SELECT n.nspname::text, c.relname::text, k.conname::text FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY(%(tables)s) OR k.confrelid = ANY(%(tables)s))
  AND n.nspname <> 'ops' AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
  AND (pg_catalog.has_table_privilege(k.confrelid, 'REFERENCES') OR NOT EXISTS (
    SELECT FROM pg_catalog.unnest(k.confkey) u(n)
    WHERE NOT pg_catalog.has_column_privilege(k.confrelid, u.n, 'REFERENCES')))
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
  AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
"""

_NOT_TOLD_APART = """
SELECT CASE c.relreplident WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END FROM pg_catalog.pg_class c
WHERE c.oid = %s AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
  AND (c.relreplident = 'n' OR (c.relreplident = 'd'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)))
  AND EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubupdate OR p.pubdelete)
"""
"""Of a table whose rows no subscriber could tell apart: how it says so. The server refuses to change published ones."""


@contextmanager
def nothing_acts(conn: psycopg.Connection[Any], place: Place, *, replica: bool = False) -> Iterator[None]:
    """Within: triggers and rules of the table do nothing: they have acted when the rows were first written. Every row
    is seen and can be written, with numbers that the server always gives, and in a published table that lost its key,
    which is made again after the rows.

    replica: the table is another's, and we go as replica; such a one to whose rows nothing is done is left as it is.
    Raises Refused where a number of such a table must change.
    """
    acting = [] if replica else conn.execute(_ACTING, {"table": oid_of(conn, place)}).fetchall()
    table = sql.Identifier(*place)
    for word, name, _ in acting:
        conn.execute(sql.SQL("ALTER TABLE {} DISABLE {} {}").format(table, sql.SQL(word), sql.Identifier(name)))
    # Of a table of another owner the numbers stay as they are: rows are put in with OVERRIDING SYSTEM VALUE.
    always = conn.execute(_ALWAYS, (oid_of(conn, place),)).fetchall()
    identity = sql.SQL("ALTER TABLE {} ALTER {} SET GENERATED {}")
    for schema, name, column in always:
        root, number = sql.Identifier(schema, name), sql.Identifier(column)
        conn.execute(identity.format(root, number, sql.SQL("BY DEFAULT")))
    told_apart = conn.execute(_NOT_TOLD_APART, (oid_of(conn, place),)).fetchone()
    if told_apart is not None:
        conn.execute(sql.SQL("ALTER TABLE ONLY {} REPLICA IDENTITY FULL").format(table))
    with as_replica(conn) if replica else nullcontext(), every_row_seen(conn, place):
        try:
            yield
        except errors.GeneratedAlways as error:
            raise Refused(
                f"{'.'.join(place)} belongs to another role, and a number that the server always gives would have to"
                f" be changed in rows that stay: {error.diag.message_primary}.",
                "Nothing was changed; what was kept lies in schema ops as before.",
                "Start it as the owner of that table.",
            ) from error
    if told_apart is not None:
        conn.execute(sql.SQL("ALTER TABLE ONLY {} REPLICA IDENTITY {}").format(table, sql.SQL(told_apart[0])))
    for schema, name, column in always:
        conn.execute(identity.format(sql.Identifier(schema, name), sql.Identifier(column), sql.SQL("ALWAYS")))
    for word, name, state in acting:
        enable = sql.SQL(_ON[state].format(word))
        conn.execute(sql.SQL("ALTER TABLE {} {} {}").format(table, enable, sql.Identifier(name)))


def take_off_foreign_keys(conn: psycopg.Connection[Any], places: Sequence[Place]) -> None:
    """Drop the foreign keys from and to these tables: rows come back in any order, and nothing cascades. They are made
    again, and with that checked, when all rows are in. Those that we could not make again stay on."""
    oids = [oid for place in places if (oid := oid_of(conn, place))]
    for schema, table, name in conn.execute(_FOREIGN_KEYS, {"tables": oids}).fetchall():
        conn.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(schema, table), sql.Identifier(name))
        )
