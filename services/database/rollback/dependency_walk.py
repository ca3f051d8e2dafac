"""Knows what falls with an object: a walk over the server's dependency records, as a function of those records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

Address = tuple[int, int, int]
"""(catalog, object, column) as in pg_depend; column 0 is the object as a whole."""

_OWNERS = frozenset("ie")
_PARTITION = frozenset("PS")
_PART_OF = _OWNERS | _PARTITION
_SEED = "seed"


class Dependency(NamedTuple):
    """`dependent` needs `needed`. kind: pg_depend's letter (n normal, a automatic, i internal, e and x extension,
    P and S partition)."""

    dependent: Address
    needed: Address
    kind: str


@dataclass(frozen=True, slots=True)
class Fall:
    """What a drop takes: `objects`, the seeds included.

    in_the_way: what needs a dropped object and does not go by itself, so that the server refuses a drop without
    CASCADE. parts: what no drop may take alone, since it is a part of something else; the server refuses it always.
    """

    objects: frozenset[Address]
    in_the_way: frozenset[Address] = frozenset()
    parts: frozenset[Address] = frozenset()


class DependencyGraph:
    """All dependencies of a database, indexed for walking. What has fallen can be taken out of it."""

    def __init__(self, dependencies: Iterable[Dependency]) -> None:
        self._needing: dict[tuple[int, int], list[Dependency]] = defaultdict(list)
        self._owned: dict[tuple[int, int], list[Dependency]] = defaultdict(list)
        self._gone: set[Address] = set()
        for one in dependencies:
            self._needing[one.needed[:2]].append(one)
            if one.kind in _PART_OF:
                self._owned[one.dependent[:2]].append(one)

    def fall(self, seeds: Collection[Address], *, automatic_only: bool = False) -> Fall:
        """Everything that the server drops with the seeds of one statement, if need be with CASCADE.

        The rules are the server's own: what is found by its owner falls with it; a part that is found from elsewhere
        takes its owner along (a view's rule its view, a generated column's expression that column).
        automatic_only: only what goes without CASCADE.
        """
        walk = _Walk(self, seeds, automatic_only)
        walk.run()
        in_the_way = {address for address, reached in walk.reached.items() if reached == {"n"}}
        return Fall(
            frozenset(without_parts(walk.reached)), frozenset(without_parts(in_the_way)), frozenset(walk.refused())
        )

    def remove(self, fallen: Iterable[Address]) -> None:
        """Take what has fallen out of the records, so that the next statement walks over what is left."""
        self._gone.update(fallen)

    def is_gone(self, address: Address) -> bool:
        """True for what was taken out, and for the columns of a table that was."""
        if not self._gone:
            return False
        return address in self._gone or (address[2] != 0 and (address[0], address[1], 0) in self._gone)

    def needing(self, address: Address) -> list[Dependency]:
        """The records of what needs the object; of a column only what needs that column."""
        return [
            row
            for row in self._needing.get(address[:2], ())
            if (row.needed[2] == address[2] if address[2] else row.dependent[:2] != address[:2])
            and not self.is_gone(row.dependent)
        ]

    def wholes(self, address: Address) -> list[Dependency]:
        """The records that make the object a part of another; those of its columns too where it is named as a whole."""
        rows = self._owned.get(address[:2])
        if rows is None:
            return []
        return [
            row
            for row in rows
            if (row.dependent[2] == address[2] if address[2] else row.needed[:2] != address[:2])
            and not self.is_gone(row.needed)
        ]


class _Walk:
    """One walk. `reached` tells of every object found by which kinds of record it was reached."""

    def __init__(self, graph: DependencyGraph, seeds: Collection[Address], automatic_only: bool) -> None:
        self._graph = graph
        self._left_out = "n" if automatic_only else ""
        self._seeds = frozenset(seeds)
        self.reached: dict[Address, set[str]] = {}

    def run(self) -> None:
        waiting: list[tuple[Address, str]] = [(seed, _SEED) for seed in self._seeds]
        while waiting:
            address, way = waiting.pop()
            known = self.reached.get(address)
            if known is not None:
                known.add(way)
                continue
            if address[2] and (address[0], address[1], 0) in self.reached:
                continue  # its whole table falls
            self.reached[address] = {way}
            waiting += [(one.dependent, one.kind) for one in self._graph.needing(address) if one.kind != self._left_out]
            if way != _SEED:
                waiting += [
                    (one.needed, way)
                    for one in self._graph.wholes(address)
                    if one.kind in _OWNERS and one.needed not in self.reached
                ]

    def refused(self) -> set[Address]:
        """Parts that were named themselves, and partitions' parts that were reached without those of the whole."""
        found = set()
        for address, ways in self.reached.items():
            wholes = self._graph.wholes(address)
            if not wholes:
                continue
            kinds = {one.kind: one.needed for one in wholes}
            if _SEED in ways and any(kinds[kind] not in self.reached for kind in _OWNERS & kinds.keys()):
                found.add(address)
            if _PARTITION & kinds.keys() and not _PARTITION & ways:
                found.add(address)
        return found


def without_parts(fallen: Iterable[Address]) -> set[Address]:
    """Columns of a table that falls itself are not named one by one."""
    every = set(fallen)
    return {one for one in every if one[2] == 0 or (one[0], one[1], 0) not in every}
