"""Knows how definitions are gathered while a catalog is read, and how the server's dependencies tie them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.database.definitions.definition import Definition, Definitions
from services.database.names import literal

Address = tuple[int, int, int]
"""Class, object and column number, as in pg_depend."""

NAMESPACE, CLASS, TYPE, ROUTINE, CONSTRAINT, DEFAULT = 2615, 1259, 1247, 1255, 2606, 2604
REWRITE, TRIGGER, POLICY, STATISTICS, EXTENSION = 2618, 2620, 3256, 3381, 3079
PUBLICATION, EVENT_TRIGGER = 6104, 3466
COLLATION, TEXT_SEARCH_DICTIONARY, TEXT_SEARCH_CONFIGURATION, OPERATOR, CAST = 3456, 3600, 3602, 2617, 2605


_NONE: frozenset[str] = frozenset()


class Draft:
    """Definitions under way: what there is, where in the catalog it stands, and what it was said to need.

    named: what COMMENT ON calls each; named_within: the same for what is no definition itself, such as the index of a
    constraint.
    """

    def __init__(self) -> None:
        self.places: dict[Address, str] = {}
        self.named: dict[str, str] = {}
        self.named_within: dict[Address, str] = {}
        self._made: dict[str, dict[str, Any]] = {}
        self._needs: dict[str, set[str]] = {}
        self._after: dict[str, set[str]] = {}
        self._wholes: dict[str, frozenset[str]] = {}

    def add(
        self,
        kind: str,
        identity: str,
        create: str | Sequence[str],
        drop: str | None,
        *,
        at: Address | None = None,
        named: str | None = None,
        needs: Iterable[str] = (),
        comes_after: Iterable[str] = (),
        part_of: str | None = None,
        **more: Any,
    ) -> str:
        """Add one definition and return its key. at: where it stands; named: what COMMENT ON calls it; more: the other
        fields of `Definition`."""
        key = f"{kind} {identity}"
        texts = ((create,) if create else ()) if isinstance(create, str) else tuple(create)
        wholes = more.pop("goes_with", ())
        if part_of is not None:
            more["part_of"] = part_of
            wholes = {part_of, *wholes}
        if made_with := more.pop("made_with", ()):
            more["made_with"] = frozenset(made_with)
        self._made[key] = {"kind": kind, "identity": identity, "create": texts, "drop": drop, **more}
        self._wholes[key] = frozenset(wholes)
        self._needs[key] = {part_of, *needs} if part_of is not None else set(needs)
        if comes_after:
            self._after[key] = set(comes_after)
        if at is not None:
            self.places[at] = key
        if named is not None:
            self.named[key] = named
        return key

    def property_of(self, whole: str, kind: str, create: str | Sequence[str], drop: str | None, **more: Any) -> str:
        """Add a property of a definition; identity and ownership follow from the whole."""
        return self.add(
            kind, whole if "identity" not in more else more.pop("identity"), create, drop, part_of=whole, **more
        )

    def after(self, key: str, other: str) -> None:
        """Say that `key` is made after `other`, where both are."""
        self._after.setdefault(key, set()).add(other)

    def revise(self, key: str, **fields: Any) -> None:
        """Set fields of a definition anew."""
        self._made[key].update(fields)

    def goes_with(self, key: str, other: str) -> None:
        """Say that removing `other` takes `key` along."""
        self._wholes[key] |= {other}

    def has(self, key: str) -> bool:
        return key in self._made

    def need(self, key: str, other: str) -> None:
        """Say that `key` needs `other`."""
        if key != other and key in self._needs:
            self._needs[key].add(other)

    def parts_of_tables(self, tables: Iterable[str]) -> list[tuple[str, str, str]]:
        """Key, kind and table of everything that is part of one of these tables."""
        known = frozenset(tables)
        return [(k, made["kind"], made["part_of"]) for k, made in self._made.items() if made.get("part_of") in known]

    def fact(self, key: str, name: str) -> Any:
        """A fact of a definition, None where it has none of the name."""
        return self._made[key].get("facts", {}).get(name)

    def tie(self, dependencies: Sequence[tuple[int, int, int, int, int, int, str]]) -> None:
        """Turn the server's dependencies into needs. What is internal to another object counts as that object."""
        inner = [row for row in dependencies if row[6] in "ie"]
        for _ in range(3):
            for row in inner:
                owner = self.places.get((row[3], row[4], row[5])) or self.places.get((row[3], row[4], 0))
                if owner is not None:
                    self.places.setdefault((row[0], row[1], row[2]), owner)
        for class_id, object_id, column, ref_class, ref_id, ref_column, bond in dependencies:
            if bond == "e":
                continue
            key = self.places.get((class_id, object_id, column)) or self.places.get((class_id, object_id, 0))
            need = self.places.get((ref_class, ref_id, ref_column)) or self.places.get((ref_class, ref_id, 0))
            if key is None or need is None or key == need or self._is_bond_of_its_own(key, need, bond):
                continue
            self.need(key, need)
            if bond == "a" and key.startswith("index ") and need.startswith("column "):
                self.goes_with(key, need)
            table = self._made[key].get("part_of") if key.startswith("column ") else None
            if table is not None and table != need and not need.startswith(f"column {table.partition(' ')[2]}."):
                self.after(table, need)

    def _is_bond_of_its_own(self, key: str, need: str, bond: str) -> bool:
        """A sequence owned by a column, a partition of its table: those ties are definitions themselves."""
        if key.startswith("sequence "):
            return bond in "ai" and need.startswith(("column ", "table "))
        return bond == "a" and key.startswith(("table ", "foreign table ")) and need.startswith("table ")

    def finish(self) -> Definitions:
        """What was gathered; needs that name nothing here are left out."""
        made: dict[str, Definition] = {}
        known = self._made.keys()
        for key, fields in self._made.items():
            needs = frozenset(self._needs[key] & known)
            after = frozenset((self._after[key] & known) - needs) if key in self._after else _NONE
            made[key] = Definition(needs=needs, comes_after=after, goes_with=self._wholes[key], **fields)
        return Definitions(made)


def option_list(options: Iterable[str] | None, prefix: str = "") -> dict[str, str]:
    """Storage options as the catalog has them ("fillfactor=70") by name; the values still without quotes."""
    return {f"{prefix}{name}": value for name, _, value in (option.partition("=") for option in options or ())}


def settings(options: Mapping[str, str]) -> str:
    """Options as a list for SET or WITH, each value a constant."""
    return ", ".join(f"{name}={literal(value)}" for name, value in options.items())
