"""Knows how one object is turned back into what it was without being dropped, where the server has a way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.database.definitions.definition import Definition
from services.database.definitions.rights import change_rights

_SET_AGAIN = frozenset(
    {
        *("default", "not null", "owner", "comment", "row security", "forced row security", "replica identity"),
        *("statistics target", "column options", "trigger state", "rule state", "event trigger state", "owned by"),
        *("of type", "clustered", "inheritance", "materialized rows"),
    }
)
"""Properties whose `create` sets them whatever they were."""


def is_same(before: Definition, after: Definition, *, same_database: bool) -> bool:
    """True if the two definitions of one identity make the same thing."""
    if before.kind in ("sequence position", "cannot be written"):
        return True
    if before.kind in ("rights", "default privilege"):
        return rights_of(before) == rights_of(after)
    if before.kind in ("table", "foreign table"):
        names = ("persistence", "partition_key", "relkind")
        if any(before.facts.get(name) != after.facts.get(name) for name in names):
            return False
        anew = same_database and before.oid != after.oid
        return not anew or bool(_plain(before.facts["columns"]) == _plain(after.facts["columns"]))
    if before.kind == "column":
        return all(before.facts[name] == after.facts[name] for name in ("type", "collation", "generated", "expression"))
    return before.create == after.create


def is_anew(before: Definition, after: Definition, *, same_database: bool) -> bool:
    """True if a table was dropped and another one made under its name, so that only making it again gives it back."""
    return same_database and before.kind == "table" and before.oid != after.oid


def alter(before: Definition, after: Definition) -> tuple[str, ...] | None:
    """The statements that turn `after` back into `before` in place; None where it has to be dropped and made again."""
    if before.kind in _SET_AGAIN:
        return before.create
    ways = {
        **{"options": _options, "rights": _rights, "default privilege": _default_privilege, "identity": _identity},
        **{"view": _view, "function": _routine, "procedure": _routine, "sequence": _sequence, "type": _type},
        **{"publication": _publication, "table": _table, "column": _column, "extension": _extension},
        **{"text search configuration": _text_search_configuration},
    }
    way = ways.get(before.kind)
    return way(before, after) if way is not None else None


def _options(before: Definition, after: Definition) -> tuple[str, ...]:
    extra = [name for name in after.facts["options"] if name not in before.facts["options"]]
    alter_to = before.drop.partition(" RESET ")[0] if before.drop else ""
    return (*([f"{alter_to} RESET ({', '.join(extra)})"] if extra else []), *before.create)


def _rights(before: Definition, after: Definition) -> tuple[str, ...]:
    now = rights_of(after, owner=(after.facts["owner"], before.facts["owner"]))
    return change_rights(now, rights_of(before), before.facts["on"], before.facts["column"])


def rights_of(definition: Definition, owner: tuple[str | None, str | None] = (None, None)) -> frozenset[Any]:
    """The rights of a definition; owner: who owned it and who does, whose rights pass from one to the other."""
    was, is_now = owner
    return frozenset(
        (is_now if who == was and is_now else who, what, on) for who, what, on in definition.facts["rights"]
    )


def _default_privilege(before: Definition, after: Definition) -> tuple[str, ...]:
    texts = change_rights(rights_of(after), rights_of(before), before.facts["on"])
    return tuple(f"{before.facts['alter']} {text}" for text in texts)


def _identity(before: Definition, after: Definition) -> tuple[str, ...]:
    texts = [f"ALTER SEQUENCE {before.facts['sequence']} {before.facts['options']}"]
    if before.facts["identity"] != after.facts["identity"]:
        texts.append(f"{before.facts['column']} SET GENERATED {before.facts['identity']}")
    return tuple(texts)


def _view(before: Definition, after: Definition) -> tuple[str, ...] | None:
    was, is_now = _plain(before.facts["columns"]), _plain(after.facts["columns"])
    if was[: len(is_now)] != is_now:
        return None
    return (before.create[0].replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1),)


def _routine(before: Definition, after: Definition) -> tuple[str, ...] | None:
    """In place only where neither the result nor an argument's name changes and no default goes."""
    same = all(
        _plain(before.facts[name]) == _plain(after.facts[name]) for name in ("result", "names", "modes", "routine")
    )
    return before.create if same and (before.facts["defaults"] or 0) >= (after.facts["defaults"] or 0) else None


def _sequence(before: Definition, after: Definition) -> tuple[str, ...] | None:
    return (f"ALTER SEQUENCE {before.identity} {before.facts['options']}",)


def _type(before: Definition, after: Definition) -> tuple[str, ...] | None:
    """A composite type gets its attributes back; enum values that were renamed get their names back."""
    kind = before.facts["type"]
    if kind != after.facts["type"]:
        return None
    if kind == "e":
        was, is_now = dict(before.facts["labels"] or ()), dict(after.facts["labels"] or ())
        if list(was) != list(is_now):
            return None
        pairs = ((is_now[oid], was[oid]) for oid in was if was[oid] != is_now[oid])
        return tuple(
            f"ALTER TYPE {before.identity} RENAME VALUE {_quoted(new)} TO {_quoted(old)}" for new, old in pairs
        )
    if kind == "c":
        return _attributes(before, after)
    return None


