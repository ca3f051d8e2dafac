"""Knows, by the parse tree, what endangers tables and rows although neither a linter nor a first run tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.database.dangers.volatility import not_immutable
from services.database.dangers.written import Item, Written, commands, constraints, full_name
from services.database.parser import enum_name, expression_sql, nodes

Told = tuple[str, str, str]
"""Rule, what is wrong, what to write instead."""

_VOLATILE_ELSEWHERE = ("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "nanoid", "gen_random_bytes")


def missing_where(item: Item, written: Written) -> Iterator[Told]:
    """All rows of a table that was there before are updated or deleted."""
    for kind, word in (("UpdateStmt", "updates"), ("DeleteStmt", "deletes")):
        for node in nodes(item.node, kind):
            joined = node.from_clause if kind == "UpdateStmt" else node.using_clause
            if node.HasField("where_clause") or joined or written.is_new(full_name(node.relation)):
                continue
            fix = "Name the rows with WHERE, one that a second run no longer finds."
            yield f"{word[:-1]}-without-where", f"This {word} every row of {full_name(node.relation)}.", fix


def volatile_default(item: Item, written: Written) -> Iterator[Told]:
    """ADD COLUMN with a default that differs from row to row writes the whole table anew."""
    for table, column in _added(item, written):
        default = constraints(column).get("CONSTR_DEFAULT")
        if default is None:
            continue
        bad = [one for one in not_immutable(default.raw_expr, {}, written.catalog.major) if "volatile" in one.why]
        own = [call for call in nodes(default.raw_expr, "FuncCall") if _plain(call) in _VOLATILE_ELSEWHERE]
        if bad or own:
            text = expression_sql(default.raw_expr)
            message = f"The default {text} differs from row to row, so all of {table} is rewritten under a lock."
            fix = "Add the column without default, SET DEFAULT for new rows, then fill the old ones in batches."
            yield "volatile-default", message, fix


def required_without_default(item: Item, written: Written) -> Iterator[Told]:
    """A new column that must have a value, in a table that may have rows."""
    for table, column in _added(item, written):
        kinds = constraints(column).keys()
        serial = column.type_name.names[-1].string.sval in ("serial", "bigserial", "smallserial", "serial4", "serial8")
        gives = {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"} & kinds
        if "CONSTR_NOTNULL" in kinds and not gives and not serial:
            message = f"{column.colname} must have a value, and the rows that {table} has get none: this fails."
            yield (
                "required-without-default",
                message,
                "Give it a constant DEFAULT, or add it without NOT NULL and fill it.",
            )


def rename_in_use(item: Item, written: Written) -> Iterator[Told]:
    """A name that the serving build still uses."""
    if item.kind != "rename_stmt":
        return
    kind = enum_name(item.node, "rename_type")
    if kind not in ("OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_VIEW") or written.is_new(full_name(item.node.relation)):
        return
    what = item.node.subname if kind == "OBJECT_COLUMN" else item.node.relation.relname
    message = f"The build that serves now asks for {what}, and fails from COMMIT until the next one serves."
    fix = "Add the new name beside the old (a view, a column kept alike by a trigger), move the app, drop the old."
    yield "rename-in-use", message, fix


def drop_cascade(item: Item, written: Written) -> Iterator[Told]:
    """CASCADE takes what nobody named."""
    parts = [item.node] if item.kind == "drop_stmt" else []
    if item.kind == "alter_table_stmt":
        drops = ("AT_DropColumn", "AT_DropConstraint")
        parts = [one for one in commands(item.node) if enum_name(one, "subtype") in drops]
    for part in parts:
        if enum_name(part, "behavior") == "DROP_CASCADE":
            message = "CASCADE drops whatever depends on it: views, foreign keys of other tables, columns, policies."
            yield "drop-cascade", message, "Drop each object by name; `rehearse` and the blast radius list them."


def truncate(item: Item, written: Written) -> Iterator[Told]:
    """TRUNCATE of a table that was there."""
    for node in nodes(item.node, "TruncateStmt"):
        for relation in node.relations:
            name = full_name(relation.range_var)
            if not written.is_new(name):
                yield "truncate", f"This empties {name}.", "DELETE with a WHERE, or keep a copy first."


def seed_without_conflict(item: Item, written: Written) -> Iterator[Told]:
    """Rows for a table that may be there already, with a key that a second run meets."""
    if item.kind != "insert_stmt" or item.node.HasField("on_conflict_clause"):
        return
    name = full_name(item.node.relation)
    if item.node.select_stmt.select_stmt.values_lists and name in written.made_if_missing & written.keyed:
        message = f"A second run meets its own rows in {name}, and fails."
        yield "insert-without-conflict", message, "Add ON CONFLICT (key) DO NOTHING, or DO UPDATE."


def not_immutable_expression(item: Item, written: Written) -> Iterator[Told]:
    """Indexes and generated columns want expressions whose result never changes."""
    for table, expression in _fixed_expressions(item):
        for one in not_immutable(expression, written.columns_of(table), written.catalog.major):
            may = "is" if one.certain else "may be"
            message = f"{one.part} {may} not immutable: {one.why}; the server refuses it here."
            yield "not-immutable", message, f"Write {one.instead}" if _is_sql(one.instead) else one.instead


def refresh_blocks(item: Item, written: Written) -> Iterator[Told]:
    """REFRESH without CONCURRENTLY."""
    if item.kind == "refresh_mat_view_stmt" and not item.node.concurrent and not item.node.skip_data:
        name = full_name(item.node.relation)
        if not written.is_new(name):
            message = f"Nobody can read {name} until it is worked out anew."
            yield "refresh-blocks-readers", message, "REFRESH MATERIALIZED VIEW CONCURRENTLY; it needs a unique index."


def _is_sql(text: str) -> bool:
    return not text.endswith(".") and not text.startswith(("the plain", "a function"))


def _added(item: Item, written: Written) -> Iterator[tuple[str, Any]]:
    """(table, definition) of every column that is added to a table that was there before."""
    if item.kind != "alter_table_stmt" or written.is_new(full_name(item.node.relation)):
        return
    for command in commands(item.node):
        if enum_name(command, "subtype") == "AT_AddColumn":
            yield full_name(item.node.relation), getattr(command, "def").column_def


def _fixed_expressions(item: Item) -> Iterator[tuple[str, Any]]:
    if item.kind == "index_stmt":
        table = full_name(item.node.relation)
        for element in item.node.index_params:
            if element.index_elem.HasField("expr"):
                yield table, element.index_elem.expr
        if item.node.HasField("where_clause"):
            yield table, item.node.where_clause
    elif item.kind in ("create_stmt", "alter_table_stmt"):
        for column in nodes(item.node, "ColumnDef"):
            if (made := constraints(column).get("CONSTR_GENERATED")) is not None:
                yield full_name(item.node.relation), made.raw_expr


def _plain(call: Any) -> str:
    return str(call.funcname[-1].string.sval)
