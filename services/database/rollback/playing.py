"""Knows what a script does to a catalog, statement by statement, each on what the ones before it left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.rollback.catalog import Catalog, Constraint
from services.database.rollback.deeds import (
    Block,
    Call,
    Deed,
    Drop,
    DropOwned,
    DropRole,
    Make,
    MakeFunction,
    Opaque,
    Rename,
    Rows,
    SearchPath,
    Truncate,
)
from services.database.rollback.dependency_walk import Address, Fall, without_parts
from services.database.rollback.destructive import deeds_of
from services.database.rollback.losses import Loss
from services.database.rollback.named import seeds_of, seeds_owned
from services.database.rollback.string_bodies import Body, read_block, read_body
from services.database.script import Script, split

_DEEPEST = 5
_FIRES = {"deleted": 8, "changed": 16, "emptied": 32}
"""pg_trigger's bits of the statements that fire."""

_ALWAYS_ALLOWED = ("identity", "expression", "default")
_BODIES = """
SELECT l.lanname::text, CASE WHEN p.prokind IN ('f', 'p') THEN pg_catalog.pg_get_functiondef(p.oid) ELSE '' END,
       p.prosrc
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE p.oid = %s
"""


@dataclass(frozen=True, slots=True)
class TouchedRows:
    """Rows of a relation that a statement takes or changes, with the statement's place. rows None: all of them.

    keys: the foreign keys along which a DELETE or UPDATE goes on, as they were when the statement's turn came.
    """

    relation: int
    effect: str
    rows: Rows | None
    only: bool
    by: str
    keys: tuple[Constraint, ...] = ()


@dataclass(slots=True)
class Played:
    """What is left when the script has been played: the catalog, and what fell, by the statement that took it.

    renamed: (relation, column or None) whose old name no longer finds them. replaced: names of functions that the
    script makes anew. told: what is to be said beside objects and rows.
    """

    catalog: Catalog
    fallen: dict[Address, str] = field(default_factory=dict)
    touched: list[TouchedRows] = field(default_factory=list)
    renamed: set[tuple[int, str | None]] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    told: list[Loss] = field(default_factory=list)


def play(catalog: Catalog, conn: psycopg.Connection[Any], scripts: Sequence[Script]) -> Played:
    """Play the scripts' statements in order. The catalog is changed by it; the database is only asked."""
    player = _Player(catalog, conn)
    for script in scripts:
        for statement in split(script):
            player.place = f"{statement.file}:{statement.line}"
            player.play(statement.sql, 0)
    played = player.played
    kept = without_parts(played.fallen)
    played.fallen = {address: by for address, by in played.fallen.items() if address in kept}
    return played


