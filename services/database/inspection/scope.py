"""Knows what a change may have touched: what differs, and what depends on that, bodies included."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from services.database.fingerprint import Fingerprint, difference
from services.database.inspection.catalog import Catalog, Relation, Routine

FEW_ROUTINES = 40
"""A database with no more routines than this has all of them tried: a name may be put together at run time."""

T = TypeVar("T", Relation, Routine)

_OF_RELATION = ("relation", "view", "column", "constraint", "policy", "trigger", "rule")
_NAME = re.compile(r'"((?:[^"]|"")+)"|([a-z_][\w$]*)')


@dataclass(frozen=True)
class Scope:
    """What is to be tried in the changed database. new: names that were not there before; changed: that differ.

    relations, routines: changed, new, or depending on what is changed, new or gone; by name.
    """

    new: frozenset[str]
    changed: frozenset[str]
    relations: dict[str, Relation]
    routines: dict[str, Routine]

    def is_new_or_changed(self, name: str) -> bool:
        return name in self.new or name in self.changed


def scope_of(before: Catalog, after: Catalog, facts_before: Fingerprint, facts_after: Fingerprint) -> Scope:
    """What a change may have touched; facts_before and facts_after are the fingerprints of the two databases."""
    found = difference(facts_before, facts_after)
    names, everywhere = set[str](), False
    for fact in [*found.added, *found.removed, *found.changed]:
        kind, name = _object_of(fact)
        if kind in _OF_RELATION:
            names.add(_relation_named(name, before, after))
        elif kind in ("function", "type"):
            names.add(name)
        elif kind in ("schema", "extension"):
            everywhere = True
    known = after.relations.keys() | after.routines.keys()
    was = before.relations.keys() | before.routines.keys()
    relations = dict(after.relations) if everywhere else {n: r for n, r in after.relations.items() if n in names}
    routines = {n: r for n, r in after.routines.items() if everywhere or n in names}
    _add_dependents(after, names, relations, routines)
    return Scope(frozenset(known - was), frozenset(names & was), _of_app(relations), _of_app(routines))


def _of_app(named: dict[str, T]) -> dict[str, T]:
    return {name: one for name, one in sorted(named.items()) if one.of_app}


def _object_of(fact: str) -> tuple[str, str]:
    """The kind and name of the object that a fact is about: rights and comments are their object's."""
    kind, _, name = fact.partition(" ")
    if kind == "rights":
        kind, _, name = name.partition(" ")
    return kind, name


def _relation_named(name: str, before: Catalog, after: Catalog) -> str:
    """The relation that a fact's name leads to: its own name, or that of the table whose column or policy it is."""
    rest = name
    while "." in rest:
        if rest in after.relations or rest in before.relations:
            return rest
        rest = rest.rpartition(".")[0]
    return name


def bare_name(name: str) -> str:
    """The last part of a qualified name, without quotes and arguments, as a body may write it."""
    parts = [one or two for one, two in _NAME.findall(name.partition("(")[0])]
    return parts[-1].replace('""', '"') if parts else name


def _add_dependents(
    catalog: Catalog, names: Iterable[str], relations: dict[str, Relation], routines: dict[str, Routine]
) -> None:
    words = {bare_name(name) for name in names}
    while True:
        size = len(relations) + len(routines)
        for oid in _reached(catalog, {r.oid for r in relations.values()} | {r.oid for r in routines.values()}):
            if relation := catalog.by_oid.get(oid):
                relations[relation.name] = relation
            if routine := catalog.routine_by_oid.get(oid):
                routines[routine.name] = routine
        words |= {one.table for one in relations.values()}
        routines |= {n: r for n, r in catalog.routines.items() if n not in routines and _mentions(r.body, words)}
        oids = {one.oid for one in routines.values()}
        for trigger in catalog.triggers:
            if trigger.function in oids and (fired := catalog.by_oid.get(trigger.relation)):
                relations[fired.name] = fired
        if size == len(relations) + len(routines):
            break
    of_app = {name: one for name, one in catalog.routines.items() if one.of_app}
    if len(of_app) <= FEW_ROUTINES:
        routines |= of_app


def _reached(catalog: Catalog, start: set[int]) -> set[int]:
    found, open_ends = set(start), list(start)
    while open_ends:
        for user in catalog.uses.get(open_ends.pop(), ()):
            if user not in found:
                found.add(user)
                open_ends.append(user)
    return found


def _mentions(body: str, words: set[str]) -> bool:
    return not words.isdisjoint(re.findall(r"[\w$]+", body.lower())) or any(
        word in body for word in words if not word.islower()
    )
