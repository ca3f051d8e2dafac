"""Knows whether a view counts rows more than once: its sums and counts over joins, held against the base tables."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.database.inspection.catalog import Catalog, Column, Relation
from services.database.inspection.finding import InspectionFinding, broken, passed, unclear
from services.database.inspection.made_values import candidates
from services.database.inspection.probing import Prober
from services.database.inspection.rows import RowMaker
from services.database.inspection.unreached import messages
from services.database.names import identifier, literal
from services.database.parser import deparse, expression_sql, new_tree, parse

_TOTALS = ("sum", "count")
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_DAYS = ("date", "timestamp with time zone", "timestamp without time zone")
_RECKONING = ("+", "*")
_PASSES_ON = ("coalesce", "round")
_MOST_TABLES = 6


@dataclass(frozen=True, slots=True)
class _Total:
    """One sum or count over a joined table. of: what is summed, as SQL; columns: those in it; selects: the query whose
    one column it is."""

    function: str
    alias: str
    columns: tuple[str, ...]
    of: str
    selects: str


@dataclass(frozen=True, slots=True)
class _Joined:
    """One SELECT over several base tables, by alias, with the columns that are equal in it, and its totals."""

    tables: Mapping[str, Relation]
    equal: tuple[frozenset[tuple[str, str]], ...]
    totals: tuple[_Total, ...]


def check_view_totals(
    catalog: Catalog, prober: Prober, views: Iterable[Relation], maker: RowMaker
) -> list[InspectionFinding]:
    """One finding for each view that sums or counts a base table's column over a join."""
    found = []
    for view in views:
        if view.kind not in ("v", "m"):
            continue
        told = prober.attempt(f"SELECT pg_catalog.pg_get_viewdef({view.oid})", path="")
        tree = parse(told.first or "") if told.good else None
        joins = list(_joins(catalog, tree)) if tree is not None else []
        if joins:
            found.append(_judged(catalog, prober, view, joins, maker))
    return found


def _judged(
    catalog: Catalog, prober: Prober, view: Relation, joins: list[_Joined], maker: RowMaker
) -> InspectionFinding:
    told, doubts = [], []
    for joined in joins:
        with prober.apart():
            if why := _seed(catalog, prober, joined, maker):
                doubts.append(why)
            for total in joined.totals:
                wrong, doubt = _compared(prober, joined, total)
                told += [wrong] if wrong else []
                doubts += [doubt] if doubt else []
    if told:
        said = f"Its join multiplies rows: {'; '.join(dict.fromkeys(told))}."
        return broken("view-total", view.name, said, "fan-out")
    if doubts:
        return unclear("view-total", view.name, f"Its totals were not all compared: {doubts[0]}.", "not-compared")
    return passed("view-total", view.name, "Its totals are no more than those of its base tables.")


def _compared(prober: Prober, joined: _Joined, total: _Total) -> tuple[str, str]:
    """What is wrong with a total, and why it could not be compared; both empty where it is right."""
    base = joined.tables[total.alias]
    name = f"{total.function}({total.of})"
    least = f"COALESCE(pg_catalog.min({total.of}), 0) >= 0" if total.function == "sum" else "true"
    answer = prober.attempt(
        f"SELECT s.v, b.v, s.v > b.v, b.least, s.v IS NULL OR s.v = 0 FROM"
        f" (SELECT pg_catalog.sum(q.v) AS v FROM ({total.selects}) AS q (v)) AS s,"
        f" (SELECT pg_catalog.{total.function}({total.of}) AS v, {least} AS least"
        f" FROM {base.name} AS {identifier(total.alias)}) AS b"
    )
    if not answer.good:
        return "", f"{name}: {answer.message}"
    in_view, in_base, more, least_known, nothing = answer.rows[0]
    if least_known != "t":
        return "", f"{name}: {base.name} holds negative values"
    if more == "t":
        return f"{name} comes to {in_view}, and {base.name} holds {in_base}", ""
    return ("", f"{name}: no rows of ours were joined") if nothing == "t" and in_base not in (None, "0") else ("", "")


