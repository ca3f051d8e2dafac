"""Knows what stands in the bodies of functions and DO blocks: the statements, those put together as text too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.database.parser import parse, parse_plpgsql


def queries_of(body: str, language: str) -> Iterator[str]:
    """The SQL statements in a function's body, as far as it can be read."""
    if language == "sql":
        yield body
    elif language == "plpgsql":
        yield from _strings(_tree(body), "query")


def dynamic_of(body: str) -> Iterator[str]:
    """The expressions that plpgsql EXECUTEs."""
    for found in _nodes(_tree(body), "PLpgSQL_stmt_dynexecute"):
        yield from _strings(found.get("query"), "query")


def literal_of(expression: str) -> str | None:
    """The text of an expression that is one plain literal, else None."""
    match = re.fullmatch(r"\s*(?:'((?:[^']|'')*)'|\$(\w*)\$(.*)\$\2\$)\s*", expression, re.DOTALL)
    if match is None:
        return None
    return match[1].replace("''", "'") if match[1] is not None else match[3]


def unfiltered_writes(body: str, language: str) -> Iterator[str]:
    """Tables ("schema.name", or "name") that the body updates, deletes from or empties, all rows of them."""
    texts = [*queries_of(body, language)]
    if language == "plpgsql":
        texts += [text for one in dynamic_of(body) if (text := literal_of(one)) is not None]
    for text in texts:
        tree = parse(text)
        for item in tree.stmts if tree is not None else ():
            yield from _unfiltered(item.stmt)


def _unfiltered(node: Any) -> Iterator[str]:
    kind = node.WhichOneof("node")
    if kind in ("update_stmt", "delete_stmt"):
        statement = getattr(node, kind)
        joined = statement.from_clause if kind == "update_stmt" else statement.using_clause
        if not statement.HasField("where_clause") and not joined:
            yield name_of(statement.relation)
    elif kind == "truncate_stmt":
        for relation in node.truncate_stmt.relations:
            yield name_of(relation.range_var)


def name_of(relation: Any) -> str:
    """A relation's name as it was written."""
    return f"{relation.schemaname}.{relation.relname}" if relation.schemaname else str(relation.relname)


def _tree(body: str) -> Any | None:
    """The syntax tree of a plpgsql body, whatever it returns: what a function's head says is not known here."""
    tag = "$ops_body$"
    while tag in body:
        tag = tag[:-1] + "_$"
    heads = ("int", "void", "SETOF int")
    made = (
        f"CREATE FUNCTION f(new record, old record) RETURNS {head} LANGUAGE plpgsql AS {tag}{body}{tag}"
        for head in heads
    )
    return next((tree for text in made if (tree := parse_plpgsql(text)) is not None), None)


def _nodes(tree: Any, name: str) -> Iterator[Any]:
    if isinstance(tree, dict):
        if name in tree:
            yield tree[name]
        for value in tree.values():
            yield from _nodes(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value, name)


def _strings(tree: Any, name: str) -> Iterator[str]:
    return (str(one) for one in _nodes(tree, name) if isinstance(one, str))
