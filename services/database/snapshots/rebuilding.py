"""Knows how a table whose columns are to be others again is made anew: moved aside, made again, and filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.definitions.definition import Definition, Definitions
from services.database.inverse.alter import is_anew, is_same
from services.database.snapshots.after_images import common_columns, hash_text, key_text, told_by_key
from services.database.snapshots.casts import NO_VALUE, cast_of, text_as
from services.database.snapshots.conflicts import told
from services.database.snapshots.effects import Place
from services.database.snapshots.kept_definitions import Changed
from services.database.snapshots.keyed_rows import Standing, any_of
from services.database.snapshots.merge import Conflict, Merge, Why
from services.database.snapshots.narrowed import (
    Narrowing,
    left_out,
    shortened,
    tell_left_out,
    tell_shortened,
    undone,
    unfit,
    with_care,
)
from services.database.snapshots.park import drop_all, move_aside, oid_of, part_from_others, quietly, what_goes
from services.database.snapshots.snapshot import Part, columns_of, every_row_seen, into, kept_types, key_of, never_null

_FAMILY = """
WITH RECURSIVE family AS (
  SELECT pg_catalog.unnest(%s::oid[]) AS oid
  UNION SELECT CASE WHEN i.inhrelid = f.oid THEN i.inhparent ELSE i.inhrelid END
  FROM family f JOIN pg_catalog.pg_inherits i ON f.oid IN (i.inhrelid, i.inhparent)
)
SELECT n.nspname::text, c.relname::text, c.relkind::text, c.oid::bigint,
  ARRAY(SELECT i.inhparent::bigint FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid), c.relispartition
FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') ORDER BY c.oid DESC
"""


@dataclass(frozen=True, slots=True)
class Aside:
    """A table that was moved aside while it is made anew: where it lies until its rows are in."""

    place: Place
    table: str
    types: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier("ops", self.table)


def to_rebuild(changed: Changed, target: Definitions, now: Definitions) -> dict[str, dict[str, str]]:
    """Keys of the tables that only making anew gives their columns of before, each with its renamed ones: new -> old.

    Only those that have the columns the change gave them, none of which is to stay beside those of before: what others
    changed since, or what the change added and nobody takes out, is left to altering in place. A table that the change
    put in the place of another one is among them, as the way back drops it; not where the other one still stands.
    """
    found: dict[str, dict[str, str]] = {}
    for key, old in changed.before.by_key.items():
        is_now, wanted, then = now.by_key.get(key), target.by_key.get(key), changed.after.by_key.get(key)
        if old.kind != "table" or is_now is None or wanted is None or then is None or is_type_of_others(key, now):
            continue
        if _columns(is_now) != _columns(then) or _columns(wanted) != _columns(old):
            continue
        if is_now.oid != old.oid and ("table", old.oid, 0) in now.by_place:
            continue
        renamed = _renamed(key, changed, now)
        have = [(renamed.get(name, name), *rest) for name, *rest in _columns(is_now)]
        names = {name for name, *_ in _columns(old)}
        if any(renamed.get(name, name) not in names for name in _standing(key, target)):
            continue
        if [column for column in have if column[0] in names] != _columns(old) or _is_replaced(wanted, is_now):
            found[key] = renamed
    return found


def is_type_of_others(table: str, now: Definitions) -> bool:
    """Whether columns of other tables hold rows of this one: making it anew would take those columns along."""
    name = now.by_key[table].identity
    return any(
        d.kind in ("domain", "type") or (d.kind == "column" and str(d.facts["type"]).partition("[")[0] == name)
        for d in (now.by_key[key] for key in now.needed_by.get(table, ()))
    )


def _is_replaced(wanted: Definition, is_now: Definition) -> bool:
    """Whether a plain table goes to make room for another plain one: its rows have to be carried over."""
    plain = wanted.facts.get("relkind") == is_now.facts.get("relkind") == "r"
    gone = bool(wanted.oid) and is_anew(wanted, is_now, same_database=True)
    return plain and gone and not is_same(wanted, is_now, same_database=True)


def _standing(table: str, target: Definitions) -> list[str]:
    """The names of the columns that a table is to have, as far as they have definitions of their own."""
    return [str(one.facts["name"]) for one in target if one.kind == "column" and one.part_of == table]


def _columns(table: Definition) -> list[tuple[Any, ...]]:
    return [tuple(column) for column in table.facts["columns"]]


def _renamed(table: str, changed: Changed, now: Definitions) -> dict[str, str]:
    found = {}
    for old in changed.before:
        if old.kind == "column" and old.part_of == table and old.oid:
            other = now.by_place.get(("column", old.oid, old.number))
            if other is not None and other.facts["name"] != old.facts["name"]:
                found[str(other.facts["name"])] = str(old.facts["name"])
    return found


def set_aside(
    conn: psycopg.Connection[Any], tables: Mapping[str, Mapping[str, str]], now: Definitions, tag: str
) -> list[Aside]:
    """Move these tables, and those they inherit from or to, to schema `ops`, with all that hangs on them dropped.

    Sequences of their columns go along; those of partitioned tables have no rows, and are dropped.
    """
    oids = [now.by_key[key].oid for key in tables]
    family = conn.execute(_FAMILY, (oids,)).fetchall()
    places: list[Place] = [(row[0], row[1]) for row in family]
    listed = sql.SQL(", ").join(sql.Identifier(*place) for place in places)
    drops = what_goes(conn, sql.SQL("DROP TABLE {} CASCADE").format(listed).as_string(conn), places)
    by_oid = {row[3]: sql.Identifier(row[0], row[1]) for row in family}
    renamed = {now.by_key[key].oid: columns for key, columns in tables.items()}
    asides: list[Aside] = []
    with quietly(conn):
        drop_all(conn, drops or [])
        for schema, table, _, _, parents, partition in family:
            for parent in parents:
                leave = "ALTER TABLE {1} DETACH PARTITION {0}" if partition else "ALTER TABLE {0} NO INHERIT {1}"
                conn.execute(sql.SQL(leave).format(sql.Identifier(schema, table), by_oid[parent]))
        for number, (schema, table, kind, oid, _, _) in enumerate(family):
            _rename_back(conn, sql.Identifier(schema, table), renamed.get(oid, {}))
            if kind == "p":
                conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(schema, table)))
                continue
            part_from_others(conn, oid)
            name = f"aside_{tag}_{number}"
            with every_row_seen(conn, (schema, table)):
                pass
            conn.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(sql.Identifier(schema, table)))
            move_aside(conn, oid, (schema, table), name)
            columns, types = columns_of(conn, "ops", name)
            of = dict(zip(columns, types, strict=True))
            asides.append(Aside((schema, table), name, of, tuple(key_of(conn, "ops", name))))
    return asides


def _rename_back(conn: psycopg.Connection[Any], table: sql.Identifier, renamed: Mapping[str, str]) -> None:
    """Give columns their names of before, new -> old; by way of others, as two may have changed theirs."""
    rename = sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}")
    for number, new in enumerate(renamed):
        conn.execute(rename.format(table, sql.SQL(new), sql.Identifier(f"ops way {number}")))
    for number, old in enumerate(renamed.values()):
        conn.execute(rename.format(table, sql.Identifier(f"ops way {number}"), sql.SQL(old)))


def fill(
    conn: psycopg.Connection[Any], aside: Aside, parts: Sequence[Part], now: Standing, *, snapshot_id: str
) -> tuple[Merge, bool]:
    """Fill a table made anew from its rows aside, with the kept values of columns that they lack.

    Returns what came of it, and whether rows without a key were merged already: those are when they are filled in.
    """
    # Types may have got their names back since the table was moved, and columns with attributes of a type.
    named_now = dict(zip(*columns_of(conn, "ops", aside.table), strict=True))
    aside = replace(aside, types={one: named_now.get(one, kind) for one, kind in aside.types.items()})
    part = next((one for one in parts if one.copy_name and set(one.columns) - set(aside.types)), None)
    # Else a whole table; else columns in the place of which the change put others of the same name.
    part = part or next((one for one in parts if one.kind in ("table", "parked")), None)
    part = part or next((one for one in parts if one.copy_name), None)
    if part is not None and not told_by_key(conn, part.key_columns, aside.name, list(aside.types)):
        if part.kind in ("table", "parked"):
            return _fill_counted(conn, aside, part, now, snapshot_id), True
        part = None
    merge = Merge()
    lost = [name for name in part.columns if name not in aside.types and name in now.types] if part else []
    if part is not None and lost:
        merge.conflicts += _allow_missing(conn, aside, part, now, lost)
    key = part.key_columns if part is not None else aside.key
    narrowing = with_care(conn, Narrowing(aside.place, aside.name, aside.types, now.types, key, part))
    merge.conflicts += tell_shortened(conn, snapshot_id, narrowing, but=key)
    out = left_out(conn, narrowing, never_null(conn, *aside.place))
    merge.conflicts += tell_left_out(conn, snapshot_id, narrowing, out)
    merge.taken_out += undone(conn, narrowing, out)
    conn.execute(_filling(conn, aside, part, now, lost, out, carefully=narrowing.carefully))
    return merge, False


def _filling(
    conn: psycopg.Connection[Any],
    aside: Aside,
    part: Part | None,
    now: Standing,
    lost: Sequence[str],
    out: sql.Composable,
    *,
    carefully: bool = False,
) -> sql.Composed:
    kept = dict(zip(part.columns, kept_types(conn, part.column_types), strict=True)) if part else {}
    names: list[str] = []
    values: list[sql.Composable] = []
    for name, kind in now.types.items():
        column = sql.Identifier(name)
        if name in aside.types:
            of_now = sql.SQL("n.{}").format(column)
            value: sql.Composable = cast_of(conn, of_now, aside.types[name], kind)
            if carefully and aside.types[name] != kind:
                before = sql.SQL("b.{}::text").format(column) if name in kept else sql.SQL("NULL")
                value = sql.SQL("COALESCE({}, {})::{}").format(text_as(of_now, kind), before, sql.SQL(kind))
        elif name in lost:
            of_before = cast_of(conn, sql.SQL("b.{}").format(column), kept[name], kind)
            value = sql.SQL('CASE WHEN b."ops key" IS NULL THEN {} ELSE {} END').format(
                sql.SQL(now.defaults.get(name, "NULL")), of_before
            )
        else:
            continue
        names.append(name)
        values.append(value)
    join: sql.Composable = sql.SQL("")
    if part is not None:
        join = sql.SQL('LEFT JOIN (SELECT {} AS "ops key", b.* FROM ONLY {} b) b ON b."ops key" = {}').format(
            key_text("b", part.key_columns), part.copy, key_text("n", part.key_columns)
        )
    return sql.SQL("INSERT INTO {} {} OVERRIDING SYSTEM VALUE SELECT {} FROM ONLY {} n {} WHERE NOT {}").format(
        now.table, into(names), sql.SQL(", ").join(values), aside.name, join, out
    )


def _allow_missing(
    conn: psycopg.Connection[Any], aside: Aside, part: Part, now: Standing, lost: Sequence[str]
) -> list[Conflict]:
    """Rows written since have no value for a column that came back: where it took no NULL, it does from now on."""
    row = conn.execute(
        sql.SQL(
            "SELECT pg_catalog.array_agg({k}) FROM ONLY {n} n"
            " WHERE NOT EXISTS (SELECT FROM ONLY {b} b WHERE {bk} = {k})"
        ).format(k=key_text("n", part.key_columns), n=aside.name, b=part.copy, bk=key_text("b", part.key_columns))
    ).fetchone()
    keys = list(row[0] or ()) if row else []
    found: list[Conflict] = []
    for name in lost if keys else ():
        if name in now.defaults:
            continue
        refused = conn.execute(
            "SELECT attnotnull FROM pg_catalog.pg_attribute WHERE attrelid = %s AND attname = %s",
            (oid_of(conn, (part.schema, part.table)), name),
        ).fetchone()
        if refused is not None and refused[0]:
            text = sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL")
            conn.execute(text.format(now.table, sql.Identifier(name)))
            found.append(told(f"{part.name}.{name}", Why.NO_VALUE, keys))
    return found


_LATER = """
CREATE TEMP TABLE ops_later ON COMMIT DROP AS
SELECT h.hash, COALESCE(n.n, 0) - (COALESCE(b.n, 0) + COALESCE(a.more, 0)) AS later,
       COALESCE(b.n, 0) + LEAST(COALESCE(a.more, 0), 0) AS unaltered
