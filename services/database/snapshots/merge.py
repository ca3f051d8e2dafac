"""Knows how a change is taken back from rows that others have written to since: a three-way merge, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Row = Mapping[str, str | None]
"""A row's values as texts, by column, its key left out."""


class Action(StrEnum):
    """What becomes of one row."""

    LEAVE = "leave"
    PUT_BACK = "put back"
    TAKE_OUT = "take out"
    MERGE = "merge"
    CONFLICT = "conflict"


class Why(StrEnum):
    """Why a row, or a column of it, was left as it is now."""

    TAKEN = "another row has its key now"
    GONE = "the change altered it, and it was deleted since"
    BOTH = "the change and a later write altered the same column"
    WRITTEN = "it came with the change, and was written to since"
    NO_PARENT = "its rows refer to rows that are not there"
    NOT_TAKEN = "the table does not take it as it is now"
    NOT_TOLD = "rows without a key were deleted or changed since, and cannot be told from others"
    NO_TABLE = "the table, or a column of it, is not there any more"
    NO_CAST = "what was written since does not fit the column's type of before"
    LEFT_OUT = "what was written since does not fit the table of before: the whole row lies in ops.conflicts"
    REORDERED = "the attributes of its type stand in another order now: its values of before lie in schema ops"
    NO_COPY = "its kept rows were moved back by an earlier restore, and are gone since"
    NO_VALUE = "rows were added since that have no value for this column"
    NO_KEY = "what was written since has no value for the key of before: it lies in ops.conflicts"
    NO_COLUMN = "what was written since has no column in common with the table of before: it lies in ops.conflicts"
    NO_ROOM = "the table of before does not take what was written since: it lies in ops.conflicts"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a row, and the row it then is (None: there is none). columns: those that both altered."""

    action: Action
    row: Row | None
    why: Why | None = None
    columns: tuple[str, ...] = ()


def merge_row(
    before: Row | None, after: Row | None, now: Row | None, *, added_goes: bool = True, blank: Row | None = None
) -> Outcome:
    """Take a change (before -> after) back from a row that is `now`; None: no such row.

    A column that only the change altered gets its value of before; one that only a later write altered keeps it. Where
    both did, the column stays as it is now. A column that `after` lacks was dropped: there, a value of now counts as
    written later if there is any. added_goes: whether rows that the change added go.
    """
    if before is None:
        return _of_an_added_row(after, now, added_goes=added_goes)
    if after is None:
        if now is None:
            return Outcome(Action.PUT_BACK, before)
        same = all(now[name] == value for name, value in before.items())
        return Outcome(Action.LEAVE, now) if same else Outcome(Action.CONFLICT, now, Why.TAKEN)
    if now is None:
        altered = any(name in after and after[name] != value for name, value in before.items())
        return Outcome(Action.CONFLICT, None, Why.GONE) if altered else Outcome(Action.LEAVE, None)
    return _of_a_changed_row(before, after, now, blank or {})


def _of_an_added_row(after: Row | None, now: Row | None, *, added_goes: bool) -> Outcome:
    if after is None or now is None or not added_goes:
        return Outcome(Action.LEAVE, now)
    if all(now.get(name) == value for name, value in after.items()):
        return Outcome(Action.TAKE_OUT, None)
    return Outcome(Action.CONFLICT, now, Why.WRITTEN)


def _of_a_changed_row(before: Row, after: Row, now: Row, blank: Row) -> Outcome:
    result, both = dict(now), []
    for name, was in before.items():
        by_change = name not in after or after[name] != was
        since = now[name] != after[name] if name in after else now[name] not in (None, blank.get(name))
        if not by_change or now[name] == was:
            continue
        if since:
            both.append(name)
        else:
            result[name] = was
    if both:
        return Outcome(Action.CONFLICT, result, Why.BOTH, tuple(both))
    return Outcome(Action.MERGE, result) if result != now else Outcome(Action.LEAVE, now)


def merge_count(before: int, after: int, now: int, *, added_goes: bool = True) -> tuple[int, int]:
    """The same for rows without a key, of which only so many equal ones can be counted: how many there are to be, and
    how many of those that the change added are not there any more, as somebody wrote to them."""
    undone = before - after
    if undone < 0 and not added_goes:
        undone = 0
    return max(0, now + undone), max(0, -(now + undone))


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows, or a definition, that were left as they are, and why. `keys`: the first few, as text; never values."""

    table: str
    why: str
    rows: int
    keys: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"table": self.table, "why": self.why, "rows": self.rows, "keys": list(self.keys)}


@dataclass(slots=True)
class Merge:
    """What came of merging, in rows. put_back: deleted by the change, there again; taken_out: added by it, gone again;
    merged: got values of before; kept: written since and left so; in_place: were as before already."""

    put_back: int = 0
    taken_out: int = 0
    merged: int = 0
    kept: int = 0
    in_place: int = 0
    conflicts: list[Conflict] = field(default_factory=list)

    def add(self, other: Merge) -> None:
        self.put_back += other.put_back
        self.taken_out += other.taken_out
        self.merged += other.merged
        self.kept += other.kept
        self.in_place += other.in_place
        self.conflicts += other.conflicts

    def to_json(self) -> dict[str, Any]:
        return {
            "put_back": self.put_back,
            "taken_out": self.taken_out,
            "merged": self.merged,
            "kept": self.kept,
            "in_place": self.in_place,
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
        }
