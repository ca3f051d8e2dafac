"""Knows the SQL of what few schemas have: collations, text search, operators and casts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.database.definitions.draft import (
    CAST,
    COLLATION,
    OPERATOR,
    TEXT_SEARCH_CONFIGURATION,
    TEXT_SEARCH_DICTIONARY,
    Draft,
)
from services.database.definitions.kinds import add_owner
from services.database.names import literal

_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
_CONTEXTS = {"a": " AS ASSIGNMENT", "i": " AS IMPLICIT", "e": ""}


def add_collations(draft: Draft, rows: Iterable[Any]) -> None:
    for row in rows:
        named = f"COLLATION {row.name}"
        text = f"CREATE {named} ({', '.join(_collation(row))})"
        whole = draft.add(
            *("collation", row.name, text, f"DROP {named}"), at=(COLLATION, row.oid, 0), named=named, oid=row.oid,
            needs=[f"schema {row.space}"],
        )  # fmt: skip
        add_owner(draft, whole, row.owner)


def _collation(row: Any) -> list[str]:
    parts = [f"provider = {_PROVIDERS[row.provider]}"]
    if row.provider == "c":
        parts += [f"lc_collate = {literal(row.collate)}", f"lc_ctype = {literal(row.ctype)}"]
    else:
        parts.append(f"locale = {literal(row.locale or row.collate)}")
    parts += [] if row.deterministic else ["deterministic = false"]
    return parts + ([f"rules = {literal(row.rules)}"] if row.rules else [])


def add_text_search(draft: Draft, rows: Iterable[Any]) -> None:
    """Dictionaries and configurations. What a configuration asks of its dictionaries is part of it."""
    for row in rows:
        kind = "text search dictionary" if row.kind == "d" else "text search configuration"
        named = f"{kind.upper()} {row.name}"
        mappings = row.mappings or ()
        if row.kind == "d":
            options = f", {row.options}" if row.options else ""
            texts = [f"CREATE {named} (template = {row.made_of}{options})"]
        else:
            texts = [f"CREATE {named} (parser = {row.made_of})"]
            texts += [f"ALTER {named} ADD MAPPING FOR {token} WITH {asked}" for token, asked in mappings]
        place = (TEXT_SEARCH_DICTIONARY if row.kind == "d" else TEXT_SEARCH_CONFIGURATION, row.oid, 0)
        whole = draft.add(
            *(kind, row.name, texts, f"DROP {named}"), at=place, named=named, oid=row.oid,
            needs=[f"schema {row.space}"], facts={"tokens": [token for token, _ in mappings]},
        )  # fmt: skip
        add_owner(draft, whole, row.owner)


def add_operators(draft: Draft, rows: Iterable[Any]) -> None:
    for row in rows:
        arguments = f"({row.left_type or 'NONE'}, {row.right_type or 'NONE'})"
        named = f"OPERATOR {row.name} {arguments}"
        text = f"CREATE OPERATOR {row.name} ({', '.join(_operator(row))})"
        whole = draft.add(
            *("operator", f"{row.name}{arguments}", text, f"DROP {named}"), at=(OPERATOR, row.oid, 0), named=named,
            oid=row.oid, needs=[f"schema {row.space}"],
        )  # fmt: skip
        add_owner(draft, whole, row.owner)


def _operator(row: Any) -> list[str]:
    told = {
        **{"function": row.function, "leftarg": row.left_type, "rightarg": row.right_type},
        "commutator": f"OPERATOR({row.commutator})" if row.commutator else None,
        "negator": f"OPERATOR({row.negator})" if row.negator else None,
        **{"restrict": row.restrict, "join": row.join},
    }
    parts = [f"{name} = {value}" for name, value in told.items() if value is not None]
    return parts + ["hashes"] * row.hashes + ["merges"] * row.merges


def add_casts(draft: Draft, rows: Iterable[Any]) -> None:
    for row in rows:
        ways = {"f": f"WITH FUNCTION {row.function}", "i": "WITH INOUT", "b": "WITHOUT FUNCTION"}
        named = f"CAST {row.name}"
        text = f"CREATE {named} {ways[row.method]}{_CONTEXTS[row.context]}"
        draft.add("cast", row.name, text, f"DROP {named}", at=(CAST, row.oid, 0), named=named, oid=row.oid)
