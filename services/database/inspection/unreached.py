"""Knows what a body names, on branches too that no call reaches: tables that are not there, columns nobody has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.database.inspection.catalog import Catalog, Routine
from services.database.parser import parse, parse_plpgsql

_STATEMENT = 0
_KNOWN_COLUMNS = frozenset(("tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"))


def missing_in_body(catalog: Catalog, routine: Routine) -> str:
    """The first table, or column that is written to, that a PL/pgSQL body names in plain SQL and that is not there.

    Empty where there is none. Names that are put together at run time are not seen here; the calls meet those.
    """
    if routine.language != "plpgsql" or routine.standard_body:
        return ""
    trees = [tree for text in _statements(routine) if (tree := parse(text)) is not None]
    made_here = {name for tree in trees for name in _made_in(tree)} | _transition_tables(catalog)
    for tree in trees:
        for schema, table in _relations(tree):
            if not schema and table in made_here:
                continue
            if not _exists(catalog, schema, table):
                return f"the table {schema + '.' if schema else ''}{table}"
        for schema, table, column in _written_columns(tree):
            if not schema and table in made_here:
                continue
            columns = _columns(catalog, schema, table)
            if columns and column not in columns:
                return f"the column {table}.{column}"
    return ""


def _statements(routine: Routine) -> list[str]:
    """The SQL statements that stand in a body, each as the server would run it."""
    tree = parse_plpgsql(routine.definition)
    return [] if tree is None else list(_expressions(tree))


def _expressions(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _expressions(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "PLpgSQL_expr":
                mode = value.get("parseMode", _STATEMENT)
                yield (
                    value["query"]
                    if mode == _STATEMENT
                    else f"SELECT {value['query'].partition(':=')[2] or value['query']}"
                )
            elif key != "datums":
                yield from _expressions(value)


def messages(node: Any, kind: str) -> Iterator[Any]:
    """Every message of a kind ("RangeVar") in a parse tree."""
    if node.DESCRIPTOR.name == kind:
        yield node
    for described, value in node.ListFields():
        if described.message_type is None:
            continue
        for one in value if hasattr(value, "append") or hasattr(value, "add") else (value,):
            yield from messages(one, kind)


def _relations(tree: Any) -> Iterator[tuple[str, str]]:
    within = {one.ctename for one in messages(tree, "CommonTableExpr")}
    for one in messages(tree, "RangeVar"):
        if one.schemaname or one.relname not in within:
            yield one.schemaname, one.relname


def _made_in(tree: Any) -> Iterator[str]:
    for kind in ("CreateStmt", "CreateTableAsStmt"):
        for one in messages(tree, kind):
            yield (one.relation if kind == "CreateStmt" else one.into.rel).relname
    for one in messages(tree, "IntoClause"):
        yield one.rel.relname


def _written_columns(tree: Any) -> Iterator[tuple[str, str, str]]:
    for one in messages(tree, "InsertStmt"):
        for target in one.cols:
            yield one.relation.schemaname, one.relation.relname, target.res_target.name
    for one in messages(tree, "UpdateStmt"):
        for target in one.target_list:
            yield one.relation.schemaname, one.relation.relname, target.res_target.name


def _exists(catalog: Catalog, schema: str, table: str) -> bool:
    """Leniently: a name without a schema may be in any, since a search_path decides at run time."""
    known = _names(catalog)
    return (schema, table) in known if schema else any(name == table for _, name in known)


def _names(catalog: Catalog) -> set[tuple[str, str]]:
    if not catalog.all_relations:
        rows = catalog.conn.execute(
            "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind <> 't'"
        ).fetchall()
        catalog.all_relations |= {(str(schema), str(name)) for schema, name in rows}
    return catalog.all_relations


def _columns(catalog: Catalog, schema: str, table: str) -> set[str]:
    """The columns of the one table of that name; empty where several have it, or none of the app's."""
    named = [one for one in catalog.relations.values() if one.table == table and (one.schema == schema or not schema)]
    if len(named) != 1:
        return set()
    return {one.name for one in catalog.columns(named[0])} | _KNOWN_COLUMNS


def _transition_tables(catalog: Catalog) -> set[str]:
    return {name for one in catalog.triggers for name in one.transition_tables}
