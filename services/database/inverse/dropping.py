"""Knows in which order objects can be dropped one by one, and which of them go with another by themselves."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from services.database.definitions.definition import Definition, Definitions
from services.database.definitions.rights import change_rights
from services.database.inverse.alter import rights_of


def drops(definitions: Definitions, keys: AbstractSet[str]) -> list[str]:
    """The statements that drop these, each before what it needs, none that a drop before it has done already.

    What goes with another one of them is only dropped by itself where something that it needs goes first.
    """
    texts: list[str] = []
    waiting: dict[str, Definition] = {}
    went: set[str] = set()
    for definition in reversed(_partitions_go_too([d for d in definitions.ordered if d.key in keys])):
        waiting[definition.key] = definition
        if any(whole in keys for whole in definition.goes_with):
            continue
        going = _going_with(definition.key, waiting)
        for other in [d for key, d in waiting.items() if key not in going and d.needs & going]:
            texts += () if other.goes_with & went else drop_statements(other)
            went |= _going_with(other.key, waiting)
        texts += drop_statements(definition)
        went |= going
        waiting = {key: d for key, d in waiting.items() if key not in went and not d.goes_with & went}
    return texts


def _partitions_go_too(ordered: list[Definition]) -> list[Definition]:
    """The same, with partitions going with the table that they are attached to; none goes with itself."""
    ties: dict[str | None, frozenset[str]] = {d.part_of: d.goes_with for d in ordered if d.kind == "partition"}
    return [replace(d, goes_with=d.goes_with | ties.get(d.key, frozenset()) - {d.key}) for d in ordered]


def _going_with(key: str, waiting: dict[str, Definition]) -> set[str]:
    """The key, and those that go when it is dropped."""
    going = {key}
    while more := {other for other, d in waiting.items() if other not in going and d.goes_with & going}:
        going |= more
    return going


def drop_statements(definition: Definition) -> tuple[str, ...]:
    """What takes one object or property away; nothing for what cannot go alone."""
    if definition.kind == "rights":
        plain = frozenset((who, what, on) for who, what, on in definition.facts["plain"])
        return change_rights(rights_of(definition), plain, definition.facts["on"], definition.facts["column"])
    return (definition.drop,) if definition.drop else ()
