"""Knows a database's objects by name, as a script sees them: read at once, and kept up with what its statements do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from services.database.rollback.dependency_walk import Address, Dependency, DependencyGraph

_QUERY = (Path(__file__).parent / "catalog.sql").read_text()


class Relation(NamedTuple):
    """kind: pg_class's letter (r table, p partitioned, v view, m materialized view, i and I index, S sequence ...)."""

    oid: int
    schema: str
    name: str
    kind: str
    is_partition: bool


class Column(NamedTuple):
    relation: int
    number: int
    name: str
    inherited: int
    is_local: bool
    generated: str
    type: int


class Constraint(NamedTuple):
    """kind: c check, f foreign key, p primary key, u unique, n not null ...; on_update, on_delete: a no action,
    r restrict, c cascade, n set null, d set default."""

    oid: int
    name: str
    relation: int
    domain: int
    kind: str
    referenced: int
    columns: list[int] | None
    referenced_columns: list[int] | None
    on_update: str
    on_delete: str
    inherited: int
    is_local: bool
    set_columns: list[int] | None
    parent: int


class Type(NamedTuple):
    oid: int
    schema: str
    name: str
    array: int


class Function(NamedTuple):
    """arguments: oids of the input types, separated by blanks. kind: f, p (procedure), a (aggregate), w (window)."""

    oid: int
    schema: str
    name: str
    arguments: str
    kind: str
    volatility: str
    inputs: int
    defaults: int
    variadic: int

    def takes(self, given: int) -> bool:
        """Whether it can be called with so many arguments."""
        return given >= self.inputs - self.defaults and (given <= self.inputs or self.variadic != 0)


class Attached(NamedTuple):
    """What has its name on a relation: trigger, policy, rule; of a default, `type` is the column's number.

    type: pg_trigger's bits of when it fires, for rules too.
    """

    catalog: int
    oid: int
    relation: int
    name: str
    function: int
    type: int
    enabled: str


class _First(NamedTuple):
    """The names before the script began."""

    relations: dict[tuple[str, str], int]
    path: tuple[str, ...]
    columns: dict[tuple[int, int], str]
    functions: dict[tuple[str, str], tuple[Function, ...]]
    types: dict[tuple[str, str], Type]


