"""Knows how to copy rows without their e-mails and free text: replaced by others that keep NULLs, equality and type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from psycopg import sql

FREE_TEXT_CHARACTERS = 20
"""Text with a blank in it counts as free text from this length on; shorter is a label or a name of a state."""

_JSON_PIECES = r'("(?:[^"\\]|\\.)*")(\s*:)?|([^"]+)'
_TEXT_TYPES = {"text", "character varying", "character", "citext"}


_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_MOST_LITERALS = 500


def literals(texts: Iterable[str]) -> list[str]:
    """What the scripts themselves spell out, and so may be compared with rows: e-mails and longer texts in quotes."""
    found = {match.replace("''", "'") for text in texts for match in _QUOTED.findall(text)}
    return sorted(one for one in found if "@" in one or (" " in one and len(one) >= FREE_TEXT_CHARACTERS))[
        :_MOST_LITERALS
    ]


def masked(column: str, type_name: str, *, constrained: bool, keep: Sequence[str] = ()) -> sql.Composable:
    """The SQL expression that reads a column masked. Only catalog functions, so it needs no rights and leaves nothing.

    type_name: from information_schema.columns.data_type, with "text[]" for arrays of text.
    constrained: a CHECK constraint names the column, so free text must stay what it is.
    keep: values that stay, because the scripts spell them out: what the scripts do to them must be true.
    """
    name = sql.Identifier(column)
    if type_name in _TEXT_TYPES:
        return _text(name, keep, free_text=not constrained)
    if type_name == "text[]":
        # Arrays of more than one dimension would lose their shape; they are rare and stay as they are.
        return sql.SQL(
            "CASE WHEN pg_catalog.array_ndims({0}) = 1 THEN ARRAY(SELECT {1}"
            " FROM pg_catalog.unnest({0}) WITH ORDINALITY AS item(value, at) ORDER BY at) ELSE {0} END"
        ).format(name, _text(sql.Identifier("item", "value"), keep, free_text=not constrained))
    if type_name in ("json", "jsonb") and not constrained:
        # Cut into strings (a key's with its colon) and the rest, so that no quote is taken for the wrong end.
        return sql.SQL(
            "(SELECT pg_catalog.string_agg(CASE WHEN cut[1] IS NULL THEN cut[3] WHEN cut[2] IS NULL AND cut[1] ~ {1}"
            " THEN '\"' || pg_catalog.md5(cut[1]) || '\"' ELSE cut[1] || COALESCE(cut[2], '') END, '' ORDER BY at)"
            " FROM pg_catalog.regexp_matches({0}::text, {2}, 'g') WITH ORDINALITY AS piece(cut, at))::{3}"
        ).format(name, sql.Literal(r"[\s@]"), sql.Literal(_JSON_PIECES), sql.SQL(type_name))
    return name


def _text(name: sql.Composable, keep: Sequence[str], *, free_text: bool) -> sql.Composable:
    # The new local part comes from the whole address, so that equal stays equal and different stays different.
    mail = sql.SQL(
        "WHEN {0}::text ~ {1} THEN pg_catalog.left(pg_catalog.md5({0}::text),"
        " GREATEST(12, LEAST(32, pg_catalog.strpos({0}::text, '@') - 1)))"
        " || '@' || pg_catalog.regexp_replace(pg_catalog.split_part({0}::text, '@', 2), '[[:alnum:]]', 'x', 'g')"
    ).format(name, sql.Literal(r"^[^@\s]+@[^@\s]+\.[^@\s]+$"))
    text = sql.SQL(
        " WHEN {0}::text ~ '\\s' AND pg_catalog.length({0}::text) >= {1} THEN pg_catalog.left("
        "pg_catalog.repeat(pg_catalog.md5({0}::text), pg_catalog.length({0}::text) / 32 + 1),"
        " pg_catalog.length({0}::text))"
    ).format(name, sql.Literal(FREE_TEXT_CHARACTERS))
    spelled = sql.SQL("WHEN {}::text = ANY ({}::text[]) THEN {}::text ").format(name, sql.Literal(list(keep)), name)
    return sql.SQL("CASE {keep}{mail}{text} ELSE {name}::text END").format(
        keep=spelled if keep else sql.SQL(""), mail=mail, text=text if free_text else sql.SQL(""), name=name
    )
