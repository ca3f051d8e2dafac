"""Knows what a statement outside any transaction leaves behind, by which the file after it sees that it was run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.database.deployment.parts import detached_partition, is_concurrent_reindex, node_of
from services.database.names import identifier, literal
from services.database.parser import enum_name
from services.database.script import Statement

_COUNTS_VACUUMS = {"analyze", "verbose", "freeze"}
"""Options with which VACUUM still visits every table it names, and is counted."""


@dataclass(frozen=True, slots=True)
class Trace:
    """SQL expressions, as of the search_path that a new session has.

    seen: true once the statement has done its work; None where that cannot be seen. mark: a text that its work changes
    and that is noted before; None where `seen` needs none, which then reads it as `marked`.
    may_change: whether a fact of the catalog (name, was, is) may have been changed by it.
    table: the table on which it builds an index, as a text for to_regclass.
    """

    seen: str | None = None
    mark: str | None = None
    may_change: str = "false"
    table: str | None = None


def trace_of(statement: Statement) -> Trace:
    """What this statement leaves behind."""
    node = node_of(statement)
    if node is None:
        return Trace(may_change="true")
    if statement.kind == "index_stmt":
        return _index(node)
    if statement.kind == "drop_stmt":
        gone = " AND ".join(f"{_regclass(_name(one))} IS NULL" for one in node.objects)
        return Trace(gone, may_change='"is" IS NULL')
    if statement.kind == "reindex_stmt":
        return _reindex(node)
    if statement.kind == "vacuum_stmt":
        return _vacuum(node)
    partition = detached_partition(node) if statement.kind == "alter_table_stmt" else None
    if partition is not None:
        free = f"NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = {_regclass(_of(partition))})"
        return Trace(free, may_change="true")
    return Trace(may_change="true")


def _index(node: Any) -> Trace:
    table = literal(_of(node.relation))
    named = f" AND c.relname = {literal(node.idxname)}" if node.idxname else ""
    known = "" if named else " AND pg_catalog.strpos(' ' || COALESCE(marked, '') || ' ', ' ' || c.oid || ' ') = 0"
    of_table = f"i.indrelid = pg_catalog.to_regclass({table})"
    there = (
        "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        f" WHERE {of_table} AND i.indisvalid{named}{known})"
    )
    before = f"(SELECT pg_catalog.string_agg(i.indexrelid::text, ' ') FROM pg_catalog.pg_index i WHERE {of_table})"
    return Trace(there, None if named else before, "was IS NULL AND name ~ '^(index|relation) '", table)


def _reindex(node: Any) -> Trace:
    kind = enum_name(node, "kind")
    if not is_concurrent_reindex(node) or kind not in ("REINDEX_OBJECT_INDEX", "REINDEX_OBJECT_TABLE"):
        return Trace()
    column = "i.indexrelid" if kind == "REINDEX_OBJECT_INDEX" else "i.indrelid"
    file = "pg_catalog.pg_relation_filenode(i.indexrelid)"
    files = (
        f"(SELECT pg_catalog.string_agg({file}::text, ' ' ORDER BY {file})"
        f" FROM pg_catalog.pg_index i WHERE {column} = {_regclass(_of(node.relation))})"
    )
    return Trace("marked IS NULL OR marked IS DISTINCT FROM mark", files)


def _vacuum(node: Any) -> Trace:
    """VACUUM of named tables is counted by the server; with FULL it gives each a new file."""
    options = {option.def_elem.defname for option in node.options}
    tables = [_of(one.vacuum_relation.relation) for one in node.rels]
    if not tables or options - _COUNTS_VACUUMS - {"full"}:
        return Trace()
    told = (
        "pg_catalog.pg_relation_filenode(c.oid)" if "full" in options else "pg_catalog.pg_stat_get_vacuum_count(c.oid)"
    )
    # Where the server counts nothing there is no mark, and then nothing is to be seen.
    counts = "true" if "full" in options else "pg_catalog.current_setting('track_counts')::boolean"
    marks = " || ' ' || ".join(
        f"(SELECT {told}::text FROM pg_catalog.pg_class c WHERE c.oid = {_regclass(one)}"
        f" AND c.relkind IN ('r', 'm') AND {counts})"
        for one in tables
    )
    return Trace("marked IS NULL OR marked IS DISTINCT FROM mark", marks)


def _regclass(name: str) -> str:
    return f"pg_catalog.to_regclass({literal(name)})"


def _of(relation: Any) -> str:
    return identifier(*([relation.schemaname] if relation.schemaname else []), relation.relname)


def _name(thing: Any) -> str:
    return identifier(*(part.string.sval for part in thing.list.items))
