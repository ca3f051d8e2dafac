"""Knows which changes of rights let strangers in, or give a role more than it had. Pure: facts in, sentences out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.database.dangers.reach import STRANGERS, Level, reach
from services.database.dangers.trail import Facts, Key

_TABLE_VERBS = {"r": "read", "a": "insert", "w": "update", "d": "delete"}
_DANGEROUS_DEFAULTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "CREATE")
_POWERS = ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION", "LOGIN")


@dataclass(frozen=True, slots=True)
class Opened:
    """One change of rights that is a danger: the object, a sentence, the facts that made it, and which rule says so."""

    object: str
    detail: str
    keys: frozenset[Key]
    rule: str = ""


def opened(before: Facts, after: Facts, *, connected_as: str = "") -> list[Opened]:
    """What changed for the worse. connected_as: the role that runs the script, a member of every role that it makes."""
    found: list[Opened] = []
    for find in (_reached, _row_security, _policies, _functions, _owners, _schemas, _defaults, _powers):
        found += [replace(one, rule=find.__name__) for one in find(before, after)]
    return found + list(_memberships(before, after, connected_as))


def _of(facts: Facts, topic: str) -> Mapping[str, Mapping[str, Any]]:
    return {name: fact for (kind, name), fact in facts.items() if kind == topic}


def _reached(before: Facts, after: Facts) -> Iterator[Opened]:
    """Tables and views all of whose rows a stranger can newly reach."""
    old, new = reach(before), reach(after)
    for name, fact in _of(after, "relation").items():
        gained: dict[str, list[str]] = {}
        for role in STRANGERS:
            for command, verb in _TABLE_VERBS.items():
                place = (name, role, command)
                if new.get(place, Level.NONE) is Level.ALL and old.get(place, Level.NONE) is not Level.ALL:
                    gained.setdefault(role, []).append(verb)
        was = _of(before, "relation").get(name)
        if was is not None:
            emptied = {role for role, right in fact["rights"] or [] if right == "TRUNCATE"}
            emptied -= {role for role, right in was["rights"] or [] if right == "TRUNCATE"}
            for role in emptied:
                gained.setdefault(role, []).append("truncate")
            if fact["kind"] == "v" and _shows_more(was, fact):
                for role in STRANGERS:
                    if new.get((name, role, "r")) is Level.ALL:
                        gained.setdefault(role, ["read"])
        if gained:
            yield Opened(name, _reach_words(fact, gained), _keys_of(name, before, after))


def _shows_more(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return bool(set(now["columns"] or ()) - set(was["columns"] or ()))


def _reach_words(fact: Mapping[str, Any], gained: Mapping[str, Sequence[str]]) -> str:
    who = "; ".join(f"{role} can {', '.join(verbs)}" for role, verbs in sorted(gained.items()))
    if fact["kind"] == "v":
        return f"The view runs with its owner's rights, past row-level security: {who} all of it."
    return f"All rows: {who}."


def _keys_of(name: str, *sides: Facts) -> frozenset[Key]:
    """The facts that a table's reach is made of: its own, its policies'."""
    keys: set[Key] = {("relation", name)}
    for facts in sides:
        keys |= {key for key, fact in facts.items() if key[0] == "policy" and fact["relation"] == name}
        if ("relation", name) in facts:
            keys.add(("schema", str(facts["relation", name]["schema"])))
    return frozenset(keys)


def _row_security(before: Facts, after: Facts) -> Iterator[Opened]:
    for name, was in _of(before, "relation").items():
        now = after.get(("relation", name))
        if now is None:
            continue
        keys = frozenset({("relation", name)})
        if was["rls"] and not now["rls"]:
            yield Opened(name, "Row-level security is switched off.", keys)
        elif was["forced"] and not now["forced"]:
            yield Opened(name, "Row-level security no longer binds the table's owner.", keys)


def _policies(before: Facts, after: Facts) -> Iterator[Opened]:
    """Policies that are gone while the table stays: a restriction lifted, or people shut out from their own rows."""
    old, new = reach(before), reach(after)
    for name, was in _of(before, "policy").items():
        table = str(was["relation"])
        relation = after.get(("relation", table))
        if ("policy", name) in after or relation is None or not relation["rls"]:
            continue
        keys = frozenset({("policy", name)})
        if not was["permissive"]:
            yield Opened(table, f"The restricting policy {name.removeprefix(table + '.')} is dropped.", keys)
            continue
        commands = _TABLE_VERBS if was["command"] == "*" else {was["command"]: _TABLE_VERBS[was["command"]]}
        shut = {
            f"{role} ({verb})"
            for role in STRANGERS
            for command, verb in commands.items()
            if old.get((table, role, command)) is Level.SOME
            and new.get((table, role, command), Level.NONE) is Level.NONE
        }
        if shut:
            detail = (
                f"The policy {name.removeprefix(table + '.')} is dropped, which alone let in {', '.join(sorted(shut))}."
            )
            yield Opened(table, detail, keys)


def _functions(before: Facts, after: Facts) -> Iterator[Opened]:
    for name, now in _of(after, "function").items():
        was = before.get(("function", name), {})
        keys = frozenset({("function", name)})
        if not now["definer"] or was == now:
            continue
        if not now["path"] and (not was.get("definer") or was.get("path")):
            detail = (
                "It runs with its owner's rights and has no search_path of its own: a caller puts objects in its way."
            )
            yield Opened(name, detail, keys)
            continue
        callers = set(now["callers"] or ())
        newly = callers - (set(was.get("callers") or ()) if was.get("definer") else set())
        if newly and not now["trigger"]:
            yield Opened(name, f"{', '.join(sorted(newly))} may call it with its owner's rights.", keys)


def _owners(before: Facts, after: Facts) -> Iterator[Opened]:
    owners = {str(fact["owner"]) for fact in before.values() if "owner" in fact}
    for (topic, name), now in after.items():
        if "owner" not in now:
            continue
        was = before.get((topic, name))
        owner = str(now["owner"])
        changed = was is not None and was["owner"] != owner
        if now.get("kind") == "v":
            continue  # a view of a weaker owner shows less, not more
        weak = owner in STRANGERS or (changed and owner not in owners and not _strong(after, owner))
        if weak and (was is None or changed):
            yield Opened(name, f"Its owner is now {owner}, past every policy.", frozenset({(topic, name)}))


def _strong(facts: Facts, role: str) -> bool:
    fact = facts.get(("role", role), {})
    return any(fact.get(power) for power in ("SUPERUSER", "BYPASSRLS", "CREATEROLE"))


def _schemas(before: Facts, after: Facts) -> Iterator[Opened]:
    for name, now in _of(after, "schema").items():
        was = before.get(("schema", name), {})
        new = {role for role, right in now["rights"] or [] if right == "CREATE"}
        new -= {role for role, right in was.get("rights") or [] if right == "CREATE"}
        if new:
            detail = f"{', '.join(sorted(new))} may create objects in it."
            yield Opened(name, detail, frozenset({("schema", name)}))


def _defaults(before: Facts, after: Facts) -> Iterator[Opened]:
    for name, now in _of(after, "default").items():
        was = before.get(("default", name), {})
        given = _pairs(now["rights"]) - _pairs(was.get("rights"))
        wanted = ("EXECUTE",) if now["kind"] == "f" else _DANGEROUS_DEFAULTS
        told = sorted(f"{role} {right}" for role, right in given if right in wanted)
        if told:
            yield Opened(name, f"Whatever is made there later gives {', '.join(told)}.", frozenset({("default", name)}))


def _pairs(rights: Iterable[Sequence[str]] | None) -> set[tuple[str, str]]:
    return {(role, right) for role, right in rights or ()}


def _powers(before: Facts, after: Facts) -> Iterator[Opened]:
    for name, now in _of(after, "role").items():
        was = before.get(("role", name), {})
        gained = [power for power in _POWERS if now[power] and not was.get(power)]
        if gained:
            yield Opened(name, f"The role gains {', '.join(gained)}.", frozenset({("role", name)}))


def _memberships(before: Facts, after: Facts, connected_as: str) -> Iterator[Opened]:
    for name, now in _of(after, "member").items():
        if ("member", name) in before:
            continue
        member, role = str(now["member"]), str(now["role"])
        is_new = ("role", role) not in before and not role.startswith("pg_")
        if is_new and (member == connected_as or not _strong(after, role)):
            continue  # a role that the script makes has nothing that it does not give it itself
        yield Opened(member, f"The role may now act as {role}.", frozenset({("member", name)}))
