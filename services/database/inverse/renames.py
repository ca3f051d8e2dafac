"""Knows which objects only bear another name or stand in another schema, and how they get the old one back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from services.database.definitions.definition import RANK, Definition, Definitions

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[^\W\d"][\w$]*)'
_NAME = re.compile(rf"(?:({_IDENTIFIER})\.)?({_IDENTIFIER})")
_IN_A_SCHEMA = frozenset(
    {
        *("table", "foreign table", "view", "materialized view", "sequence", "index", "type", "domain", "statistics"),
        *("collation", "text search dictionary", "text search configuration"),
    }
)
_RELATIONS = ("table", "foreign table", "view", "materialized view", "sequence", "index")
"""No two of these have one name."""
_ROUTINES = frozenset({"function", "procedure", "aggregate"})
_ON_A_TABLE = frozenset({"constraint", "foreign key", "trigger", "policy", "rule"})
_RENAMED = frozenset({"schema", "column", "publication", "event trigger"}) | _IN_A_SCHEMA | _ROUTINES | _ON_A_TABLE
_AWAY = "_in_the_way"
_STRINGS = tuple(f.name for f in fields(Definition) if f.name not in ("kind", "oid", "number"))
_START, _END = r'(?<![\w"$.])', r'(?![\w"$])'


@dataclass(frozen=True, slots=True)
class Renaming:
    """The statements that give old names back, and the definitions as they are after that."""

    statements: tuple[str, ...]
    after: Definitions


def rename_back(before: Definitions, after: Definitions) -> Renaming:
    """Names that changed from `before` to `after`, told by the same object under another identity, changed back.

    Where a new object has the name now, it is moved out of the way first. What the texts of other definitions say
    follows by the same replacement, which may leave a text in another form than the server would write.
    """
    statements: list[str] = []
    seen: set[tuple[str, int, int]] = set()
    ordered = sorted((d for d in before if d.kind in _RENAMED and d.oid), key=_outer_first)
    for old in ordered:
        mark = (old.kind, old.oid, old.number)
        now = after.by_place.get(mark)
        if now is None or now.key == old.key or mark in seen:
            continue
        seen.add(mark)
        taken = _under_its_name(after, old)
        if taken is not None and (taken.oid, taken.number) != (old.oid, old.number):
            away = _moved_away(taken)
            statements += _statements(taken, away)
            after = _renamed(after, taken, away)
            now = after.by_place[mark]
        home = before.by_key.get(f"schema {name_of(old)[0]}")
        if home is not None and home.key not in after.by_key:
            statements += home.create
            after = Definitions.of((*after, home))
        # The columns of a table that is made of a type are renamed with the type's attributes.
        follows = now.kind == "column" and f"of type {now.part_of}" in after.by_key
        statements += () if follows else _statements(now, old)
        after = _renamed(after, now, old)
    return Renaming(tuple(statements), after)


def _under_its_name(after: Definitions, old: Definition) -> Definition | None:
    """What has the name now: a relation of whatever kind, where it is one."""
    kinds = _RELATIONS if old.kind in _RELATIONS else (old.kind,)
    return next((found for kind in kinds if (found := after.by_key.get(f"{kind} {old.identity}"))), None)


def relations_of_one_name(definitions: Definitions) -> tuple[Definition, Definition] | None:
    """Two relations of different kinds that are to have the same name, which cannot be."""
    seen: dict[str, Definition] = {}
    for one in definitions:
        if one.kind in _RELATIONS and seen.setdefault(one.identity, one) is not one:
            return seen[one.identity], one
    return None


def _outer_first(definition: Definition) -> tuple[float, str]:
    """Schemas, then what stands in them, then columns, then what hangs on tables."""
    rank = RANK["materialized view"] + 0.5 if definition.kind == "column" else RANK[definition.kind]
    return rank, definition.key


def name_of(definition: Definition) -> tuple[str, str]:
    """Schema and name of an object as SQL writes them; the schema is empty for what stands in none."""
    if definition.kind == "column":
        return "", str(definition.facts["name"])
    match = _NAME.match(definition.identity)
    return (match[1] or "", match[2]) if match else ("", definition.identity)


def _moved_away(taken: Definition) -> Definition:
    """The same object under a name that nothing has."""
    space, name = name_of(taken)
    bare = name[1:-1] if name.startswith('"') else name
    wanted = f'"{bare[: 63 - len(_AWAY)]}{_AWAY}"' if name.startswith('"') else f"{bare[: 63 - len(_AWAY)]}{_AWAY}"
    rest = taken.identity[len(f"{space}.{name}" if space else name) :]
    if taken.kind == "column":
        identity = taken.identity.removesuffix(name) + wanted
        return replace(taken, identity=identity, facts={**taken.facts, "name": wanted})
    return replace(taken, identity=f"{space}.{wanted}{rest}" if space else f"{wanted}{rest}")


def _statements(now: Definition, wanted: Definition) -> tuple[str, ...]:
    """What gives an object the identity wanted."""
    (space_now, name_now), (space, name) = name_of(now), name_of(wanted)
    rename = f"RENAME TO {name}"
    if now.kind == "column":
        above = any(key.startswith("column ") for key in now.goes_with)
        table = now.facts["table"]
        return () if above or name_now == name else (f"ALTER TABLE {table} RENAME COLUMN {name_now} TO {name}",)
    if now.kind in _ON_A_TABLE:
        table = now.identity.partition(" on ")[2]
        above = any(key.startswith(("constraint ", "trigger ")) for key in now.goes_with)
        if name_now == name or above:
            return ()
        if now.kind in ("constraint", "foreign key"):
            alter = f"ALTER {'DOMAIN' if 'domain' in (now.part_of or '')[:6] else 'TABLE'} {table}"
            return (f"{alter} RENAME CONSTRAINT {name_now} TO {name}",)
        return (f"ALTER {now.kind.upper()} {name_now} ON {table} {rename}",)
    word, texts = now.kind.upper(), []
    called = _called(now, space_now, name_now)
    follows = now.kind == "index" or (now.kind == "sequence" and any(k.startswith("column ") for k in now.goes_with))
    if space_now != space and not follows:
        texts.append(f"ALTER {word} {called} SET SCHEMA {space}")
    if name_now != name:
        texts.append(f"ALTER {word} {_called(now, space, name_now)} {rename}")
    return tuple(texts)


def _called(definition: Definition, space: str, name: str) -> str:
    """The object as ALTER names it, under another schema or name."""
    qualified = f"{space}.{name}" if space else name
    if definition.kind not in _ROUTINES or definition.drop is None:
        return qualified
    return qualified + definition.drop[definition.drop.index("(") :]


def _renamed(definitions: Definitions, now: Definition, wanted: Definition) -> Definitions:
    """The definitions with one object's new identity in place of its old one, wherever they speak of it."""
    (space_now, name_now), (space, name) = name_of(now), name_of(wanted)
    if now.kind == "schema":
        pattern = (
            rf"{_START}{re.escape(name_now)}(?=\.)|(?:(?<=SCHEMA )|(?<=schema )|(?<= in )){re.escape(name_now)}{_END}"
        )
        everywhere = _replacing(pattern, name, only_with=name_now)
    elif now.kind in _IN_A_SCHEMA | _ROUTINES:
        everywhere = _replacing(
            rf"{_START}{re.escape(f'{space_now}.{name_now}')}{_END}", f"{space}.{name}", only_with=name_now
        )
        if now.kind == "table" and space_now != space:
            definitions = _with_indexes_moved(definitions, now, space_now, space)
    else:
        everywhere = _replacing(rf"{_START}{re.escape(now.identity)}{_END}", wanted.identity, only_with=name_now)
    bare = _replacing(rf'(?<![\w"$]){re.escape(name_now)}{_END}', name, only_with=name_now)
    spoken_of = now.kind in _ON_A_TABLE | {"column", "index", "publication", "event trigger"}
    found: list[Definition] = []
    for definition in definitions:
        own = definition.key == now.key
        changed = _with_strings(definition, everywhere)
        if (spoken_of and (own or now.key in definition.needs)) or (
            now.kind == "column" and definition.key == now.part_of
        ):
            changed = _with_texts(changed, bare)
        if own:
            changed = replace(changed, identity=wanted.identity)
        found.append(changed)
    return Definitions.of(found)


