"""Knows which rows and columns a script took or changed, by comparing them value by value on two clones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.dangers.danger import Danger
from services.database.dangers.tables import Column, Table, tables_of
from services.database.dangers.trail import Trail
from services.database.rehearsal.measure import Effect
from services.database.script import Statement

Source = tuple[str, str, bool]
"""Schema, table, and whether its partitions and heirs are left out."""
Pair = tuple[Column, Column]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The same database before and after the script, through two connections."""

    before: psycopg.Connection[Any]
    after: psycopg.Connection[Any]
    old: dict[int, Table]
    new: dict[int, Table]


def row_losses(
    before: psycopg.Connection[Any], after: psycopg.Connection[Any], trail: Trail, not_copied: frozenset[str]
) -> list[Danger]:
    """Rows and columns that were there before the script and are not, or not the same, after it.

    before, after: superuser connections to the untouched shadow and to the clone that the script changed.
    not_copied: tables whose rows the shadow lacks, of which nothing can be said here.
    """
    sides = _Sides(before, after, tables_of(before), tables_of(after))
    found: list[Danger] = []
    for root in sorted({sides.old[oid].root for oid in _touched(sides, trail)}):
        group = [table for table in sides.old.values() if table.root == root]
        if not any(table.full_name in not_copied for table in group):
            found += _of_group(sides, trail, root, group)
    return found


def _touched(sides: _Sides, trail: Trail) -> set[int]:
    """Tables that may have lost something: their rows, their columns, or the labels that their values stand for."""
    named = {table.full_name: oid for oid, table in sides.old.items()}
    found = {
        named[effect.relation]
        for step in trail.steps
        for effect in step.effects.effects
        if effect.relation in named and _may_lose(effect)
    }
    relabelled = {key[1] for key, fact in trail.before.items() if key[0] == "labels" and _relabelled(trail, key, fact)}
    for oid, table in sides.old.items():
        same = sides.new.get(oid)
        if (
            same is None
            or any(
                number not in same.columns or same.columns[number].type != column.type
                for number, column in table.columns.items()
            )
            or any(column.type.removesuffix("[]") in relabelled for column in table.columns.values())
        ):
            found.add(oid)
    return found


def _may_lose(effect: Effect) -> bool:
    return bool(effect.dropped or effect.rewritten or effect.updated or effect.deleted or effect.dropped_columns)


def _relabelled(trail: Trail, key: tuple[str, str], fact: Any) -> bool:
    """Labels keep their order of making, so one that is called otherwise stands at the same place."""
    now = trail.after_all.get(key, {}).get("labels") or []
    return bool((fact.get("labels") or []) != now[: len(fact.get("labels") or [])])


def _of_group(sides: _Sides, trail: Trail, root: int, group: Sequence[Table]) -> Iterator[Danger]:
    """One table, or one partitioned table with all its parts, whose rows may move between them."""
    top = sides.old.get(root, group[0])
    rows = _count(sides.before, top)
    if not rows:
        return
    gone = [table for table in group if table.oid not in sides.new]
    successor = sides.new.get(root) or next((one for one in sides.new.values() if one.full_name == top.full_name), None)
    if successor is None:
        what = "materialized view" if top.kind == "m" else "table"
        yield _danger(trail, top, group, _dropped, f"The {what} goes with its {rows} rows.")
        return
    if top.kind == "m":
        return  # what it shows is worked out anew from other tables
    pairs, lost = _columns(top, successor)
    for column in lost:
        if values := _values(sides.before, top, column):
            detail = f"The column goes with its {values} values."
            statement = _statement(trail, group, lambda effect: effect.dropped_columns > 0 or effect.dropped)
            yield _told(f"{top.full_name}.{column.name}", detail, statement)
    if pairs and (detail := _changed_rows(sides, trail, group, top, successor, pairs)):
        parts = f" The partition {', '.join(one.full_name for one in gone)} goes." if gone and top not in gone else ""
        yield _danger(trail, top, group, _changes, detail + parts)


def _columns(old: Table, new: Table) -> tuple[list[Pair], list[Column]]:
    """Columns that live on, and those that do not. A replaced table's, or a replaced column, is known by its name."""
    named = {column.name: column for column in new.columns.values()}
    pairs, lost = [], []
    for number, column in old.columns.items():
        same = new.columns.get(number) if old.oid == new.oid else None
        same = same or named.get(column.name)
        if column.generated:
            continue
        if same is None:
            lost.append(column)
        else:
            pairs.append((column, same))
    return pairs, lost


