"""Knows how one thing of the catalog is dropped by itself, told by its address in the server's own words."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

_ON_A_TABLE = {"policy": "POLICY", "trigger": "TRIGGER", "rule": "RULE"}
_BY_NAME = {
    "table": "TABLE",
    "foreign table": "FOREIGN TABLE",
    "view": "VIEW",
    "materialized view": "MATERIALIZED VIEW",
    "sequence": "SEQUENCE",
    "index": "INDEX",
    "type": "TYPE",
    "domain": "DOMAIN",
    "statistics object": "STATISTICS",
}
_WITH_ARGUMENTS = {"function": "FUNCTION", "procedure": "PROCEDURE", "aggregate": "AGGREGATE"}
_FIRST = ("publication relation", "default value", "table constraint", *_ON_A_TABLE)


def dropping(kind: str, names: Sequence[str], arguments: Sequence[str]) -> sql.Composed | None:
    """The statement that drops the thing with all that hangs on it, if it is still there; None for kinds unknown.

    kind, names, arguments: as of `pg_identify_object_as_address`.
    """
    if kind in _BY_NAME:
        # A type is named as one text, already quoted; all else part by part.
        name = sql.SQL(names[0]) if kind in ("type", "domain") else sql.Identifier(*names)
        return sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(_BY_NAME[kind]), name)
    if kind in _WITH_ARGUMENTS:
        listed = sql.SQL(", ".join(arguments) if arguments or kind != "aggregate" else "*")
        return sql.SQL("DROP {} IF EXISTS {}({}) CASCADE").format(
            sql.SQL(_WITH_ARGUMENTS[kind]), sql.Identifier(*names), listed
        )
    if kind == "publication relation":
        return sql.SQL("ALTER PUBLICATION {} DROP TABLE {}").format(
            sql.Identifier(arguments[0]), sql.Identifier(*names)
        )
    if len(names) < 3:
        return None
    table, part = sql.Identifier(*names[:-1]), sql.Identifier(names[-1])
    if kind in _ON_A_TABLE:
        return sql.SQL("DROP {} IF EXISTS {} ON {} CASCADE").format(sql.SQL(_ON_A_TABLE[kind]), part, table)
    if kind == "table constraint":
        return sql.SQL("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {} CASCADE").format(table, part)
    if kind == "default value":
        return sql.SQL("ALTER TABLE IF EXISTS {} ALTER COLUMN {} DROP DEFAULT").format(table, part)
    if kind == "table column":
        return sql.SQL("ALTER TABLE IF EXISTS {} DROP COLUMN IF EXISTS {} CASCADE").format(table, part)
    return None


def place_in_order(kind: str) -> int:
    """What hangs on a table by its name goes before tables do."""
    return 0 if kind in _FIRST else 1
