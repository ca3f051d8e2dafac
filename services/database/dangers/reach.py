"""Knows what strangers reach by the catalog: which rows of which table, by grant, schema, policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from services.database.dangers.trail import Facts

STRANGERS = ("public", "anon", "authenticated")
"""PUBLIC is every role there is; by the other two the outside comes."""

_PRIVILEGES = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


class Level(IntEnum):
    """How many of a relation's rows a role reaches with one command."""

    NONE = 0
    SOME = 1
    ALL = 2


def reach(facts: Facts) -> dict[tuple[str, str, str], Level]:
    """By (relation, role, command): command r, a, w or d as in pg_policy. Levels of NONE are left out."""
    usable = {
        name: {role for role, right in fact["rights"] or [] if right == "USAGE"}
        for (topic, name), fact in facts.items()
        if topic == "schema"
    }
    policies: dict[str, list[Mapping[str, Any]]] = {}
    for (topic, _), fact in facts.items():
        if topic == "policy":
            policies.setdefault(str(fact["relation"]), []).append(fact)
    found = {}
    for (topic, name), fact in facts.items():
        if topic != "relation":
            continue
        for role in STRANGERS:
            for command in _PRIVILEGES:
                level = _level(fact, usable.get(str(fact["schema"]), set()), policies.get(name, ()), role, command)
                if level:
                    found[name, role, command] = level
    return found


def _level(
    fact: Mapping[str, Any], usable: set[str], policies: Sequence[Mapping[str, Any]], role: str, command: str
) -> Level:
    me = {role, "public"}
    held = [*(fact["rights"] or ()), *(fact["column_rights"] or ())]
    if not usable & me or not any(who in me and right == _PRIVILEGES[command] for who, right in held):
        return Level.NONE
    if fact["kind"] == "v" and fact["invoker"]:
        return Level.NONE  # its base tables decide
    if fact["kind"] not in ("r", "p") or not fact["rls"]:
        return Level.ALL
    return _by_policies(policies, me, command)


def _by_policies(policies: Sequence[Mapping[str, Any]], me: set[str], command: str) -> Level:
    mine = [one for one in policies if one["command"] in ("*", command) and set(one["roles"]) & me]
    allowing = [one for one in mine if one["permissive"]]
    if not allowing:
        return Level.NONE
    whole = any(_condition(one, command) == "true" for one in allowing)
    restricted = any(_condition(one, command) != "true" for one in mine if not one["permissive"])
    return Level.ALL if whole and not restricted else Level.SOME


def _condition(policy: Mapping[str, Any], command: str) -> str:
    """What a row must fulfil: of new rows the check counts, where there is one."""
    if command == "a" and policy["check"] is not None:
        return str(policy["check"])
    return str(policy["using"] if policy["using"] is not None else policy["check"])
