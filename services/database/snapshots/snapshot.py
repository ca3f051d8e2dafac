"""Knows how to keep what a change destroys: copies in schema `ops`, proved equal to what they were taken from."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from services.database.fingerprint import RowHash
from services.database.snapshots.storage import close_to_others, make_tables, steady_texts
from services.errors import Refused

PartKind = Literal["table", "column", "parked", "inserted"]

_HOME = (
    "(SELECT oid::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    " || '/' || 'ops.snapshots'::pg_catalog.regclass::oid::text"
)


_OURS = frozenset({"ops what", "ops key", "ops n", "ops hash", "ops nth", "ops b"})
_WIDEST = 1597
"""What the server takes, less what a copy of altered rows has beside the table's own columns."""


class NotProved(Exception):
    """A copy does not equal its original; the transaction must not go on."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kept piece of a table.

    kind: "table" (all its rows), "column" (some columns with the key that finds their rows again), "parked" (the table
    itself, moved to schema `ops`), "inserted" (no row of before: only what the change added).
    after_name: the rows that the change altered, as they then were; None where the table was gone after the change,
    with after_columns and after_types, the columns that it then had.
    """

    kind: PartKind
    schema: str
    table: str
    columns: tuple[str, ...]
    column_types: tuple[str, ...]
    key_columns: tuple[str, ...]
    copy_name: str
    rows: RowHash
    after_name: str | None = None
    after_columns: tuple[str, ...] = ()
    after_types: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def place(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    @property
    def copy(self) -> sql.Identifier:
        return sql.Identifier("ops", self.copy_name)


def new_snapshot(conn: psycopg.Connection[Any], release_id: str, actor: str, keep_days: int = 30) -> str:
    """Open a snapshot inside the transaction, to be kept so many days; returns its id."""
    make_tables(conn)
    snapshot_id = str(uuid.uuid4())
    conn.execute(
        "INSERT INTO ops.snapshots (id, release_id, actor, until, home)"
        f" VALUES (%s, %s, %s, pg_catalog.clock_timestamp() + pg_catalog.make_interval(days => %s), {_HOME})",
        (snapshot_id, release_id, actor, keep_days),
    )
    return snapshot_id


def is_home(conn: psycopg.Connection[Any], snapshot_id: str) -> bool:
    """True in the very database in which the snapshot was taken; in a copy of it, objects have other oids."""
    query = f"SELECT home = {_HOME} FROM ops.snapshots WHERE id = %s"
    row = conn.execute(query.encode(), (snapshot_id,)).fetchone()
    return row is not None and bool(row[0])


def was_restored(conn: psycopg.Connection[Any], snapshot_id: str) -> bool:
    """True if the snapshot was restored before."""
    row = conn.execute("SELECT restored_at IS NOT NULL FROM ops.snapshots WHERE id = %s", (snapshot_id,)).fetchone()
    return row is not None and bool(row[0])


def purged_at(conn: psycopg.Connection[Any], snapshot_id: str) -> datetime | None:
    """When what the snapshot kept was purged."""
    query = "SELECT purged_at FROM ops.snapshots WHERE id = %s"
    row = conn.execute(query, (snapshot_id,), binary=True).fetchone()
    return row[0] if row else None


def keep_table(conn: psycopg.Connection[Any], snapshot_id: str, part: int, schema: str, table: str) -> Part:
    """Copy all rows of a table. Writers of the table wait from here to the end of the transaction.

    Raises NotProved where the copy does not equal the table, Refused where row-level security hides rows from us.
    """
    with steady_texts(conn):
        columns, types = columns_of(conn, schema, table)
        key = key_of(conn, schema, table)
        return _keep(conn, snapshot_id, part, "table", (schema, table), columns, types, key)


def keep_columns(
    conn: psycopg.Connection[Any], snapshot_id: str, part: int, schema: str, table: str, lost: Sequence[str]
) -> Part:
    """Copy some columns of a table with the key of each row; the whole table where no other column is its key."""
    with steady_texts(conn):
        columns, types = columns_of(conn, schema, table)
        key = key_of(conn, schema, table)
        if not key or set(key) & set(lost):
            return _keep(conn, snapshot_id, part, "table", (schema, table), columns, types, key)
        kept = [name for name in columns if name in key or name in lost]
        kept_types = [kind for name, kind in zip(columns, types, strict=True) if name in kept]
        return _keep(conn, snapshot_id, part, "column", (schema, table), kept, kept_types, key)


def refuse_unkeepable(place: tuple[str, str], columns: Sequence[str]) -> None:
    """Raise Refused where a table has columns of which no copy can be made beside ours."""
    taken = sorted(_OURS & {*columns})
    if taken or len(columns) > _WIDEST:
        why = f"a column called {taken[0]!r}, as our copies have" if taken else f"more than {_WIDEST} columns"
        raise Refused(
            f"{place[0]}.{place[1]} has {why}: its rows cannot be kept.",
            "Nothing was changed.",
            "Rename that column first." if taken else "Drop columns that nobody needs in a change of its own.",
        )


def _keep(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    number: int,
    kind: PartKind,
    place: tuple[str, str],
    columns: Sequence[str],
    types: Sequence[str],
    key: Sequence[str],
) -> Part:
    refuse_unkeepable(place, columns_of(conn, *place)[0])
    source = sql.Identifier(*place)
    copy_name = f"snapshot_{snapshot_id.split('-')[0]}_{number}"
    copy = sql.Identifier("ops", copy_name)
    # SHARE keeps writers out, so that no row can come between the copy and the change; readers go on.
    conn.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE MODE").format(source))
    with every_row_seen(conn, place):
        query = sql.SQL("CREATE TABLE {} AS SELECT {} FROM ONLY {}")
        conn.execute(query.format(copy, kept_values(conn, columns, types), source))
        before, after = text_hash(conn, source, columns), text_hash(conn, copy, columns)
    if before != after:
        raise NotProved(f"{place[0]}.{place[1]}")
    close_to_others(conn, copy_name)
    part = Part(kind, *place, tuple(columns), tuple(types), tuple(key), copy_name, after)
    record_part(conn, snapshot_id, number, part)
    return part


def record_part(conn: psycopg.Connection[Any], snapshot_id: str, number: int, part: Part) -> None:
    """Write down one part of a snapshot."""
    conn.execute(
        "INSERT INTO ops.snapshot_parts (snapshot_id, part, kind, schema_name, table_name, columns, column_types,"
        " key_columns, copy_name, row_count, row_digest, after_name, after_columns, after_types)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            snapshot_id,
            number,
            part.kind,
            part.schema,
            part.table,
            list(part.columns),
            list(part.column_types),
            list(part.key_columns),
            part.copy_name,
            part.rows.count,
            part.rows.digest,
            part.after_name,
            list(part.after_columns),
            list(part.after_types),
        ),
    )


