"""Knows how a verification query is asked from inside a block of PL/pgSQL: each of its statements, and their rows."""

from __future__ import annotations

from dataclasses import dataclass

from services.database.parser import nodes, parse
from services.database.script import Script, Statement, split
from services.database.verification import Query
from services.errors import Refused

_WRITES = ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt")
_NOT_THERE = {
    *("", "explain_stmt", "variable_show_stmt", "copy_stdout", "execute_stmt", "prepare_stmt", "fetch_stmt"),
    *("declare_cursor_stmt", "transaction_stmt", "call_stmt", "vacuum_stmt"),
}
"""Kinds of statement that EXECUTE refuses, or whose rows it cannot count."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement of a query; gives_rows: whether what it returns counts."""

    sql: str
    gives_rows: bool


def asked(query: Query) -> tuple[Asked, ...]:
    """The statements of a query in order. Raises Refused, with the place, for what no block can ask."""
    return tuple(_asked(query, one) for one in split(Script(query.file, query.sql)))


def _asked(query: Query, statement: Statement) -> Asked:
    tree = parse(statement.sql)
    if tree is None or statement.kind in _NOT_THERE:
        raise _refused(query, statement, "cannot be asked from inside a script")
    if statement.kind == "select_stmt" and any(nodes(tree, "IntoClause")):
        raise _refused(query, statement, "makes a table (SELECT INTO), which a script cannot ask")
    returns = any(nodes(tree.stmts[0].stmt, "ReturningClause")) if statement.kind in _WRITES else False
    return Asked(statement.sql, statement.kind == "select_stmt" or returns)


def _refused(query: Query, statement: Statement, why: str) -> Refused:
    return Refused(
        f"The verification query {query.id} {why}.",
        "No script was written: it would not verify what our own deploy does.",
        "Write it as SELECT, or deploy from here.",
        place=f"{query.file}:{statement.line}",
    )