def _joins(catalog: Catalog, tree: Any) -> Iterator[_Joined]:
    within = {one.ctename for one in messages(tree, "CommonTableExpr")}
    for select in messages(tree, "SelectStmt"):
        tables = _tables(catalog, select, within)
        if not tables or any(one.WhichOneof("node") == "grouping_set" for one in select.group_clause):
            continue
        totals = tuple(total for target in select.target_list if (total := _total(catalog, select, target, tables)))
        if totals:
            conditions = [*_conditions(select.from_clause), select.where_clause]
            yield _Joined(tables, tuple(_equal(conditions)), totals)


def _tables(catalog: Catalog, select: Any, within: set[str]) -> dict[str, Relation]:
    """The base tables that a SELECT joins, by alias; empty where it joins anything else, or only one."""
    found: dict[str, Relation] = {}
    for one in _ranges(select.from_clause):
        kind = one.WhichOneof("node")
        name = one.range_var if kind == "range_var" else None
        relation = catalog.relations.get(f"{identifier(name.schemaname)}.{identifier(name.relname)}".replace('"', "")) \
            if name is not None and name.relname not in within else None  # fmt: skip
        if relation is None or name is None or not relation.holds_rows:
            return {}
        found[name.alias.aliasname or name.relname] = relation
    return found if 1 < len(found) <= _MOST_TABLES else {}


