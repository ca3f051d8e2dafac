"""Knows what the text of a function names: tables, columns, functions, types; read by the parser, never by substring.

The server keeps no record of what such a text needs: it stays when that is dropped, and fails when called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from services.database.parser import parse, parse_plpgsql, walk

Names = tuple[str, ...]
_PLAIN = re.compile(r"[\w $]+(\.[\w $]+)*")
_STATEMENTS = (0,)
_ROW_TYPE, _TYPE_OF = "%rowtype", "%type"


@dataclass(frozen=True, slots=True)
class Body:
    """What a body names. columns: (names of the relation, column); the relation is ("new",) for a trigger's row.

    statements: its static SQL in order, for who wants to know what it does. dynamic: it also runs SQL that it puts
    together when called. known: the parser could read it.
    """

    relations: frozenset[Names] = frozenset()
    columns: frozenset[tuple[Names, str]] = frozenset()
    functions: frozenset[tuple[Names, int]] = frozenset()
    types: frozenset[Names] = frozenset()
    statements: tuple[str, ...] = ()
    dynamic: bool = False
    known: bool = True


@dataclass(slots=True)
class _Seen:
    relations: set[Names] = field(default_factory=set)
    columns: set[tuple[Names, str]] = field(default_factory=set)
    functions: set[tuple[Names, int]] = field(default_factory=set)
    types: set[Names] = field(default_factory=set)
    statements: list[str] = field(default_factory=list)
    rows: dict[str, Names] = field(default_factory=dict)
    records: dict[str, set[Names]] = field(default_factory=dict)
    dynamic: bool = False


@lru_cache(maxsize=4096)
def read_body(definition: str, language: str, body: str) -> Body:
    """What a function names. definition: its CREATE FUNCTION (PL/pgSQL is read by that); body: its text alone."""
    seen = _Seen()
    if language == "sql":
        known = _read_sql(body, seen)
        seen.statements.append(body)
    elif language == "plpgsql":
        tree = parse_plpgsql(definition)
        known = tree is not None
        if tree is not None:
            _read_plpgsql(tree, body, seen)
    else:
        known = False
    return Body(
        frozenset(seen.relations),
        frozenset(seen.columns),
        frozenset(seen.functions),
        frozenset(seen.types),
        tuple(seen.statements),
        seen.dynamic,
        known,
    )


def read_block(body: str) -> Body:
    """What a DO block in PL/pgSQL names."""
    mark = "$block$"
    while mark in body:
        mark = mark[:-1] + "_$"
    return read_body(f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS {mark}{body}{mark}", "plpgsql", body)


def _read_plpgsql(tree: Any, body: str, seen: _Seen) -> None:
    # Variables come before the statements that use them.
    for kind, node in _nodes(tree):
        if kind == "PLpgSQL_type":
            _read_declared(str(node.get("typname", "")), seen)
        elif kind == "PLpgSQL_rec":
            _read_row_variable(str(node["refname"]), body, seen)
        elif kind in ("PLpgSQL_stmt_fors", "PLpgSQL_stmt_execsql"):
            _read_record(node, seen)
        elif kind == "PLpgSQL_var" and "datatype" in node:
            name = str(node["datatype"].get("PLpgSQL_type", {}).get("typname", ""))
            if name.lower().endswith(_ROW_TYPE):
                seen.rows[node["refname"]] = _names(name[: -len(_ROW_TYPE)])
    for kind, node in _nodes(tree):
        if kind in ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors") or "dynquery" in node:
            _read_dynamic(node.get("query") or node.get("dynquery"), seen)
        elif kind == "PLpgSQL_expr":
            _read_expression(str(node.get("query", "")), int(node.get("parseMode", 2)), seen)


def _nodes(tree: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, node) of every node of the tree, in the order of the text; what only runs as dynamic SQL is left out."""
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key.startswith("PLpgSQL_") and isinstance(value, dict):
                yield key, value
            yield from _nodes(value)


def _read_declared(text: str, seen: _Seen) -> None:
    low = text.lower()
    if low.endswith(_ROW_TYPE):
        seen.relations.add(_names(text[: -len(_ROW_TYPE)]))
    elif low.endswith(_TYPE_OF):
        names = _names(text[: -len(_TYPE_OF)])
        if len(names) > 1:
            seen.relations.add(names[:-1])
            seen.columns.add((names[:-1], names[-1]))
    elif _PLAIN.fullmatch(text):
        seen.types.add(tuple(text.split(".")))
    elif text:
        _read_sql(f"SELECT NULL::{text}", seen)


def _read_row_variable(name: str, body: str, seen: _Seen) -> None:
    """The parser does not say of what type a variable is whose type is none of the server's own: the text does."""
    found = re.search(
        rf'(?i)(?<![\w."])"?{re.escape(name)}"?\s+(?:constant\s+)?([\w$]+(?:\.[\w$]+)*)\s*(?:;|:=|=|default|not)', body
    )
    if found is not None:
        seen.types.add(tuple(found.group(1).lower().split(".")))


