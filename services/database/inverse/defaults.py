"""Knows what objects that are made again get by default privileges that come back, and how they are rid of it."""

from __future__ import annotations

from collections.abc import Mapping

from services.database.definitions.definition import Definition, Definitions
from services.database.inverse.alter import rights_of

_LIKE_TABLES = frozenset({"table", "foreign table", "view", "materialized view"})
_ROUTINES = frozenset({"function", "procedure"})

Grantees = Mapping[str, frozenset[str]]
"""Who gets rights on new objects, by what default privileges call them."""


def regained(before: Definitions, after: Definitions) -> Grantees:
    """Who gets rights on new objects again, and did not while `after` was read: its rights are worded without them."""
    found: dict[str, frozenset[str]] = {}
    for old in before:
        if old.kind == "default privilege":
            now = after.by_key.get(old.key)
            usual = {(who, what, on) for who, what, on in old.facts["plain"]}
            more = rights_of(old) - usual - (rights_of(now) if now is not None else frozenset())
            found[old.facts["on"]] = found.get(old.facts["on"], frozenset()) | {who for who, _, _ in more} - {"PUBLIC"}
    return found


def without(grantees: Grantees, definition: Definition) -> tuple[str, ...]:
    """What takes from an object just made all that these got by default; its own rights are given after that."""
    if definition.kind in _LIKE_TABLES:
        kind, on = "TABLES", f"TABLE {definition.identity}"
    elif definition.kind == "sequence":
        kind, on = "SEQUENCES", f"SEQUENCE {definition.identity}"
    elif definition.kind in _ROUTINES and definition.drop:
        kind, on = "FUNCTIONS", definition.drop.removeprefix("DROP ")
    else:
        return ()
    who = grantees.get(kind)
    return (f"REVOKE ALL ON {on} FROM {', '.join(sorted(who))}",) if who else ()
