"""Knows how to copy rows without their e-mails and free text: replaced by others that keep NULLs, equality and type."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from services.database.psql_cutter import TokenKind, tokens

FREE_TEXT_CHARACTERS = 20
"""Text with a blank in it counts as free text from this length on; shorter is a label or a name of a state."""

_JSON_PIECES = r'("(?:[^"\\]|\\.)*")(\s*:)?|([^"]+)'
_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_MOMENT = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d([.,]\d+)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?$"
"""A date with a time, as text: nothing private, and read as a date by what is to be rehearsed."""
_JSON_STRING = r'"(?:[^"\\]|\\.)*"'
_JSON_REST = r"^\s*[\[{][\s\[\]{}:,0-9.eE+truefalsn-]*$"
"""What a JSON array or object is without its strings."""
_PLAIN = string.ascii_lowercase + string.ascii_uppercase + string.digits
_TEXT_TYPES = {"text", "character varying", "character", "citext"}


_ADDRESS = re.compile(r"[^\s@\"'<>(),;:={}\[\]\\]+@[^\s@\"'<>(),;:={}\[\]\\]+\.[^\s@\"'<>(),;:={}\[\]\\]+")
_DOLLARS = re.compile(r"(\$[^$]*\$)(.*)\1", re.DOTALL)
_MOST_LITERALS = 20_000


def literals(texts: Iterable[str]) -> list[str]:
    """What the scripts themselves spell out, and so may be compared with rows: e-mails and longer texts in quotes,
    also inside other quotes (bodies, dynamic SQL, JSON)."""
    found = {one for text in texts for one in _spelled(text)}
    return sorted(one for one in found if "@" in one or (" " in one and len(one) >= FREE_TEXT_CHARACTERS))[
        :_MOST_LITERALS
    ]


def _spelled(text: str) -> Iterator[str]:
    for written in _quotes(text.encode()):
        body = _DOLLARS.fullmatch(written)
        value = body[2] if body else written.partition("'")[2].removesuffix("'").replace("''", "'")
        yield from _ADDRESS.findall(value)
        if "'" in value:
            yield from _spelled(value)
        if not body or "'" not in value:  # else it is code
            yield value


def _quotes(raw: bytes) -> Iterator[str]:
    """What stands in quotes, with them. A doubled quote ends one token and starts the next."""
    start = end = 0
    for token in tokens(raw):
        if token.kind is not TokenKind.QUOTED or not token.closed or raw.startswith(b'"', token.start):
            continue
        if token.start != end or not raw.startswith(b"'", token.start):
            if end:
                yield raw[start:end].decode()
            start = token.start
        end = token.end
    if end:
        yield raw[start:end].decode()


@dataclass(frozen=True, slots=True)
class MaskKey:
    """Which letter and digit stands for which in the two parts of an address; made anew each time, kept nowhere."""

    before_at: str = field(repr=False)
    after_at: str = field(repr=False)

    @classmethod
    def new(cls, *, keeps_domains: bool = False) -> MaskKey:
        """keeps_domains: a constraint may ask for certain domains, so what is behind the @ stays, in all columns."""
        return cls(_shuffled(), _PLAIN if keeps_domains else _shuffled())


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
        return sql.SQL("{}::{}").format(_json(name, keep, how), sql.SQL(type_name))
    return name


def looks_masked(column: sql.Composable) -> sql.Composed:
    """An SQL condition: true for a text that was replaced; a masked text still has the shape for which it was."""
    return sql.SQL(
        "({0}::text ~ {1} OR ({0}::text ~ '\\s' AND pg_catalog.length({0}::text) >= {2} AND {0}::text !~ {3}))"
    ).format(column, sql.Literal(_MAIL), sql.Literal(FREE_TEXT_CHARACTERS), sql.Literal(_MOMENT))


def _json(name: sql.Composable, keep: Sequence[str], key: MaskKey) -> sql.Composable:
    """JSON, masked string by string as texts in columns are, so that both stay equal; its keys and shape stay."""
    # Cut into strings (a key's with its colon) and the rest, so that no quote is taken for the wrong end.
    inner = sql.SQL("pg_catalog.substr(part[1], 2, pg_catalog.length(part[1]) - 2)")
    return sql.SQL(
        "(SELECT pg_catalog.string_agg(CASE WHEN part[1] IS NULL THEN part[3] WHEN part[2] IS NOT NULL"
        " THEN part[1] || part[2] WHEN pg_catalog.strpos(part[1], E'\\\\') > 0 AND part[1] ~ {1}"
        " THEN '\"' || pg_catalog.md5(part[1]) || '\"' ELSE '\"' || {3} || '\"' END, '' ORDER BY place)"
        " FROM pg_catalog.regexp_matches({0}::text, {2}, 'g') WITH ORDINALITY AS bit(part, place))"
    ).format(
        name,
        sql.Literal(r"[\s@]"),
        sql.Literal(_JSON_PIECES),
        _text(inner, keep, key, free_text=True, json=False),
    )


def _text(
    name: sql.Composable, keep: Sequence[str], key: MaskKey, *, free_text: bool, json: bool = True
) -> sql.Composable:
    # One letter for another: as many different addresses as before, with or without regard to capitals.
    mail = sql.SQL(
        "WHEN {0}::text ~ {1} THEN pg_catalog.translate(pg_catalog.split_part({0}::text, '@', 1), {2}, {3})"
        " || '@' || pg_catalog.translate(pg_catalog.split_part({0}::text, '@', 2), {2}, {4})"
    ).format(
        name,
        sql.Literal(_MAIL),
        sql.Literal(_PLAIN),
        sql.Literal(key.before_at),
        sql.Literal(key.after_at),
    )
    # Each word becomes another of its length, made from the whole text: no word of it can be looked up.
    word = sql.SQL("pg_catalog.left(pg_catalog.repeat(pg_catalog.md5({0} || at), pg_catalog.length(cut[1]) / 32 + 1),"
                   " pg_catalog.length(cut[1]))")  # fmt: skip
    as_json = sql.SQL(
        "WHEN {0}::text ~ '^\\s*[\\[{{]' AND pg_catalog.regexp_replace({0}::text, {1}, '', 'g') ~ {2} THEN {3} "
    ).format(name, sql.Literal(_JSON_STRING), sql.Literal(_JSON_REST), _json(name, keep, key) if json else name)
    text = sql.SQL(
        " WHEN {0}::text ~ '\\s' AND pg_catalog.length({0}::text) >= {1} AND {0}::text !~ {3}"
        " THEN (SELECT pg_catalog.string_agg(CASE WHEN cut[1] IS NULL THEN cut[2]"
        " WHEN cut[1] = pg_catalog.upper(cut[1]) THEN pg_catalog.upper({2})"
        " ELSE {2} END, '' ORDER BY at)"
        " FROM pg_catalog.regexp_matches({0}::text, '(\\S+)|(\\s+)', 'g') WITH ORDINALITY AS piece(cut, at))"
    ).format(
        name,
        sql.Literal(FREE_TEXT_CHARACTERS),
        word.format(sql.SQL("pg_catalog.md5({}::text)").format(name)),
        sql.Literal(_MOMENT),
    )
    # With other capitals too: what is compared without regard to them must stay equal.
    spelled = sql.SQL(
        "WHEN {0}::text = ANY ({1}::text[]) OR pg_catalog.lower({0}::text) = ANY ({1}::text[]) THEN {0}::text "
    )
    both = sorted({*keep, *(one.lower() for one in keep)})
    parts = [spelled.format(name, sql.Literal(both))] if keep else []
    parts += [*([as_json] if free_text and json else []), mail, *([text] if free_text else [])]
    return sql.SQL("CASE {parts} ELSE {name}::text END").format(parts=sql.Composed(parts), name=name)