def _read_record(node: Any, seen: _Seen) -> None:
    """A record that takes whole rows, in a loop or by INTO: its fields are columns of what they are read from."""
    record = (node.get("var") or node.get("target") or {}).get("PLpgSQL_rec")
    query = (node.get("query") or node.get("sqlstmt") or {}).get("PLpgSQL_expr", {}).get("query", "")
    parsed = parse(str(query)) if record else None
    if record is None or parsed is None:
        return
    parts = [(part, type(part).__name__) for _, part in walk(parsed)]
    if any(kind == "A_Star" for _, kind in parts):
        tables = (part for part, kind in parts if kind == "RangeVar")
        names = {(one.schemaname, one.relname) if one.schemaname else (one.relname,) for one in tables}
        seen.records.setdefault(str(record["refname"]), set()).update(names)


def _names(text: str) -> Names:
    if _PLAIN.fullmatch(text):
        return tuple(text.split("."))  # the parser gives names without their quotes
    parsed = parse(f"SELECT NULL::{text.strip()}")
    if parsed is None:
        return (text.strip().lower(),)
    kind = next(part for _, part in walk(parsed) if type(part).__name__ == "TypeName")
    return tuple(part.string.sval for part in kind.names)


def _read_dynamic(query: Any, seen: _Seen) -> None:
    """EXECUTE of one constant is as good as static; of anything else, it cannot be told."""
    text = str((query or {}).get("PLpgSQL_expr", {}).get("query", ""))
    parsed = parse(f"SELECT {text}")
    targets: Any = parsed.stmts[0].stmt.select_stmt.target_list if parsed is not None else ()
    if len(targets) == 1 and targets[0].res_target.val.WhichOneof("node") == "a_const":
        constant = targets[0].res_target.val.a_const.sval.sval
        if constant and _read_sql(constant, seen):
            seen.statements.append(constant)
            return
    seen.dynamic = True


def _read_expression(query: str, mode: int, seen: _Seen) -> None:
    if mode in _STATEMENTS:
        if _read_sql(query, seen):
            seen.statements.append(query)
        return
    _, assigned, value = query.partition(":=") if mode > 2 else ("", "", query)
    if mode > 2 and not assigned:
        _, _, value = query.partition("=")
    text = f"SELECT {value}"
    if _read_sql(text, seen) and "(" in value:
        seen.statements.append(text)


def _read_sql(text: str, seen: _Seen) -> bool:
    parsed = parse(text)
    if parsed is None:
        return False
    for item in parsed.stmts:
        _read_statement(item.stmt, seen)
    return True


def _read_statement(statement: Any, seen: _Seen) -> None:
    parts = [(part, type(part).__name__) for _, part in walk(statement)]
    common = {part.ctename for part, kind in parts if kind == "CommonTableExpr"}
    ranges: dict[str, Names] = dict(seen.rows)
    for part, kind in parts:
        if kind == "RangeVar" and (part.schemaname or part.relname not in common):
            names = (part.schemaname, part.relname) if part.schemaname else (part.relname,)
            seen.relations.add(names)
            ranges[part.alias.aliasname or part.relname] = names
            _read_written(part, ranges)
    own = set(ranges.values()) - set(seen.rows.values())
    for part, kind in parts:
        if kind == "ColumnRef":
            _read_column(part, ranges, own, seen)
        elif kind == "FuncCall":
            seen.functions.add((_strings(part.funcname), len(part.args)))
        elif kind == "CallStmt":
            seen.functions.add((_strings(part.funccall.funcname), len(part.funccall.args)))
        elif kind == "TypeName":
            seen.types.add(_strings(part.names))
        elif kind in ("InsertStmt", "UpdateStmt"):
            _read_targets(part, kind, seen)
        elif kind == "IndexElem" and part.name:
            seen.columns.update((names, part.name) for names in own)


def _read_written(relation: Any, ranges: dict[str, Names]) -> None:
    # In ON CONFLICT the row to be inserted is named so.
    ranges.setdefault("excluded", ranges[relation.alias.aliasname or relation.relname])


def _read_column(part: Any, ranges: dict[str, Names], own: set[Names], seen: _Seen) -> None:
    words = [item.string.sval for item in part.fields if item.WhichOneof("node") == "string"]
    if len(words) == 1:
        seen.columns.update((names, words[0]) for names in own)
        return
    qualifier, column = words[:-1][:2], (words or [""])[-1]
    if len(qualifier) == 2:
        seen.columns.add((tuple(qualifier), column))
    elif qualifier and qualifier[0].lower() in ("new", "old"):
        seen.columns.add((("new",), column))
    elif qualifier and qualifier[0] in ranges:
        seen.columns.add((ranges[qualifier[0]], column))
    elif qualifier and qualifier[0] in seen.records:
        seen.columns.update((names, column) for names in seen.records[qualifier[0]])


def _read_targets(part: Any, kind: str, seen: _Seen) -> None:
    relation = part.relation
    names = (relation.schemaname, relation.relname) if relation.schemaname else (relation.relname,)
    targets = part.cols if kind == "InsertStmt" else part.target_list
    seen.columns.update((names, item.res_target.name) for item in targets)


def _strings(items: Iterable[Any]) -> Names:
    return tuple(item.string.sval for item in items)