def kept_values(
    conn: psycopg.Connection[Any], columns: Sequence[str], types: Sequence[str], alias: str = ""
) -> sql.Composed:
    """The columns as they are kept: values of types that a change may drop as text, all others as they are.

    None has a collation that a change may drop: with CASCADE, that would take the column of the copy along.
    """
    dot = sql.SQL("{}.").format(sql.Identifier(alias)) if alias else sql.SQL("")
    lasting = _lasting(conn, types)
    return sql.SQL(", ").join(
        sql.SQL(_AS_KEPT[lasting.get(type_name)]).format(dot=dot, name=sql.Identifier(name))
        for name, type_name in zip(columns, types, strict=True)
    )


_AS_KEPT = {
    None: '{dot}{name}::text COLLATE pg_catalog."C" AS {name}',
    True: '{dot}{name} COLLATE pg_catalog."C" AS {name}',
    False: "{dot}{name}",
}
"""How a value is kept, by whether its type, if it lasts, is one that has a collation."""


@contextmanager
def every_row_seen(conn: psycopg.Connection[Any], place: tuple[str, str]) -> Iterator[None]:
    """Within: row-level security hides no row of the table from us, its owner. Raises Refused where it must."""
    named = sql.Identifier(*place)
    row = conn.execute(
        "SELECT pg_catalog.row_security_active(c.oid), pg_catalog.pg_has_role(c.relowner, 'USAGE'),"
        " c.relforcerowsecurity FROM pg_catalog.pg_class c WHERE c.oid = %s::pg_catalog.regclass",
        (named.as_string(conn),),
    ).fetchone()
    hidden, ours, forced = row if row else (False, False, False)
    if hidden and not (ours and forced):
        raise Refused(
            f"Row-level security may hide rows of {place[0]}.{place[1]} from {conn.info.user!r}.",
            "Nothing was changed: rows that are not seen cannot be kept.",
            "Change the database as the owner of its tables.",
        )
    if hidden:
        conn.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(named))
    yield
    if hidden:
        conn.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(named))


_DIGEST = (
    "SELECT pg_catalog.count(*), 'x' || pg_catalog.md5("
    "COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(t, 0))::text, '') || '/' ||"
    " COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(t, 7305808869229538401))::text, ''))"
    ' FROM (SELECT ROW({})::text COLLATE "C" AS t FROM ONLY {} r OFFSET 0) texts'
)
"""Twice 64 bits of each row, added up: three times as fast as by MD5, and writers wait for it."""

