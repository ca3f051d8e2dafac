"""Knows how a change loses nothing: what it will take is kept before, parked instead, and measured afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import psycopg

from services.database.execution import Emit, silent
from services.database.script import Statement
from services.database.snapshots.after_images import keep_after_image, keep_inserted
from services.database.snapshots.compounds import Reached, attributes_held, holders_of_lost
from services.database.snapshots.effects import Place, TableState, table_states
from services.database.snapshots.foretold import (
    all_placed,
    changed_tables,
    dropped_columns,
    dropped_tables,
    placed,
    rewrites_only,
)
from services.database.snapshots.not_owned import stays_away
from services.database.snapshots.park import Parked, drop_all, holds_rows, park, parkable, what_goes
from services.database.snapshots.settling import lay_down, tie_to_snapshot
from services.database.snapshots.snapshot import Part, keep_columns, keep_table, new_snapshot, record_part
from services.database.snapshots.storage import make_tables, ready_for_savepoint
from services.errors import Refused

_ROUNDS = 4
_Outcome = TypeVar("_Outcome")


class Told(Protocol):
    """A loss that was foretold: what kind, and where."""

    @property
    def kind(self) -> str: ...
    @property
    def schema(self) -> str | None: ...
    @property
    def table(self) -> str | None: ...
    @property
    def column(self) -> str | None: ...


@dataclass(slots=True)
class Cover:
    """What a snapshot must hold: whole tables, and columns of tables, by (schema, table).

    copied: tables of which a copy is needed even where a DROP TABLE is replaced by a park, because the change alters
    their rows first.
    """

    tables: set[Place] = field(default_factory=set)
    columns: dict[Place, set[str]] = field(default_factory=dict)
    copied: set[Place] = field(default_factory=set)

    @classmethod
    def of(cls, losses: Iterable[Told]) -> Cover:
        """The cover that foretold losses ask for."""
        cover = cls()
        for loss in losses:
            if loss.schema is None or loss.table is None:
                continue
            if loss.kind in ("table", "rows"):
                cover.tables.add((loss.schema, loss.table))
            elif loss.kind == "column" and loss.column:
                cover.add_column((loss.schema, loss.table), loss.column)
        return cover

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns or self.copied)

    def add(self, other: Cover) -> None:
        self.tables |= other.tables
        self.copied |= other.copied
        for place, names in other.columns.items():
            self.columns.setdefault(place, set()).update(names)

    def add_column(self, place: Place, column: str) -> None:
        self.columns.setdefault(place, set()).add(column)


class Uncovered(Exception):
    """The statements took what was not kept: undo all, and try again with this cover as well."""

    def __init__(self, cover: Cover) -> None:
        super().__init__(", ".join(sorted(".".join(place) for place in cover.tables | cover.copied | {*cover.columns})))
        self.cover = cover


def covered(attempt: Callable[[Cover], _Outcome], cover: Cover | None = None) -> _Outcome:
    """Call attempt(cover) until it does not raise Uncovered, each time with all that was found missing so far.

    attempt opens its transaction, and has rolled it back when it raises. Raises Refused after four rounds.
    """
    known, last = Cover(), ""
    if cover is not None:
        known.add(cover)
    for _ in range(_ROUNDS):
        try:
            return attempt(known)
        except Uncovered as uncovered:
            known.add(uncovered.cover)
            last = str(uncovered)
    raise Refused(
        f"The change takes rows that could not be kept, of {last}.",
        "Nothing was changed.",
        "Split the script, so that what it deletes can be told beforehand.",
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a change. rows: all rows that the snapshot holds; parked: the tables moved aside."""

    snapshot_id: str | None
    rows: int = 0
    parked: tuple[str, ...] = ()