def _with_indexes_moved(definitions: Definitions, table: Definition, space_now: str, space: str) -> Definitions:
    """What goes from schema to schema with its table: indexes, those of constraints too, and the columns' sequences."""
    inside = {table.key, *(d.key for d in definitions if d.part_of == table.key)}
    for moved in [d for d in definitions if d.kind in ("constraint", "index", "sequence") and d.goes_with & inside]:
        name = name_of(moved)[1]
        move = _replacing(rf"{_START}{re.escape(f'{space_now}.{name}')}{_END}", f"{space}.{name}", only_with=name)
        # Only comments speak of a constraint's index by a name in a schema.
        found = (
            _with_strings(d, move) if moved.kind != "constraint" or d.kind == "comment" else d for d in definitions
        )
        definitions = Definitions.of(found)
    return definitions


def _replacing(pattern: str, text: str, *, only_with: str) -> Callable[[str], str]:
    """A replacement that leaves alone, quickly, what does not have `only_with` in it."""
    compiled = re.compile(pattern)
    return lambda string: compiled.sub(lambda _match: text, string) if only_with in string else string


def _with_strings(definition: Definition, change: Callable[[str], str]) -> Definition:
    """The definition with every string of it changed, save its kind."""
    values = {name: getattr(definition, name) for name in _STRINGS}
    changed = {name: _changed(value, change) for name, value in values.items()}
    return replace(definition, **changed) if changed != values else definition


def _with_texts(definition: Definition, change: Callable[[str], str]) -> Definition:
    """The definition with its SQL and facts changed, its identity and ties as they are."""
    return replace(
        definition,
        create=_changed(definition.create, change),
        drop=_changed(definition.drop, change),
        facts=_changed(definition.facts, change),
    )


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _changed(item, change) for key, item in value.items()}
    if isinstance(value, frozenset):
        return frozenset(_changed(item, change) for item in value)
    if isinstance(value, tuple | list):
        return type(value)(_changed(item, change) for item in value)
    return value