FROM (SELECT {n_hash} AS hash FROM ONLY {aside} n UNION SELECT {b_hash} FROM ONLY {copy} b
      UNION SELECT a."ops key"[1] FROM {image} a) h
LEFT JOIN (SELECT {n_hash} AS hash, pg_catalog.count(*) AS n FROM ONLY {aside} n GROUP BY 1) n ON n.hash = h.hash
LEFT JOIN (SELECT {b_hash} AS hash, pg_catalog.count(*) AS n FROM ONLY {copy} b GROUP BY 1) b ON b.hash = h.hash
LEFT JOIN (SELECT a."ops key"[1] AS hash, CASE a."ops what" WHEN 'more' THEN a."ops n" ELSE -a."ops n" END AS more
           FROM {image} a) a ON a.hash = h.hash
WHERE COALESCE(n.n, 0) <> COALESCE(b.n, 0) + COALESCE(a.more, 0)
"""

_BASE = "INSERT INTO {table} {names} OVERRIDING SYSTEM VALUE SELECT {values} FROM ONLY {copy} b"

_WRITTEN = """
INSERT INTO {table} {common} OVERRIDING SYSTEM VALUE SELECT {of_now}
FROM (SELECT {n_hash} AS "ops hash", pg_catalog.row_number() OVER (PARTITION BY {n_hash}) AS "ops nth", n.*
      FROM ONLY {aside} n) n