class Catalog:
    """The objects of one database at one moment. Statements of a script are played on it: fall, rename, move, make."""

    def __init__(self, parts: Sequence[Sequence[Sequence[Any]]]) -> None:
        depends, relations, columns, constraints, types, functions, attached, inherits, rest = parts
        self.graph = DependencyGraph(Dependency((a, b, c), (d, e, f), kind) for a, b, c, d, e, f, kind in depends)
        named: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for what, number, name in rest:
            named[what].append((number, name))
        self.classes = {name: number for number, name in named["class"]}
        self.schemas = {name: number for number, name in named["schema"]}
        self.extensions = {name: number for number, name in named["extension"]}
        self.user = named["user"][0][1]
        self.path: tuple[str, ...] = tuple(name for _, name in sorted(named["path"]))
        self.relations = {row[0]: Relation(*row) for row in relations}
        self.by_name: dict[tuple[str, str], int] = {(one.schema, one.name): oid for oid, one in self.relations.items()}
        self.columns: dict[int, dict[str, Column]] = defaultdict(dict)
        for row in columns:
            self.columns[row[0]][row[2]] = Column(*row)
        self.constraints = {row[0]: Constraint(*row) for row in constraints}
        self.types: dict[tuple[str, str], Type] = {(row[1], row[2]): Type(*row) for row in types}
        self.functions: dict[tuple[str, str], list[Function]] = defaultdict(list)
        for row in functions:
            self.functions[row[1], row[2]].append(Function(*row))
        self.attached: dict[int, list[Attached]] = defaultdict(list)
        for row in attached:
            self.attached[row[2]].append(Attached(*row))
        self.children: dict[int, list[int]] = defaultdict(list)
        for child, parent in inherits:
            self.children[parent].append(child)
        self.made: set[tuple[str, str]] = set()
        self.first = _First(
            dict(self.by_name),
            self.path,
            {(one.relation, one.number): one.name for named in self.columns.values() for one in named.values()},
            {key: tuple(overloads) for key, overloads in self.functions.items()},
            self.types,
        )

    @classmethod
    def read(cls, conn: psycopg.Connection[Any]) -> Catalog:
        """Read all of it in one message to the server. Takes AccessShare on system catalogs only."""
        cursor = conn.execute(_QUERY)
        parts = [cursor.fetchall()]
        while cursor.nextset():
            parts.append(cursor.fetchall())
        return cls(parts)

    def address(self, catalog: str, oid: int, column: int = 0) -> Address:
        """The address in the records; catalog: "pg_class" and the like."""
        return (self.classes[catalog], oid, column)

    def relation(self, names: Sequence[str]) -> Relation | None:
        """The relation that a name means by the search path; None where there is none, or the script made it itself."""
        for schema in self._places(names):
            if (schema, names[-1]) in self.made:
                return None
            oid = self.by_name.get((schema, names[-1]))
            if oid is not None:
                return self.relations[oid]
        return None

    def type(self, names: Sequence[str]) -> Type | None:
        for schema in self._places(names):
            if found := self.types.get((schema, names[-1])):
                return found
        return None

    def functions_named(self, names: Sequence[str]) -> list[Function]:
        """All functions of that name that the search path finds, whatever their arguments."""
        return [one for schema in self._places(names) for one in self.functions.get((schema, names[-1]), ())]

    def _places(self, names: Sequence[str]) -> Sequence[str]:
        return (names[-2],) if len(names) > 1 else self.path

    def descendants(self, oid: int) -> list[int]:
        """Inheritance children and partitions, theirs included, each once."""
        found: dict[int, None] = {}
        waiting = list(self.children.get(oid, ()))
        while waiting:
            child = waiting.pop(0)
            if child not in found:
                found[child] = None
                waiting += self.children.get(child, ())
        return list(found)

    def take_out(self, fallen: Iterable[Address]) -> None:
        """Play a drop: what fell has no name any more, and needs nothing."""
        fallen = set(fallen)
        self.graph.remove(fallen)
        relation, function = self.classes["pg_class"], self.classes["pg_proc"]
        kind, schema, constraint = self.classes["pg_type"], self.classes["pg_namespace"], self.classes["pg_constraint"]
        functions = {oid for catalog, oid, _ in fallen if catalog == function}
        types = {oid for catalog, oid, _ in fallen if catalog == kind}
        relations: set[int] = set()
        for catalog, oid, column in fallen:
            if catalog == relation and column == 0 and oid in self.relations:
                one = self.relations[oid]
                if self.by_name.get((one.schema, one.name)) == oid:
                    del self.by_name[one.schema, one.name]
                relations.add(oid)
            elif catalog == relation and column:
                for name in [one.name for one in self.columns[oid].values() if one.number == column]:
                    del self.columns[oid][name]
            elif catalog == constraint:
                self.constraints.pop(oid, None)
            elif catalog == schema:
                self.schemas = {name: number for name, number in self.schemas.items() if number != oid}
        if relations:
            for parent, children in self.children.items():
                self.children[parent] = [child for child in children if child not in relations]
        if functions:
            for key, overloads in self.functions.items():
                self.functions[key] = [one for one in overloads if one.oid not in functions]
        if types:
            self.types = {key: one for key, one in self.types.items() if one[0] not in types}
        attached = {address[:2] for address in fallen}
        for oid, rows in self.attached.items():
            if any((row.catalog, row.oid) in attached for row in rows):
                self.attached[oid] = [row for row in rows if (row.catalog, row.oid) not in attached]

    def rename(self, oid: int, *, schema: str | None = None, name: str | None = None) -> None:
        """Play ALTER ... RENAME TO or SET SCHEMA of a relation."""
        old = self.relations[oid]
        self.by_name.pop((old.schema, old.name), None)
        new = old._replace(schema=schema or old.schema, name=name or old.name)
        self.relations[oid] = new
        self.by_name[new.schema, new.name] = oid

    def make(self, names: Sequence[str]) -> None:
        """Play a CREATE: a relation of the script's own, whose later end is no loss."""
        schema = names[-2] if len(names) > 1 else self._first_schema()
        if (schema, names[-1]) not in self.by_name:
            self.made.add((schema, names[-1]))

    def _first_schema(self) -> str:
        return next((name for name in self.path if not name.startswith("pg_")), "public")

    def unmake(self, names: Sequence[str]) -> bool:
        """Play the drop of a relation that the script made itself. False if it made none of that name."""
        for schema in self._places(names):
            if (schema, names[-1]) in self.made:
                self.made.discard((schema, names[-1]))
                return True
            if (schema, names[-1]) in self.by_name:
                return False
        return False
