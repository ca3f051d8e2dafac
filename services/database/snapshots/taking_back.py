"""Knows how a change is taken back inside a transaction: objects made again, rows merged with those of now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.execution import Emit, silent
from services.database.inverse.derive import derive_inverse, reordered
from services.database.snapshots.after_images import told_by_key
from services.database.snapshots.compounds import tell_emptied, without_reordered
from services.database.snapshots.counted_rows import merge_counted
from services.database.snapshots.effects import Place
from services.database.snapshots.kept_definitions import definitions_of, target_of, without_places
from services.database.snapshots.keyed_rows import give_defaults, merge_keyed
from services.database.snapshots.made_last import make_last
from services.database.snapshots.merge import Conflict, Merge, Why
from services.database.snapshots.narrowed import tell_retyped
from services.database.snapshots.park import oid_of, parked, quietly, unpark
from services.database.snapshots.positions import put_positions
from services.database.snapshots.rebuilding import Aside, fill, set_aside, to_rebuild
from services.database.snapshots.restating import restated
from services.database.snapshots.snapshot import Part, columns_of, is_home, was_restored
from services.database.snapshots.standing_tables import nothing_acts, standing, take_off_foreign_keys
from services.database.snapshots.storage import steady_texts

Go = Callable[[], None]
Run = Callable[[str], None]


@dataclass(slots=True)
class TakenBack:
    """What came of it: rows, what was made again ("public.logs", "public.users.premium"), and what was not."""

    merge: Merge = field(default_factory=Merge)
    recreated: list[str] = field(default_factory=list)
    not_restored: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    conn: psycopg.Connection[Any]
    snapshot_id: str
    parts: Sequence[Part]
    added_goes: bool
    emit: Emit
    again: bool
    target: Definitions = field(default_factory=lambda: Definitions.of(()))
    start: Definitions = field(default_factory=lambda: Definitions.of(()))
    unparked: set[Place] = field(default_factory=set)
    counted: set[Place] = field(default_factory=set)
    filled: set[Place] = field(default_factory=set)
    columns: dict[Place, list[str]] = field(default_factory=dict)
    done: TakenBack = field(default_factory=TakenBack)


def take_back_inside(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    parts: Sequence[Part],
    *,
    added_goes: bool,
    with_catalog: bool = True,
    emit: Emit = silent,
    go_on: Go = lambda: None,
    run: Run | None = None,
) -> TakenBack:
    """Take back, in the open transaction, what the snapshot keeps of a change.

    added_goes: objects and rows that the change made go, where nobody wrote to them since; else they stay.
    with_catalog: objects too; else rows only, into the tables that stand. go_on is called between tables, to stop.
    run: runs each statement that drops or makes objects before rows are back, instead of sending it as it is.
    Raises psycopg.Error where the server refuses what cannot be left out.
    """
    parts = [part for part in parts if added_goes or part.kind != "inserted"]
    work = _Work(conn, snapshot_id, parts, added_goes, emit, was_restored(conn, snapshot_id))
    with steady_texts(conn), quietly(conn):
        _keep_writers_out(work)
        asides = _structure(work, with_catalog=with_catalog)
        take_off_foreign_keys(conn, [(part.schema, part.table) for part in parts])
        middle = read_definitions(conn)
        _know_what_was_unparked(work, middle)
        here = is_home(conn, snapshot_id)
        inverse = derive_inverse(
            *(side if here else without_places(side) for side in (work.target, middle)), same_database=here
        )
        places = [aside.place for aside in asides]
        work.done.merge.conflicts += tell_retyped(conn, snapshot_id, parts, middle, work.target, places)
        work.done.merge.conflicts += tell_emptied(conn, snapshot_id, parts, middle, work.target)
        parts, told = without_reordered(conn, parts, middle, work.target, reordered(inverse.not_restored))
        work.parts = parts
        work.done.merge.conflicts += told
        with restated(conn, parts, middle, work.target):
            for text in inverse.before_rows:
                if run is None:
                    conn.execute(text.encode())
                else:
                    run(text)
        for aside in asides:
            go_on()
            _fill(work, aside)
        for part in parts:
            go_on()
            _merge(work, part)
        work.done.merge.conflicts += make_last(conn, inverse.after_rows, work.filled)
        work.done.not_restored += inverse.not_restored
        for aside in asides:
            conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(aside.name))
        if with_catalog:
            kept = definitions_of(conn, snapshot_id).before
            for sequence, position in put_positions(conn, kept, work.start, work.target, parts):
                work.emit("position", {"object": sequence, "position": position})
    return work.done


def _keep_writers_out(work: _Work) -> None:
    """Writers of the tables wait: between what is read of a row and what is made of it nobody else may write it."""
    for part in work.parts:
        if oid_of(work.conn, (part.schema, part.table)):
            work.columns[part.schema, part.table] = columns_of(work.conn, part.schema, part.table)[0]
            work.conn.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE").format(part.place))


def _structure(work: _Work, *, with_catalog: bool) -> list[Aside]:
    """Say what the catalog is to be; move back what was parked, and aside what has to be made anew."""
    now = read_definitions(work.conn)
    work.start = work.target = now
    if not with_catalog:
        return []
    here = is_home(work.conn, work.snapshot_id)
    changed = definitions_of(work.conn, work.snapshot_id)
    known = now if here else without_places(now)
    if not here:
        changed = type(changed)(without_places(changed.before), without_places(changed.after))
    target = target_of(changed, known, added_goes=work.added_goes, same_database=here)
    work.target = target.definitions
    work.done.merge.conflicts += [Conflict(thing, why, 0) for thing, why in target.conflicts]
    came = [d for d in work.target if d.kind in ("table", "column") and d.key not in known.by_key]
    tables = {d.key for d in came if d.kind == "table"}
    work.done.recreated += [d.identity for d in came if d.part_of not in tables]
    _unpark(work)
    rebuild = to_rebuild(changed, work.target, now)
    return set_aside(work.conn, rebuild, now, work.snapshot_id.split("-")[0]) if rebuild else []


def _unpark(work: _Work) -> None:
    for one in parked(work.conn):
        for part in work.parts:
            place = (part.schema, part.table)
            free = not oid_of(work.conn, place) and _has_schema(work.conn, part.schema)
            if one.snapshot_id == work.snapshot_id and one.name == part.copy_name and free:
                unpark(work.conn, one.id)
                work.unparked.add(place)
                work.emit("unpark", {"object": one.object, "rows": one.rows})


def _has_schema(conn: psycopg.Connection[Any], schema: str) -> bool:
    row = conn.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)", (schema,)).fetchone()
    return row is not None and bool(row[0])


def _know_what_was_unparked(work: _Work, middle: Definitions) -> None:
    """A table that came back and of which no definition was kept stays as it came."""
    oids = {oid_of(work.conn, place) for place in work.unparked}
    known = dict(work.target.by_key)
    for definition in middle.ordered:
        if definition.key not in known and (
            (definition.kind == "table" and definition.oid in oids) or definition.part_of in known
        ):
            known[definition.key] = definition
    if any(d.kind == "table" and d.oid in oids and d.key not in work.target.by_key for d in middle):
        work.target = Definitions.of(known.values())


def _fill(work: _Work, aside: Aside) -> None:
    parts = [part for part in work.parts if (part.schema, part.table) == aside.place]
    now = standing(work.conn, aside.place, work.target)
    if not now.types:
        work.done.merge.conflicts.append(Conflict(".".join(aside.place), str(Why.NO_TABLE), 0))
        return
    with nothing_acts(work.conn, aside.place):
        merge, counted = fill(work.conn, aside, parts, now, snapshot_id=work.snapshot_id)
    work.done.merge.add(merge)
    work.filled.add(aside.place)
    if counted:
        work.counted.add(aside.place)


def _merge(work: _Work, part: Part) -> None:
    conn, place = work.conn, (part.schema, part.table)
    if place in work.counted:
        return
    if place in work.unparked:
        work.done.merge.put_back += part.rows.count
        return
    if part.copy_name and not oid_of(conn, ("ops", part.copy_name)):
        work.done.merge.in_place += part.rows.count
        return
    now = standing(conn, place, work.target, filled=place in work.filled)
    columns = part.columns if part.copy_name else part.after_columns
    if not now.types or set(columns) - now.types.keys():
        work.done.merge.conflicts.append(Conflict(part.name, str(Why.NO_TABLE), part.rows.count))
        if not set(part.key_columns) <= now.types.keys() or not now.types:
            return
    with nothing_acts(conn, place):
        only = sql.SQL("ONLY {}").format(part.place)
        if told_by_key(conn, part.key_columns, sql.SQL("(SELECT * FROM {})").format(only), list(now.types)):
            merge = merge_keyed(conn, work.snapshot_id, part, now, added_goes=work.added_goes)
            if part.copy_name and place in work.columns and place not in work.filled:
                came = [name for name in part.columns if name in now.types and name not in work.columns[place]]
                give_defaults(conn, part, now, came)
        elif part.kind == "column":
            merge = Merge(conflicts=[Conflict(part.name, str(Why.NOT_TOLD), part.rows.count)])
        else:
            merge = merge_counted(conn, part, now, added_goes=work.added_goes, again=work.again)
    work.done.merge.add(merge)
    work.emit("restore", {"object": part.name, "rows": merge.put_back + merge.merged})
