"""Knows values to try things with, made from types alone: arguments of functions, columns of rows."""

from __future__ import annotations

from collections.abc import Mapping

from services.database.inspection.catalog import TypeFacts
from services.database.names import literal

WORD = "made_up_word"
"""Stands in every text we make up, so that an error about it is known for ours."""

SOME_ID = "5eed5eed-0000-4000-8000-00000000d0d0"

_PLAIN: Mapping[str, tuple[str, ...]] = {
    "smallint": ("1", "0", "5", "100", "-1"),
    "integer": ("1", "0", "5", "100", "-1"),
    "bigint": ("1", "0", "5", "100", "-1"),
    "numeric": ("1", "0", "0.5", "5", "100", "-1"),
    "real": ("1", "0", "0.5", "5", "100"),
    "double precision": ("1", "0", "0.5", "5", "100"),
    "money": ("1", "0"),
    "oid": ("1",),
    "boolean": ("true", "false"),
    "date": ("current_date", "date '2000-01-01'", "current_date + 30"),
    "time without time zone": ("time '12:00'",),
    "time with time zone": ("timetz '12:00+00'",),
    "timestamp with time zone": ("now()", "timestamptz '2000-01-01 00:00+00'", "now() + interval '30 days'"),
    "timestamp without time zone": ("localtimestamp", "timestamp '2000-01-01'", "localtimestamp + interval '30 days'"),
    "interval": ("interval '1 day'", "interval '0'"),
    "json": ("json '{}'", "json '[]'", "json '{\"id\": 1}'"),
    "jsonb": ("jsonb '{}'", "jsonb '[]'", "jsonb '{\"id\": 1}'"),
    "xml": ("xml '<a/>'",),
    "bytea": ("bytea ''",),
    "inet": ("inet '127.0.0.1'",),
    "cidr": ("cidr '127.0.0.0/8'",),
    "macaddr": ("macaddr '08:00:2b:01:02:03'",),
    "point": ("point '(0,0)'",),
    "box": ("box '((0,0),(1,1))'",),
    "tsvector": ("tsvector ''",),
    "tsquery": ("tsquery ''",),
    "bit": ("B'1'",),
    "bit varying": ("B'1'",),
    "character": ("'m'",),
    '"char"': ("'m'",),
    "regclass": ("regclass 'pg_catalog.pg_class'",),
}
_TEXTS = ("text", "character varying", "name", "citext", "extensions.citext", "public.citext")
_OTHER_TEXTS = ("made@example.com", "https://example.com/made_up_word", "1", "+12025550123", "en", "")
MARKS = (WORD, SOME_ID, "made@example.com", "12025550123", '"en"', '"1"')
"""What an error message shows of a value of ours."""


def candidates(type_oid: int, types: Mapping[int, TypeFacts], written: str = "") -> list[str]:
    """SQL expressions of a type, the likeliest first; none where nothing can be made up but NULL.

    written: the type with its length, where there is one ("character varying(10)").
    """
    known = types.get(type_oid)
    if known is None:
        return []
    if known.kind == "d":
        return [f"({value})::{known.name}" for value in candidates(known.base, types)]
    if known.labels:
        return [f"{literal(label)}::{known.name}" for label in known.labels]
    if known.element:
        inside = candidates(known.element, types)[:1]
        return [f"ARRAY[{value}]::{known.name}" for value in inside] + [f"'{{}}'::{known.name}"]
    if known.kind == "r":
        inside = candidates(known.subtype, types)[:1]
        return [f"{known.name}({value}, NULL)" for value in inside] + [f"'empty'::{known.name}"]
    if known.kind == "m":
        return [f"'{{}}'::{known.name}"]
    if known.name in _TEXTS:
        return _texts(known.name, _room(written))
    if known.name == "uuid":
        return [f"uuid '{SOME_ID}'", "pg_catalog.gen_random_uuid()"]
    return [f"({value})::{known.name}" for value in _PLAIN.get(known.name, ())]


def fresh(type_oid: int, types: Mapping[int, TypeFacts], written: str = "") -> str | None:
    """An expression of which every evaluation gives another value; None where the type has none."""
    known = types.get(type_oid)
    if known is None:
        return None
    if known.kind == "d":
        inside = fresh(known.base, types)
        return None if inside is None else f"({inside})::{known.name}"
    if known.name == "uuid":
        return "pg_catalog.gen_random_uuid()"
    if known.name in _TEXTS:
        return f"pg_catalog.left('m' || pg_catalog.md5(pg_catalog.random()::text), {min(33, _room(written))})"
    if known.name in ("integer", "bigint", "numeric", "double precision"):
        return "(1000000 + pg_catalog.floor(pg_catalog.random() * 1000000000))::" + known.name
    if known.name == "smallint":
        return "(10000 + pg_catalog.floor(pg_catalog.random() * 20000))::smallint"
    if known.name == "date":
        return "(date '2100-01-01' + pg_catalog.floor(pg_catalog.random() * 100000)::int)"
    if known.name.startswith("timestamp"):
        return f"(now() + pg_catalog.random() * interval '1000 days')::{known.name}"
    return None


def null_of(type_oid: int, types: Mapping[int, TypeFacts]) -> str:
    """NULL, typed where the type is known, so that a call names one function."""
    known = types.get(type_oid)
    return f"NULL::{known.name}" if known else "NULL"


def _texts(name: str, room: int) -> list[str]:
    plain = [WORD, *_OTHER_TEXTS]
    return [f"{literal(value[:room])}::{name}" for value in plain]


def _room(written: str) -> int:
    """How many letters a text type holds, as it is written."""
    inside = written.partition("(")[2].rstrip(")")
    return int(inside) if inside.isdecimal() else 200
