"""Knows rights: what an access list says, and the statements that set it, from nothing or from another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.database.definitions.draft import Draft

_WORDS: Mapping[str, str] = {
    **{"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "D": "TRUNCATE", "x": "REFERENCES", "t": "TRIGGER"},
    **{"m": "MAINTAIN", "U": "USAGE", "C": "CREATE", "X": "EXECUTE"},
}
_ITEM = re.compile(r'^(?P<who>"(?:[^"]|"")*"|[^=]*)=(?P<letters>[A-Za-z*]*)/')

Right = tuple[str, str, bool]
"""Who (as SQL names it, or PUBLIC), which privilege, and whether it may be passed on."""


@dataclass(frozen=True, slots=True)
class Roles:
    """How SQL writes each role's name, and who gets rights of itself on new objects, by the kind of object."""

    quoted: Mapping[str, str]
    by_default: Mapping[str, frozenset[str]]
    unsure: frozenset[str]
    known: dict[tuple[str, ...], frozenset[Right]] = field(default_factory=dict, compare=False, repr=False)

    def rights(self, acl: Iterable[str]) -> frozenset[Right]:
        """An access list, as the server writes it, as rights."""
        items = tuple(acl)
        if items not in self.known:
            self.known[items] = self._read(items)
        return self.known[items]

    def _read(self, acl: tuple[str, ...]) -> frozenset[Right]:
        found: set[Right] = set()
        for item in acl:
            match = _ITEM.match(item)
            if match is None:
                raise ValueError(f"not an access item: {item}")
            who = match["who"]
            if who.startswith('"'):
                who = who[1:-1].replace('""', '"')
            name = self.quoted.get(who, f'"{who}"') if who else "PUBLIC"
            found |= {(name, _WORDS[letter], bool(star)) for letter, star in re.findall(r"(\w)(\*?)", match["letters"])}
        return frozenset(found)


def add_rights(
    draft: Draft, roles: Roles, whole: str, on: str, kind: str, acl: Sequence[str] | None, plain: Sequence[str],
    *, column: str | None = None, owner: str | None = None, of_table: str | None = None, unsure: bool = False,
) -> None:  # fmt: skip
    """Add the rights on an object. on: as GRANT names it; kind: as in pg_default_acl; plain: what a new one has, unless
    it is unsure: the schema public of an empty database has others than one that is made."""
    usual = roles.rights(plain)
    rights = usual if acl is None else roles.rights(acl)
    facts = {"rights": sorted(rights), "on": on, "column": column, "owner": owner, "plain": sorted(usual)}
    uncertain = set() if column else set(roles.by_default.get(kind, frozenset()))
    if (kind in roles.unsure or unsure) and column is None:
        uncertain |= {who for who, _, _ in usual} | {"PUBLIC"}
    create = set_rights(rights, usual, uncertain - {owner}, on, column)
    if not create and rights == usual:
        return  # what every new one has
    undo = change_rights(rights, usual, on, column)
    # Rights taken from a table are taken from its columns too: theirs come after.
    first = (f"owner {whole}", f"rights {of_table}") if of_table else (f"owner {whole}",)
    draft.property_of(whole, "rights", create, "; ".join(undo) or None, comes_after=first, facts=facts)


def set_rights(
    rights: frozenset[Right], plain: frozenset[Right], uncertain: set[str], on: str, column: str | None = None
) -> tuple[str, ...]:
    """The statements that give a new object just these rights. uncertain: roles that may have got any by default."""
    reset = {who for who in {w for w, _, _ in plain} if _of(plain, who) - _of(rights, who)} | uncertain
    texts = [f"REVOKE ALL{_columns(column)} ON {on} FROM {', '.join(sorted(reset))}"] if reset else []
    have = frozenset(right for right in plain if right[0] not in reset)
    return (*texts, *_grants(rights - have, on, column))


def change_rights(
    now: frozenset[Right], wanted: frozenset[Right], on: str, column: str | None = None
) -> tuple[str, ...]:
    """The statements that turn the rights there are into those wanted."""
    kept = {(who, what) for who, what, _ in wanted}
    lost: dict[str, list[str]] = {}
    weaker: dict[str, list[str]] = {}
    for who, what, passed_on in sorted(now - wanted):
        if (who, what) not in kept:
            lost.setdefault(who, []).append(what)
        elif passed_on:
            weaker.setdefault(who, []).append(what)
    texts = [f"REVOKE {_words(words, column)} ON {on} FROM {who}" for who, words in lost.items()]
    texts += [f"REVOKE GRANT OPTION FOR {_words(words, column)} ON {on} FROM {who}" for who, words in weaker.items()]
    held = {(who, what) for who, what, _ in now}
    missing = frozenset((w, p, g) for w, p, g in wanted - now if g or (w, p) not in held)
    return (*texts, *_grants(missing, on, column))


def _grants(rights: frozenset[Right], on: str, column: str | None) -> list[str]:
    by_who: dict[tuple[str, bool], list[str]] = {}
    for who, what, passed_on in sorted(rights):
        by_who.setdefault((who, passed_on), []).append(what)
    return [
        f"GRANT {_words(words, column)} ON {on} TO {who}{' WITH GRANT OPTION' if passed_on else ''}"
        for (who, passed_on), words in by_who.items()
    ]


def _of(rights: frozenset[Right], who: str) -> set[tuple[str, bool]]:
    return {(what, passed_on) for name, what, passed_on in rights if name == who}


def _words(words: Sequence[str], column: str | None) -> str:
    return ", ".join(f"{word}{_columns(column)}" for word in words)


def _columns(column: str | None) -> str:
    return f" ({column})" if column else ""
