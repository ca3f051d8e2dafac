"""Knows what the statements of some scripts make, so that a rule can tell what is new from what was there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.database.dangers.bodies import name_of
from services.database.dangers.volatility import Columns, type_name
from services.database.parser import enum_name, parse
from services.database.script import Script, Statement, split

NEWEST = 18


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is known of the database: its major version, and types by "schema.table" and column."""

    major: int = NEWEST
    columns: Mapping[str, Columns] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One statement with its parse tree: the node, and its kind by the grammar's name."""

    statement: Statement
    kind: str
    node: Any


@dataclass(slots=True)
class Written:
    """The scripts as a whole. Names are "schema.name", public where none is given."""

    items: list[Item] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    made_if_missing: set[str] = field(default_factory=set)
    keyed: set[str] = field(default_factory=set)
    row_security: set[str] = field(default_factory=set)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    catalog: Catalog = field(default_factory=Catalog)

    def is_new(self, name: str) -> bool:
        """The scripts make it, and it cannot have been there."""
        return name in self.made and name not in self.made_if_missing

    def columns_of(self, name: str) -> dict[str, str]:
        """Types by column: the catalog's, and those that the scripts add."""
        return {**self.catalog.columns.get(name, {}), **self.columns.get(name, {})}


def full_name(relation: Any) -> str:
    """ "schema.name" of a relation; where no schema is written, public is meant as a rule."""
    return name_of(relation) if relation.schemaname else f"public.{relation.relname}"


def read(scripts: Sequence[Script], catalog: Catalog) -> Written:
    """Every statement that the grammar knows; one that it refuses fails anyway, and is left out."""
    written = Written(catalog=catalog)
    for script in scripts:
        for statement in split(script):
            tree = parse(statement.sql)
            if tree is None or len(tree.stmts) != 1:
                continue
            kind = str(tree.stmts[0].stmt.WhichOneof("node"))
            item = Item(statement, kind, getattr(tree.stmts[0].stmt, kind))
            written.items.append(item)
            _note(written, item)
    return written


def _note(written: Written, item: Item) -> None:
    node = item.node
    if item.kind == "create_stmt":
        name = full_name(node.relation)
        _made(written, name, if_missing=node.if_not_exists)
        for column in _definitions(node.table_elts):
            _column(written, name, column)
        kinds = {enum_name(one.constraint, "contype") for one in node.table_elts if one.HasField("constraint")}
        if kinds & {"CONSTR_PRIMARY", "CONSTR_UNIQUE"}:
            written.keyed.add(name)
    elif item.kind == "create_table_as_stmt":
        _made(written, full_name(node.into.rel), if_missing=node.if_not_exists)
    elif item.kind == "view_stmt":
        _made(written, full_name(node.view), if_missing=node.replace)
    elif item.kind == "alter_table_stmt":
        for command in commands(node):
            subtype = enum_name(command, "subtype")
            if subtype == "AT_EnableRowSecurity":
                written.row_security.add(full_name(node.relation))
            elif subtype == "AT_AddColumn":
                _column(written, full_name(node.relation), getattr(command, "def").column_def)


def commands(node: Any) -> Iterator[Any]:
    """The commands of one ALTER TABLE."""
    return (one.alter_table_cmd for one in node.cmds)


def constraints(column: Any) -> dict[str, Any]:
    """The constraints of a column definition, by kind."""
    return {enum_name(one.constraint, "contype"): one.constraint for one in column.constraints}


def _made(written: Written, name: str, *, if_missing: bool) -> None:
    written.made.add(name)
    if if_missing:
        written.made_if_missing.add(name)


def _definitions(elements: Any) -> Iterator[Any]:
    return (one.column_def for one in elements if one.HasField("column_def"))


def _column(written: Written, table: str, column: Any) -> None:
    kind = type_name(column.type_name.names[-1].string.sval) if column.type_name.names else ""
    written.columns.setdefault(table, {})[str(column.colname)] = kind + ("[]" if column.type_name.array_bounds else "")
    if {"CONSTR_PRIMARY", "CONSTR_UNIQUE"} & constraints(column).keys():
        written.keyed.add(table)
