"""Knows how names and texts are written in SQL."""

from __future__ import annotations

from psycopg import sql


def identifier(*parts: str) -> str:
    """A name, given by its parts (schema, relation), as an SQL identifier: always quoted."""
    return sql.Identifier(*parts).as_string(None)


def literal(text: str) -> str:
    """A text as an SQL literal, in the form that means the same whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in text else quoted
