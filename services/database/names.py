"""Knows how names and texts are written in SQL."""

from __future__ import annotations

import re

from psycopg import sql

from services.database.parser import parse


def identifier(*parts: str) -> str:
    """A name, given by its parts (schema, relation), as an SQL identifier: always quoted."""
    return sql.Identifier(*parts).as_string(None)


def literal(text: str) -> str:
    """A text as an SQL literal, in the form that means the same whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in text else quoted


def as_written(name: str) -> str:
    """A name as a person would write it: in quotes only where it must be."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name) and parse(f"SELECT {name} FROM {name}") is not None
    return name if plain else identifier(name)


def relation_as_written(full: str) -> str:
    """The same for "schema.relation"."""
    return ".".join(map(as_written, full.split(".", 1)))
