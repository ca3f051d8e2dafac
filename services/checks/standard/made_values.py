"""Values made from types alone, for what is tried and undone: arguments of functions, columns of rows."""

from __future__ import annotations

from uuid import uuid4

_PLAIN = {
    "smallint": "1",
    "integer": "1",
    "bigint": "1",
    "numeric": "1",
    "real": "1",
    "double precision": "1",
    "boolean": "false",
    "date": "current_date",
    "time without time zone": "localtime",
    "timestamp with time zone": "now()",
    "timestamp without time zone": "localtimestamp",
    "interval": "interval '1 day'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "bytea": "''",
    "inet": "'127.0.0.1'",
}


def made_value(kind: str, word: str = "") -> str:
    """An SQL expression of a type, as `format_type` names it; NULL of that type where none can be made up.

    word: what a text should hold, so that it is nobody's; by default a fresh UUID
    """
    if kind.endswith("[]"):
        return f"'{{}}'::{kind}"
    bare = kind.partition("(")[0]
    if kind.startswith("timestamp("):
        bare = "timestamp with time zone" if "with time zone" in kind else "timestamp without time zone"
    if bare == "uuid":
        return f"'{uuid4()}'::uuid"
    if bare in ("text", "character varying", "name", "citext"):
        return f"'{(word or str(uuid4()))[: _room(kind)]}'::{kind}"
    return f"({_PLAIN[bare]})::{kind}" if bare in _PLAIN else f"null::{kind}"


def _room(kind: str) -> int:
    """How many letters a text type holds."""
    inside = kind.partition("(")[2].rstrip(")")
    return int(inside) if inside.isdecimal() else 200