def _ranges(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        if node.WhichOneof("node") == "join_expr":
            yield from _ranges([node.join_expr.larg, node.join_expr.rarg])
        else:
            yield node


def _conditions(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        if node.WhichOneof("node") == "join_expr":
            yield node.join_expr.quals
            yield from _conditions([node.join_expr.larg, node.join_expr.rarg])


def _total(catalog: Catalog, select: Any, target: Any, tables: Mapping[str, Relation]) -> _Total | None:
    call = _aggregate(target.res_target.val)
    if call is None or call.agg_distinct or len(call.args) != 1:
        return None
    places = _reckoned(call.args[0])
    aliases = {alias for alias, _ in places or ()}
    if not places or len(aliases) > 1 or not aliases <= tables.keys():
        return None
    (alias,) = aliases
    known = {one.name: one for one in catalog.columns(tables[alias])}
    kinds = [catalog.types.get(known[name].type) if name in known else None for _, name in places]
    function = call.funcname[-1].string.sval
    if any(kind is None or (function == "sum" and kind.name not in _NUMBERS) for kind in kinds):
        return None
    alone = new_tree()
    copied = alone.stmts.add().stmt.select_stmt
    copied.CopyFrom(select)
    del copied.target_list[:]
    copied.target_list.add().res_target.val.func_call.CopyFrom(call)
    for unwanted in ("sort_clause", "limit_count", "limit_offset", "distinct_clause"):
        copied.ClearField(unwanted)
    return _Total(function, alias, tuple(name for _, name in places), expression_sql(call.args[0]), deparse(alone))


def _reckoned(node: Any) -> list[tuple[str, str]] | None:
    """The columns that a sum is reckoned from, such as a number times a price; None where there is more in it."""
    kind = node.WhichOneof("node")
    if kind == "type_cast":
        return _reckoned(node.type_cast.arg)
    if kind == "column_ref":
        place = _column(node)
        return None if place is None else [place]
    if kind == "a_const":
        return []
    if kind == "coalesce_expr":
        parts = list(node.coalesce_expr.args)
    elif kind == "a_expr" and node.a_expr.name[-1].string.sval in _RECKONING and node.a_expr.HasField("lexpr"):
        parts = [node.a_expr.lexpr, node.a_expr.rexpr]
    else:
        return None
    found = [_reckoned(part) for part in parts]
    return None if None in found else [place for part in found for place in part or ()]


def _aggregate(node: Any) -> Any | None:
    """The sum or count in an expression that only passes its value on: COALESCE, round, a cast."""
    kind = node.WhichOneof("node")
    if kind == "type_cast":
        return _aggregate(node.type_cast.arg)
    if kind == "coalesce_expr":
        return _aggregate(node.coalesce_expr.args[0])
    if kind != "func_call":
        return None
    name = node.func_call.funcname[-1].string.sval
    if name in _PASSES_ON and node.func_call.args:
        return _aggregate(node.func_call.args[0])
    return node.func_call if name in _TOTALS and not node.func_call.HasField("over") else None


def _column(node: Any) -> tuple[str, str] | None:
    """(alias, column) of a qualified column, whatever it is cast to."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    if node.WhichOneof("node") != "column_ref" or len(node.column_ref.fields) != 2:
        return None
    names = [one.string.sval for one in node.column_ref.fields]
    return (names[0], names[1]) if all(names) else None


def _equal(conditions: Iterable[Any]) -> list[frozenset[tuple[str, str]]]:
    """Groups of columns that the conditions make equal."""
    groups: list[set[tuple[str, str]]] = []
    for condition in conditions:
        for one in messages(condition, "A_Expr"):
            if [name.string.sval for name in one.name] != ["="]:
                continue
            sides = {side for side in (_column(one.lexpr), _column(one.rexpr)) if side is not None}
            if len(sides) == 2:
                touching = [group for group in groups if group & sides]
                groups = [group for group in groups if not group & sides]
                groups.append(sides.union(*touching))
    return [frozenset(group) for group in groups]


def _seed(catalog: Catalog, prober: Prober, joined: _Joined, maker: RowMaker) -> str:
    """Keep rows that meet in the join: one where its key allows one only, else two; returns why it could not."""
    shared: dict[str, dict[str, str]] = {alias: {} for alias in joined.tables}
    for group in joined.equal:
        columns = {place: _of(catalog, joined, *place) for place in group}
        text = _shared_value(catalog, columns.values())
        for (alias, name), column in columns.items():
            if column is not None and alias in shared:
                shared[alias][name] = f"{literal(text)}::{column.written}"
    summed = {(one.alias, column) for one in joined.totals for column in one.columns}

    def single(alias: str) -> bool:
        rules = catalog.rules(joined.tables[alias])
        return any(one.kind == "u" and one.columns and set(one.columns) <= shared[alias].keys() for one in rules)

    for alias in sorted(joined.tables, key=lambda alias: not single(alias)):
        fixed = dict(shared[alias])
        for _, name in sorted(place for place in summed if place[0] == alias):
            column = _of(catalog, joined, alias, name)
            values = candidates(column.type, catalog.types, column.written) if column and not column.made else []
            if values and name not in fixed and not _is_key(catalog, joined.tables[alias], name):
                fixed[name] = values[0]
        for _ in range(1 if single(alias) else 2):
            made = maker.make(joined.tables[alias], fixed=fixed)
            if not made.answer.good or not prober.keep(made.statement).good:
                return f"{joined.tables[alias].name} took no row of ours ({made.why or made.answer.message})"
    return ""


def _is_key(catalog: Catalog, relation: Relation, name: str) -> bool:
    return any(one.kind == "u" and one.columns == (name,) for one in catalog.rules(relation))


def _of(catalog: Catalog, joined: _Joined, alias: str, name: str) -> Column | None:
    table = joined.tables.get(alias)
    return next((one for one in catalog.columns(table) if one.name == name), None) if table else None


def _shared_value(catalog: Catalog, columns: Iterable[Column | None]) -> str:
    """A text that every one of the columns can hold, whatever their types are."""
    kinds = {catalog.types[one.type].name for one in columns if one is not None and one.type in catalog.types}
    if kinds & {*_NUMBERS}:
        return "30311" if "smallint" in kinds else str(uuid.uuid4().int % 1_000_000_000 + 1_000_000)
    if kinds & {*_DAYS}:
        return "2001-02-03"
    return str(uuid.uuid4())
