"""Knows why an expression is not immutable, as an index or a generated column wants it, and which form would be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from services.database.parser import expression_sql

Columns = Mapping[str, str]
"""Type by column name, as the server writes types ("timestamp with time zone")."""

TABLE = Path(__file__).parent / "volatility.json"
_SHORT = {
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "varchar": "character varying",
    "bpchar": "character",
    "bool": "boolean",
    "float8": "double precision",
    "float4": "real",
    "decimal": "numeric",
}
_TEXTS = ("text", "character varying", "character", "name")
_ZONED, _PLAIN = "timestamp with time zone", "timestamp without time zone"


@dataclass(frozen=True, slots=True)
class NotImmutable:
    """A part of an expression whose result may change. instead: a form that does not, where there is one.

    certain: False where a column's type is not known, and only some types would be trouble.
    """

    part: str
    why: str
    instead: str
    certain: bool = True


def not_immutable(expression: Any, columns: Columns, major: int) -> list[NotImmutable]:
    """What in an expression (a node of the parse tree) is not immutable on servers of that major."""
    return list(_Reader(columns, _facts(major)).read(expression)[1])


def type_name(name: str) -> str:
    """A type as the server writes it, without length: "timestamptz" is "timestamp with time zone"."""
    bare = name.strip().lower().removeprefix("pg_catalog.")
    head, opened, tail = bare.partition("(")
    if opened:
        bare = head.strip() + (tail.partition(")")[2] and " " + tail.partition(")")[2].strip())
    return _SHORT.get(bare, bare)


@cache
def _facts(major: int) -> Mapping[str, Mapping[str, Any]]:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    majors = table.pop("majors")
    at = str(min(majors, key=lambda known: (abs(known - major), known)))
    return {part: {name: _at(value, at) for name, value in facts.items()} for part, facts in table.items()}


def _at(value: Any, major: str) -> Any:
    return value["by_major"][major] if isinstance(value, dict) and "by_major" in value else value


Read = tuple[str | None, list[NotImmutable]]
"""An expression's type, where it can be told, and what in it is not immutable."""


class _Reader:
    """Reads one expression from the inside out, since what a cast or function is depends on the types within."""

    def __init__(self, columns: Columns, facts: Mapping[str, Mapping[str, Any]]) -> None:
        self._columns = {name: type_name(kind) for name, kind in columns.items()}
        self._facts = facts

    def read(self, node: Any) -> Read:
        kind = node.WhichOneof("node") if "node" in node.DESCRIPTOR.oneofs_by_name else None
        if kind is None:
            return None, []
        inner = getattr(node, kind)
        reader = getattr(self, f"_{kind}", None)
        if reader is not None:
            found: Read = reader(inner, node)
            return found
        return None, [one for child in _children(inner) for one in self.read(child)[1]]

    def _column_ref(self, ref: Any, node: Any) -> Read:
        names = [field.string.sval for field in ref.fields if field.WhichOneof("node") == "string"]
        return (self._columns.get(names[-1]) if names else None), []

    def _a_const(self, const: Any, node: Any) -> Read:
        return {"ival": "integer", "boolval": "boolean", "fval": "numeric"}.get(const.WhichOneof("val"), "unknown"), []

    def _collate_clause(self, clause: Any, node: Any) -> Read:
        return self.read(clause.arg)

    def _sqlvalue_function(self, function: Any, node: Any) -> Read:
        text = expression_sql(node)
        return None, [
            NotImmutable(text, "it changes with time or session", "Leave it out; compare with it in the query.")
        ]

    def _type_cast(self, cast: Any, node: Any) -> Read:
        source, found = self.read(cast.arg)
        target = type_name(".".join(one.string.sval for one in cast.type_name.names))
        if cast.type_name.array_bounds:
            target += "[]"
        # Of a column whose type is not known the usual one for times is feared.
        feared = _ZONED if source is None and target in ("date", _PLAIN) and _is_column(cast.arg) else source
        if source != "unknown" and (why := self._cast_trouble(feared, target)):
            instead = self._cast_instead(cast, feared, target)
            found = [*found, NotImmutable(expression_sql(node), why, instead, source is not None)]
        return target, found

    def _cast_trouble(self, source: str | None, target: str) -> str:
        if source is None or source == target:
            return ""
        kind = self._facts["casts"].get(f"{source} -> {target}")
        to_text = target in _TEXTS and source in self._facts["written"]
        from_text = source in _TEXTS and target in self._facts["read"]
        if not (kind or to_text or from_text):
            return ""
        on = "TimeZone" if "with time zone" in f"{source} {target}" and not to_text else "DateStyle and other settings"
        return f"the cast from {source} to {target} depends on {on} of the session"

    def _cast_instead(self, cast: Any, source: str | None, target: str) -> str:
        inner = expression_sql(cast.arg)
        if source == _ZONED and target in ("date", _PLAIN, "time without time zone"):
            zoned = f"({inner} AT TIME ZONE 'UTC')"
            return zoned if target == _PLAIN else f"{zoned}::{target.partition(' ')[0]}"
        if source == _PLAIN and target == _ZONED:
            return f"{inner} AT TIME ZONE 'UTC'"
        if target in _TEXTS:
            return f"the plain column {inner}: it sorts and compares without being text"
        return "the plain column, converted in the query"

    def _func_call(self, call: Any, node: Any) -> Read:
        names = [one.string.sval for one in call.funcname]
        name = names[-1].lower()
        read = [self.read(one) for one in call.args]
        found = [one for _, inner in read for one in inner]
        types = [kind for kind, _ in read]
        if len(names) > 1 and names[0] != "pg_catalog":
            return None, found
        volatility, certain = self._volatility(name, types)
        if volatility is not None:
            why = "it is volatile" if volatility == "v" else "it depends on settings of the session"
            instead = _function_instead(name, call, types)
            found = [*found, NotImmutable(expression_sql(node), f"{name}(): {why}", instead, certain)]
        return self._result(name, types), found

    def _volatility(self, name: str, types: Sequence[str | None]) -> tuple[str | None, bool]:
        forms = self._facts["functions"].get(name)
        if forms is None or isinstance(forms, str):
            return forms, True
        fitting = _fitting(forms, types)
        bad = [kind for kind in fitting if kind != "i"]
        return (max(bad) if bad else None), len(bad) == len(fitting)

    def _result(self, name: str, types: Sequence[str | None]) -> str | None:
        forms = self._facts["results"].get(name)
        if forms is None or isinstance(forms, str):
            return forms
        fitting = set(_fitting(forms, types))
        return fitting.pop() if len(fitting) == 1 else None

    def _a_expr(self, expression: Any, node: Any) -> Read:
        sides = [getattr(expression, part) for part in ("lexpr", "rexpr") if expression.HasField(part)]
        read = [self.read(side) for side in sides]
        found = [one for _, inner in read for one in inner]
        types = [kind or "" for kind, _ in read]
        operator = expression.name[-1].string.sval if expression.name else ""
        if len(types) == 2 and (why := self._operator_trouble(operator, types[0], types[1])):
            plain = "Write the other side of the operator as an immutable cast first, such as AT TIME ZONE 'UTC'."
            found = [*found, NotImmutable(expression_sql(node), why, plain)]
        is_text = operator in ("->>", "#>>") or (operator == "||" and bool(set(types) & set(_TEXTS)))
        return ("text" if is_text else None), found

    def _operator_trouble(self, operator: str, left: str, right: str) -> str:
        if operator == "||":
            others = [one for one in (left, right) if one in self._facts["written"]]
            text = any(one in (*_TEXTS, "unknown") for one in (left, right))
            return f"|| writes {others[0]} as text, which depends on settings of the session" if others and text else ""
        if f"{left} {operator} {right}" in self._facts["operators"]:
            return f"{left} {operator} {right} depends on TimeZone of the session"
        return ""


