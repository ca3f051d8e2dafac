"""Knows how a table is moved aside instead of being dropped, for as long as it is kept, and how it comes back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from services.database.fingerprint import RowHash
from services.database.snapshots.effects import Place
from services.database.snapshots.parting import dropping, place_in_order
from services.database.snapshots.snapshot import Part, columns_of, every_row_seen, key_of
from services.database.snapshots.storage import close_to_others, make_tables, steady_texts
from services.errors import NotUnderstood, Refused

_HERE = Path(__file__).parent
_PARKABLE = (_HERE / "parkable.sql").read_text()
_PARTING = (_HERE / "parting.sql").read_text()
_GONE = (_HERE / "gone.sql").read_text()

_ADDRESSES = "SELECT DISTINCT classid::bigint, objid::bigint, objsubid FROM pg_catalog.pg_depend"

_OWN_RELATIONS = """
SELECT c.oid::bigint, c.relname::text, c.relkind::text FROM pg_catalog.pg_class c
WHERE c.oid IN (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = %(table)s)
   OR (c.relkind = 'S' AND c.oid IN (
     SELECT d.objid FROM pg_catalog.pg_depend d
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = %(table)s))
ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Parked:
    """A table that was moved aside. bytes: with its indexes; until: when it may be purged."""

    id: str
    object: str
    rows: int
    bytes: int
    since: datetime
    until: datetime
    snapshot_id: str
    name: str

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.object,
            "rows": self.rows,
            "bytes": self.bytes,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "snapshot_id": self.snapshot_id,
        }


def parkable(conn: psycopg.Connection[Any], place: Place) -> bool:
    """True if the table can be moved aside whole: it has no type, collation, function or ancestor of others in it."""
    row = conn.execute(_PARKABLE, {"table": oid_of(conn, place)}).fetchone()
    return row is not None and bool(row[0])


def holds_rows(conn: psycopg.Connection[Any], place: Place) -> bool:
    """True if there is a row in the table."""
    row = conn.execute(sql.SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(sql.Identifier(*place))).fetchone()
    return row is not None and bool(row[0])


def what_goes(conn: psycopg.Connection[Any], drop: str, parked: Sequence[Place]) -> list[sql.Composed] | None:
    """Run a DROP for trial and undo it: the statements that drop all it takes but the tables to be parked.

    None where something goes that cannot be dropped by itself. Raises psycopg.Error as the server does for the DROP.
    """
    oids = [oid_of(conn, place) for place in parked]
    # As strong as the DROP's own lock, so that nothing can be hung on the tables between the trial and the park.
    for place in parked:
        conn.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(*place)))
    conn.execute("SAVEPOINT ops_trial")
    before = {*conn.execute(_ADDRESSES).fetchall()}
    conn.execute(drop.encode())
    after = {*conn.execute(_ADDRESSES).fetchall()}
    conn.execute("ROLLBACK TO SAVEPOINT ops_trial; RELEASE SAVEPOINT ops_trial")
    gone = sorted(before - after)
    classes, objects, subs = ([address[place] for address in gone] for place in range(3))
    with steady_texts(conn):
        given = {"classes": classes, "objects": objects, "subs": subs, "parked": oids}
        found = conn.execute(_GONE, given).fetchall()
    return _in_order(found)


def _in_order(things: Sequence[tuple[str, list[str], list[str], str]]) -> list[sql.Composed] | None:
    statements = []
    for kind, names, arguments, _ in sorted(things, key=lambda thing: (place_in_order(thing[0]), thing[3])):
        statement = dropping(kind, names, arguments)
        if statement is None:
            return None
        statements.append(statement)
    return statements


def drop_all(conn: psycopg.Connection[Any], statements: Sequence[sql.Composed]) -> None:
    """Run statements of `what_goes`; the server has told of them already, when the DROP was tried."""
    with quietly(conn):
        for statement in statements:
            conn.execute(statement)


def park(
    conn: psycopg.Connection[Any], snapshot_id: str, number: int, place: Place, keep_days: int
) -> tuple[Part, Parked]:
    """Move a table with its rows, indexes and sequences to schema `ops`, under a name that nobody else has.

    What ties it to others is taken off first: foreign keys, triggers, policies, rules, rights, defaults that are not
    its own. Definitions of all that are kept by whoever calls this.
    """
    oid = oid_of(conn, place)
    with steady_texts(conn), quietly(conn):
        columns, types = columns_of(conn, *place)
        key = key_of(conn, *place)
        with every_row_seen(conn, place):
            rows, size = _measured(conn, place)
        part_from_others(conn, oid)
        name = f"parked_{snapshot_id.split('-')[0]}_{number}"
        renamed = move_aside(conn, oid, place, name)
    parked_id = str(uuid.uuid4())
    stored = conn.execute(
        "INSERT INTO ops.parked (id, snapshot_id, schema_name, table_name, parked_name, renamed, row_count, bytes,"
        " since, until) SELECT %s, %s, %s, %s, %s, %s, %s, %s, now, now + pg_catalog.make_interval(days => %s)"
        " FROM pg_catalog.clock_timestamp() AS now RETURNING since, until",
        (parked_id, snapshot_id, *place, name, Jsonb(renamed), rows, size, keep_days),
        binary=True,
    ).fetchone()
    if stored is None:
        raise LookupError("an INSERT of one row returns one row")
    since, until = stored
    part = Part("parked", *place, tuple(columns), tuple(types), tuple(key), name, RowHash(rows, ""))
    return part, Parked(parked_id, ".".join(place), rows, size, since, until, snapshot_id, name)


