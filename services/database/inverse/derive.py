"""Knows how to derive, from how a catalog differs, the statements that lead from the one back to the other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from services.database.definitions.definition import BEFORE_ROWS, SESSION, Definition, Definitions, in_order
from services.database.definitions.rights import change_rights
from services.database.inverse.alter import alter, is_anew, is_composite, is_reordered, is_same, retype, rights_of
from services.database.inverse.defaults import regained, without
from services.database.inverse.dropping import drops
from services.database.inverse.ownership import let_go
from services.database.inverse.renames import rename_back

_LOST_WITH_DROPPING = frozenset(
    {"column", "table", "foreign table", "sequence", "schema", "extension", "type", "domain", "cannot be written"}
)
"""What is never dropped to be made again: rows, positions or other people's objects would go with it."""

_SPOILED_BY_RETYPE = frozenset(
    {
        *("view", "materialized view", "policy", "trigger", "rule", "foreign key", "function", "procedure"),
        *("default", "publication table"),
    }
)
"""What the server refuses to keep, or changes, when a column that it uses gets another type."""


_ORDER = "the order of the columns of "


def only_order(not_restored: str) -> bool:
    """Whether this is about where a column stands in its table, and nothing is missing."""
    return not_restored.startswith(_ORDER)


def reordered(not_restored: Iterable[str]) -> tuple[str, ...]:
    """The tables whose columns will stand in another order, by what is told not to be restored."""
    return tuple(one.removeprefix(_ORDER).rpartition(":")[0] for one in not_restored if only_order(one))


@dataclass(frozen=True, slots=True)
class Inverse:
    """The way back, for one transaction: what is run before rows are put back, and what after.

    not_restored: what of the catalog it does not bring back, in words. rows: whose rows or values it does not bring
    back, since it makes objects, never data.
    """

    before_rows: tuple[str, ...]
    after_rows: tuple[str, ...]
    not_restored: tuple[str, ...]
    rows: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """All of it, in order."""
        return (*self.before_rows, *self.after_rows)

    @property
    def sql(self) -> str:
        """All of it as a script."""
        return "".join(f"{statement};\n" for statement in self.statements)

    def __bool__(self) -> bool:
        return bool(self.statements)

    def after_renaming(self, statements: tuple[str, ...]) -> Inverse:
        """The same, with these first."""
        return replace(self, before_rows=(*statements, *self.before_rows))


@dataclass(slots=True)
class _Work:
    """What has to be done: by key, which goes, which comes and which is turned back in place."""

    before: Definitions
    after: Definitions
    same_database: bool
    new: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    changed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    drop: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    swapped: set[str] = field(default_factory=set)
    retyped: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)
    stays: list[str] = field(default_factory=list)


def derive_inverse(before: Definitions, after: Definitions, *, same_database: bool = True) -> Inverse:
    """The statements that turn a catalog that is as `after` back into one that is as `before`.

    What is new is dropped, without CASCADE; what went is made again; what changed is turned back, in place where the
    server can, with all that hangs on it made again where it cannot. Rows and values are no part of it.
    same_database: both were read in one, so that a new name is told from a new object.
    """
    names, after = let_go(before, after, same_database=same_database)
    if same_database:
        renaming = rename_back(before, after)
        names, after = (*names, *renaming.statements), renaming.after
    work = _Work(before, after, same_database)
    _compare(work)
    _close(work)
    structure = _structure(work)
    first = [
        *names,
        *_privileges_first(work),
        *drops(_on_tables_of_others(work), work.drop),
        *_creations(work, structure),
    ]
    last = [*_creations(work, work.before.by_key.keys() - structure), *drops(after, work.late)]
    session = SESSION if first or last else ()
    return Inverse((*session, *first), tuple(last), tuple(_not_restored(work)), tuple(_rows(work)))


def _compare(work: _Work) -> None:
    old, now = work.before.by_key, work.after.by_key
    passing = ("sequence position", "materialized rows")
    work.new = {key for key, d in now.items() if key not in old and d.kind not in passing}
    # What has another name or place and for which no SQL is written stays as it is now.
    moved = {d.key for d in work.after if d.kind == "cannot be written" and (d.kind, d.oid, 0) in work.before.by_place}
    work.stays += [f"{now[key].identity} keeps its name and place" for key in sorted(moved & work.new)]
    work.new -= moved
    work.gone = {key for key in old if key not in now}
    work.drop = {key for key in work.new if now[key].kind != "default privilege"}
    for key in old.keys() & now.keys():
        if is_same(old[key], now[key], same_database=work.same_database):
            continue
        if old[key].kind in ("type", "domain") and alter(old[key], now[key]) is None:
            work.swapped.add(key)
        elif is_anew(old[key], now[key], same_database=work.same_database) or alter(old[key], now[key]) is None:
            work.drop.add(key)
        else:
            work.changed[key] = alter(old[key], now[key]) or ()
            if old[key].kind == "column":
                work.retyped.add(key)


