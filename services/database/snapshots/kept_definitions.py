"""Knows the definitions that a change took or altered, and what the catalog has to be to take the change back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from services.database.definitions.definition import Definition, Definitions
from services.database.inverse.alter import is_same

_POSITION = re.compile(r", (-?\d+), true\)$")
_OF_EVERY_CHANGE = frozenset({"materialized rows", "cannot be written"})


@dataclass(frozen=True, slots=True)
class Changed:
    """The definitions of one change: as they were and as they became, only those that differ.

    A table is among them where one of its columns differs, whatever else of it is the same.
    """

    before: Definitions
    after: Definitions

    def __bool__(self) -> bool:
        return bool(len(self.before) or len(self.after))

    @property
    def lost(self) -> bool:
        """True where something went or is another than it was, not only new."""
        return any(not _only_columns_differ(self, key) for key in self.before.by_key)


def _only_columns_differ(changed: Changed, key: str) -> bool:
    """True for a table that is kept only because it got columns."""
    if not key.startswith("table ") or key not in changed.after.by_key:
        return False
    return is_same(changed.before.by_key[key], changed.after.by_key[key], same_database=True)


def changed_between(before: Definitions, after: Definitions) -> Changed:
    """What differs, read in one database before and after a change; a table whose columns differ is among it."""
    keys = {key for key in before.by_key.keys() | after.by_key.keys() if _differs(before, after, key)}
    keys |= {str(d.part_of) for side in (before, after) for d in side if d.kind == "column" and d.key in keys}
    return Changed(*(Definitions.of(d for d in side if d.key in keys) for side in (before, after)))


def gone_between(before: Definitions, now: Definitions) -> Changed:
    """Only what is gone, where what else differs may be the work of others; the table of a column that is gone is
    among it."""
    keys = {key for key in before.by_key if key not in now.by_key}
    keys |= {str(d.part_of) for d in before if d.kind == "column" and d.key in keys}
    return Changed(*(Definitions.of(d for d in side if d.key in keys) for side in (before, now)))


def _differs(before: Definitions, after: Definitions, key: str) -> bool:
    old, new = before.by_key.get(key), after.by_key.get(key)
    if old is None or new is None:
        return old is not None or key.partition(" position ")[0] != "sequence"
    if old.kind == "sequence position":
        # Further on is where writers bring it as well; only what stands behind where it was is put back.
        return _is_behind(new, old)
    if old.part_of != new.part_of or _is_elsewhere(old, new, after):
        return True  # a column of a view that has the name of a table that went; or names that were swapped
    return old.kind not in _OF_EVERY_CHANGE and not is_same(old, new, same_database=True)


def _is_elsewhere(old: Definition, new: Definition, after: Definitions) -> bool:
    """Whether a table or column has another name now, and another one has its own."""
    if old.kind not in ("table", "column") or not old.oid or (old.oid, old.number) == (new.oid, new.number):
        return False
    away = after.by_place.get((old.kind, old.oid, old.number))
    return away is not None and (old.kind == "table" or old.oid == new.oid)


def keep_definitions(conn: psycopg.Connection[Any], snapshot_id: str, changed: Changed) -> None:
    """Write the definitions into the snapshot."""
    ordered = [("before", d) for d in changed.before.ordered] + [("after", d) for d in changed.after.ordered]
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.snapshot_definitions (snapshot_id, seq, side, kind, object, create_sql, definition)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (snapshot_id, seq, side, d.kind, d.identity, ";\n".join(d.create), Jsonb(d.to_json()))
                for seq, (side, d) in enumerate(ordered)
            ],
        )


def definitions_of(conn: psycopg.Connection[Any], snapshot_id: str) -> Changed:
    """The definitions of a snapshot; none where nothing of the catalog was kept."""
    rows = conn.execute(
        "SELECT side, definition FROM ops.snapshot_definitions WHERE snapshot_id = %s ORDER BY seq", (snapshot_id,)
    ).fetchall()
    sides = {
        side: [Definition.from_json(data) for found, data in rows if found == side] for side in ("before", "after")
    }
    return Changed(Definitions.of(sides["before"]), Definitions.of(sides["after"]))


def without_places(definitions: Definitions) -> Definitions:
    """The same without oids: for another database than the one they were read from, where they mean nothing."""
    return Definitions.of(replace(d, oid=0, number=0) for d in definitions)


@dataclass(slots=True)
class Target:
    """What the catalog has to be. conflicts: (object, why) of what stays as it is now."""

    definitions: Definitions
    conflicts: list[tuple[str, str]] = field(default_factory=list)


def target_of(changed: Changed, now: Definitions, *, added_goes: bool, same_database: bool) -> Target:
    """The catalog of now with the change taken back: what somebody altered since is left alone, and told.

    added_goes: whether what the change made goes; else only what it took or altered comes back.
    """
    found = dict(now.by_key)
    target = Target(now)

    def same(one: Definition, other: Definition) -> bool:
        # Made anew under its name it is the same column; where the one of before still stands, they were swapped.
        swapped = one.kind == "column" and one.oid == other.oid and one.number != other.number
        swapped = swapped and ("column", one.oid, one.number) in now.by_place
        return one.part_of == other.part_of and not swapped and is_same(one, other, same_database=same_database)

    for key, old in changed.before.by_key.items():
        is_now = now.by_key.get(key)
        if not added_goes and is_now is not None and _is_put_in_place_of(old, is_now, now):
            # It stays with all that the change gave it, and gets back what it lacks.
            found[key] = replace(old, oid=is_now.oid)
            continue
        _bring_back(target, found, old, changed.after.by_key.get(key), is_now, same)
    renamed = {(d.kind, d.oid, d.number) for d in changed.before if d.oid}
    for key, new in changed.after.by_key.items():
        goes = added_goes or (new.oid and (new.kind, new.oid, new.number) in renamed)
        if key in changed.before.by_key or not goes or key not in found:
            continue
        if same(new, found[key]):
            del found[key]
        else:
            target.conflicts.append((key, "it is new since the change, and was altered after it"))
    _give_columns_back(found, changed, now)
    _leave_no_orphans(target, found, changed)
    target.definitions = Definitions.of(found.values())
    return target


def _give_columns_back(found: dict[str, Definition], changed: Changed, now: Definitions) -> None:
    """The columns of a table that gets its name back are its own, not those of the one that has the name now."""
    for key, old in changed.before.by_key.items():
        away = now.by_place.get((old.kind, old.oid, 0)) if old.kind == "table" else None
        if away is None or away.key == key or key not in found or found[key].oid != old.oid:
            continue
        for own in [one for one in now if one.kind == "column" and one.part_of == away.key]:
            wanted = f"column {old.identity}.{own.facts['name']}"
            if wanted in found and wanted not in changed.before.by_key:
                found[wanted] = replace(found[wanted], oid=own.oid, number=own.number)


def _is_put_in_place_of(old: Definition, is_now: Definition, now: Definitions) -> bool:
    """Whether this is a plain table that took the name of another one, which is gone."""
    plain = old.kind == "table" and old.facts.get("relkind") == is_now.facts.get("relkind") == "r"
    return plain and bool(old.oid) and old.oid != is_now.oid and ("table", old.oid, 0) not in now.by_place


def _bring_back(
    target: Target,
    found: dict[str, Definition],
    old: Definition,
    new: Definition | None,
    is_now: Definition | None,
    same: Callable[[Definition, Definition], bool],
) -> None:
    if old.kind == "sequence position":
        if is_now is None or _is_behind(is_now, old):
            found[old.key] = old
    elif is_now is not None and same(old, is_now) and old.kind != "table":
        return
    elif (is_now is None) == (new is None) and (new is None or is_now is None or same(new, is_now)):
        found[old.key] = old
    elif is_now is not None and same(old, is_now):
        found[old.key] = replace(old, oid=is_now.oid)
    elif is_now is None:
        target.conflicts.append((old.key, "it was dropped after the change had altered it"))
    else:
        target.conflicts.append((old.key, "it was made or altered after the change"))


def position_of(definition: Definition) -> int:
    """Where a sequence stands, by the text that puts it there."""
    match = _POSITION.search(definition.create[0]) if definition.create else None
    return int(match[1]) if match else 0


def _is_behind(one: Definition, other: Definition) -> bool:
    """Whether a sequence stands behind where it stood there, in the direction in which it counts."""
    downwards = int(other.facts.get("step", 1)) < 0
    return position_of(one) > position_of(other) if downwards else position_of(one) < position_of(other)


def _leave_no_orphans(target: Target, found: dict[str, Definition], changed: Changed) -> None:
    """What was made since the change, over something that goes with it, cannot stay."""
    while True:
        orphans = [key for key, d in found.items() if any(need not in found for need in d.needs)]
        if not orphans:
            return
        for key in orphans:
            part_of = found[key].part_of
            del found[key]
            if part_of is None or part_of in found:
                since = key not in changed.before.by_key
                why = "needs what the change had made, and goes with it" if since else "needs what is gone since"
                target.conflicts.append((key, f"it {why}"))
