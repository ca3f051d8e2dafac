"""Knows how a change is taken back inside a transaction: objects made again, rows merged with those of now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.execution import Emit, silent
from services.database.inverse.derive import derive_inverse, reordered
from services.database.inverse.renames import relations_of_one_name
from services.database.snapshots.after_images import key_text, told_by_key
from services.database.snapshots.all_back import (
    Came,
    count_of,
    require_all_back,
    require_none_lost,
    rows_of_now,
    told_rows,
    undone_rows,
)
from services.database.snapshots.compounds import tell_emptied, without_reordered
from services.database.snapshots.counted_rows import merge_counted
from services.database.snapshots.effects import Place
from services.database.snapshots.kept_definitions import Changed, definitions_of, target_of, without_places
from services.database.snapshots.keyed_rows import Standing, give_defaults, merge_keyed
from services.database.snapshots.made_last import make_last
from services.database.snapshots.merge import Conflict, Merge, Why
from services.database.snapshots.narrowed import tell_retyped
from services.database.snapshots.not_owned import NotOwned, know_not_owned
from services.database.snapshots.numbering import Numbers, hand_over, lend_numbers
from services.database.snapshots.park import oid_of, parked, quietly, unpark
from services.database.snapshots.positions import put_positions
from services.database.snapshots.rebuilding import Aside, fill, set_aside, to_rebuild
from services.database.snapshots.restating import restated
from services.database.snapshots.snapshot import Part, columns_of, is_home, is_table, was_restored
from services.database.snapshots.standing_tables import nothing_acts, standing, take_off_foreign_keys
from services.database.snapshots.storage import ready_for_savepoint, steady_texts
from services.database.snapshots.swapped import as_texts, holding_what_goes, swapped_types
from services.errors import Refused

Go = Callable[[], None]
Run = Callable[[str], None]


@dataclass(slots=True)
class TakenBack:
    """What came of it: rows, what was made again ("public.logs", "public.users.premium"), and what was not.

    carried: the columns of tables that were made anew, whose values of now were moved over.
    """

    merge: Merge = field(default_factory=Merge)
    recreated: list[str] = field(default_factory=list)
    not_restored: list[str] = field(default_factory=list)
    carried: dict[Place, frozenset[str]] = field(default_factory=dict)


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
    changed: Changed = field(default_factory=lambda: Changed(Definitions.of(()), Definitions.of(())))
    tables: frozenset[int] = frozenset()
    counts: dict[int, int] = field(default_factory=dict)
    came: dict[Place, Came] = field(default_factory=dict)
    merged: list[tuple[Part, bool]] = field(default_factory=list)
    numbers: set[Numbers] = field(default_factory=set)
    not_owned: NotOwned = field(default_factory=NotOwned)
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
    Raises psycopg.Error where the server refuses what cannot be left out, NotAllBack where a row would be lost, Refused
    where a table of another owner cannot be entered without its triggers, or rows of it would lack their parents.
    """
    parts = [part for part in parts if added_goes or part.kind != "inserted"]
    work = _Work(conn, snapshot_id, parts, added_goes, emit, was_restored(conn, snapshot_id))
    with steady_texts(conn), quietly(conn):
        _keep_writers_out(work)
        _know_what_stands(work)
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
            ready_for_savepoint(conn)
        work.not_owned = know_not_owned(conn, parts)
        for aside in asides:
            go_on()
            _fill(work, aside)
        for part in parts:
            go_on()
            _merge(work, part)
        last = make_last(conn, inverse.after_rows, _put_back(work))
        work.done.merge.conflicts += last
        work.not_owned.require_parents(conn)
        hand_over(conn, work.numbers)
        _prove(work, last)
        work.done.not_restored += inverse.not_restored
        for aside in asides:
            conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(aside.name))
        if with_catalog:
            for sequence, position in put_positions(conn, work.changed.before, work.start, work.target, parts):
                work.emit("position", {"object": sequence, "position": position})
    return work.done


def _keep_writers_out(work: _Work) -> None:
    """Writers of the tables wait: between what is read of a row and what is made of it nobody else may write it."""
    for part in work.parts:
        if oid_of(work.conn, (part.schema, part.table)):
            work.columns[part.schema, part.table] = columns_of(work.conn, part.schema, part.table)[0]
            work.conn.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE").format(part.place))


