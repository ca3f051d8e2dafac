"""Knows how to copy rows without their e-mails and free text: replaced by others that keep NULLs, equality and type."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from psycopg import sql

FREE_TEXT_CHARACTERS = 20
"""Text with a blank in it counts as free text from this length on; shorter is a label or a name of a state."""

_JSON_PIECES = r'("(?:[^"\\]|\\.)*")(\s*:)?|([^"]+)'
_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_PLAIN = string.ascii_lowercase + string.ascii_uppercase + string.digits
_TEXT_TYPES = {"text", "character varying", "character", "citext"}


_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_MOST_LITERALS = 500


def literals(texts: Iterable[str]) -> list[str]:
    """What the scripts themselves spell out, and so may be compared with rows: e-mails and longer texts in quotes."""
    found = {match.replace("''", "'") for text in texts for match in _QUOTED.findall(text)}
    return sorted(one for one in found if "@" in one or (" " in one and len(one) >= FREE_TEXT_CHARACTERS))[
        :_MOST_LITERALS
    ]


@dataclass(frozen=True, slots=True)
class MaskKey:
    """Which letter and digit stands for which in the two parts of an address; made anew each time, kept nowhere."""

    before_at: str = field(repr=False)
    after_at: str = field(repr=False)

    @classmethod
    def new(cls) -> MaskKey:
        return cls(_shuffled(), _shuffled())


def _shuffled() -> str:
    """Another letter or digit for each of `_PLAIN`: small letters for small ones, and alike for capitals."""
    chance = random.SystemRandom()
    letters, digits = list(string.ascii_lowercase), list(string.digits)
    for one in (letters, digits):
        before = list(one)
        while any(new == old for new, old in zip(one, before, strict=True)):
            chance.shuffle(one)
    small = "".join(letters)
    return small + small.upper() + "".join(digits)


def masked(
    column: str, type_name: str, *, constrained: bool, keep: Sequence[str] = (), key: MaskKey | None = None
) -> sql.Composable:
    """The SQL expression that reads a column masked. Only catalog functions, so it needs no rights and leaves nothing.

    Length, blanks, capitals and what is equal but for capitals stay, so that what depends on those stays true.
    type_name: from information_schema.columns.data_type, with "text[]" for arrays of text.
    constrained: a CHECK constraint names the column, so free text must stay what it is.
    keep: values that stay, because the scripts spell them out: what the scripts do to them must be true.
    key: one for all columns of a copy, so that equal addresses stay equal across tables.
    """
    name, how = sql.Identifier(column), key or MaskKey.new()
    if type_name in _TEXT_TYPES:
        return _text(name, keep, how, free_text=not constrained)
    if type_name == "text[]":
        # Arrays of more than one dimension would lose their shape; they are rare and stay as they are.
        return sql.SQL(
            "CASE WHEN pg_catalog.array_ndims({0}) = 1 THEN ARRAY(SELECT {1}"
            " FROM pg_catalog.unnest({0}) WITH ORDINALITY AS item(value, at) ORDER BY at) ELSE {0} END"
        ).format(name, _text(sql.Identifier("item", "value"), keep, how, free_text=not constrained))
    if type_name in ("json", "jsonb") and not constrained:
        # Cut into strings (a key's with its colon) and the rest, so that no quote is taken for the wrong end.
        return sql.SQL(
            "(SELECT pg_catalog.string_agg(CASE WHEN cut[1] IS NULL THEN cut[3] WHEN cut[2] IS NULL AND cut[1] ~ {1}"
            " THEN '\"' || pg_catalog.md5(cut[1]) || '\"' ELSE cut[1] || COALESCE(cut[2], '') END, '' ORDER BY at)"
            " FROM pg_catalog.regexp_matches({0}::text, {2}, 'g') WITH ORDINALITY AS piece(cut, at))::{3}"
        ).format(name, sql.Literal(r"[\s@]"), sql.Literal(_JSON_PIECES), sql.SQL(type_name))
    return name


def looks_masked(column: sql.Composable) -> sql.Composed:
    """An SQL condition: true for a text that was replaced; a masked text still has the shape for which it was."""
    return sql.SQL("({0}::text ~ {1} OR ({0}::text ~ '\\s' AND pg_catalog.length({0}::text) >= {2}))").format(
        column, sql.Literal(_MAIL), sql.Literal(FREE_TEXT_CHARACTERS)
    )


def _text(name: sql.Composable, keep: Sequence[str], key: MaskKey, *, free_text: bool) -> sql.Composable:
    # One letter for another: as many different addresses as before, with or without regard to capitals.
    mail = sql.SQL(
        "WHEN {0}::text ~ {1} THEN pg_catalog.translate(pg_catalog.split_part({0}::text, '@', 1), {2}, {3})"
        " || '@' || pg_catalog.translate(pg_catalog.split_part({0}::text, '@', 2), {2}, {4})"
    ).format(
        name,
        sql.Literal(_MAIL),
        sql.Literal(_PLAIN),
        sql.Literal(key.before_at),
        # Where a constraint looks at it, it may ask for certain domains.
        sql.Literal(key.after_at if free_text else _PLAIN),
    )
    # Each word becomes another of its length, made from the whole text: no word of it can be looked up.
    word = sql.SQL("pg_catalog.left(pg_catalog.repeat(pg_catalog.md5({0} || at), pg_catalog.length(cut[1]) / 32 + 1),"
                   " pg_catalog.length(cut[1]))")  # fmt: skip
    text = sql.SQL(
        " WHEN {0}::text ~ '\\s' AND pg_catalog.length({0}::text) >= {1} THEN (SELECT pg_catalog.string_agg("
        "CASE WHEN cut[1] IS NULL THEN cut[2] WHEN cut[1] = pg_catalog.upper(cut[1]) THEN pg_catalog.upper({2})"
        " ELSE {2} END, '' ORDER BY at)"
        " FROM pg_catalog.regexp_matches({0}::text, '(\\S+)|(\\s+)', 'g') WITH ORDINALITY AS piece(cut, at))"
    ).format(
        name,
        sql.Literal(FREE_TEXT_CHARACTERS),
        word.format(sql.SQL("pg_catalog.md5({}::text)").format(name)),
    )
    spelled = sql.SQL("WHEN {}::text = ANY ({}::text[]) THEN {}::text ").format(name, sql.Literal(list(keep)), name)
    return sql.SQL("CASE {keep}{mail}{text} ELSE {name}::text END").format(
        keep=spelled if keep else sql.SQL(""), mail=mail, text=text if free_text else sql.SQL(""), name=name
    )
