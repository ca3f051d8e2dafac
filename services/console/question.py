"""Knows what a question may look like, by the grammar alone: one SELECT that reads and does nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.database.parser import enum_name, parse, walk
from services.errors import NotUnderstood, Refused

LONGEST = 20_000
"""Characters of a question."""

Name = tuple[str, ...]
"""A name as it was written: with or without its schema, unquoted and folded as the server folds it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that the grammar allows, with every name in it that the catalog has yet to judge.

    fields: what stands behind a dot, with the name before it ("" where that is an expression): a column, or a function
    of one argument that is called like one. tables: the tables that such a name before the dot stands for; a name that
    may also stand for something else is not there. settings: those that current_setting is asked for, None where that
    is no plain text.
    """

    tree: Any
    relations: frozenset[Name]
    functions: frozenset[Name]
    fields: frozenset[tuple[str, str]]
    operators: frozenset[Name]
    types: frozenset[Name]
    common_tables: frozenset[str]
    tables: Mapping[str, frozenset[Name]]
    settings: frozenset[str | None]


def read_question(text: str) -> Question:
    """Read what was typed. Raises NotUnderstood for what is no SQL, Refused for what is more than one SELECT."""
    if len(text) > LONGEST:
        raise NotUnderstood(f"The question has more than {LONGEST} characters.", "Nothing was asked.", "Shorten it.")
    if "\0" in text:
        raise NotUnderstood("The question holds a zero byte.", "Nothing was asked.", "Type it anew.")
    tree = parse(text)
    if tree is None:
        raise NotUnderstood("This is not valid SQL.", "Nothing was asked.", "Write one SELECT.")
    return question_of(tree)


def question_of(tree: Any) -> Question:
    """The same of a tree that is there already, such as a view's definition."""
    if len(tree.stmts) != 1:
        raise _no(f"{len(tree.stmts) or 'no'} statements were typed", "Ask one at a time.")
    kind = str(tree.stmts[0].stmt.WhichOneof("node"))
    if kind != "select_stmt":
        raise _no(f"{_words(kind)} is not a SELECT", "Only questions are asked here; changes go through a release.")
    names = _Names()
    for _, node in walk(tree):
        _look(node, names)
    return Question(
        tree,
        frozenset(names.relations),
        frozenset(names.functions),
        frozenset(names.fields),
        frozenset(names.operators),
        frozenset(names.types),
        frozenset(names.common_tables),
        names.tables_alone(),
        frozenset(names.settings),
    )


@dataclass(slots=True)
class _Names:
    relations: set[Name] = field(default_factory=set)
    functions: set[Name] = field(default_factory=set)
    fields: set[tuple[str, str]] = field(default_factory=set)
    operators: set[Name] = field(default_factory=set)
    types: set[Name] = field(default_factory=set)
    common_tables: set[str] = field(default_factory=set)
    tables: dict[str, set[Name]] = field(default_factory=dict)
    settings: set[str | None] = field(default_factory=set)
    aliases: Counter[str] = field(default_factory=Counter)

    def tables_alone(self) -> dict[str, frozenset[Name]]:
        """What a name before a dot stands for, where it can stand for tables only, under their columns' own names."""
        return {
            name: frozenset(tables)
            for name, tables in self.tables.items()
            if not self.aliases[name] and not self.common_tables & {name, *(table[-1] for table in tables)}
        }


def _look(node: Any, names: _Names) -> None:
    kind = node.DESCRIPTOR.name
    if kind.endswith("Stmt") and kind not in ("SelectStmt", "RawStmt"):
        raise _no(f"{kind.removesuffix('Stmt').upper()} stands inside it", "Only SELECT reads and does nothing else.")
    if kind == "SelectStmt":
        if node.HasField("into_clause"):
            raise _no("SELECT INTO makes a table", "Leave INTO out.")
        if node.locking_clause:
            raise _no("FOR UPDATE and its like take locks", "Leave it out.")
    elif kind == "ParamRef":
        raise _no("it has a parameter ($1)", "Write the value.")
    elif kind == "RangeVar":
        if node.catalogname:
            raise _no("a name has three parts", "Leave the database's name out.")
        _look_at_table(node, names)
    elif kind == "Alias":
        names.aliases[node.aliasname] += 1
    elif kind == "ColumnRef" and len(node.fields) > 1:
        *_, before, last = _strings(node.fields)
        names.fields.add((before, last))
    elif kind == "A_Indirection":
        names.fields.update(("", one) for one in _strings(node.indirection))
        if "current_setting" in _strings(node.indirection):
            names.settings.add(None)
    elif kind == "FuncCall":
        names.functions.add(_strings(node.funcname))
        if _strings(node.funcname)[-1] == "current_setting":
            names.settings.add(_plain_text(node.args[0]) if node.args else None)
    elif kind == "A_Expr":
        names.operators.update(_operators(node))
    elif kind == "SubLink":
        names.operators.add(_strings(node.oper_name) or ("=",))
    elif (kind == "CaseExpr" and node.HasField("arg")) or (
        kind == "JoinExpr" and (node.using_clause or node.is_natural)
    ):
        names.operators.add(("=",))
    elif kind == "RangeTableSample":
        if _strings(node.method)[-1] not in ("system", "bernoulli"):
            raise _no("TABLESAMPLE by a method that is not the server's own", "Use SYSTEM or BERNOULLI.")
    elif kind == "SortBy" and node.use_op:
        names.operators.add(_strings(node.use_op))
    elif kind == "TypeName":
        names.types.add(_strings(node.names))
    elif kind == "CommonTableExpr":
        names.common_tables.add(node.ctename)


def _look_at_table(node: Any, names: _Names) -> None:
    name = (node.schemaname, node.relname) if node.schemaname else (node.relname,)
    names.relations.add(name)
    names.tables.setdefault(node.alias.aliasname or node.relname, set()).add(name)
    if node.alias.aliasname and not node.alias.colnames:
        # Its alias comes by itself too, and is one of those that do not stand for something else.
        names.aliases[node.alias.aliasname] -= 1


def _operators(node: Any) -> Iterator[Name]:
    if "BETWEEN" in enum_name(node, "kind"):
        yield from (("<",), ("<=",), (">",), (">=",))
    elif node.name:
        yield _strings(node.name)


def _plain_text(node: Any) -> str | None:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node.a_const.sval.sval if node.WhichOneof("node") == "a_const" else None


def _strings(nodes: Any) -> Name:
    """The words of a name; "" for what is none, such as * and [1]."""
    return tuple(node.string.sval for node in nodes)


def _words(kind: str) -> str:
    return kind.removesuffix("_stmt").replace("_", " ").upper() or "This"


def _no(what: str, do: str) -> Refused:
    return Refused(f"The console asks one SELECT: {what}.", "Nothing was asked.", do)
