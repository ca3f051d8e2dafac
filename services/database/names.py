"""Knows how names and texts are written in SQL."""

from __future__ import annotations

from psycopg import sql


def identifier(*parts: str) -> str:
    """A name, given by its parts (schema, relation), as an SQL identifier: always quoted."""
    return sql.Identifier(*parts).as_string(None)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return sql.Literal(text).as_string(None)