JOIN pg_temp.ops_later l ON l.hash = n."ops hash" WHERE n."ops nth" <= l.later AND NOT {unfit}
"""

_TOLD_LATER = """
INSERT INTO ops.conflicts (snapshot_id, table_name, key, why, now)
SELECT {snapshot}, {name}, ARRAY[]::text[], {why}, (pg_catalog.row_to_json(n.*)::jsonb - 'ops hash' - 'ops nth')::text
FROM (SELECT {n_hash} AS "ops hash", pg_catalog.row_number() OVER (PARTITION BY {n_hash}) AS "ops nth", n.*
      FROM ONLY {aside} n) n
JOIN pg_temp.ops_later l ON l.hash = n."ops hash" WHERE n."ops nth" <= l.later AND {told}
"""

_NOT_WRITTEN = """
INSERT INTO ops.conflicts (snapshot_id, table_name, key, why, now)
SELECT {snapshot}, {name}, ARRAY[]::text[], {why}, (pg_catalog.to_jsonb(n) - 'ops hash' - 'ops nth')::text
FROM (SELECT {n_hash} AS "ops hash", pg_catalog.row_number() OVER (PARTITION BY {n_hash}) AS "ops nth", n.*
      FROM ONLY {aside} n) n
JOIN pg_temp.ops_later l ON l.hash = n."ops hash" WHERE {every} OR n."ops nth" <= l.later
"""
"""Rows that the table does not take stay readable: each as one JSON object, as it was."""

_DELETED = """
DELETE FROM ONLY {table} WHERE ctid IN (
  SELECT t.place FROM (SELECT {t_hash} AS hash, pg_catalog.row_number() OVER (PARTITION BY {t_hash}) AS nth,
                              t.ctid AS place FROM ONLY {table} t) t
  JOIN pg_temp.ops_later l ON l.hash = t.hash WHERE t.nth <= LEAST(-l.later, l.unaltered))
