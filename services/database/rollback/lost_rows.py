"""Knows how many rows a script deletes, changes and empties: counted by the statements' own conditions, and on along
the foreign keys, without touching one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from services.database.rollback.catalog import Catalog, Constraint
from services.database.rollback.losses import Loss
from services.database.rollback.playing import Played, TouchedRows

_HARMLESS = ["random", "clock_timestamp", "timeofday", "gen_random_uuid", "uuid_generate_v4"]
_SETS = {"n": "SET NULL", "d": "SET DEFAULT", "c": "CASCADE"}
_VOLATILE = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE provolatile = 'v' AND proname = ANY (%s) AND proname <> ALL (%s))
"""


def lost_rows(conn: psycopg.Connection[Any], played: Played) -> list[Loss]:
    """Rows that DELETE, UPDATE, MERGE, TRUNCATE and changes of type take, told for each table that holds them.

    Conditions are asked of the rows as they are now. Nothing is told of a table that falls itself: all its rows go.
    """
    catalog = played.catalog
    fallen = {oid for kind, oid, column in played.fallen if kind == catalog.classes["pg_class"] and column == 0}
    emptied = {one.relation for one in played.touched if one.effect == "emptied"}
    told: dict[tuple[int, str], Loss] = {}
    deletes = [one for one in played.touched if one.effect == "deleted"]
    others = [one for one in played.touched if one.effect != "deleted"]
    losses = _asked(conn, catalog, deletes)
    for one in others:
        losses += _asked(conn, catalog, [one])
    for oid, loss in losses:
        if oid in fallen or (loss.effect != "emptied" and oid in emptied):
            continue
        known = told.get((oid, loss.effect))
        if known is None or (loss.rows or 0) > (known.rows or 0):
            told[oid, loss.effect] = loss
    refused = [loss for oid, loss in losses if loss.effect == "refused" and oid not in fallen]
    return [loss for loss in told.values() if loss.effect != "refused"] + refused


def _asked(conn: psycopg.Connection[Any], catalog: Catalog, touched: Sequence[TouchedRows]) -> list[tuple[int, Loss]]:
    """Count them all at once, since what two statements delete goes once; one by one where that cannot be asked."""
    if not touched:
        return []
    if not any(_cannot_be_asked(conn, one) for one in touched):
        try:
            with conn.transaction():
                return _Count(catalog, touched).losses(conn)
        except psycopg.errors.Error as error:
            if error.sqlstate is None:
                raise
    if len(touched) > 1:
        return [found for one in touched for found in _asked(conn, catalog, [one])]
    # A later statement may need what an earlier one makes, or the condition stands in a block with variables.
    return [(touched[0].relation, _loss(catalog, touched[0].relation, None, touched[0].effect, touched[0].by))]


def _cannot_be_asked(conn: psycopg.Connection[Any], touched: TouchedRows) -> bool:
    """True where the conditions are not known, or call what may do more than look."""
    if touched.rows is None:
        return False
    if touched.rows.select is None:
        return True
    called = [names[-1] for names in touched.rows.functions]
    if not called:
        return False
    row = conn.execute(_VOLATILE, (called, _HARMLESS)).fetchone()
    return row is None or bool(row[0])


def _loss(catalog: Catalog, oid: int, rows: int | None, effect: str, by: str) -> Loss:
    relation = catalog.relations[oid]
    return Loss("rows", f"{relation.schema}.{relation.name}", rows, None, effect, relation.schema, relation.name, by=by)