def _know_what_stands(work: _Work) -> None:
    """Note which tables there are, and how many rows lie in those of the change, whatever their names are now."""
    rows = work.conn.execute("SELECT oid::bigint FROM pg_catalog.pg_class WHERE relkind = 'r'").fetchall()
    work.tables = frozenset(int(row[0]) for row in rows)
    work.changed = definitions_of(work.conn, work.snapshot_id)
    oids = {oid_of(work.conn, (part.schema, part.table)) for part in work.parts}
    if is_home(work.conn, work.snapshot_id):
        names = {part.name.replace('"', "") for part in work.parts}
        tables = [one for one in work.changed.before if one.kind == "table"]
        oids |= {one.oid for one in tables if one.identity.replace('"', "") in names}
    work.counts = rows_of_now(work.conn, oids)


def _structure(work: _Work, *, with_catalog: bool) -> list[Aside]:
    """Say what the catalog is to be; move back what was parked, and aside what has to be made anew."""
    now = read_definitions(work.conn)
    work.start = work.target = now
    if not with_catalog:
        return []
    here = is_home(work.conn, work.snapshot_id)
    changed = work.changed
    known = now if here else without_places(now)
    if not here:
        changed = type(changed)(without_places(changed.before), without_places(changed.after))
    target = target_of(changed, known, added_goes=work.added_goes, same_database=here)
    work.target = target.definitions
    _refuse_one_name_for_two(work)
    work.done.merge.conflicts += [Conflict(thing, why, 0) for thing, why in target.conflicts]
    came = [d for d in work.target if d.kind in ("table", "column") and d.key not in known.by_key]
    # A column is told by itself only where what it stands in was there: not with its new table, nor with a view.
    work.done.recreated += [d.identity for d in came if d.kind == "table" or d.part_of in known.by_key]
    _unpark(work)
    rebuild = to_rebuild(changed, work.target, now)
    swapped = swapped_types(work.target, now)
    if any(swapped.values()):
        rebuild |= {
            key: {} for key in holding_what_goes(work.conn, swapped, work.target, now, work.parts) if key not in rebuild
        }
    asides = set_aside(work.conn, rebuild, now, work.snapshot_id.split("-")[0]) if rebuild else []
    return [as_texts(work.conn, one, swapped) for one in asides]


def _refuse_one_name_for_two(work: _Work) -> None:
    two = relations_of_one_name(work.target)
    if two is not None:
        there, back = sorted(two, key=lambda one: one.key in work.changed.before.by_key)
        undo = "" if work.added_goes else ", or use --undo if the change made it"
        raise Refused(
            f"{there.identity} is there as a {there.kind}, and the {back.kind} of that name is to come back.",
            "Nothing was changed.",
            f"Rename or drop the {there.kind} first{undo}.",
        )


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
    if not is_table(work.conn, aside.place):
        work.done.merge.conflicts.append(Conflict(".".join(aside.place), str(Why.NO_TABLE), 0))
        return
    now = _numbered(work, aside.place, now, [name for name in now.types if name not in aside.types])
    with nothing_acts(work.conn, aside.place, replica=aside.place in work.not_owned.places):
        merge, counted = fill(work.conn, aside, parts, now, snapshot_id=work.snapshot_id)
    came = _came(work, aside.place)
    came.filled, came.told = aside.name, sum(one.rows for one in merge.conflicts)
    work.done.merge.add(merge)
    work.filled.add(aside.place)
    work.done.carried[aside.place] = frozenset(now.types)
    if counted:
        work.counted.add(aside.place)
        came.merge.add(undone_rows(work.conn, parts))
    else:
        came.merge.add(Merge(taken_out=merge.taken_out))


def _numbered(work: _Work, place: Place, now: Standing, columns: Sequence[str]) -> Standing:
    """The table with numbers for those of these columns, not there until now, that a sequence is to fill again."""
    numbers = lend_numbers(work.conn, work.target, place, columns)
    work.numbers.update(numbers.values())
    return replace(now, defaults={**now.defaults, **{name: one.next for name, one in numbers.items()}})


def _came(work: _Work, place: Place) -> Came:
    return work.came.setdefault(place, Came())


def _made_anew(work: _Work, part: Part) -> bool:
    """Whether the way back made the table that stands there now: it holds no row of now, and all have to be back."""
    place = (part.schema, part.table)
    oid = oid_of(work.conn, place)
    if not part.copy_name or not oid or place in work.filled or place in work.unparked:
        return False
    if oid not in work.tables:
        return True
    # Made by statements before us: the change had put another table in its place, and that is gone as well.
    key = next((one.key for one in work.target if one.kind == "table" and one.oid == oid), "")
    was, then = work.changed.before.by_key.get(key), work.changed.after.by_key.get(key)
    here = was is not None and then is not None and is_home(work.conn, work.snapshot_id)
    return bool(here and was and then and was.oid != then.oid and oid not in (was.oid, then.oid))


