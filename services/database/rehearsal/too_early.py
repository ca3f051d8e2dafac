"""Knows what helps where a statement needs what an index, or an earlier COMMIT, has yet to give it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from services.database.failure_classes import Failure
from services.database.names import as_written
from services.database.parser import expression_sql, nodes, parse
from services.database.rehearsal.catalog_names import CatalogNames
from services.database.script import Statement

_UNSAFE = re.compile(r'unsafe use of new value "(?P<value>.+)" of enum type')


def with_added_value(failure: Failure, statements: Sequence[Statement], at: int) -> Failure:
    """A failure for a new enum value (55P04), with the statement that added it; any other as it is.

    at: the place of the statement that failed.
    """
    match = _UNSAFE.search(failure.message) if failure.sqlstate == "55P04" else None
    if match is None:
        return failure
    for one in reversed(statements[: at + 1]):
        if _adds(one, match["value"]):
            place = f"line {one.start_line} of {one.file}"
            told = (
                f"The ADD VALUE '{match['value']}' on {place} must come before: put it into an earlier release,"
                " or into a file of its own that is committed before."
            )
            return replace(failure, suggestion=told)
    return failure


def _adds(statement: Statement, value: str) -> bool:
    if statement.kind == "do_stmt":
        return re.search(rf"\badd\s+value\b[^;]*'{re.escape(value)}'", statement.sql, re.IGNORECASE) is not None
    parsed = parse(statement.sql) if statement.kind == "alter_enum_stmt" else None
    return parsed is not None and any(one.new_val == value for one in nodes(parsed, "AlterEnumStmt"))


def missing_unique_index(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    """The index that ON CONFLICT (...) looks for."""
    parsed = parse(statement.sql) if "ON CONFLICT" in failure.message else None
    for insert in nodes(parsed, "InsertStmt") if parsed is not None else ():
        infer = insert.on_conflict_clause.infer
        if not insert.HasField("on_conflict_clause") or not infer.index_elems:
            continue
        elements = [one.index_elem for one in infer.index_elems]
        key = ", ".join(as_written(one.name) if one.name else f"({expression_sql(one.expr)})" for one in elements)
        where = f" WHERE {expression_sql(infer.where_clause)}" if infer.HasField("where_clause") else ""
        table = ".".join(as_written(one) for one in (insert.relation.schemaname, insert.relation.relname) if one)
        return f"Put before it: CREATE UNIQUE INDEX ON {table} ({key}){where};"
    return None
