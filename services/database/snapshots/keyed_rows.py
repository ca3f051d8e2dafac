"""Knows how rows with a key are merged on the server, all at once: the same decisions as `merge_row`, as SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.snapshots.after_images import key_text
from services.database.snapshots.casts import NO_VALUE, bare_text, cast_of, text_as, try_casts
from services.database.snapshots.conflicts import KEY, note, told, write_conflicts
from services.database.snapshots.merge import Action, Merge, Why
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import Part, kept_types

_DECIDE = """
CREATE TEMP TABLE ops_merge ON COMMIT DROP AS
SELECT r.key, r.clash, r.kept, r.b IS NOT NULL AND r.t IS NOT NULL AND NOT r.deleted AND r.free AS free, CASE
    WHEN r.b IS NULL THEN CASE WHEN r.t IS NULL OR NOT {added_goes} THEN 'leave' WHEN r.since THEN 'WRITTEN'
                          ELSE 'take out' END
    WHEN r.deleted THEN CASE WHEN r.t IS NULL THEN 'put back' WHEN r.same THEN 'in place' ELSE 'TAKEN' END
    WHEN r.t IS NULL THEN CASE WHEN r.altered THEN 'GONE' ELSE 'leave' END
    WHEN pg_catalog.cardinality(r.clash) > 0 THEN 'BOTH'
    WHEN r.merged THEN 'merge' WHEN r.altered THEN 'in place' ELSE 'leave' END AS action
FROM (
  SELECT {key} AS key, b."ops b" AS b, t.ctid AS t, {deleted} AS deleted, {any_altered} AS altered,
         {any_since} AS since, {all_same} AS same, {any_merged} AS merged, {any_free} AS free,
         pg_catalog.array_remove(ARRAY[{both}]::text[], NULL) AS clash,
         t.ctid IS NOT NULL AND {any_since} AS kept
  FROM {driver} LEFT JOIN ONLY {table} t ON {t_key} = {key}
) r
"""

_APPLIED = {
    Action.PUT_BACK: "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values}"
    " FROM pg_temp.ops_merge m JOIN {copy} b ON {b_key} = m.key WHERE m.action = 'put back' {only}",
    Action.MERGE: "UPDATE ONLY {table} t SET {sets} FROM pg_temp.ops_merge m JOIN {copy} b ON {b_key} = m.key"
    " {after_join} WHERE {t_key} = m.key AND m.free AND m.action IN ('merge', 'BOTH') {only}",
    Action.TAKE_OUT: "DELETE FROM ONLY {table} t USING pg_temp.ops_merge m"
    " WHERE {t_key} = m.key AND m.action = 'take out' {only}",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A table as it stands now: its columns and their types, and the defaults of columns that came back, as SQL."""

    table: sql.Identifier
    types: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict)
    filled: bool = False


@dataclass(slots=True)
class _Column:
    """One column in the three images, as SQL over the aliases b, a and t."""

    name: str
    lost: bool
    value: sql.Composed
    altered: sql.Composable
    since: sql.Composable
    same: sql.Composable


def merge_keyed(
    conn: psycopg.Connection[Any], snapshot_id: str, part: Part, now: Standing, *, added_goes: bool
) -> Merge:
    """Merge a part whose rows are told by their key. Inside a transaction in which nothing acts on the table.

    Conflicts are written to ops.conflicts with their values; what is returned names their keys only.
    """
    names = [name for name in (part.columns if part.copy_name else part.after_columns) if name in now.types]
    columns = _columns(conn, part, now, names)
    # What is only checked at COMMIT would be refused with everything else; so it is one row's conflict.
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT ops_decide")
    try:
        conn.execute(_decision(part, now, columns, added_goes=added_goes))
    except NO_VALUE:
        # Something of now is no value of the type of before: told by trying each by itself.
        conn.execute("ROLLBACK TO SAVEPOINT ops_decide")
        try_casts(conn)
        columns = _columns(conn, part, now, names, carefully=True)
        conn.execute(_decision(part, now, columns, added_goes=added_goes))
    conn.execute("RELEASE SAVEPOINT ops_decide; ANALYZE pg_temp.ops_merge")
    done = Merge()
    write_conflicts(conn, snapshot_id, part, now.table, [one.name for one in columns], done)
    pieces = _pieces(conn, part, now, columns, names)
    done.taken_out = _apply(conn, snapshot_id, part, Action.TAKE_OUT, pieces, done)
    done.merged = _apply(conn, snapshot_id, part, Action.MERGE, pieces, done)
    done.put_back = _apply(conn, snapshot_id, part, Action.PUT_BACK, pieces, done)
    counted = conn.execute(
        "SELECT pg_catalog.count(*) FILTER (WHERE action = 'in place'),"
        " pg_catalog.count(*) FILTER (WHERE kept AND action IN ('leave', 'merge')) FROM pg_temp.ops_merge"
    ).fetchone()
    done.in_place, done.kept = counted if counted else (0, 0)
    conn.execute("DROP TABLE pg_temp.ops_merge")
    return done


