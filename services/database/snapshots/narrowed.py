"""Knows which values of now do not fit a column's type of before, or only shortened, and keeps each as written."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definitions
from services.database.snapshots.after_images import key_text
from services.database.snapshots.casts import NO_VALUE, bare_text, cast_of, text_as, try_casts
from services.database.snapshots.conflicts import told
from services.database.snapshots.effects import Place
from services.database.snapshots.merge import Conflict, Why
from services.database.snapshots.snapshot import Part, columns_of, key_of
from services.database.snapshots.storage import steady_texts

_Conn = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A table whose columns get other types. rows: where its rows lie now, alias n; types: what its columns have there;
    wanted: what they are to have; key: the columns that name a row in a conflict."""

    place: Place
    rows: sql.Identifier
    types: Mapping[str, str]
    wanted: Mapping[str, str]
    key: Sequence[str]
    part: Part | None = None
    carefully: bool = False

    @property
    def retyped(self) -> list[str]:
        """The columns of another type, in order."""
        return [name for name, kind in self.wanted.items() if self.types.get(name, kind) != kind]


def shortened(conn: _Conn, narrowing: Narrowing, name: str) -> sql.Composable:
    """Whether a value (alias n) is another once it has been one of the type wanted; it is then rounded or cut off.

    carefully: after `try_casts`, also where it is no value of that type at all; else the server refuses such a one.
    """
    value = _now(name)
    kind, wanted = narrowing.types[name], narrowing.wanted[name]
    if narrowing.carefully:
        back: sql.Composable = text_as(text_as(value, wanted), kind)
        number = sql.SQL("{}::{}").format(back, sql.SQL(kind))
    else:
        back = number = cast_of(conn, sql.SQL("({})").format(cast_of(conn, value, kind, wanted)), wanted, kind)
    differs = sql.SQL("{} IS DISTINCT FROM {}").format(bare_text(back), bare_text(value))
    if _is_number(conn, kind):
        # 1.50 and 1.5 are one number.
        differs = sql.SQL("({} AND {} IS DISTINCT FROM {})").format(differs, number, value)
    return sql.SQL("({} IS NOT NULL AND {})").format(value, differs)


def unfit(narrowing: Narrowing, name: str) -> sql.Composed:
    """Whether a value (alias n) is no value of the type wanted. After `try_casts` only."""
    return sql.SQL("({} IS NOT NULL AND {} IS NULL)").format(_now(name), text_as(_now(name), narrowing.wanted[name]))


def needs_care(conn: _Conn, narrowing: Narrowing) -> bool:
    """True where some value of now is none of the type wanted, so that all must be tried one by one."""
    checks = [shortened(conn, narrowing, name) for name in narrowing.retyped]
    if not checks:
        return False
    conn.execute("SAVEPOINT ops_fits")
    try:
        conn.execute(
            sql.SQL("SELECT pg_catalog.count(*) FILTER (WHERE {}) FROM ONLY {} n").format(
                sql.SQL(" OR ").join(checks), narrowing.rows
            )
        )
    except NO_VALUE:
        conn.execute("ROLLBACK TO SAVEPOINT ops_fits; RELEASE SAVEPOINT ops_fits")
        try_casts(conn)
        return True
    conn.execute("RELEASE SAVEPOINT ops_fits")
    return False


def with_care(conn: _Conn, narrowing: Narrowing) -> Narrowing:
    """The same, told to be done carefully where that is needed."""
    return replace(narrowing, carefully=needs_care(conn, narrowing))


def tell_shortened(conn: _Conn, snapshot_id: str, narrowing: Narrowing, *, but: Sequence[str] = ()) -> list[Conflict]:
    """Write down whole each value, written since the change, that does not fit or only shortened; tells their keys.

    but: columns of which the whole row is told instead.
    """
    found = []
    for name in (one for one in narrowing.retyped if one not in but):
        rows = conn.execute(
            sql.SQL(
                "INSERT INTO ops.conflicts (snapshot_id, table_name, key, column_name, why, now)"
                " SELECT {id}, {table}, {key}, {column}, {why}, {value}::text FROM ONLY {rows} n"
                " WHERE {shortened} AND {since} RETURNING key"
            ).format(
                id=sql.Literal(snapshot_id),
                table=sql.Literal(".".join(narrowing.place)),
                key=_key(narrowing),
                column=sql.Literal(name),
                why=sql.Literal(str(Why.NO_CAST)),
                value=_now(name),
                rows=narrowing.rows,
                shortened=shortened(conn, narrowing, name),
                since=not_by_the_change(narrowing.part, name, _now(name)),
            )
        ).fetchall()
        if rows:
            table = ".".join(narrowing.place)
            found.append(told(f"{table}.{name}", Why.NO_CAST, [_texts(row[0]) for row in rows]))
    return found