class Keeping:
    """Keeps, inside one open transaction, all that a change takes from the database.

    Call in this order: `look`, `before`, the statements (each asked through `instead` first), `missing`, `after`; and
    after COMMIT `settling.settle`. Schema `ops` is there already.
    """

    def __init__(
        self,
        conn: psycopg.Connection[Any],
        *,
        release_id: str,
        actor: str,
        keep_days: int = 30,
        emit: Emit = silent,
    ) -> None:
        self._conn = conn
        self._release_id = release_id
        self._actor = actor
        self._keep_days = keep_days
        self._emit = emit
        self._snapshot_id: str | None = None
        self._parts: list[Part] = []
        self._base: dict[int, TableState] = {}
        self._now: dict[int, TableState] = {}
        self._rewriting: set[int] = set()
        self._aside: dict[int, Parked] = {}
        self._copies: dict[int, TableState] = {}
        self._held: Reached = {}
        self._not_moved: set[Place] = set()
        self._laid: str | None = None
        self._looked = False

    def look(self) -> str | None:
        """Read all definitions, once, and lay them down, and which tables hold values of which types.

        Returns the id of the definitions for `settling`, None where they are hidden.

        `before` does it too; called first, it is done while no table is locked yet.
        """
        if not self._looked:
            self._looked = True
            self._laid = lay_down(self._conn, self._emit)
            self._held = attributes_held(self._conn)
        return self._laid

    def before(self, cover: Cover, statements: Sequence[Statement] = ()) -> None:
        """Copy and prove what the cover names, and what the statements say they take.

        Raises NotProved (a copy is not equal), Refused (rows hidden from us, changes not counted).
        """
        make_tables(self._conn)
        self.look()
        self._base = table_states(self._conn)
        wanted = self._foretold(statements)
        wanted.add(cover)
        wanted.tables -= {*self._to_park(statements)}
        wanted.tables |= wanted.copied
        there = {state.place for state in self._base.values() if state.place[0] != "ops"}
        for place in sorted(wanted.tables & there):
            self._kept(keep_table(self._conn, self._id(), len(self._parts), *place))
        for place, names in sorted(wanted.columns.items()):
            if place in there and place not in wanted.tables:
                self._kept(keep_columns(self._conn, self._id(), len(self._parts), *place, sorted(names)))
        if self._parts:
            copies = {("ops", part.copy_name) for part in self._parts}
            ours = table_states(self._conn, schema="ops")
            self._copies = {oid: one for oid, one in ours.items() if one.place in copies}

    def instead(self, statement: Statement) -> bool:
        """Park what a plain DROP TABLE takes, True; False where the statement is to run as it is.

        Raises psycopg.Error as the server does for the statement itself.
        """
        self._forgive_rewrite()
        self._expect_rewrite(statement)
        places = self._to_park([statement])
        return bool(places) and self._parked(statement, places)

    def missing(self) -> Cover:
        """What the statements took, measured by effect, and no part of the snapshot holds; empty: nothing is lost.

        Raises Refused where they reached what had been kept of it.
        """
        self._forgive_rewrite()
        self._now = now = table_states(self._conn)
        self._require_copies(now)
        missing = Cover()
        whole = {(part.schema, part.table) for part in self._parts if part.kind == "table"}
        kept = {(part.schema, part.table): set(part.columns) for part in self._parts}
        hollow = holders_of_lost(self._conn, self._held)
        for oid, old in self._base.items():
            if old.place[0] == "ops" or old.place in whole:
                continue
            new = now.get(oid)
            if oid in self._aside:
                if new is None or new.rows_touched_since(old) or (new.shape, new.inserted) != (old.shape, old.inserted):
                    missing.copied.add(old.place)
                continue
            if new is None or new.rows_touched_since(old) or oid in hollow:
                missing.tables.add(old.place)
                missing.copied |= {old.place} & self._not_moved
                continue
            for number, column in old.stored.items():
                if number not in new.stored and column not in kept.get(old.place, set()):
                    missing.add_column(old.place, column)
        return missing

    def _require_copies(self, now: Mapping[int, TableState]) -> None:
        """Every copy still has all its columns and rows: a copy proved before the statements may be hit by them."""
        for oid, old in self._copies.items():
            new = now.get(oid)
            if new is None or new.rows_touched_since(old) or (new.shape, new.inserted) != (old.shape, old.inserted):
                raise Refused(
                    f"The change alters {'.'.join(old.place)}, where the rows that it takes are kept.",
                    "Nothing was changed: what it takes could not be brought back.",
                    "Leave schema ops alone, and drop what the tables there hang on by its own name, without CASCADE.",
                )

    def gone(self, carried: Mapping[Place, Collection[str]]) -> Cover:
        """What went with tables and columns that are no more, and no part holds; rows altered in place do not count.

        carried: columns, by the names of before, that are empty, or whose values were moved over to another table.
        """
        self._forgive_rewrite()
        self._now = now = table_states(self._conn)
        missing = Cover()
        kept: dict[Place, set[str]] = {}
        for part in self._parts:
            kept.setdefault((part.schema, part.table), set()).update(part.columns)
        whole = {(part.schema, part.table) for part in self._parts if part.kind in ("table", "parked")}
        for oid, old in self._base.items():
            new = now.get(oid)
            if oid in self._aside and (new is None or new.rows_touched_since(old) or new.inserted != old.inserted):
                missing.copied.add(old.place)
            if old.place[0] == "ops" or old.place in whole:
                continue
            if new is None and old.place not in carried:
                missing.copied.add(old.place)
                continue
            stays = {name for number, name in old.stored.items() if new is not None and number in new.stored}
            stays |= {*carried.get(old.place, ()), *kept.get(old.place, ())}
            for name in {*old.stored.values()} - stays:
                missing.add_column(old.place, name)
        return missing

    def forget(self) -> None:
        """Take out again what `look` laid down, where nothing was kept: then nothing is to be settled."""
        if self._laid is not None:
            self._conn.execute("DELETE FROM ops.unsettled WHERE id = %s", (self._laid,))

    @property
    def holds(self) -> bool:
        """Whether anything was kept."""
        return bool(self._parts)

    def after(self, catalog: str) -> Kept:
        """Keep what the change made of the rows it altered and added; tells what the snapshot holds in all.

        catalog: the digest of the catalog after the statements. What became of definitions is settled after COMMIT
        (`settling.settle`); where nothing did, and no row was kept, the snapshot goes again.
        """
        now = self._now
        if self._snapshot_id is not None:
            for number, part in enumerate(self._parts):
                place, renamed = self._names_now((part.schema, part.table), now)
                self._parts[number] = keep_after_image(self._conn, self._snapshot_id, number, part, place, renamed)
        held = {(part.schema, part.table) for part in self._parts}
        for oid, old in sorted(self._base.items()):
            new = now.get(oid)
            if new is not None and new.inserted > old.inserted and old.place not in held and old.place[0] != "ops":
                self._parts.append(keep_inserted(self._conn, self._id(), len(self._parts), new.place))
        for message in stays_away(self._conn, self._parts):
            self._emit("notice", {"message": message, "severity": "WARNING"})
        if self._laid is not None:
            tie_to_snapshot(self._conn, self._laid, self._id(), catalog)
        moved = tuple(one.object for one in self._aside.values())
        return Kept(self._snapshot_id, sum(part.rows.count for part in self._parts), moved)

    def _names_now(self, place: Place, now: Mapping[int, TableState]) -> tuple[Place, dict[str, str]]:
        """Where a table of before stands after the statements, and its columns that bear another name: new -> old."""
        for oid, old in self._base.items():
            new = now.get(oid)
            if old.place == place and new is not None and oid not in self._aside:
                renamed = {new.stored[n]: old.stored[n] for n in old.stored.keys() & new.stored.keys()}
                return new.place, {name: was for name, was in renamed.items() if name != was}
        return place, {}

    def _foretold(self, statements: Sequence[Statement]) -> Cover:
        cover = Cover()
        for statement in statements:
            cover.tables.update(all_placed(self._conn, (*dropped_tables(statement), *changed_tables(statement))))
            for names, column in dropped_columns(statement):
                place = placed(self._conn, names)
                if place is not None:
                    cover.add_column(place, column)
        known = {state.place: set(state.stored.values()) for state in self._base.values()}
        cover.columns = {
            place: held
            for place, names in cover.columns.items()
            if place not in cover.tables and (held := names & known.get(place, set()))
        }
        return cover

    def _to_park(self, statements: Sequence[Statement]) -> list[Place]:
        """The tables with rows that a top-level DROP TABLE among the statements takes and that can be moved aside."""
        named = [names for statement in statements for names in dropped_tables(statement)]
        known = {state.place for state in self._base.values()}
        copied = {(part.schema, part.table) for part in self._parts if part.kind == "table"}
        return [
            place
            for place in dict.fromkeys(all_placed(self._conn, named))
            if place in known and place not in copied and holds_rows(self._conn, place) and parkable(self._conn, place)
        ]

    def _parked(self, statement: Statement, places: Sequence[Place]) -> bool:
        ready_for_savepoint(self._conn)
        drops = what_goes(self._conn, statement.sql, places)
        if drops is None:
            # Something goes with them that cannot be dropped by itself: they are copied in the next round.
            self._not_moved |= {*places}
            return False
        self._conn.execute("SAVEPOINT ops_park")
        try:
            drop_all(self._conn, drops)
            moved = [
                park(self._conn, self._id(), len(self._parts) + n, p, self._keep_days) for n, p in enumerate(places)
            ]
        except psycopg.errors.InsufficientPrivilege:
            # We may drop the table, but not move it: it is copied in the next round, and dropped.
            self._conn.execute("ROLLBACK TO SAVEPOINT ops_park; RELEASE SAVEPOINT ops_park")
            self._not_moved |= {*places}
            return False
        self._conn.execute("RELEASE SAVEPOINT ops_park")
        oids = {state.place: oid for oid, state in self._base.items()}
        for part, one in moved:
            record_part(self._conn, self._id(), len(self._parts), part)
            self._aside[oids[part.schema, part.table]] = one
            self._parts.append(part)
            self._emit("park", {"object": one.object, "rows": one.rows, "until": one.until.isoformat()})
        return True

    def _expect_rewrite(self, statement: Statement) -> None:
        """Remember the table that a statement may rewrite without taking anything from it."""
        place = next(all_placed(self._conn, rewrites_only(statement)), None)
        if place is not None:
            now = table_states(self._conn)
            self._rewriting = {
                oid
                for oid, old in self._base.items()
                if old.place == place and oid in now and now[oid].file == old.file
            }

    def _forgive_rewrite(self) -> None:
        """A statement that only adds or moves gives a table a new file, and takes nothing from it."""
        if self._rewriting:
            now = table_states(self._conn)
            for oid in self._rewriting & now.keys():
                self._base[oid] = replace(self._base[oid], file=now[oid].file)
        self._rewriting = set()

    def _id(self) -> str:
        if self._snapshot_id is None:
            self._snapshot_id = new_snapshot(self._conn, self._release_id, self._actor, self._keep_days)
        return self._snapshot_id

    def _kept(self, part: Part) -> None:
        self._parts.append(part)
        self._emit("snapshot", {"object": part.name, "rows": part.rows.count})
