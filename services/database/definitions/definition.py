"""Knows what a definition is: the SQL that makes one object or one property of it, and what must be there before."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

SESSION = ("SET LOCAL check_function_bodies = off",)
"""To be run before definitions, in the same transaction: a function may name what is made after it."""

_ORDER = (
    *("schema", "extension", "collation", "text search dictionary", "text search configuration", "type", "domain"),
    *("sequence", "table", "foreign table", "column", "not null", "function", "procedure", "aggregate", "operator"),
    *("cast", "cannot be written", "default", "identity", "view", "materialized view"),
    *("column options", "options", "inheritance", "of type", "index", "constraint", "partition", "foreign key"),
    *("clustered", "replica identity", "rule", "rule state", "trigger", "trigger state", "statistics"),
    *("statistics target", "policy", "row security", "forced row security", "owner", "owned by", "rights", "comment"),
    *("publication", "publication table", "publication schema", "event trigger", "event trigger state"),
    *("sequence position", "materialized rows", "default privilege"),
)
BEFORE_ROWS = frozenset(_ORDER[: _ORDER.index("cannot be written") + 1]) - {"not null"} | {"inheritance", "of type"}
"""Kinds that must be there before rows are put back; all others are made when they are. A table's own definition makes
its columns, NOT NULL and all, but no default, identity or constraint."""
_NAMED_AFTER_TWO = frozenset({"inheritance", "partition", "publication table", "publication schema"})
RANK: Mapping[str, int] = {kind: number for number, kind in enumerate(_ORDER)}


@dataclass(frozen=True, slots=True)
class Definition:
    """One object, or one property of one that is set by a statement of its own (an owner, a default, a comment).

    kind, identity: what and which, as the server names it ("constraint", "users_pkey on public.users").
    create: the statements that make it; empty for what cannot be written. drop: takes it away again; None: goes with
    what it belongs to, or cannot go alone.
    needs: keys of what must be there before, and cannot go while this stays. comes_after: keys of what is made first
    where both are made. part_of: key of what it belongs to and goes with.
    made_with: keys of those whose creation makes this one as well; unless: key with which only the making of what it is
    part of does.
    goes_with: keys of those whose removal takes this one along.
    oid, number: as in the catalog they were read from, so that a new name is told from a new object; 0: has none.
    facts: what a change of it in place is worked out from.
    """

    kind: str
    identity: str
    create: tuple[str, ...]
    drop: str | None
    needs: frozenset[str] = frozenset()
    comes_after: frozenset[str] = frozenset()
    part_of: str | None = None
    made_with: frozenset[str] = frozenset()
    unless: str | None = None
    goes_with: frozenset[str] = frozenset()
    oid: int = 0
    number: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.kind} {self.identity}"

    def to_json(self) -> dict[str, Any]:
        """For keeping; `from_json` gives the same definition back."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Definition:
        sets = {name: frozenset(data[name]) for name in ("needs", "comes_after", "made_with", "goes_with")}
        return cls(**{**data, **sets, "create": tuple(data["create"])})

    def made_by_another(self, made: Mapping[str, Any] | frozenset[str] | set[str]) -> bool:
        """True if making the things with these keys makes this one too."""
        if self.part_of in self.made_with and self.part_of in made:
            return True
        return any(key in made for key in self.made_with) and not (self.unless is not None and self.unless in made)


@dataclass(frozen=True)
class Definitions:
    """All definitions of a database by their key."""

    by_key: Mapping[str, Definition]

    @classmethod
    def of(cls, definitions: Iterable[Definition]) -> Definitions:
        """These definitions, such as were kept as JSON."""
        return cls({definition.key: definition for definition in definitions})

    def __iter__(self) -> Iterator[Definition]:
        return iter(self.by_key.values())

    def __len__(self) -> int:
        return len(self.by_key)

    def in_creation_order(self) -> tuple[Definition, ...]:
        """Those whose `create` has to be run to make all of it in an empty database, each after what it needs.

        Columns are not among them: their tables make them.
        """
        return tuple(d for d in self.ordered if d.create and not d.made_by_another(self.by_key))

    def statements(self) -> tuple[str, ...]:
        """All that makes this database's objects in an empty one, to be run in one transaction."""
        return (*SESSION, *(text for d in self.in_creation_order() for text in d.create))

    @cached_property
    def ordered(self) -> tuple[Definition, ...]:
        """All of them, each after what it needs."""
        return in_order(self.by_key)

    @cached_property
    def by_place(self) -> Mapping[tuple[str, int, int], Definition]:
        """Those with an oid, by kind, oid and column number: the same object whatever its name."""
        return {(d.kind, d.oid, d.number): d for d in self if d.oid}

    @cached_property
    def needed_by(self) -> Mapping[str, frozenset[str]]:
        """Keys of those that need each one."""
        found: dict[str, set[str]] = {}
        for definition in self:
            for need in definition.needs:
                found.setdefault(need, set()).add(definition.key)
        return {key: frozenset(keys) for key, keys in found.items()}


def in_order(by_key: Mapping[str, Definition]) -> tuple[Definition, ...]:
    """Each after those of them that it needs; beyond that by kind and name. Where things need each other in a ring,
    the one whose kind comes first begins."""
    waits = {
        key: {need for need in d.needs | d.comes_after if need in by_key and need != key} for key, d in by_key.items()
    }
    wanted_by: dict[str, list[str]] = {}
    for key, needs in waits.items():
        for need in needs:
            wanted_by.setdefault(need, []).append(key)
    ready = [_place(by_key[key]) for key, needs in waits.items() if not needs]
    heapq.heapify(ready)
    done: list[Definition] = []
    while waits:
        if not ready:
            heapq.heappush(ready, min(_place(by_key[key]) for key in waits))
        key = heapq.heappop(ready)[3]
        if waits.pop(key, None) is None:
            continue
        done.append(by_key[key])
        for other in wanted_by.get(key, ()):
            if other in waits:
                waits[other].discard(key)
                if not waits[other]:
                    heapq.heappush(ready, _place(by_key[other]))
    return tuple(done)


def _is_of(definition: Definition, keys: set[str], among: Definitions) -> bool:
    """True if the definition is one of these, or a property of one; what has an oid of its own stands for itself."""
    if definition.kind in _NAMED_AFTER_TWO and definition.needs & keys:
        return True
    while definition.key not in keys:
        if definition.oid or definition.part_of is None or definition.part_of not in among.by_key:
            return False
        definition = among.by_key[definition.part_of]
    return True


def _place(definition: Definition) -> tuple[int, str, int, str]:
    whole = definition.part_of if definition.number and definition.part_of else definition.identity
    return (RANK[definition.kind], whole, definition.number, definition.key)


def missing_since(before: Definitions, after: Definitions, *, same_database: bool = True) -> tuple[Definition, ...]:
    """What was there before and is not now, to be made in this order. Of what was only changed, nothing.

    A column of a table that is missing itself comes with the table and is not listed. same_database: both were read
    in one, so that an object under another name is known and not missing; nor is what belongs to it.
    """
    now = after.by_place if same_database else {}
    moved = {d.key for d in before if d.oid and now.get((d.kind, d.oid, d.number), d).key != d.key}
    gone = {key: d for key, d in before.by_key.items() if key not in after.by_key and not _is_of(d, moved, before)}
    return tuple(d for d in before.ordered if d.key in gone and d.create and not d.made_by_another(gone))
