"""Knows which statements of a deploy share a transaction and which stand apart, outside any: the parts, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.parser import enum_name, parse
from services.database.script import Statement

_ALWAYS = {
    "createdb_stmt",
    "dropdb_stmt",
    "create_table_space_stmt",
    "drop_table_space_stmt",
    "alter_system_stmt",
    "vacuum_stmt",
}
_WHOLE_PLACES = ("REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE")
_REFUSED_BY_SERVER = "cannot run inside a transaction block"


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a deploy: statements of one transaction, or one statement apart.

    seq counts from 0; digest tells whether a part that was begun before is still the same.
    """

    seq: int
    apart: bool
    statements: tuple[Statement, ...]

    @property
    def digest(self) -> str:
        text = "\x1f".join(["apart" if self.apart else "together", *(one.sql for one in self.statements)])
        return hashlib.sha256(text.encode()).hexdigest()


def parts_of(statements: Sequence[Statement], apart: Collection[int]) -> tuple[Part, ...]:
    """The parts, in the script's order. apart: places of statements that stand outside transactions.

    The first and the last part are transactions, if empty ones: one writes the receipt, one verifies and ends it.
    """
    groups: list[tuple[bool, list[Statement]]] = [(False, [])]
    for place, statement in enumerate(statements):
        if place in apart:
            groups += [(True, [statement]), (False, [])]
        else:
            groups[-1][1].append(statement)
    last = len(groups) - 1
    kept = [group for number, group in enumerate(groups) if group[0] or group[1] or number in (0, last)]
    return tuple(Part(seq, alone, tuple(inside)) for seq, (alone, inside) in enumerate(kept))


def known_apart(statements: Sequence[Statement]) -> set[int]:
    """Places of statements whose form alone says that every server refuses them inside a transaction.

    The others are found by asking the server (`is_refused_inside`), since for some it depends on the table.
    """
    return {place for place, statement in enumerate(statements) if _stands_apart(statement)}


def is_refused_inside(sqlstate: str | None, message: str) -> bool:
    """True for the server's word that a statement cannot run inside a transaction."""
    return sqlstate == "25001" and _REFUSED_BY_SERVER in message


def _stands_apart(statement: Statement) -> bool:
    node = node_of(statement)
    if node is None:
        return False
    if statement.kind in _ALWAYS:
        return statement.kind != "vacuum_stmt" or bool(node.is_vacuumcmd)
    if statement.kind in ("index_stmt", "drop_stmt"):
        return bool(node.concurrent)
    if statement.kind == "reindex_stmt":
        return enum_name(node, "kind") in _WHOLE_PLACES or is_concurrent_reindex(node)
    if statement.kind == "alter_table_stmt":
        return detached_partition(node) is not None
    return statement.kind == "discard_stmt" and enum_name(node, "target") == "DISCARD_ALL"


def node_of(statement: Statement) -> Any | None:
    """The statement's own node of the parse tree; None where the parser refuses it."""
    tree = parse(statement.sql)
    if tree is None or not tree.stmts or not statement.kind:
        return None
    return getattr(tree.stmts[0].stmt, statement.kind, None)


def is_concurrent_reindex(node: Any) -> bool:
    """True for REINDEX ... CONCURRENTLY, written either way."""
    return any(option.def_elem.defname == "concurrently" for option in node.params)


def detached_partition(node: Any) -> Any | None:
    """The partition (a range variable) of ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY."""
    for command in node.cmds:
        partition = getattr(command.alter_table_cmd, "def").partition_cmd
        if partition.concurrent:
            return partition.name
    return None