def _changed_rows(
    sides: _Sides, trail: Trail, group: Sequence[Table], top: Table, successor: Table, pairs: Sequence[Pair]
) -> str:
    # A table whose partitions were detached still has their rows, in tables of their own.
    old: list[Source] = [(top.schema, top.name, top.kind == "r")]
    new: list[Source] = [(successor.schema, successor.name, successor.kind == "r")]
    for table in group:
        here = sides.new.get(table.oid)
        if here is not None and here.kind == "r" and here.root == here.oid and here.oid != successor.oid:
            new.append((here.schema, here.name, True))
    retyped = any(was.type != now.type for was, now in pairs)
    counted = None
    for back in (False, True) if retyped else (False,):
        try:
            counted = _compare(sides, old, new, pairs, back=back)
        except psycopg.Error:
            continue  # no way back from the new type to the old one
        if not counted[0]:
            return ""
    if counted is None:
        return "All rows are written in another way, which cannot be read back."
    gone, before, after = counted
    named = {table.full_name for table in group}
    deleted = sum(e.deleted for step in trail.steps for e in step.effects.effects if e.relation in named)
    deleted = min(gone, max(before - after, deleted, 0))
    parts = [f"{deleted} are deleted" if deleted else "", f"{gone - deleted} are changed" if gone > deleted else ""]
    return f"Of {before} existing rows {' and '.join(part for part in parts if part)}."


def _compare(
    sides: _Sides, old: Sequence[Source], new: Sequence[Source], pairs: Sequence[Pair], *, back: bool
) -> tuple[int, int, int]:
    """Rows of before that are not there after, and the rows of both. back: values are read in their old type."""
    olds = _hashes(old, [sql.SQL("r.{}::text").format(sql.Identifier(was.name)) for was, _ in pairs])
    now = [
        sql.SQL("r.{}{}::text").format(
            sql.Identifier(now.name),
            sql.SQL(f"::{was.type}" if back and was.type != now.type else ""),
        )
        for was, now in pairs
    ]
    news = _hashes(new, now)
    first, second = _digest(sides.before, olds), _digest(sides.after, news)
    if first == second:
        return 0, first[0], second[0]
    return _missing(sides, olds, news), first[0], second[0]


def _hashes(sources: Sequence[Source], values: Sequence[sql.Composable]) -> sql.Composed:
    one = sql.SQL('SELECT pg_catalog.md5(ROW({})::text) COLLATE "C" AS h FROM {}{} AS r')
    return sql.SQL(" UNION ALL ").join(
        one.format(sql.SQL(", ").join(values), sql.SQL("ONLY " if only else ""), sql.Identifier(schema, table))
        for schema, table, only in sources
    )


def _digest(conn: psycopg.Connection[Any], hashes: sql.Composed) -> tuple[int, str]:
    query = sql.SQL(
        "SELECT pg_catalog.count(*), COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 1, 16))::bit(64)::bigint), 0)"
        "::text || '/' || COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 17, 16))::bit(64)::bigint), 0)::text"
        " FROM ({}) AS hashes"
    )
    row = conn.execute(query.format(hashes)).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def _missing(sides: _Sides, olds: sql.Composed, news: sql.Composed) -> int:
    """Both sides are read in order, so that no more than two rows are held here, however many there are."""
    order = sql.SQL("SELECT h FROM ({}) AS hashes ORDER BY h")
    missing = 0
    with (
        sides.before.transaction(),
        sides.after.transaction(),
        sides.before.cursor("old_rows") as first,
        sides.after.cursor("new_rows") as second,
    ):
        first.itersize = second.itersize = 10_000
        first.execute(order.format(olds))
        second.execute(order.format(news))
        rest = iter(second)
        here = next(rest, None)
        for (hashed,) in first:
            while here is not None and here[0] < hashed:
                here = next(rest, None)
            if here is not None and here[0] == hashed:
                here = next(rest, None)
            else:
                missing += 1
    return missing


def _count(conn: psycopg.Connection[Any], table: Table) -> int:
    query = sql.SQL("SELECT pg_catalog.count(*) FROM {}{}")
    only = sql.SQL("ONLY " if table.kind == "r" else "")
    row = conn.execute(query.format(only, sql.Identifier(table.schema, table.name))).fetchone()
    return int(row[0]) if row else 0


def _values(conn: psycopg.Connection[Any], table: Table, column: Column) -> int:
    query = sql.SQL("SELECT pg_catalog.count({}) FROM {}").format(
        sql.Identifier(column.name), sql.Identifier(table.schema, table.name)
    )
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _dropped(effect: Effect) -> bool:
    return effect.dropped


def _changes(effect: Effect) -> bool:
    return bool(effect.updated or effect.deleted or effect.rewritten or effect.dropped)


def _statement(trail: Trail, group: Sequence[Table], does: Any) -> Statement | None:
    named = {table.full_name for table in group}
    of_group = [(step, e) for step in trail.steps for e in step.effects.effects if e.relation in named]
    found = next((step.statement for step, effect in of_group if does(effect)), None)
    if found is None:
        labels = frozenset(
            ("labels", column.type.removesuffix("[]")) for table in group for column in table.columns.values()
        )
        found = trail.last_to_change(labels)
    return found or next((step.statement for step, effect in of_group if effect.lock), None)


def _danger(trail: Trail, table: Table, group: Sequence[Table], does: Any, detail: str) -> Danger:
    return _told(table.full_name, detail, _statement(trail, group, does))


def _told(name: str, detail: str, statement: Statement | None) -> Danger:
    return Danger("loss", name, detail, statement.file if statement else None, statement.line if statement else None)