def _text_search_configuration(before: Definition, after: Definition) -> tuple[str, ...] | None:
    """The tokens are given the dictionaries of before; another parser is another configuration."""
    make, *mappings = before.create
    if make != after.create[0]:
        return None
    tokens = ", ".join(after.facts["tokens"])
    unmap = [f"ALTER TEXT SEARCH CONFIGURATION {before.identity} DROP MAPPING FOR {tokens}"] if tokens else []
    return (*unmap, *mappings)


def _attributes(before: Definition, after: Definition) -> tuple[str, ...]:
    """One with another name is given its old one back: taken out and added, it would be empty in every row."""
    pairs = attribute_pairs(before, after)
    kept = {now[0]: old for old, now in pairs}
    present = [attribute[0] for attribute in after.facts["attributes"] or ()]
    steps = [f"DROP ATTRIBUTE {name}" for name in present if name not in kept]
    renamed = [(name, old[0]) for name, old in kept.items() if name != old[0]]
    crossed = {name for name, _ in renamed} & {name for _, name in renamed}
    steps += [f"RENAME ATTRIBUTE {name} TO {_aside(name)}" for name, _ in renamed if name in crossed]
    steps += [f"RENAME ATTRIBUTE {_aside(now) if now in crossed else now} TO {old}" for now, old in renamed]
    stands = {old[0]: now for old, now in pairs}
    for name, kind, collation, _ in before.facts["attributes"] or ():
        words = f"{kind}{f' COLLATE {collation}' if collation else ''}"
        if name not in stands:
            steps.append(f"ADD ATTRIBUTE {name} {words}")
        elif (stands[name][1], stands[name][2]) != (kind, collation):
            steps.append(f"ALTER ATTRIBUTE {name} TYPE {words}")
    # Tables made of the type follow it.
    return tuple(f"ALTER TYPE {before.identity} {step} CASCADE" for step in steps)


def attribute_pairs(before: Definition, after: Definition) -> list[tuple[Sequence[Any], Sequence[Any]]]:
    """The attributes that a composite type has on both sides: by number where it is one type, else by name."""
    at = 3 if before.oid and before.oid == after.oid else 0
    now = {attribute[at]: attribute for attribute in after.facts["attributes"] or ()}
    return [(one, now[one[at]]) for one in before.facts["attributes"] or () if one[at] in now]


def is_composite(definition: Definition) -> bool:
    """Whether it is a composite type of its own, no table's."""
    return definition.kind == "type" and definition.facts["type"] == "c"


def is_reordered(before: Definition, after: Definition) -> bool:
    """Whether the attributes of a composite type will stand in another order: what comes back stands last."""
    was = [attribute[0] for attribute in before.facts["attributes"] or ()]
    stay = [old[0] for old, _ in sorted(attribute_pairs(before, after), key=lambda pair: pair[1][3])]
    return [*stay, *(name for name in was if name not in stay)] != was


def _aside(name: str) -> str:
    return '"' + name.strip('"')[:48] + '_in_the_way"'


def _publication(before: Definition, after: Definition) -> tuple[str, ...] | None:
    if before.facts["all_tables"] != after.facts["all_tables"]:
        return None
    return (f"ALTER PUBLICATION {before.identity} SET ({before.facts['options']})",)


def _table(before: Definition, after: Definition) -> tuple[str, ...] | None:
    changed = {name for name in ("partition_key", "relkind") if before.facts.get(name) != after.facts.get(name)}
    if changed or before.oid != after.oid:
        return None
    logged = "SET UNLOGGED" if before.facts["persistence"] == "u" else "SET LOGGED"
    return (f"ALTER TABLE {before.identity} {logged}",)


def _column(before: Definition, after: Definition) -> tuple[str, ...] | None:
    """Another type by a cast of every value; a column that became generated keeps its values."""
    alter_it = f"ALTER TABLE {before.facts['table']} ALTER COLUMN {before.facts['name']}"
    if before.facts["generated"]:
        return None
    if any(key.startswith("column ") for key in after.goes_with):
        return ()  # its parent's change comes down to it
    texts = [f"{alter_it} DROP EXPRESSION"] if after.facts["generated"] == "s" else []
    if after.facts["generated"] == "v":
        return None
    if (before.facts["type"], before.facts["collation"]) != (after.facts["type"], after.facts["collation"]):
        texts.append(retype(before))
    return tuple(texts)


def retype(column: Definition) -> str:
    """Give a column the type of its definition, whatever it has, by way of the values' text where that is safer."""
    kind, name = column.facts["type"], column.facts["name"]
    collation = f" COLLATE {column.facts['collation']}" if column.facts["collation"] else ""
    middle = ("::text[]" if kind.endswith("[]") else "::text") if "." in kind else ""
    table = column.facts["table"]
    return f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind}{collation} USING {name}{middle}::{kind}"


def _extension(before: Definition, after: Definition) -> tuple[str, ...] | None:
    texts: list[str] = []
    if before.facts["space"] != after.facts["space"]:
        texts.append(f"ALTER EXTENSION {before.identity} SET SCHEMA {before.facts['space']}")
    if before.facts["version"] != after.facts["version"]:
        texts.append(f"ALTER EXTENSION {before.identity} UPDATE TO {_quoted(before.facts['version'])}")
    return tuple(texts)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(value: Any) -> Any:
    """Lists for tuples, so that what was kept as JSON compares with what was just read."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