_OLD_DIGEST = (
    "SELECT pg_catalog.count(*),"
    " pg_catalog.md5(COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 1, 16))::bit(64)::bigint)::text, '')"
    " || '/' || COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 17, 16))::bit(64)::bigint)::text, ''))"
    " FROM (SELECT pg_catalog.md5(ROW({})::text) AS h FROM ONLY {} r) hashes"
)
"""As snapshots of older versions were proved: their digests begin with no x."""


def text_hash(
    conn: psycopg.Connection[Any], table: sql.Identifier, columns: Sequence[str], *, like: str = "x"
) -> RowHash:
    """Count and order-free digest of the columns' texts, equal for an original and its copy.

    like: a digest to compare with, which may be of an older form.
    """
    values = sql.SQL(", ").join(sql.SQL("r.{}::text").format(sql.Identifier(name)) for name in columns)
    query = sql.SQL(_DIGEST if like.startswith("x") else _OLD_DIGEST).format(values, table)
    row = conn.execute(query).fetchone()
    return RowHash(int(row[0]), str(row[1])) if row else RowHash(0, "")


def parts_of(conn: psycopg.Connection[Any], snapshot_id: str) -> list[Part]:
    """The parts of a snapshot, in the order in which they were taken."""
    make_tables(conn)
    query = "SELECT * FROM ops.snapshot_parts WHERE snapshot_id = %s ORDER BY part"
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, (snapshot_id,)).fetchall()
    return [
        Part(
            row["kind"],
            row["schema_name"],
            row["table_name"],
            tuple(row["columns"]),
            tuple(row["column_types"]),
            tuple(row["key_columns"]),
            row["copy_name"],
            RowHash(row["row_count"], row["row_digest"]),
            row["after_name"],
            tuple(row["after_columns"] or ()),
            tuple(row["after_types"] or ()),
        )
        for row in rows
    ]


def columns_of(conn: psycopg.Connection[Any], schema: str, table: str) -> tuple[list[str], list[str]]:
    """Names and types of the columns that hold values of their own, in order; none where there is no such table."""
    rows = conn.execute(
        "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
        " WHERE attrelid = pg_catalog.to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        " ORDER BY attnum",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


def is_table(conn: psycopg.Connection[Any], place: tuple[str, str]) -> bool:
    """True if a table stands there, partitioned or not; it may have no columns."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class"
        " WHERE oid = pg_catalog.to_regclass(%s) AND relkind IN ('r', 'p'))",
        (sql.Identifier(*place).as_string(conn),),
    ).fetchone()
    return row is not None and bool(row[0])


def into(columns: Sequence[str]) -> sql.Composable:
    """The columns as INSERT names them; none where there are none, as in a table with only generated ones."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    return sql.SQL("({})").format(names) if columns else sql.SQL("")


def key_of(conn: psycopg.Connection[Any], schema: str, table: str) -> list[str]:
    """The columns that tell each row from all others: the primary key, else a unique index over columns never NULL."""
    row = conn.execute(
        "SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.at) FROM pg_catalog.pg_index i"
        " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(number, at)"
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number"
        " WHERE i.indrelid = pg_catalog.to_regclass(%s) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL"
        " AND i.indexprs IS NULL AND k.at <= i.indnkeyatts"
        " GROUP BY i.indexrelid, i.indisprimary HAVING pg_catalog.bool_and(a.attnotnull AND a.attgenerated = '')"
        " ORDER BY i.indisprimary DESC, pg_catalog.count(*), i.indexrelid LIMIT 1",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchone()
    return list(row[0]) if row else []


def never_null(conn: psycopg.Connection[Any], schema: str, table: str) -> list[str]:
    """The columns that take no NULL."""
    rows = conn.execute(
        "SELECT attname::text FROM pg_catalog.pg_attribute"
        " WHERE attrelid = pg_catalog.to_regclass(%s) AND attnum > 0 AND attnotnull",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchall()
    return [row[0] for row in rows]


def kept_types(conn: psycopg.Connection[Any], types: Sequence[str]) -> list[str]:
    """The types in which values of these types are kept; see `kept_values`."""
    lasting = _lasting(conn, types)
    return [kind if kind in lasting else "text" for kind in types]


def _lasting(conn: psycopg.Connection[Any], types: Sequence[str]) -> dict[str, bool]:
    """Those of the types that are the server's own, which no change can drop, and whether each has a collation.

    References to objects by their oid (regclass and the like) are not among them: their text is the object's name,
    which means something only as long as the object is there and bears it.
    """
    rows = conn.execute(
        "SELECT n.name, t.typcollation <> 0 FROM pg_catalog.unnest(%s::text[]) n(name)"
        " JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype(n.name)"
        " LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'"
        " WHERE t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace"
        " AND COALESCE(e.typname, t.typname) !~ '^reg'",
        (list(set(types)),),
    ).fetchall()
    return {row[0]: row[1] for row in rows}