def part_from_others(conn: psycopg.Connection[Any], oid: int) -> None:
    """Take off a table what ties it to others, or others to it."""
    for statement in _in_order(conn.execute(_PARTING, {"table": oid}).fetchall()) or ():
        conn.execute(statement)


def _measured(conn: psycopg.Connection[Any], place: Place) -> tuple[int, int]:
    query = sql.SQL("SELECT pg_catalog.count(*), pg_catalog.pg_total_relation_size({}::pg_catalog.regclass) FROM {}")
    table = sql.Identifier(*place)
    row = conn.execute(query.format(table.as_string(conn), table)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def move_aside(conn: psycopg.Connection[Any], oid: int, place: Place, name: str) -> dict[str, str]:
    """Rename the table and what lies in its schema beside it, then move all. Returns new name -> old name."""
    renamed = {name: place[1]}
    for number, (_, old, kind) in enumerate(conn.execute(_OWN_RELATIONS, {"table": oid}).fetchall()):
        new = f"{name}_{number}"
        renamed[new] = old
        word = sql.SQL("SEQUENCE" if kind == "S" else "INDEX")
        rename = sql.SQL("ALTER {} {} RENAME TO {}")
        conn.execute(rename.format(word, sql.Identifier(place[0], old), sql.Identifier(new)))
    conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(*place), sql.Identifier(name)))
    conn.execute(sql.SQL("ALTER TABLE {} SET SCHEMA ops").format(sql.Identifier(place[0], name)))
    conn.execute(sql.SQL("ALTER TABLE {} OWNER TO CURRENT_USER").format(sql.Identifier("ops", name)))
    for relation in renamed:
        close_to_others(conn, relation)
    return renamed


def parked(conn: psycopg.Connection[Any]) -> list[Parked]:
    """The tables that lie aside now, the oldest first."""
    there = conn.execute("SELECT pg_catalog.to_regclass('ops.parked') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return []
    rows = conn.execute(
        "SELECT id::text, schema_name || '.' || table_name, row_count, bytes, since, until, snapshot_id::text,"
        " parked_name FROM ops.parked WHERE unparked_at IS NULL AND purged_at IS NULL ORDER BY since, parked_name",
        binary=True,
    ).fetchall()
    return [Parked(*row) for row in rows]


def unpark(conn: psycopg.Connection[Any], parked_id: str) -> Parked:
    """Move a parked table back to where it was, with its rows, indexes and sequences.

    What was taken off it comes back from the definitions of its snapshot, by whoever calls this.
    Raises NotUnderstood (no such table is parked), Refused (its name is taken).
    """
    one = next((found for found in parked(conn) if found.id == parked_id), None)
    if one is None:
        raise NotUnderstood("No such table is parked here.", "Nothing was changed.", "List the parked tables.")
    row = conn.execute("SELECT schema_name, renamed FROM ops.parked WHERE id = %s", (parked_id,)).fetchone()
    schema, renamed = row if row else ("", {})
    for old in renamed.values():
        taken = conn.execute(
            "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (sql.Identifier(schema, old).as_string(conn),)
        ).fetchone()
        if taken is not None and taken[0]:
            raise Refused(
                f"{schema}.{old} is there again.",
                f"The parked {one.object} cannot take its place.",
                "Rename or drop what stands there now, or restore the snapshot, which merges the rows.",
            )
    conn.execute(
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier("ops", one.name), sql.Identifier(schema))
    )
    for new, old in renamed.items():
        # One form for tables, indexes and sequences: the server takes ALTER TABLE for all of them.
        conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(schema, new), sql.Identifier(old)))
    conn.execute("UPDATE ops.parked SET unparked_at = pg_catalog.clock_timestamp() WHERE id = %s", (parked_id,))
    return one


def purge(conn: psycopg.Connection[Any], now: datetime) -> list[str]:
    """Drop what has been kept as long as it was to be: parked tables and copies. Returns their names of before."""
    make_tables(conn)
    dropped: list[str] = []
    with conn.transaction():
        for one in parked(conn):
            if one.until <= now:
                conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier("ops", one.name)))
                conn.execute("UPDATE ops.parked SET purged_at = %s WHERE id = %s", (now, one.id))
                dropped.append(one.object)
        old = conn.execute(
            "SELECT s.id, p.schema_name || '.' || p.table_name, p.kind, p.copy_name, p.after_name"
            " FROM ops.snapshots s JOIN ops.snapshot_parts p ON p.snapshot_id = s.id"
            " WHERE s.purged_at IS NULL AND s.until <= %s ORDER BY s.taken_at, p.part",
            (now,),
        ).fetchall()
        for _, name, kind, copy, after in old:
            for relation in (copy if kind in ("table", "column") else "", after):
                if relation:
                    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("ops", relation)))
            if kind in ("table", "column"):
                dropped.append(name)
        conn.execute(
            "UPDATE ops.snapshots SET purged_at = %(now)s WHERE purged_at IS NULL AND until <= %(now)s", {"now": now}
        )
    return dropped


@contextmanager
def quietly(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Within: the server tells no NOTICE of what we drop; it has told them when the DROP was tried."""
    row = conn.execute("SELECT pg_catalog.current_setting('client_min_messages')").fetchone()
    conn.execute("SELECT pg_catalog.set_config('client_min_messages', 'warning', true)")
    yield
    conn.execute("SELECT pg_catalog.set_config('client_min_messages', %s, true)", (row[0] if row else "notice",))


def oid_of(conn: psycopg.Connection[Any], place: Place) -> int:
    """The oid of the table; 0 where there is none."""
    row = conn.execute(
        "SELECT pg_catalog.to_regclass(%s)::oid::bigint", (sql.Identifier(*place).as_string(conn),)
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