class _Count:
    """One query that counts the rows which some statements of one kind touch, and those that follow by foreign keys."""

    def __init__(self, catalog: Catalog, touched: Sequence[TouchedRows]) -> None:
        self._catalog = catalog
        self._touched = touched
        self._effect = touched[0].effect
        self._by = {one.relation: one.by for one in reversed(touched)}
        self._keys = {key.oid: key for one in touched for key in one.keys}
        self._carrying = [key for key in self._keys.values() if self._action(key) == "c" and self._effect == "deleted"]
        self._order = self._ordered()

    def _action(self, key: Constraint) -> str:
        return key.on_delete if self._effect == "deleted" else key.on_update

    def losses(self, conn: psycopg.Connection[Any]) -> list[tuple[int, Loss]]:
        found: list[tuple[int, Loss]] = []
        direct = {one.relation for one in self._touched}
        for what, table, rows, node in conn.execute(self._query()).fetchall():
            by = self._by.get(node) or self._touched[0].by
            if what == "gone":
                found.append((table, _loss(self._catalog, table, rows, self._effect, by)))
            elif what == "changed":
                found.append((table, _loss(self._catalog, table, rows, "changed", by)))
            else:
                name = self._catalog.relations[table].name
                said = f"{by}: the server refuses this: {rows} rows of {name} still refer to what goes"
                found.append((table, Loss("statement", said, None, None, "refused", by=by)))
        told = {oid for oid, _ in found}
        for oid in direct:
            if not told & {oid, *self._catalog.descendants(oid)}:
                found.append((oid, _loss(self._catalog, oid, 0, self._effect, self._by[oid])))
        return found

    def _ordered(self) -> list[int]:
        """The relations that lose rows, referenced ones first. Raises ValueError for a circle of several."""
        nodes = {one.relation for one in self._touched} | {key.relation for key in self._carrying}
        needs: dict[int, set[int]] = defaultdict(set)
        for key in self._carrying:
            for node in nodes & self._holding(key.referenced):
                if node != key.relation:
                    needs[key.relation].add(node)
        ordered: list[int] = []
        while len(ordered) < len(nodes):
            ready = sorted(node for node in nodes if node not in ordered and needs[node] <= set(ordered))
            if not ready:
                raise psycopg.errors.FeatureNotSupported
            ordered += ready
        return ordered

    def _holding(self, oid: int) -> set[int]:
        """The relations by which rows of a referenced one may be taken: itself, its parents, its partitions."""
        above = {parent for parent, children in self._catalog.children.items() if oid in children}
        return {oid, *above, *self._catalog.descendants(oid)}

    def _query(self) -> sql.Composed:
        ctes = [self._gone(node) for node in self._order]
        answers = [
            sql.SQL("SELECT 'gone', tbl::bigint, pg_catalog.count(*), {}::bigint FROM {} GROUP BY tbl").format(
                sql.Literal(node), _cte(node)
            )
            for node in self._order
        ]
        by_relation: dict[tuple[str, int], list[Constraint]] = defaultdict(list)
        for key in self._keys.values():
            if key in self._carrying or not self._referenced(key):
                continue
            what = "changed" if self._action(key) in _SETS else "refused"
            by_relation[what, key.relation].append(key)
        answers += [self._following(what, node, keys) for (what, node), keys in by_relation.items()]
        return sql.SQL("WITH RECURSIVE {} {}").format(sql.SQL(", ").join(ctes), sql.SQL(" UNION ALL ").join(answers))

    def _referenced(self, key: Constraint) -> list[int]:
        return [node for node in self._order if node in self._holding(key.referenced)]

    def _gone(self, node: int) -> sql.Composed:
        """The rows of one relation that go: those that statements name, and those that follow others."""
        columns = self._columns(node)
        parts = [self._named(one, columns) for one in self._touched if one.relation == node]
        keys = [key for key in self._carrying if key.relation == node]
        incoming = [key for key in keys if any(other != node for other in self._referenced(key))]
        if incoming:
            condition = sql.SQL(" OR ").join(self._refers(key, without=node) for key in incoming)
            parts.append(
                sql.SQL("SELECT c.ctid, c.tableoid{} FROM {} AS c WHERE {}").format(
                    _listed("c", columns), self._name(node), condition
                )
            )
        own = [key for key in keys if node in self._referenced(key)]
        body = sql.SQL(" UNION ").join(parts)
        if own:
            join = sql.SQL(" OR ").join(self._joins(key) for key in own)
            body = sql.SQL("({}) UNION SELECT c.ctid, c.tableoid{} FROM {} AS c JOIN {} AS g ON {}").format(
                body, _listed("c", columns), self._name(node), _cte(node), join
            )
        names = sql.SQL(", ").join([sql.SQL("tid"), sql.SQL("tbl"), *(sql.Identifier(f"k_{one}") for one in columns)])
        return sql.SQL("{} ({}) AS ({})").format(_cte(node), names, body)

    def _named(self, touched: TouchedRows, columns: Sequence[str]) -> sql.Composed:
        rows = touched.rows
        if rows is None:
            only = sql.SQL("ONLY ") if touched.only else sql.SQL("")
            return sql.SQL("SELECT c.ctid, c.tableoid{} FROM {}{} AS c").format(
                _listed("c", columns), only, self._name(touched.relation)
            )
        # The text is the script's own, which is about to be run with more rights than to be counted.
        before = sql.SQL(rows.before)
        conditions = sql.SQL(rows.select or "")
        alias = sql.Identifier(rows.alias)
        return sql.SQL("({} SELECT {}.ctid, {}.tableoid{} {})").format(
            before, alias, alias, _listed(rows.alias, columns), conditions
        )

    def _columns(self, node: int) -> list[str]:
        """The columns by which others refer to the relation."""
        numbers = {
            name
            for key in self._keys.values()
            if node in self._holding(key.referenced)
            for name in self._names(key.referenced, key.referenced_columns)
        }
        return sorted(numbers)

    def _names(self, oid: int, numbers: Iterable[int] | None) -> list[str]:
        first = self._catalog.first.columns
        return [first[oid, number] for number in numbers or ()]

    def _refers(self, key: Constraint, without: int | None = None) -> sql.Composed:
        """The condition that a row `c` refers to one that goes."""
        ours = sql.SQL(", ").join(
            sql.SQL("c.{}").format(sql.Identifier(name)) for name in self._names(key.relation, key.columns)
        )
        theirs = sql.SQL(", ").join(
            sql.Identifier(f"k_{name}") for name in self._names(key.referenced, key.referenced_columns)
        )
        sets = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} FROM {}{}").format(theirs, _cte(node), self._limited(key.referenced))
            for node in self._referenced(key)
            if node != without
        )
        return sql.SQL("({}) IN ({})").format(ours, sets)

    def _limited(self, referenced: int) -> sql.Composed:
        """Rows of plain inheritance children are not what a key on the parent refers to."""
        if self._catalog.relations[referenced].kind == "p" or not self._catalog.children.get(referenced):
            return sql.Composed([])
        return sql.SQL(" WHERE tbl = {}::oid").format(sql.Literal(referenced))

    def _joins(self, key: Constraint) -> sql.Composed:
        pairs = zip(
            self._names(key.relation, key.columns), self._names(key.referenced, key.referenced_columns), strict=True
        )
        return sql.SQL("({})").format(
            sql.SQL(" AND ").join(
                sql.SQL("c.{} = g.{}").format(sql.Identifier(ours), sql.Identifier(f"k_{theirs}"))
                for ours, theirs in pairs
            )
        )

    def _following(self, what: str, node: int, keys: Sequence[Constraint]) -> sql.Composed:
        condition = sql.SQL(" OR ").join(self._refers(key) for key in keys)
        also_gone: sql.Composable = sql.SQL("true")
        if node in self._order and self._effect == "deleted" and self._goes_first(what, node, keys):
            also_gone = sql.SQL("(c.ctid, c.tableoid) NOT IN (SELECT tid, tbl FROM {})").format(_cte(node))
        return sql.SQL(
            "SELECT {}, c.tableoid::bigint, pg_catalog.count(*), {}::bigint FROM {} AS c"
            " WHERE ({}) AND {} GROUP BY c.tableoid"
        ).format(sql.Literal(what), sql.Literal(node), self._name(node), condition, also_gone)

    def _goes_first(self, what: str, node: int, keys: Sequence[Constraint]) -> bool:
        """Whether rows that go themselves do so before a key refuses: keys act in the order in which they were made."""
        carrying = [key.oid for key in self._carrying if key.relation == node]
        return what == "changed" or max(carrying, default=0) < min(key.oid for key in keys)

    def _name(self, oid: int) -> sql.Identifier:
        relation = self._catalog.relations[oid]
        return sql.Identifier(relation.schema, relation.name)


def _cte(node: int) -> sql.Identifier:
    return sql.Identifier(f"gone_{node}")


def _listed(alias: str, columns: Sequence[str]) -> sql.Composed:
    return sql.Composed([sql.SQL(", {}").format(sql.Identifier(alias, one)) for one in columns])
