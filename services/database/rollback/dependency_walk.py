"""Knows what falls with an object: a walk over the server's dependency records, as a function of those records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

Address = tuple[int, int, int]
"""(catalog, object, column) as in pg_depend; column 0 is the object as a whole."""

_AUTOMATIC = frozenset("aiPSe")


@dataclass(frozen=True, slots=True)
class Dependency:
    """`dependent` needs `needed`. kind: pg_depend's letter (n normal, a automatic, i internal, ...)."""

    dependent: Address
    needed: Address
    kind: str


class DependencyGraph:
    """All dependencies of a database, indexed for walking."""

    def __init__(self, dependencies: Iterable[Dependency]) -> None:
        self._needing: dict[tuple[int, int], list[Dependency]] = defaultdict(list)
        self._owners: dict[Address, list[Address]] = defaultdict(list)
        for one in dependencies:
            self._needing[one.needed[:2]].append(one)
            if one.kind == "i":
                self._owners[one.dependent].append(one.needed)

    def falling_with(self, seeds: Iterable[tuple[Address, bool]]) -> set[Address]:
        """Everything that is dropped with the seeds, the seeds included.

        seeds: (address, cascade). Without CASCADE only what the server drops by itself goes along.
        """
        fallen: set[Address] = set()
        waiting = list(seeds)
        cascaded: set[Address] = set()
        while waiting:
            address, cascade = waiting.pop()
            if address in cascaded or (address in fallen and not cascade):
                continue
            fallen.add(address)
            if cascade:
                cascaded.add(address)
            for one in self._needing.get(address[:2], ()):
                hit = address[2] in (0, one.needed[2])
                if hit and (cascade or one.kind in _AUTOMATIC):
                    waiting.append((one.dependent, cascade))
            # What is only a part of something else (a view's rule, a constraint's index) takes that along.
            if cascade or address[2] == 0:
                waiting += [(owner, cascade) for owner in self._owners.get(address, ()) if owner[2] == 0]
        return _without_parts(fallen)


def _without_parts(fallen: set[Address]) -> set[Address]:
    """Columns of a table that falls itself are not named one by one."""
    whole = {address[:2] for address in fallen if address[2] == 0}
    return {address for address in fallen if address[2] == 0 or address[:2] not in whole}