def give_defaults(conn: psycopg.Connection[Any], part: Part, now: Standing, columns: Sequence[str]) -> None:
    """Give rows of which no value was kept the defaults of columns that have just come back, as adding them would."""
    for name in columns:
        if name in now.defaults:
            conn.execute(
                sql.SQL(
                    "UPDATE ONLY {table} t SET {column} = {value} WHERE t.{column} IS NULL"
                    " AND NOT EXISTS (SELECT FROM ONLY {copy} b WHERE {b_key} = {t_key})"
                ).format(
                    table=now.table,
                    column=sql.Identifier(name),
                    value=sql.SQL(now.defaults[name]),
                    copy=part.copy,
                    b_key=key_text("b", part.key_columns),
                    t_key=key_text("t", part.key_columns),
                )
            )


def _columns(
    conn: psycopg.Connection[Any], part: Part, now: Standing, names: Sequence[str], *, carefully: bool = False
) -> list[_Column]:
    before = dict(zip(part.columns, kept_types(conn, part.column_types), strict=True)) if part.copy_name else {}
    after = dict(zip(part.after_columns, kept_types(conn, part.after_types), strict=True)) if part.after_name else {}
    found = []
    for name in names:
        lost = bool(part.after_name) and name not in after
        if name in part.key_columns or (lost and now.filled):
            continue
        column, kind = sql.Identifier(name), now.types[name]
        b, a, t = (sql.SQL("{}.{}").format(sql.Identifier(alias), column) for alias in "bat")
        value = cast_of(conn, b, before.get(name, "text"), kind)
        as_before = sql.SQL("COALESCE({}, {}::text)").format(text_as(b, kind), b) if carefully else value
        same = sql.SQL("{} IS NOT DISTINCT FROM {}").format(bare_text(t), bare_text(as_before))
        if not part.copy_name:
            same = sql.Composed([sql.SQL("false")])
        if lost:
            blank = sql.SQL(now.defaults.get(name, "NULL"))
            altered: sql.Composable = sql.SQL("true")
            since: sql.Composable = sql.SQL("NOT ({} IS NULL OR {} IS NOT DISTINCT FROM {})").format(
                t, bare_text(t), bare_text(blank)
            )
        elif name not in after:
            altered, since = sql.SQL("false"), sql.SQL("false")
        else:
            as_after = (
                # In a table that was filled anew, what fitted no longer is not there, and was told then.
                (text_as(a, kind) if now.filled else sql.SQL("COALESCE({}, {}::text)").format(text_as(a, kind), a))
                if carefully
                else cast_of(conn, a, after[name], kind)
            )
            altered = sql.SQL("a.{key} IS NOT NULL AND {b} IS DISTINCT FROM {a}").format(
                key=KEY, b=bare_text(b), a=bare_text(a)
            ) if part.copy_name else sql.SQL("false")  # fmt: skip
            since = sql.SQL("a.{key} IS NOT NULL AND {t} IS DISTINCT FROM {a}").format(
                key=KEY, t=bare_text(t), a=bare_text(as_after)
            )
        found.append(_Column(name, lost, value, altered, since, same))
    return found


def _decision(part: Part, now: Standing, columns: Sequence[_Column], *, added_goes: bool) -> sql.Composed:
    common = [c for c in columns if not c.lost]
    merged = [sql.SQL("({} AND NOT {})").format(c.altered, c.same) for c in columns]
    both = [
        sql.SQL("CASE WHEN {} AND {} AND NOT {} THEN {} END").format(c.altered, c.since, c.same, sql.Literal(c.name))
        for c in columns
    ]
    driver, key, deleted = _driver(part, columns)
    return sql.SQL(_DECIDE).format(
        added_goes=sql.SQL("true" if added_goes else "false"),
        key=key,
        deleted=deleted,
        any_altered=any_of([c.altered for c in common]),
        any_since=any_of([c.since for c in columns]),
        all_same=sql.SQL("NOT ({})").format(any_of([sql.SQL("NOT ({})").format(c.same) for c in columns])),
        any_merged=any_of(merged),
        any_free=any_of(
            [sql.SQL("({} AND NOT ({}))").format(m, c.since) for m, c in zip(merged, columns, strict=True)]
        ),
        both=sql.SQL(", ").join(both),
        driver=driver,
        table=now.table,
        t_key=key_text("t", part.key_columns),
    )


