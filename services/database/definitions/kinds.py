"""Knows the SQL of schemas, extensions, types, routines, statistics and what else stands beside the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from services.database.definitions.draft import (
    EVENT_TRIGGER,
    EXTENSION,
    NAMESPACE,
    ROUTINE,
    STATISTICS,
    TYPE,
    Draft,
)
from services.database.definitions.rights import Roles, add_rights
from services.database.names import literal

_ROUTINES = {"f": ("function", "FUNCTION"), "w": ("function", "FUNCTION"), "p": ("procedure", "PROCEDURE")}
_AGGREGATE = ("aggregate", "AGGREGATE")
_STATES = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def add_owner(draft: Draft, whole: str, owner: str, facts: dict[str, Any] | None = None) -> None:
    """Add to whom an object belongs."""
    create = f"ALTER {draft.named[whole]} OWNER TO {owner}"
    draft.property_of(whole, "owner", create, None, facts={"owner": owner, **(facts or {})})


def add_schemas(draft: Draft, roles: Roles, rows: Iterable[Any]) -> None:
    for row in rows:
        text = f"CREATE SCHEMA {'IF NOT EXISTS ' if row.name == 'public' else ''}{row.name}"
        on = f"SCHEMA {row.name}"
        whole = draft.add("schema", row.name, text, f"DROP {on}", at=(NAMESPACE, row.oid, 0), named=on, oid=row.oid)
        add_owner(draft, whole, row.owner)
        add_rights(draft, roles, whole, on, "n", row.acl, row.plain, owner=row.owner, unsure=row.name == "public")


def add_extensions(draft: Draft, rows: Iterable[Any]) -> None:
    for row in rows:
        text = f"CREATE EXTENSION IF NOT EXISTS {row.name} WITH SCHEMA {row.space} VERSION {literal(row.version)}"
        named = f"EXTENSION {row.name}"
        facts = {"version": row.version, "space": row.space}
        draft.add(
            *("extension", row.name, text, f"DROP {named}"), at=(EXTENSION, row.oid, 0), named=named, oid=row.oid,
            needs=[f"schema {row.space}"], facts=facts,
        )  # fmt: skip


def add_types(draft: Draft, roles: Roles, rows: Iterable[Any]) -> None:
    """Enums, composites, ranges and domains, with what can be set on each."""
    writers: dict[str, Callable[[Any], str]] = {"e": _enum, "c": _composite, "r": _range}
    for row in rows:
        kind, word = ("domain", "DOMAIN") if row.kind == "d" else ("type", "TYPE")
        text = _domain(row) if row.kind == "d" else writers[row.kind](row)
        named = f"{word} {row.name}"
        facts = {"type": row.kind, "labels": row.labels, "attributes": row.attributes, "base": row.base}
        whole = draft.add(
            *(kind, row.name, text, f"DROP {named}"), at=(TYPE, row.oid, 0), named=named, oid=row.oid,
            needs=[f"schema {row.space}"], facts=facts,
        )  # fmt: skip
        if row.range is not None:
            draft.places[TYPE, row.range["multirange"], 0] = whole
        if row.kind == "d":
            if row.default is not None:
                draft.property_of(
                    whole, "default", f"ALTER {named} SET DEFAULT {row.default}", f"ALTER {named} DROP DEFAULT"
                )
            if row.not_null:
                draft.property_of(whole, "not null", f"ALTER {named} SET NOT NULL", f"ALTER {named} DROP NOT NULL")
        add_owner(draft, whole, row.owner)
        add_rights(draft, roles, whole, f"TYPE {row.name}", "T", row.acl, row.plain, owner=row.owner)


def _enum(row: Any) -> str:
    return f"CREATE TYPE {row.name} AS ENUM ({', '.join(literal(label) for _, label in row.labels or ())})"


def _composite(row: Any) -> str:
    parts = (f"{name} {kind}{f' COLLATE {coll}' if coll else ''}" for name, kind, coll, _ in row.attributes or ())
    return f"CREATE TYPE {row.name} AS ({', '.join(parts)})"


def _range(row: Any) -> str:
    parts = (f"{name} = {value}" for name, value in row.range.items() if value is not None and name != "multirange")
    return f"CREATE TYPE {row.name} AS RANGE ({', '.join(parts)})"


def _domain(row: Any) -> str:
    return f"CREATE DOMAIN {row.name} AS {row.base}{f' COLLATE {row.collation}' if row.collation else ''}"


def add_routines(draft: Draft, roles: Roles, rows: Iterable[Any]) -> None:
    for row in rows:
        kind, word = _ROUTINES.get(row.kind, _AGGREGATE)
        named = f"{word} {row.called}"
        facts = {
            **{"result": row.result, "names": row.argument_names, "defaults": row.defaults, "modes": row.modes},
            **{"routine": row.kind, "language": row.language, "short": row.short},
        }
        text = row.text.rstrip() if row.text is not None else _aggregate(row)
        # The constructors of a range come with their type, but have an owner and rights.
        origin = draft.places.get((TYPE, row.of_type, 0)) if row.of_type else None
        whole = draft.add(
            *(kind, row.name, () if origin else text, None if origin else f"DROP {named}"), at=(ROUTINE, row.oid, 0),
            named=named, oid=row.oid, needs=[f"schema {row.space}"], facts=facts, part_of=origin,
            made_with=[origin] if origin else [],
        )  # fmt: skip
        add_owner(draft, whole, row.owner)
        on = f"{'PROCEDURE' if kind == 'procedure' else 'FUNCTION'} {row.called.replace(' ORDER BY ', ', ')}"
        add_rights(draft, roles, whole, on, "f", row.acl, row.plain, owner=row.owner)


def _aggregate(row: Any) -> str:
    has = dict(row.aggregate)
    kind = has.pop("kind")
    has.pop("direct")
    modify = {"r": "READ_ONLY", "s": "SHAREABLE", "w": "READ_WRITE"}
    parallel = {"s": "SAFE", "r": "RESTRICTED", "u": "UNSAFE"}
    parts: list[str] = []
    for name, value in has.items():
        if value is None or value is False or (name in ("sspace", "msspace") and not value):
            continue
        if name.endswith("_modify"):
            if has.get(name.removesuffix("_modify")):
                parts.append(f"{name} = {modify[value]}")
        elif name == "parallel":
            parts.append(f"parallel = {parallel[value]}")
        elif name in ("initcond", "minitcond"):
            parts.append(f"{name} = {literal(value)}")
        elif name == "sortop":
            parts.append(f"sortop = {value if '.' not in value else f'OPERATOR({value})'}")
        else:
            parts.append(name if value is True else f"{name} = {value}")
    if kind == "h":
        parts.append("hypothetical")
    arguments = row.called.removeprefix(row.short)
    return f"CREATE AGGREGATE {row.short}{'(*)' if arguments == '()' else arguments} ({', '.join(parts)})"


def add_statistics(draft: Draft, tables: dict[int, str], rows: Iterable[Any]) -> None:
    for row in rows:
        if row.relation not in tables:
            continue
        named = f"STATISTICS {row.name}"
        whole = draft.add(
            *("statistics", row.name, row.text, f"DROP {named}"), at=(STATISTICS, row.oid, 0), named=named, oid=row.oid,
            part_of=tables[row.relation], needs=[f"schema {row.space}"],
        )  # fmt: skip
        if row.target is not None:
            set_to = f"ALTER {named} SET STATISTICS"
            draft.property_of(whole, "statistics target", f"{set_to} {row.target}", f"{set_to} -1")
        add_owner(draft, whole, row.owner)


def add_event_triggers(draft: Draft, rows: Iterable[Any]) -> None:
    for row in rows:
        named = f"EVENT TRIGGER {row.name}"
        tags = f" WHEN TAG IN ({', '.join(literal(tag) for tag in row.tags)})" if row.tags else ""
        text = f"CREATE {named} ON {row.event}{tags} EXECUTE FUNCTION {row.function}()"
        place = (EVENT_TRIGGER, row.oid, 0)
        whole = draft.add("event trigger", row.name, text, f"DROP {named}", at=place, named=named, oid=row.oid)
        if row.state != "O":
            state = f"ALTER {named} {_STATES[row.state]}"
            draft.property_of(whole, "event trigger state", state, f"ALTER {named} ENABLE")
        add_owner(draft, whole, row.owner)


def add_unwritable(draft: Draft, rows: Iterable[Any]) -> None:
    """What is there and for which no SQL is written here; what needs it can still be told, and it can be dropped."""
    for row in rows:
        identity = f"{row.what.lower()} {row.name}"
        drop = f"DROP {row.what.upper().replace('-', ' ')} {row.name}"
        draft.add("cannot be written", identity, (), drop, at=(row.classid, row.objid, 0), oid=row.objid)


def add_comments(draft: Draft, rows: Iterable[Any]) -> None:
    for row in rows:
        place = (row.classoid, row.objoid, row.objsubid)
        whole = draft.places.get(place)
        named = draft.named_within.get(place) or draft.named.get(whole or "")
        if whole is None or named is None:
            continue
        on = f"COMMENT ON {named} IS"
        draft.property_of(whole, "comment", f"{on} {literal(row.description)}", f"{on} NULL", identity=named)