def tell_left_out(conn: _Conn, snapshot_id: str, narrowing: Narrowing, left_out: sql.Composable) -> list[Conflict]:
    """Write down whole each row (alias n) that has no place in the table as it was before; tells their keys."""
    rows = conn.execute(
        sql.SQL(
            "INSERT INTO ops.conflicts (snapshot_id, table_name, key, why, now)"
            " SELECT {id}, {table}, {key}, {why}, pg_catalog.row_to_json(n.*)::text FROM ONLY {rows} n"
            " WHERE {left_out} AND {since} RETURNING key"
        ).format(
            since=_not_a_row_of_the_change(narrowing),
            id=sql.Literal(snapshot_id),
            table=sql.Literal(".".join(narrowing.place)),
            key=_key(narrowing),
            why=sql.Literal(str(Why.LEFT_OUT)),
            rows=narrowing.rows,
            left_out=left_out,
        )
    ).fetchall()
    return [told(".".join(narrowing.place), Why.LEFT_OUT, [_texts(row[0]) for row in rows])] if rows else []


def undone(conn: _Conn, narrowing: Narrowing, left_out: sql.Composable) -> int:
    """How many rows (alias n) have no place any more, and are just as the change made them: they go with it."""
    row = conn.execute(
        sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {} n WHERE {} AND NOT {}").format(
            narrowing.rows, left_out, _not_a_row_of_the_change(narrowing)
        )
    ).fetchone()
    return int(row[0]) if row else 0


def tell_retyped(
    conn: _Conn,
    snapshot_id: str,
    parts: Sequence[Part],
    now: Definitions,
    target: Definitions,
    aside: Collection[Place],
) -> list[Conflict]:
    """The same for columns that are about to get another type where they stand; aside: tables that are made anew."""
    tables: dict[str, dict[str, str]] = {}
    for column in target:
        if column.kind == "column" and not column.facts["generated"]:
            is_now = now.by_place.get(("column", column.oid, column.number)) or now.by_key.get(column.key)
            if is_now is not None and is_now.facts["type"] != column.facts["type"]:
                names = tables.setdefault(str(is_now.facts["table"]), {})
                names[str(is_now.facts["name"])] = str(column.facts["type"])
    return _tell_altered(conn, snapshot_id, parts, tables, aside)


_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d"][\w$]*)'
_RETYPE = re.compile(
    rf"ALTER TABLE ({_NAME}\.{_NAME}) ALTER COLUMN ({_NAME}) TYPE (.+?)(?: COLLATE (?:{_NAME}\.)?{_NAME})? USING "
)


def tell_before_statement(conn: _Conn, snapshot_id: str, parts: Sequence[Part], text: str) -> list[Conflict]:
    """The same for a statement that is about to be run, if it gives a column another type, as `retype` writes it."""
    match = _RETYPE.match(text.strip())
    if match is None:
        return []
    with steady_texts(conn):
        return _tell_altered(conn, snapshot_id, parts, {match[1]: {match[2]: match[3]}}, ())