def any_of(conditions: Sequence[sql.Composable]) -> sql.Composable:
    """Whether one of them holds, in brackets; none does of none."""
    either = sql.SQL(" OR ").join(sql.SQL("({})").format(one) for one in conditions)
    return sql.SQL("({})").format(either) if conditions else sql.SQL("false")


def _driver(part: Part, columns: Sequence[_Column]) -> tuple[sql.Composable, sql.Composable, sql.Composable]:
    """The rows to decide on (aliases b and a), their key, and whether the change deleted one.

    Of a table that was gone after the change, every row; where columns went, every row; else those that it altered.
    """
    b_side = sql.SQL('(SELECT {} AS "ops b", b.* FROM ONLY {} b) b').format(key_text("b", part.key_columns), part.copy)
    if part.after_name is None:
        return (
            sql.SQL("{} LEFT JOIN (SELECT NULL::text[] AS {}) a ON false").format(b_side, KEY),
            sql.SQL('b."ops b"'), sql.SQL("true"),
        )  # fmt: skip
    image = sql.Identifier("ops", part.after_name)
    deleted = sql.SQL("COALESCE(a.\"ops what\" = 'deleted', false)")
    if not part.copy_name:
        return (
            sql.SQL('{} a CROSS JOIN (SELECT NULL::text[] AS "ops b") b').format(image),
            sql.SQL('a."ops key" COLLATE pg_catalog."C"'),
            deleted,
        )
    join = "FULL" if any(c.lost for c in columns) else "RIGHT"
    driver = sql.SQL('{} {} JOIN {} a ON a."ops key" COLLATE pg_catalog."C" = b."ops b"').format(
        b_side, sql.SQL(join), image
    )
    return driver, sql.SQL('COALESCE(b."ops b", a."ops key" COLLATE pg_catalog."C")'), deleted


def _pieces(
    conn: psycopg.Connection[Any], part: Part, now: Standing, columns: Sequence[_Column], names: Sequence[str]
) -> dict[str, sql.Composable]:
    b = dict(zip(part.columns, kept_types(conn, part.column_types), strict=True))
    values = [
        cast_of(conn, sql.SQL("b.{}").format(sql.Identifier(name)), b[name], now.types[name])
        for name in names
        if part.copy_name
    ]
    touched = [c for c in columns if _is_touched(conn, part, now, c)] if part.copy_name else []
    sets = [sql.SQL("{c} = {becomes}").format(c=sql.Identifier(c.name), becomes=_becomes(c)) for c in touched]
    becomes = {c.name: _becomes(c) for c in touched}
    image = sql.Identifier("ops", part.after_name) if part.after_name else None
    after = (
        sql.SQL('LEFT JOIN {} a ON a.{} COLLATE pg_catalog."C" = m.key').format(image, KEY) if image else sql.SQL("")
    )
    return {
        "table": now.table,
        "copy": part.copy if part.copy_name else sql.SQL("nothing"),
        "names": sql.SQL(", ").join(sql.Identifier(name) for name in names),
        "values": sql.SQL(", ").join(values),
        "sets": sql.SQL(", ").join(sets),
        "whole": sql.SQL(", ").join(sql.Identifier(name) for name in now.types),
        "merged": sql.SQL(", ").join(
            becomes.get(name, sql.SQL("t.{}").format(sql.Identifier(name))) for name in now.types
        ),
        "after_join": after,
        "b_key": key_text("b", part.key_columns),
        "t_key": key_text("t", part.key_columns),
    }


def _becomes(column: _Column) -> sql.Composed:
    """What a merged row has in a column: the value of before where only the change altered it."""
    return sql.SQL("CASE WHEN {altered} AND NOT {name} = ANY (m.clash) THEN {value} ELSE t.{column} END").format(
        altered=column.altered, name=sql.Literal(column.name), value=column.value, column=sql.Identifier(column.name)
    )