def _close(work: _Work) -> None:
    """Add what has to go because something that it needs goes or changes its type."""
    for key in sorted(work.swapped):
        _swap(work, key)
    for key in sorted(work.retyped):
        work.drop |= {d for d in _needing(work, key) if d.partition(" ")[0] != "column" and _is_spoiled(work, d)}
        work.drop |= {d for d in _needing(work, key) if work.after.by_key[d].facts.get("generated")}
    waiting = sorted(work.drop)
    while waiting:
        key = waiting.pop()
        for other in _needing(work, key):
            if other not in work.drop and _goes_too(work, key, other):
                work.drop.add(other)
                waiting.append(other)
    _keep_late(work)
    work.again = {key for key in work.drop if key in work.before.by_key}


def _needing(work: _Work, key: str) -> frozenset[str]:
    return work.after.needed_by.get(key, frozenset())


def _is_spoiled(work: _Work, key: str) -> bool:
    return work.after.by_key[key].kind in _SPOILED_BY_RETYPE


def _goes_too(work: _Work, key: str, other: str) -> bool:
    """Whether `other`, which needs `key` that goes, has to go too."""
    dependent = work.after.by_key[other]
    if key in dependent.goes_with or dependent.facts.get("generated"):
        return True
    only_now = other in work.changed and key in work.new and key not in work.before.by_key[other].needs
    if only_now:
        work.late.add(key)
        return False
    if dependent.kind in _LOST_WITH_DROPPING and other not in work.new:
        if other not in work.changed and key in work.new:
            work.kept[key] = other
        return False
    return dependent.kind not in _LOST_WITH_DROPPING or other in work.new


def _keep_late(work: _Work) -> None:
    """What is needed until something is turned back goes after that, and so does what it needs itself."""
    waiting = sorted(work.late | set(work.kept))
    while waiting:
        key = waiting.pop()
        for need in work.after.by_key[key].needs:
            if need in work.new and need not in work.late:
                work.late.add(need)
                waiting.append(need)
    work.late -= set(work.kept)
    work.drop -= work.late | set(work.kept)


def _swap(work: _Work, key: str) -> None:
    """A type that cannot be changed back is made anew beside its old self, and every column moved over."""
    old, now = work.before.by_key[key], work.after.by_key[key]
    if held := sorted(other for other in _needing(work, key) if _holds(work, key, other)):
        work.stays.append(f"{key} stays as it is now, since {held[0]} needs it")
        return
    space, _, name = old.identity.rpartition(".")
    away = f'"{name.strip(chr(34))[:55]}_undone"'
    word = "DOMAIN" if now.kind == "domain" else "TYPE"
    texts = [f"ALTER {word} {old.identity} RENAME TO {away}", *old.create]
    for other in sorted(_needing(work, key)):
        dependent = work.after.by_key[other]
        if dependent.kind == "column" and other not in work.new and other not in work.drop:
            if dependent.part_of is not None and dependent.drop is not None and dependent.create:
                texts.append(retype(work.before.by_key.get(other, dependent)))
            work.retyped.add(other)
        elif dependent.kind not in ("table", "foreign table") and dependent.part_of != key:
            work.drop.add(other)
    texts.append(f"DROP {word} {space}.{away}")
    work.changed[key] = tuple(texts)
    properties = {d.key for d in work.before if d.part_of == key}
    work.gone |= properties
    work.drop -= properties


def _holds(work: _Work, key: str, other: str) -> bool:
    """True where `other` keeps a type from being made anew: it is a type over it, or a key of partitions."""
    dependent = work.after.by_key[other]
    if other in work.new or other in work.drop or dependent.part_of == key:
        return False
    if dependent.kind == "column":
        key_of_table = work.after.by_key[str(dependent.part_of)].facts.get("partition_key") or ""
        return bool(re.search(rf"[( ]{re.escape(dependent.facts['name'])}[,) ]", key_of_table))
    return dependent.kind in ("type", "domain", "cannot be written")


def _on_tables_of_others(work: _Work) -> Definitions:
    """The definitions, with triggers on other people's tables going with their functions: who may make such a trigger
    may not drop it, but may drop its function with it, on which by then nothing else depends."""
    found = dict(work.after.by_key)
    for trigger in [d for d in work.after if d.kind == "trigger" and d.key in work.new & work.drop]:
        owner = _owner(work, str(trigger.part_of))
        for key in sorted(trigger.needs & work.new & work.drop):
            if key.startswith("function ") and _owner(work, key) != owner and _needing(work, key) <= work.drop:
                found[key] = replace(found[key], drop=f"{work.after.by_key[key].drop} CASCADE")
                found[trigger.key] = replace(trigger, goes_with=trigger.goes_with | {key})
    return Definitions(found)