def _tell_altered(
    conn: _Conn,
    snapshot_id: str,
    parts: Sequence[Part],
    tables: Mapping[str, Mapping[str, str]],
    aside: Collection[Place],
) -> list[Conflict]:
    """tables: by table and column as SQL names them, the types that columns will have."""
    found: list[Conflict] = []
    for table, retyped in tables.items():
        place = _place(conn, table)
        if place is None or place in aside:
            continue
        part = next((one for one in parts if (one.schema, one.table) == place and one.key_columns), None)
        types = dict(zip(*columns_of(conn, *place), strict=True))
        wanted = {
            name: retyped.get(name, retyped.get(sql.Identifier(name).as_string(conn), kind))
            for name, kind in types.items()
        }
        key = part.key_columns if part is not None else key_of(conn, *place)
        narrowing = Narrowing(place, sql.Identifier(*place), types, wanted, key, part)
        if not needs_care(conn, narrowing):  # else the server refuses to alter it, and all of this is undone
            found += tell_shortened(conn, snapshot_id, narrowing)
    return found


def _place(conn: _Conn, table: str) -> Place | None:
    row = conn.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = pg_catalog.to_regclass(%s) AND c.relkind = 'r'",
        (table,),
    ).fetchone()
    return (row[0], row[1]) if row else None


def left_out(conn: _Conn, narrowing: Narrowing, never_null: Sequence[str]) -> sql.Composable:
    """Whether a row (alias n) has no place any more: a column of its key has no value of the type wanted, or one that
    takes no NULL (never_null) has none, and there is none of before either."""
    conditions = [shortened(conn, narrowing, name) for name in narrowing.retyped if name in narrowing.key]
    if narrowing.carefully:
        conditions += [
            sql.SQL("({} AND {})").format(unfit(narrowing, name), _not_before(narrowing, name))
            for name in narrowing.retyped
            if name in never_null and name not in narrowing.key
        ]
    if not conditions:
        return sql.SQL("false")
    return sql.SQL("({})").format(sql.SQL(" OR ").join(conditions))


def _not_a_row_of_the_change(narrowing: Narrowing) -> sql.Composable:
    """Whether a row (alias n) is not just as the change made it."""
    part = narrowing.part
    if part is None or part.after_name is None:
        return sql.SQL("true")
    names = [name for name in part.after_columns if name in narrowing.types]
    return sql.SQL('NOT EXISTS (SELECT FROM {} a WHERE a."ops key" COLLATE pg_catalog."C" = {} AND {})').format(
        sql.Identifier("ops", part.after_name),
        key_text("n", part.key_columns),
        sql.SQL(" AND ").join(
            sql.SQL("{} IS NOT DISTINCT FROM {}").format(
                bare_text(sql.SQL("a.{}").format(sql.Identifier(name))), bare_text(_now(name))
            )
            for name in names
        ),
    )


def _not_before(narrowing: Narrowing, name: str) -> sql.Composable:
    part = narrowing.part
    if part is None or name not in part.columns:
        return sql.SQL("true")
    return sql.SQL("NOT EXISTS (SELECT FROM ONLY {} b WHERE {} = {} AND b.{} IS NOT NULL)").format(
        part.copy, key_text("b", part.key_columns), key_text("n", part.key_columns), sql.Identifier(name)
    )


def not_by_the_change(part: Part | None, column: str, value: sql.Composable) -> sql.Composable:
    """Whether a value of a row (alias n) was written after the change: what the change itself put there is no loss."""
    if part is None or part.after_name is None or column not in part.after_columns:
        return sql.SQL("true")
    return sql.SQL(
        'NOT EXISTS (SELECT FROM {} a WHERE a."ops key" COLLATE pg_catalog."C" = {} AND {} IS NOT DISTINCT FROM {})'
    ).format(
        sql.Identifier("ops", part.after_name),
        key_text("n", part.key_columns),
        bare_text(sql.SQL("a.{}").format(sql.Identifier(column))),
        bare_text(value),
    )


def _now(name: str) -> sql.Composed:
    return sql.SQL("n.{}").format(sql.Identifier(name))


def _key(narrowing: Narrowing) -> sql.Composable:
    return key_text("n", narrowing.key) if narrowing.key else sql.SQL("ARRAY[]::text[]")


def _texts(key: object) -> list[str]:
    return [str(one) for one in key] if isinstance(key, list) else []


def _is_number(conn: _Conn, kind: str) -> bool:
    row = conn.execute(
        "SELECT typcategory = 'N' FROM pg_catalog.pg_type WHERE oid = pg_catalog.to_regtype(%s)", (kind,)
    ).fetchone()
    return row is not None and bool(row[0])