"""


def _fill_counted(conn: psycopg.Connection[Any], aside: Aside, part: Part, now: Standing, snapshot_id: str) -> Merge:
    """Rows of before, less those deleted since, and those written since, told by counting equal ones.

    What was written since and cannot stand in the table of before is told, and kept in ops.conflicts.
    """
    narrowing = with_care(conn, Narrowing(aside.place, aside.name, aside.types, now.types, ()))
    retyped = narrowing.retyped
    kept = dict(zip(part.columns, kept_types(conn, part.column_types), strict=True))
    names = [name for name in part.columns if name in now.types]
    common = [name for name in common_columns(part, list(aside.types)) if name in now.types]
    pieces: dict[str, sql.Composable] = {
        "table": now.table,
        "aside": aside.name,
        "copy": part.copy,
        "image": sql.Identifier("ops", part.after_name) if part.after_name else sql.SQL(
            "(SELECT ARRAY[NULL] AS \"ops key\", '' AS \"ops what\", 0 AS \"ops n\" WHERE false)"
        ),
        "names": into(names),
        "values": sql.SQL(", ").join(
            cast_of(conn, sql.SQL("b.{}").format(sql.Identifier(name)), kept[name], now.types[name]) for name in names
        ),
        "common": into(common),
        "snapshot": sql.Literal(snapshot_id),
        "name": sql.Literal(part.name),
        "of_now": sql.SQL(", ").join(
            sql.SQL("{}::{}").format(text_as(sql.SQL("n.{}").format(sql.Identifier(name)), now.types[name]),
                                     sql.SQL(now.types[name]))
            if narrowing.carefully and name in retyped
            else cast_of(conn, sql.SQL("n.{}").format(sql.Identifier(name)), aside.types[name], now.types[name])
            for name in common
        ),
        "unfit": any_of([unfit(narrowing, name) for name in retyped] if narrowing.carefully else []),
        "told": any_of([shortened(conn, narrowing, name) for name in retyped]),
        "n_hash": hash_text("n", common),
        "b_hash": hash_text("b", common),
        "t_hash": hash_text("t", common),
    }  # fmt: skip
    conn.execute(sql.SQL(_BASE).format(**pieces))
    conn.execute(sql.SQL(_LATER).format(**pieces))
    merge = Merge()
    if names and not common:
        # Nothing tells rows of the change from later ones but how many there are.
        if later := _sum(conn, "pg_catalog.abs(l.later)"):
            merge.conflicts.append(_not_written(conn, part, Why.NO_COLUMN, later, pieces, every=True))
        conn.execute("DROP TABLE pg_temp.ops_later")
        return merge
    conn.execute(sql.SQL(_DELETED).format(**pieces))
    conn.execute("SAVEPOINT ops_written")
    try:
        if count := conn.execute(sql.SQL(_TOLD_LATER).format(why=sql.Literal(str(Why.NO_CAST)), **pieces)).rowcount:
            merge.conflicts.append(Conflict(part.name, str(Why.NO_CAST), count))
        merge.kept = conn.execute(sql.SQL(_WRITTEN).format(**pieces)).rowcount
    except (errors.IntegrityError, *NO_VALUE) as error:
        conn.execute("ROLLBACK TO SAVEPOINT ops_written")
        keyless = isinstance(error, errors.NotNullViolation) and not set(part.key_columns) <= set(common)
        why = Why.NO_KEY if keyless else Why.NO_CAST if isinstance(error, errors.DataError) else Why.NO_ROOM
        merge.conflicts[:] = [_not_written(conn, part, why, _sum(conn, "GREATEST(l.later, 0)"), pieces)]
    conn.execute("RELEASE SAVEPOINT ops_written")
    if short := _sum(conn, "GREATEST(-l.later - l.unaltered, 0)"):
        merge.conflicts.append(Conflict(part.name, str(Why.NOT_TOLD), short))
    conn.execute("DROP TABLE pg_temp.ops_later")
    return merge


def _not_written(
    conn: psycopg.Connection[Any],
    part: Part,
    why: Why,
    rows: int,
    pieces: Mapping[str, sql.Composable],
    *,
    every: bool = False,
) -> Conflict:
    """Keep the rows that were not filled in, and tell how many. every: not only those written since."""
    given = {"why": sql.Literal(str(why)), "every": sql.SQL("true" if every else "false")}
    conn.execute(sql.SQL(_NOT_WRITTEN).format(**pieces, **given))
    return Conflict(part.name, str(why), rows)


def _sum(conn: psycopg.Connection[Any], expression: str) -> int:
    query = sql.SQL("SELECT COALESCE(pg_catalog.sum({}), 0)::bigint FROM pg_temp.ops_later l")
    row = conn.execute(query.format(sql.SQL(expression))).fetchone()
    return int(row[0]) if row else 0
