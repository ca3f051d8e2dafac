"""Knows the order in which a deploy runs its statements: long work before the first strong lock, where it commutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.database.fingerprint import Fingerprint
from services.database.parser import enum_name, parse, walk
from services.database.script import Statement
from services.errors import NotUnderstood

_LONG = {"insert_stmt", "update_stmt", "delete_stmt", "create_table_as_stmt", "index_stmt", "select_stmt"}
_MOVABLE = {*_LONG, "create_stmt"}
_STRONG = {"alter_table_stmt", "index_stmt", "create_trig_stmt", "create_policy_stmt"}
_PASSED_OVER = {
    *_STRONG,
    *("create_stmt", "create_table_as_stmt", "select_stmt", "create_function_stmt", "view_stmt", "grant_stmt"),
    *("comment_stmt", "create_enum_stmt", "create_seq_stmt"),
}
"""Rows that are written stay out: triggers may do anything."""

_LOCAL_ALTERATIONS = {
    f"AT_{name}"
    for name in (
        *("AddColumn", "ColumnDefault", "DropNotNull", "SetNotNull", "SetStatistics", "SetStorage", "AddConstraint"),
        *("ValidateConstraint", "DropConstraint", "DropColumn", "AlterColumnType", "EnableRowSecurity"),
        *("DisableRowSecurity", "ForceRowSecurity", "NoForceRowSecurity", "SetRelOptions"),
    )
}
_PLAIN_FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        "generate_series now clock_timestamp random count sum avg min max md5 lower upper length substr substring "
        "replace concat concat_ws format coalesce nullif greatest least round floor ceil abs mod repeat lpad rpad trim "
        "btrim ltrim rtrim left right date_trunc extract age to_char to_date to_timestamp make_date make_interval "
        "string_agg array_agg array_length unnest jsonb_build_object jsonb_agg json_agg row_number rank dense_rank lag "
        "lead first_value last_value gen_random_uuid pg_sleep timezone date_part bool_or bool_and",
    )
)
_PLAIN_TYPES = frozenset(
    re.findall(
        r"\w+",
        "bool int2 int4 int8 float4 float8 numeric text varchar bpchar char name bytea uuid json jsonb date time "
        "timetz timestamp timestamptz interval inet smallserial serial bigserial serial2 serial4 serial8 integer "
        "bigint smallint boolean",
    )
)
"""Of a type or function that is not one of these, nobody can tell by its name what it looks at."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One statement as its text tells it: what it names, and whether that is all that it can touch."""

    kind: str
    relations: frozenset[str] = frozenset()
    makes: str | None = None
    on: str | None = None
    functions: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    plain: bool = False
    references: frozenset[str] = frozenset()


def in_order(statements: Sequence[Statement], order: Sequence[int] | None) -> tuple[Statement, ...]:
    """The statements in the order that was rehearsed; None: as the scripts have them.

    Raises NotUnderstood where the order is not one of exactly these statements.
    """
    if order is None:
        return tuple(statements)
    if sorted(order) != list(range(len(statements))):
        raise NotUnderstood(
            "The order that was rehearsed is not one of these statements.", "Nothing was run.", "Rehearse again."
        )
    return tuple(statements[place] for place in order)


def ordered(statements: Sequence[Statement], catalog: Fingerprint) -> tuple[int, ...] | None:
    """Places of the statements in a better order, or None where the scripts' own is as good, or nothing is certain.

    Work that may take long and locks no existing table strongly (rows and indexes of tables that the script makes) goes
    before the first statement that does, if it provably commutes with all that it passes: it names nothing that those
    name, and calls and uses nothing of which a name does not tell what it does. catalog: the target's, as rehearsed.
    """
    there = _Catalog(catalog)
    works = [_read(statement) for statement in statements]
    new = _new_tables(works, there)
    first = next((place for place, work in enumerate(works) if _locks_strongly(work, there, new)), None)
    if first is None:
        return None
    moved: list[int] = []
    for place in range(first, len(works)):
        stayed = [works[other] for other in range(first, place) if other not in moved]
        if _may_move(works[place], there, new) and all(_commute(works[place], other) for other in stayed):
            moved.append(place)
    if not any(works[place].kind in _LONG for place in moved):
        return None
    rest = [place for place in range(first, len(works)) if place not in moved]
    return (*range(first), *moved, *rest) if rest else None


class _Catalog:
    """What the target has by name, without its schema: a name that is there twice is there."""

    def __init__(self, catalog: Fingerprint) -> None:
        self.plain_tables: set[str] = set()
        self.relations: set[str] = set()
        self.functions: set[str] = set()
        doubtful: set[str] = set()
        for fact, value in catalog.facts.items():
            kind, _, rest = fact.partition(" ")
            name = rest.partition("(")[0].rpartition(".")[2].strip('"')
            if kind == "relation":
                self.relations.add(name)
                plain = value.startswith("r ") and " rls" not in value
                (self.plain_tables if plain else doubtful).add(name)
            elif kind == "function":
                self.functions.add(name)
        self.plain_tables -= doubtful


