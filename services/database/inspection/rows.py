"""Knows how to make a row that a table accepts: from its types, defaults, checks, keys, and the rows it refers to."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.database.inspection.catalog import Catalog, Column, Relation, Rule
from services.database.inspection.error_kinds import function_in
from services.database.inspection.made_values import candidates, fresh
from services.database.inspection.probing import Answer, Prober
from services.database.inspection.solving import solve_checks
from services.database.names import identifier, literal

_MOST_TRIES = 8
_DEEPEST = 3
_NEEDS = "SET CONSTRAINTS ALL IMMEDIATE"


@dataclass(frozen=True, slots=True)
class MadeRow:
    """A row that was tried. statement: inserts it, and what it refers to; answer: what the server said of that;
    parents: the part of the statement that inserts what it refers to.

    why: why no row could be made, empty where one was, or where a trigger's function is what stands in the way.
    """

    statement: str
    answer: Answer
    why: str = ""
    parents: str = ""


@dataclass
class RowMaker:
    """Makes rows in one database. role: as whom they are inserted, None for one with all rights."""

    catalog: Catalog
    prober: Prober
    _filled: dict[str, bool] = field(default_factory=dict)

    def make(self, relation: Relation, *, fixed: Mapping[str, str] | None = None, role: str | None = None) -> MadeRow:
        """A row of a table; fixed: expressions for columns that are to hold just that. Nothing of it stays."""
        if not fixed and self.has_rows(relation):
            copied = self._tried(_copy(self.catalog, relation), role)
            if copied.answer.good or function_in(copied.answer) or copied.answer.says_nothing:
                return copied
        return self._made(relation, dict(fixed or {}), role, 0)

    def has_rows(self, relation: Relation) -> bool:
        """Is there any row?"""
        if not self._filled.get(relation.name):
            told = self.prober.attempt(f"SELECT 1 FROM {relation.name} LIMIT 1")
            self._filled[relation.name] = bool(told.count)
        return self._filled[relation.name]

    def _tried(self, statement: str, role: str | None) -> MadeRow:
        return MadeRow(statement, self.prober.attempt(f"{statement}; {_NEEDS}", role=role))

    def _made(self, relation: Relation, fixed: dict[str, str], role: str | None, depth: int) -> MadeRow:
        """A new row, mended by what the server says is wrong with it, a few times."""
        columns = {one.name: one for one in self.catalog.columns(relation)}
        rules = self.catalog.rules(relation)
        values = dict(fixed)
        parents: list[str] = []
        wanted = [one.name for one in columns.values() if one.required and not one.filled and not one.made]
        for name in wanted:
            if name not in values and (why := self._fill(relation, columns[name], values, parents, depth)):
                return MadeRow("", Answer("", why), why)
        if why := solve_checks(self.catalog, self.prober, relation, values, frozenset(fixed)):
            return MadeRow("", Answer("", why), why)
        seen: set[str] = set()
        for _ in range(_MOST_TRIES):
            statement = "; ".join([*parents, _insert(relation, columns, values)])
            made = replace(self._tried(statement, role), parents="; ".join(parents))
            answer = made.answer
            if answer.good or answer.says_nothing or statement in seen or function_in(answer):
                return made
            seen.add(statement)
            if not self._mended(relation, columns, rules, answer, values, parents, frozenset(fixed), depth):
                break
        return MadeRow(made.statement, answer, f"{answer.message} ({answer.sqlstate})")

    def _mended(
        self, relation: Relation, columns: Mapping[str, Column], rules: Sequence[Rule], answer: Answer,
        values: dict[str, str], parents: list[str], fixed: frozenset[str], depth: int,
    ) -> bool:  # fmt: skip
        """Change the values so that what the server complained of is gone; False where nothing can be done."""
        rule = next((one for one in rules if one.name == answer.constraint), None)
        if answer.sqlstate == "23502" and answer.column in columns:
            return not self._fill(relation, columns[answer.column], values, parents, depth)
        if rule is None:
            return False
        free = [columns[name] for name in rule.columns if name in columns and name not in fixed]
        if answer.sqlstate == "23503":
            if not free and rule.parent in self.catalog.by_oid:
                return not self._refer(relation, rule, values, parents, depth, make=True)
            return not any(self._fill(relation, one, values, parents, depth) for one in free)
        if answer.sqlstate == "23505":
            changed = [one.name for one in free if (value := unique_literal(self.catalog, one))
                       and not values.update({one.name: value})]  # fmt: skip
            return bool(changed)
        if answer.sqlstate == "23514":
            values.update({one.name: value for one in free if one.name not in values
                           for value in candidates(one.type, self.catalog.types, one.written)[:1]})  # fmt: skip
            return not solve_checks(self.catalog, self.prober, relation, values, fixed)
        return False

    def _fill(self, relation: Relation, column: Column, values: dict[str, str], parents: list[str], depth: int) -> str:
        """Put a value for a column, and for the others of its foreign key; returns why it cannot, or nothing."""
        rules = self.catalog.rules(relation)
        leads = next((one for one in rules if one.kind == "f" and column.name in one.columns), None)
        if leads is not None and leads.parent in self.catalog.by_oid:
            return self._refer(relation, leads, values, parents, depth)
        alone = any(one.kind == "u" and one.columns == (column.name,) for one in rules)
        value = (unique_literal(self.catalog, column) if alone else None) or self._value(column)
        if value is None:
            return f"no value of type {column.written} could be made up for {column.name}"
        values[column.name] = value
        return ""

    def _value(self, column: Column) -> str | None:
        choices = candidates(column.type, self.catalog.types, column.written)
        known = self.catalog.types.get(column.type)
        if "mail" in column.name and known and known.name in ("text", "character varying", "citext"):
            return literal(f"made_up_{secrets.token_hex(4)}@example.com")
        if known is not None and known.kind == "d":
            # Its own checks decide which of them it takes.
            return next((one for one in choices if self.prober.attempt(f"SELECT {one}").good), None)
        return choices[0] if choices else None

    def _refer(
        self, relation: Relation, leads: Rule, values: dict[str, str], parents: list[str], depth: int, *,
        make: bool = False,
    ) -> str:  # fmt: skip
        """Refer to a row that is there; or to one made for it, where each may be referred to once, or with `make`."""
        parent = self.catalog.by_oid[leads.parent]
        single = any(one.kind == "u" and set(one.columns) <= set(leads.columns) for one in self.catalog.rules(relation))
        if parent.oid != relation.oid and self.has_rows(parent) and not (single or make):
            order = ", ".join(identifier(name) for name in leads.parent_columns)
            for name, key in zip(leads.columns, leads.parent_columns, strict=True):
                values.setdefault(name, f"(SELECT {identifier(key)} FROM {parent.name} ORDER BY {order} LIMIT 1)")
            return ""
        if depth >= _DEEPEST or parent.oid == relation.oid:
            return f"it must refer to a row of {parent.name}, and none could be made"
        columns = {one.name: one for one in self.catalog.columns(parent)}
        keys = {}
        for name, key in zip(leads.columns, leads.parent_columns, strict=True):
            value = values.get(name) or unique_literal(self.catalog, columns[key]) or self._value(columns[key])
            if value is None:
                return f"no key for a row of {parent.name} could be made up"
            keys[key] = values[name] = value
        made = self._made(parent, keys, None, depth + 1)
        if not made.answer.good:
            return f"it must refer to a row of {parent.name}, which takes none: {made.why or made.answer.message}"
        parents.append(made.statement)
        return ""


def unique_literal(catalog: Catalog, column: Column) -> str | None:
    """A value that no other row has, the same each time it is read; None where the type has none."""
    known = catalog.types.get(column.type)
    if known is None or fresh(column.type, catalog.types) is None:
        return None
    room = re.search(r"\((\d+)\)", column.written)
    length = int(room[1]) if room else 60
    match known.name:
        case "uuid":
            return f"uuid '{uuid.uuid4()}'"
        case "text" | "character varying" | "name" | "citext":
            word = "m" + secrets.token_hex(12)
            tail = "@example.com" if "mail" in column.name else ""
            return f"{literal((word + tail) if len(word + tail) <= length else word[:length])}::{known.name}"
        case "integer" | "bigint" | "numeric" | "double precision":
            return f"{1_000_000 + secrets.randbelow(1_000_000_000)}::{known.name}"
        case "smallint":
            return f"{10_000 + secrets.randbelow(20_000)}::smallint"
        case _:
            return None


def _insert(relation: Relation, columns: Mapping[str, Column], values: Mapping[str, str]) -> str:
    if not values:
        return f"INSERT INTO {relation.name} DEFAULT VALUES"
    names = ", ".join(identifier(name) for name in values)
    overriding = "OVERRIDING SYSTEM VALUE " if any(columns[name].made for name in values) else ""
    return f"INSERT INTO {relation.name} ({names}) {overriding}VALUES ({', '.join(values.values())})"


def _copy(catalog: Catalog, relation: Relation) -> str:
    """A row like one that is there, so that it keeps every rule; what has to be unique in it is new."""
    rules = catalog.rules(relation)
    refers = {name for one in rules if one.kind == "f" for name in one.columns}
    columns = {one.name: one for one in catalog.columns(relation) if not one.made}
    renewed: set[str] = set()
    for rule in rules:
        if rule.kind == "u" and not renewed & set(rule.columns):
            able = [name for name in rule.columns if name in columns]
            able.sort(key=lambda name: (name in refers, not columns[name].filled))
            renewed |= set(able[:1])
    names, values = [], []
    for name, column in columns.items():
        if name in renewed and column.filled:
            continue
        value = unique_literal(catalog, column) if name in renewed else None
        names.append(identifier(name))
        values.append(value or identifier(name))
    if not names:
        return f"INSERT INTO {relation.name} DEFAULT VALUES"
    return f"INSERT INTO {relation.name} ({', '.join(names)}) SELECT {', '.join(values)} FROM {relation.name} LIMIT 1"