class _Player:
    def __init__(self, catalog: Catalog, conn: psycopg.Connection[Any]) -> None:
        self.catalog = catalog
        self.conn = conn
        self.played = Played(catalog)
        self.place = ""
        self._entered: set[int] = set()

    def play(self, sql: str, depth: int) -> None:
        for deed in deeds_of(sql):
            handle = _HANDLERS.get(type(deed))
            if handle is not None:
                handle(self, deed)
            else:
                self._enter(deed, depth)

    def drop(self, deed: Drop) -> None:
        seeds = seeds_of(self.catalog, self.conn, deed)
        if seeds:
            kind = "constraint" if deed.kind in _ALWAYS_ALLOWED else deed.kind
            self._fall(seeds, cascade=deed.cascade, may_be_parts=kind != deed.kind)

    def drop_owned(self, deed: DropOwned) -> None:
        seeds = seeds_owned(self.conn, deed)
        if seeds:
            self._fall(seeds, cascade=deed.cascade)

    def drop_role(self, deed: DropRole) -> None:
        self.played.told += [Loss("role", role, None, None, by=self.place) for role in deed.roles]

    def _fall(self, seeds: list[Address], *, cascade: bool, may_be_parts: bool = False) -> None:
        fall = self.catalog.graph.fall(seeds)
        if fall.parts and not may_be_parts:
            self._refused(fall.parts, "is a part of something else, and does not go alone")
        if fall.in_the_way and not cascade:
            self._refused(fall.in_the_way, "needs it, and there is no CASCADE")
            fall = self.catalog.graph.fall(seeds, automatic_only=True)
        self._take(fall)

    def _take(self, fall: Fall) -> None:
        for address in fall.objects:
            self.played.fallen.setdefault(address, self.place)
        self.catalog.take_out(fall.objects)

    def _refused(self, why: frozenset[Address], words: str) -> None:
        catalog, oid, sub = min(why)
        row = self.conn.execute(
            "SELECT type, identity FROM pg_catalog.pg_identify_object(%s, %s, %s)", (catalog, oid, sub)
        ).fetchone()
        what = f"{row[0]} {row[1]}" if row else "another object"
        said = f"{self.place}: the server refuses this: {what} {words}"
        self.played.told.append(Loss("statement", said, None, None, "refused", by=self.place))

    def truncate(self, deed: Truncate) -> None:
        emptied: dict[int, None] = {}
        for names, only in deed.tables:
            if relation := self.catalog.relation(names):
                emptied.update(dict.fromkeys([relation.oid, *([] if only else self.catalog.descendants(relation.oid))]))
        waiting = list(emptied)
        while waiting:
            oid = waiting.pop()
            for one in self.catalog.constraints.values():
                if one.kind != "f" or one.referenced != oid or one.relation in emptied:
                    continue
                if not deed.cascade:
                    self._refused(
                        frozenset({self.catalog.address("pg_constraint", one.oid)}),
                        "refers to it, and there is no CASCADE",
                    )
                    return
                more = [one.relation, *self.catalog.descendants(one.relation)]
                waiting += [other for other in more if other not in emptied]
                emptied.update(dict.fromkeys(more))
        self.played.touched += [TouchedRows(oid, "emptied", None, True, self.place) for oid in emptied]
        for oid in emptied:
            self._fires(oid, "emptied")

    def rows(self, deed: Rows) -> None:
        relation = self.catalog.relation(deed.names)
        if relation is None:
            return
        given = None if deed.whole else deed
        keys = self._keys(relation.oid, deed)
        self.played.touched.append(TouchedRows(relation.oid, deed.effect, given, deed.only, self.place, tuple(keys)))
        if not deed.whole:
            self._fires(relation.oid, deed.effect)
            for key in keys:
                self._fires(key.relation, "deleted" if deed.effect == key.on_delete == "c" else "changed")

    def _keys(self, oid: int, deed: Rows) -> list[Constraint]:
        """The foreign keys that carry what is done to a relation to others, and from there on."""
        if deed.whole:
            return []
        found: dict[int, Constraint] = {}
        waiting = [(one, deed.effect) for one in self._family(oid)]
        seen = set(waiting)
        while waiting:
            referenced, effect = waiting.pop()
            for key in self.catalog.constraints.values():
                if key.kind != "f" or key.referenced != referenced or key.parent:
                    continue
                if effect == "changed" and not self._sets_key(key, deed, referenced == oid):
                    continue
                found[key.oid] = key
                on = key.on_delete if effect == "deleted" else key.on_update
                goes_on = [(one, effect) for one in self._family(key.relation)] if on == "c" else []
                waiting += [step for step in goes_on if step not in seen]
                seen.update(goes_on)
        return list(found.values())

    def _family(self, oid: int) -> list[int]:
        """A relation, what inherits from it, and the partitioned tables whose part it is: any may be referenced."""
        above = [parent for parent, children in self.catalog.children.items() if oid in children]
        return [oid, *self.catalog.descendants(oid), *above]

    def _sets_key(self, key: Constraint, deed: Rows, direct: bool) -> bool:
        names = {
            name
            for name, column in self.catalog.columns[key.referenced].items()
            if column.number in (key.referenced_columns or ())
        }
        return not direct or bool(names & set(deed.columns))

    def _fires(self, oid: int, effect: str) -> None:
        """Play what the triggers of a relation do then. What a rule makes of the statement is not worked out."""
        bit = _FIRES[effect]
        for one in list(self.catalog.attached.get(oid, ())):
            if one.catalog == self.catalog.classes["pg_rewrite"] and one.type & bit and one.enabled in "OA":
                self.told_unknown(f"rule {one.name} on {self.catalog.relations[oid].name}")
            is_trigger = one.catalog == self.catalog.classes["pg_trigger"]
            if is_trigger and one.type & bit and one.enabled in "OA" and one.function not in self._entered:
                self._entered.add(one.function)
                self._run(one.function, f"trigger {one.name}", 1)

    def rename(self, deed: Rename) -> None:
        relation = self.catalog.relation(deed.names)
        if relation is None:
            return
        if deed.column is not None:
            self.played.renamed.add((relation.oid, deed.column))
            column = self.catalog.columns[relation.oid].pop(deed.column, None)
            if column is not None and deed.name is not None:
                self.catalog.columns[relation.oid][deed.name] = column._replace(name=deed.name)
            return
        self.played.renamed.add((relation.oid, None))
        self.catalog.rename(relation.oid, schema=deed.schema, name=deed.name)

    def make(self, deed: Make) -> None:
        self.catalog.make(deed.names)

    def make_function(self, deed: MakeFunction) -> None:
        self.played.replaced.add(deed.names[-1])

    def search_path(self, deed: SearchPath) -> None:
        self.catalog.path = tuple(self.catalog.user if name == "$user" else name for name in deed.schemas)

    def opaque(self, deed: Opaque) -> None:
        self.told_unknown(deed.what)

    def told_unknown(self, what: str) -> None:
        self.played.told.append(Loss("statement", f"{self.place}: {what}", None, None, "unknown", by=self.place))

    def _enter(self, deed: Deed, depth: int) -> None:
        """Play the static SQL inside a block, or in the functions that a statement calls."""
        if isinstance(deed, Block):
            if deed.language == "plpgsql":
                self._inside(read_block(deed.body), "a DO block", depth)
            else:
                self.told_unknown(f"a DO block in {deed.language}")
        elif isinstance(deed, Call):
            for function in self.catalog.functions_named(deed.names):
                if function.kind == "a" or function.volatility != "v" or function.oid in self._entered:
                    continue
                if not function.takes(deed.arguments):
                    continue
                self._entered.add(function.oid)
                self._run(function.oid, f"a call of {function.schema}.{function.name}", depth)

    def _run(self, oid: int, what: str, depth: int) -> None:
        row = self.conn.execute(_BODIES, (oid,)).fetchone()
        if row is None or row[0] in ("c", "internal"):
            return
        if row[0] in ("plpgsql", "sql"):
            self._inside(read_body(row[1], row[0], row[2]), what, depth)
        else:
            self.told_unknown(what)

    def _inside(self, body: Body, what: str, depth: int) -> None:
        if body.dynamic or not body.known or depth >= _DEEPEST:
            self.told_unknown(what)
        if depth < _DEEPEST:
            for sql in body.statements:
                self.play(sql, depth + 1)


_HANDLERS: dict[type, Callable[[_Player, Any], None]] = {
    Drop: _Player.drop,
    DropOwned: _Player.drop_owned,
    DropRole: _Player.drop_role,
    Truncate: _Player.truncate,
    Rows: _Player.rows,
    Rename: _Player.rename,
    Make: _Player.make,
    MakeFunction: _Player.make_function,
    SearchPath: _Player.search_path,
    Opaque: _Player.opaque,
}