def _merge(work: _Work, part: Part) -> None:
    conn, place = work.conn, (part.schema, part.table)
    if place in work.counted:
        return
    if place in work.unparked:
        work.done.merge.put_back += part.rows.count
        return
    if part.copy_name and not oid_of(conn, ("ops", part.copy_name)):
        # It was parked, and moved back by an earlier restore; what became of it since is told.
        if oid_of(conn, place) in work.tables:
            work.done.merge.in_place += part.rows.count
        else:
            work.done.merge.conflicts.append(Conflict(part.name, str(Why.NO_COPY), part.rows.count))
        return
    if _made_anew(work, part):
        # What the change had made of the rows went with the table that it put there: none of them is here.
        part = replace(part, after_name=None, after_columns=(), after_types=())
        _came(work, place).anew = True
    elif part.after_name is not None and part.columns and not set(part.columns) & set(part.after_columns):
        # Another table with other columns: what is known of its rows tells nothing of those of before.
        part = replace(part, after_name=None, after_columns=(), after_types=())
    now = standing(conn, place, work.target, filled=place in work.filled)
    columns = part.columns if part.copy_name else part.after_columns
    there = is_table(conn, place)
    if not there or set(columns) - now.types.keys():
        work.done.merge.conflicts.append(Conflict(part.name, str(Why.NO_TABLE), part.rows.count))
        _came(work, place).told += part.rows.count
        if not there or not set(part.key_columns) <= now.types.keys():
            return
    with nothing_acts(conn, place, replica=place in work.not_owned.places):
        only = sql.SQL("ONLY {}").format(part.place)
        keyed = told_by_key(conn, part.key_columns, sql.SQL("(SELECT * FROM {})").format(only), list(now.types))
        if keyed:
            merge = merge_keyed(conn, work.snapshot_id, part, now, added_goes=work.added_goes)
            if part.copy_name and place in work.columns and place not in work.filled:
                came = [name for name in part.columns if name in now.types and name not in work.columns[place]]
                give_defaults(conn, part, _numbered(work, place, now, came), came)
        elif part.kind == "column":
            merge = Merge(conflicts=[Conflict(part.name, str(Why.NOT_TOLD), part.rows.count)])
        else:
            merge = merge_counted(conn, part, now, added_goes=work.added_goes, again=work.again)
    _came(work, place).merge.add(merge)
    if part.copy_name and (keyed or part.kind != "column"):
        work.merged.append((part, keyed))
    if not keyed:
        _came(work, place).told += told_rows(part.name, merge.conflicts)
    work.done.merge.add(merge)
    work.emit("restore", {"object": part.name, "rows": merge.put_back + merge.merged})


def _put_back(work: _Work) -> dict[Place, sql.Composable]:
    """By table, which of its rows `n` did not stand there when the way back began, as far as that is known."""
    found: dict[Place, sql.Composable] = {}
    for part, keyed in work.merged:
        place = (part.schema, part.table)
        if place in work.filled:
            continue
        if _came(work, place).anew:
            found[place] = sql.SQL("true")
        elif keyed and part.after_name is not None:
            found[place] = sql.SQL(
                'EXISTS (SELECT FROM {} a WHERE a."ops key" = {} AND a."ops what" = \'deleted\')'
            ).format(sql.Identifier("ops", part.after_name), key_text("n", part.key_columns))
    return found


def _prove(work: _Work, last: Sequence[Conflict]) -> None:
    """Raise NotAllBack where a kept row, or one of now, is not there and nobody was told."""
    for place, came in work.came.items():
        came.told += told_rows(".".join(place), last)
        # Told by the catalog once more, and not by what the merge believed.
        came.anew = came.anew or (came.filled is None and oid_of(work.conn, place) not in work.tables)
    for part, keyed in work.merged:
        place = (part.schema, part.table)
        now = standing(work.conn, place, work.target)
        require_all_back(work.conn, work.snapshot_id, part, now, _came(work, place), keyed=keyed, again=work.again)
    for place, came in work.came.items():
        before = work.counts.get(oid_of(work.conn, place))
        if came.filled is not None:
            before = count_of(work.conn, came.filled)
        if before is not None:
            require_none_lost(work.conn, place, came, before)
    for part in work.parts:
        place = (part.schema, part.table)
        if place in work.unparked and part.kind == "parked":
            require_none_lost(work.conn, place, _came(work, place), part.rows.count)