def _owner(work: _Work, key: str) -> str | None:
    owner = work.after.by_key.get(f"owner {key}")
    return owner.facts["owner"] if owner is not None else None


def _privileges_first(work: _Work) -> list[str]:
    """Default privileges as they were, before anything is made on which they would act."""
    texts: list[str] = []
    for key in sorted(work.new):
        definition = work.after.by_key[key]
        if definition.kind == "default privilege":
            on, alter_to = definition.facts["on"], definition.facts["alter"]
            undo = change_rights(rights_of(definition), _usual(definition), on)
            texts += [f"{alter_to} {text}" for text in undo]
    for key in sorted(work.changed):
        if work.before.by_key[key].kind == "default privilege":
            texts += work.changed[key]
    return texts


def _usual(definition: Definition) -> frozenset[tuple[str, str, bool]]:
    return frozenset((who, what, on) for who, what, on in definition.facts["plain"])


def _structure(work: _Work) -> set[str]:
    """Keys of what must stand before rows can be put back, with all that it needs."""
    found = {d.key for d in work.before if d.kind in BEFORE_ROWS}
    waiting = list(found)
    while waiting:
        for need in work.before.by_key[waiting.pop()].needs - found:
            found.add(need)
            waiting.append(need)
    return found


def _creations(work: _Work, of: AbstractSet[str]) -> list[str]:
    """What of these is made again and what is turned back, each after what it needs."""
    made = work.gone | work.again
    grantees = regained(work.before, work.after)
    texts: list[str] = []
    for definition in work.before.ordered:
        key = definition.key
        if key not in of:
            continue
        if key in made:
            if not definition.made_by_another(made):
                texts += (*definition.create, *without(grantees, definition))
        elif key in work.changed and definition.facts.get("follows") in work.changed:
            continue  # the owner of its table is its own
        elif key in work.changed and definition.kind != "default privilege":
            texts += work.changed[key]
            if definition.kind == "rights" and definition.facts["column"] is None:
                texts += _column_rights(work, definition, made)
    return texts


def _column_rights(work: _Work, rights: Definition, made: set[str]) -> list[str]:
    """The rights on a table's columns once more: taking them from the table takes them from its columns as well."""
    if not any(text.startswith("REVOKE") for text in work.changed[rights.key]):
        return []
    on = rights.facts["on"]
    same = [d for d in work.before if d.kind == "rights" and d.facts["column"] and d.facts["on"] == on]
    return [text for d in same if d.key not in made for text in d.create]


def _rows(work: _Work) -> list[str]:
    made = work.gone | work.again
    found: list[str] = []
    for definition in work.before.ordered:
        if definition.key not in made:
            continue
        if definition.kind == "table" and definition.facts.get("relkind") == "r":
            found.append(f"the rows of {definition.identity}")
        elif definition.kind == "column" and definition.part_of not in made and not definition.facts["generated"]:
            found += [f"the values of {definition.identity}"] if definition.create else []
    return found


def _not_restored(work: _Work) -> list[str]:
    found = work.stays + [f"{key} stays, since {other} needs it" for key, other in sorted(work.kept.items())]
    for key in sorted(work.gone):
        definition = work.before.by_key[key]
        if definition.kind == "cannot be written":
            found.append(f"{definition.identity}: no SQL is written for this kind of object")
    found += [
        f"the order of the attributes of {key.partition(' ')[2]}: what comes back stands last"
        for key in sorted(work.changed)
        if is_composite(work.before.by_key[key]) and is_reordered(work.before.by_key[key], work.after.by_key[key])
    ]
    return found + _orders(work)


def _orders(work: _Work) -> list[str]:
    """Tables whose columns come back in another order: a column that went can only be added at the end."""
    found: list[str] = []
    made = work.gone | work.again
    before, after = _columns(work.before), _columns(work.after)
    for table in work.before:
        now = work.after.by_key.get(table.key)
        if table.kind not in ("table", "foreign table") or now is None or table.key in made:
            continue
        wanted, there = _in_place(before.get(table.key, ())), _in_place(after.get(table.key, ()))
        stay = [key for key in there if key in wanted and key not in made]
        if [*stay, *(key for key in wanted if key not in stay)] != wanted:
            found.append(f"{_ORDER}{table.identity}: what comes back stands last")
    return found


def _columns(definitions: Definitions) -> dict[str | None, list[Definition]]:
    """The columns of every table, by its key."""
    found: dict[str | None, list[Definition]] = {}
    for definition in definitions:
        if definition.kind == "column":
            found.setdefault(definition.part_of, []).append(definition)
    return found


def _in_place(columns: Iterable[Definition]) -> list[str]:
    return [d.key for d in in_order({d.key: d for d in sorted(columns, key=lambda d: d.number)})]