def _is_touched(conn: psycopg.Connection[Any], part: Part, now: Standing, column: _Column) -> bool:
    """True if any row to be merged gets another value here: a column that nobody changed is not written at all."""
    if part.after_name is None:
        return False
    # Counted: with EXISTS the server plans for the first row, and where there is none looks at every pair of rows.
    query = sql.SQL(
        "SELECT pg_catalog.count(*) > 0 FROM (SELECT FROM pg_temp.ops_merge m JOIN {copy} b ON {b_key} = m.key"
        ' LEFT JOIN {image} a ON a.{key} COLLATE pg_catalog."C" = m.key JOIN ONLY {table} t ON {t_key} = m.key'
        " WHERE m.action IN ('merge', 'BOTH') AND ({altered}) AND NOT ({same})) AS r"
    ).format(
        copy=part.copy,
        b_key=key_text("b", part.key_columns),
        image=sql.Identifier("ops", part.after_name),
        key=KEY,
        table=now.table,
        t_key=key_text("t", part.key_columns),
        altered=column.altered,
        same=column.same,
    )
    row = conn.execute(query).fetchone()
    return row is not None and bool(row[0])


def _apply(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    part: Part,
    action: Action,
    pieces: Mapping[str, sql.Composable],
    done: Merge,
) -> int:
    """Do one action to all its rows at once; one by one where a row of them is refused, which is then a conflict."""
    wanted = ["merge", "BOTH"] if action is Action.MERGE else [action.value]
    query_keys = "SELECT key FROM pg_temp.ops_merge WHERE action = ANY(%s) AND (free OR NOT %s)"
    keys = [row[0] for row in conn.execute(query_keys, (wanted, action is Action.MERGE)).fetchall()]
    if not keys:
        return 0
    query = sql.SQL(_APPLIED[action])
    conn.execute("SAVEPOINT ops_rows")
    try:
        count = conn.execute(query.format(**pieces, only=sql.SQL(""))).rowcount
        conn.execute("RELEASE SAVEPOINT ops_rows")
        return count
    except (errors.UniqueViolation, errors.ExclusionViolation):
        conn.execute("ROLLBACK TO SAVEPOINT ops_rows")
        if action is Action.MERGE and (count := _all_at_once(conn, part, pieces)):
            conn.execute("RELEASE SAVEPOINT ops_rows")
            return count
    except (errors.IntegrityError, *NO_VALUE):
        conn.execute("ROLLBACK TO SAVEPOINT ops_rows")
    count, refused = 0, []
    for key in keys:
        conn.execute("SAVEPOINT ops_row")
        try:
            count += conn.execute(query.format(**pieces, only=sql.SQL("AND m.key = {}").format(key))).rowcount
        except (errors.IntegrityError, *NO_VALUE):
            conn.execute("ROLLBACK TO SAVEPOINT ops_row")
            refused.append(key)
        conn.execute("RELEASE SAVEPOINT ops_row")
    conn.execute("RELEASE SAVEPOINT ops_rows")
    if refused:
        done.conflicts.append(told(part.name, Why.NOT_TAKEN, refused))
        note(conn, snapshot_id, part, Why.NOT_TAKEN, refused)
    return count


_TAKEN_OUT_FIRST = """
CREATE TEMP TABLE ops_moved ON COMMIT DROP AS SELECT {merged}
FROM pg_temp.ops_merge m JOIN {copy} b ON {b_key} = m.key {after_join} JOIN ONLY {table} t ON {t_key} = m.key
WHERE m.free AND m.action IN ('merge', 'BOTH');
DELETE FROM ONLY {table} t USING pg_temp.ops_merge m
WHERE {t_key} = m.key AND m.free AND m.action IN ('merge', 'BOTH')
"""

_PUT_IN_AGAIN = "INSERT INTO {table} ({whole}) OVERRIDING SYSTEM VALUE SELECT * FROM pg_temp.ops_moved"

_REFERRED_TO = "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = %s)"


def _all_at_once(conn: psycopg.Connection[Any], part: Part, pieces: Mapping[str, sql.Composable]) -> int:
    """Merge rows that have changed places: all are taken out, and put in merged, so that none stands in another's way.

    Returns their number; 0, with nothing done, where a row of others stands in the way, or where a foreign key that is
    not ours to take off refers to the table, which would act on what is taken out.
    """
    row = conn.execute(_REFERRED_TO, (oid_of(conn, (part.schema, part.table)),)).fetchone()
    if row is None or row[0]:
        return 0
    conn.execute("SAVEPOINT ops_at_once")
    try:
        conn.execute(sql.SQL(_TAKEN_OUT_FIRST).format(**pieces))
        count = conn.execute(sql.SQL(_PUT_IN_AGAIN).format(**pieces)).rowcount
        conn.execute("DROP TABLE pg_temp.ops_moved")
    except (errors.IntegrityError, *NO_VALUE):
        conn.execute("ROLLBACK TO SAVEPOINT ops_at_once; RELEASE SAVEPOINT ops_at_once")
        return 0
    conn.execute("RELEASE SAVEPOINT ops_at_once")
    return count