def _fitting(forms: Mapping[str, str], types: Sequence[str | None]) -> list[str]:
    """What the overloads that these argument types may mean have; literals fit anything."""
    found: list[tuple[bool, str]] = []
    for form, value in forms.items():
        wanted = form.split(", ") if form else []
        if len(wanted) == len(types) and all(_fits(given, want) for given, want in zip(types, wanted, strict=True)):
            exact = all(given in (want, "unknown", None) for given, want in zip(types, wanted, strict=True))
            found.append((exact, value))
    if any(exact for exact, _ in found):
        found = [one for one in found if one[0]]
    return [value for _, value in found]


def _fits(given: str | None, want: str) -> bool:
    if given in (None, "unknown", want):
        return True
    # A date given where a time stamp is wanted becomes one with zone: that is the preferred type.
    return (given in _TEXTS and want in _TEXTS) or (given == "date" and want == _ZONED)


def _function_instead(name: str, call: Any, types: Sequence[str | None]) -> str:
    arguments = [expression_sql(one) for one in call.args]
    last = arguments[-1] if arguments else ""
    texts = [
        one if kind in (*_TEXTS, "unknown") else f"{one}::text" for one, kind in zip(arguments, types, strict=True)
    ]
    if name in ("date_trunc", "date_part", "extract") and len(arguments) > 1:
        moved = f"{arguments[1]}::timestamp" if types[1] == "date" else f"{arguments[1]} AT TIME ZONE 'UTC'"
        return f"extract({arguments[0]} FROM {moved})" if name == "extract" else f"{name}({arguments[0]}, {moved})"
    if name.startswith("to_ts") and len(arguments) == 1:
        return f"{name}('english', {last})"
    if name in ("concat", "concat_ws", "format"):
        joined = texts if name == "concat" else texts[1:]
        return " || ".join(f"coalesce({one}, '')" for one in joined)
    if name in ("to_char", "array_to_string", "age", "to_date", "to_timestamp"):
        return "a function of your own, declared IMMUTABLE, that names format and zone itself; or the plain column"
    if name in ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "random", "gen_random_uuid"):
        return "Leave it out; compare with it in the query."
    return "the plain column, with the function in the query"


def _is_column(node: Any) -> bool:
    return bool(node.WhichOneof("node") == "column_ref")


def _children(message: Any) -> Iterator[Any]:
    """The expressions right below a node that has no rule of its own."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for one in value if field.is_repeated else (value,):
            if one.DESCRIPTOR.name == "Node":
                yield one
            else:
                yield from _children(one)