def _new_tables(works: Sequence[_Work], there: _Catalog) -> frozenset[str]:
    """Tables that the script makes and that no trigger, rule or policy of its own is put on."""
    bound = {work.on for work in works if work.kind in ("create_trig_stmt", "rule_stmt", "create_policy_stmt")}
    made = [work.makes for work in works if work.makes and work.kind in ("create_stmt", "create_table_as_stmt")]
    return frozenset(
        name for name in made if name not in there.relations and name not in bound and made.count(name) == 1
    )


def _locks_strongly(work: _Work, there: _Catalog, new: frozenset[str]) -> bool:
    if work.kind == "create_stmt":
        return bool(work.references - new)
    return work.kind in _STRONG and work.on is not None and work.on not in new and work.on in there.relations


def _may_move(work: _Work, there: _Catalog, new: frozenset[str]) -> bool:
    if work.kind not in _MOVABLE or not work.plain or work.functions & there.functions:
        return False
    if work.kind == "create_stmt":
        return work.makes in new and work.relations <= new
    if work.kind == "create_table_as_stmt":
        return work.makes in new and work.relations <= new | there.plain_tables
    if work.kind == "select_stmt":
        return work.relations <= new | there.plain_tables
    return work.on in new and work.relations <= new | there.plain_tables


def _commute(mover: _Work, other: _Work) -> bool:
    """True where the mover may run before the other one as well as after it."""
    if other.kind not in _PASSED_OVER or (not other.plain and other.kind != "create_function_stmt"):
        return False
    touched = other.relations | other.names | ({other.makes} if other.makes else set())
    mine = mover.relations | mover.functions | ({mover.makes} if mover.makes else set())
    return not mine & touched


def _read(statement: Statement) -> _Work:
    tree = parse(statement.sql)
    if tree is None or not tree.stmts or not statement.kind:
        return _Work("")
    node = getattr(tree.stmts[0].stmt, statement.kind, None)
    if node is None:
        return _Work(statement.kind)
    relations, functions, types, names, references = set(), set(), set(), set(), set()
    plain = True
    for _, part in walk(tree.stmts[0].stmt):
        what = part.DESCRIPTOR.name
        if what == "RangeVar":
            relations.add(part.relname)
        elif what == "FuncCall":
            functions.add(part.funcname[-1].string.sval)
        elif what == "TypeName":
            types.add(part.names[-1].string.sval if part.names else "")
        elif what == "String":
            names.add(part.sval)
        elif what == "Constraint" and enum_name(part, "contype") == "CONSTR_FOREIGN":
            references.add(part.pktable.relname)
        elif what in ("TableLikeClause", "PartitionBoundSpec", "PartitionSpec", "SQLValueFunction", "LockingClause"):
            plain = plain and what == "SQLValueFunction"
    plain = plain and functions <= _PLAIN_FUNCTIONS and types <= _PLAIN_TYPES and _is_local(statement.kind, node)
    makes, on = _made_and_on(statement.kind, node)
    return _Work(
        statement.kind,
        frozenset(relations),
        makes,
        on,
        frozenset(functions),
        frozenset(names),
        plain,
        frozenset(references),
    )


def _is_local(kind: str, node: Any) -> bool:
    """False where the statement reaches beyond what it names."""
    if kind == "alter_table_stmt":
        return all(
            enum_name(command.alter_table_cmd, "subtype") in _LOCAL_ALTERATIONS
            and enum_name(command.alter_table_cmd, "behavior") != "DROP_CASCADE"
            for command in node.cmds
        )
    if kind == "grant_stmt":
        return enum_name(node, "targtype") == "ACL_TARGET_OBJECT"
    if kind == "create_stmt":
        return not node.inh_relations and not node.HasField("of_typename")
    if kind == "index_stmt":
        return not node.concurrent
    return not (kind == "select_stmt" and node.HasField("into_clause"))


def _made_and_on(kind: str, node: Any) -> tuple[str | None, str | None]:
    """The name that the statement makes, and the table that it works on."""
    if kind == "create_stmt":
        return node.relation.relname, None
    if kind == "create_table_as_stmt":
        return node.into.rel.relname, None
    if kind == "index_stmt":
        return node.idxname or None, node.relation.relname
    if kind == "view_stmt":
        return node.view.relname, None
    if kind == "create_policy_stmt":
        return None, node.table.relname
    relation = getattr(node, "relation", None)
    return None, relation.relname if relation is not None and hasattr(relation, "relname") else None
