"""Knows where psql ends a statement: quotes, comments, parentheses and BEGIN ATOMIC bodies, counted as psql does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class TokenKind(StrEnum):
    BLANK = "blank"
    COMMENT = "comment"
    WORD = "word"
    QUOTED = "quoted"
    OPEN = "open"
    CLOSE = "close"
    SEMICOLON = "semicolon"
    BACKSLASH = "backslash"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Token:
    """Byte range [start, end) of one token; `closed` is False for a quote or comment that meets the end of the file."""

    kind: TokenKind
    start: int
    end: int
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """What psql would send in one go: byte range [start, end); `terminator` is the position of its semicolon.

    `terminator` is None for the rest of a file that no semicolon ended.
    """

    start: int
    end: int
    terminator: int | None


@dataclass(frozen=True, slots=True)
class Cut:
    """A whole file cut as psql cuts it: its pieces, and where meta-commands stand (only psql can obey those)."""

    pieces: list[Piece]
    meta_commands: list[int] = field(default_factory=list)


_BLANK = re.compile(rb"[ \t\n\r\f\v]+")
_LINE_COMMENT = re.compile(rb"--[^\n\r]*")
_COMMENT_MARK = re.compile(rb"/\*|\*/")
_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*")
_NUMBER = re.compile(rb"[0-9][0-9A-Za-z_.]*")
_DOLLAR_QUOTE = re.compile(rb"\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$")
_PLAIN_QUOTE = re.compile(rb"'[^']*'")
_ESCAPE_QUOTE = re.compile(rb"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_NAME_QUOTE = re.compile(rb'"[^"]*"')
_COPY_IN = re.compile(rb"copy\b[^;]*\bfrom\s+stdin\b", re.IGNORECASE)
_END_OF_DATA = re.compile(rb"^\\\.[ \t\r]*$", re.MULTILINE)
_CREATE_WORDS = (b"create", b"or", b"replace", b"function", b"procedure")


def tokens(sql: bytes) -> Iterator[Token]:
    """Every byte of `sql` as tokens, in order and without gaps."""
    at = 0
    while at < len(sql):
        token = _next_token(sql, at)
        yield token
        at = token.end


def _next_token(sql: bytes, at: int) -> Token:
    byte = sql[at : at + 1]
    if match := _BLANK.match(sql, at):
        return Token(TokenKind.BLANK, at, match.end())
    if match := _LINE_COMMENT.match(sql, at):
        return Token(TokenKind.COMMENT, at, match.end())
    if sql.startswith(b"/*", at):
        return _block_comment(sql, at)
    if match := _WORD.match(sql, at):
        if match.group().lower() == b"e" and sql.startswith(b"'", match.end()):
            return _until(_ESCAPE_QUOTE, sql, at, match.end())
        return Token(TokenKind.WORD, at, match.end())
    if match := _NUMBER.match(sql, at):
        return Token(TokenKind.OTHER, at, match.end())
    if byte == b"'":
        return _until(_PLAIN_QUOTE, sql, at, at)
    if byte == b'"':
        return _until(_NAME_QUOTE, sql, at, at)
    if match := _DOLLAR_QUOTE.match(sql, at):
        close = sql.find(match.group(), match.end())
        end = len(sql) if close < 0 else close + len(match.group())
        return Token(TokenKind.QUOTED, at, end, closed=close >= 0)
    kinds = {
        b"(": TokenKind.OPEN,
        b")": TokenKind.CLOSE,
        b";": TokenKind.SEMICOLON,
        b"\\": TokenKind.BACKSLASH,
    }
    return Token(kinds.get(byte, TokenKind.OTHER), at, at + 1)


def _until(pattern: re.Pattern[bytes], sql: bytes, start: int, quote_at: int) -> Token:
    match = pattern.match(sql, quote_at)
    return Token(TokenKind.QUOTED, start, match.end() if match else len(sql), closed=match is not None)


def _block_comment(sql: bytes, start: int) -> Token:
    depth, at = 0, start
    while mark := _COMMENT_MARK.search(sql, at):
        depth += 1 if mark.group() == b"/*" else -1
        at = mark.end()
        if depth == 0:
            return Token(TokenKind.COMMENT, start, at)
    return Token(TokenKind.COMMENT, start, len(sql), closed=False)


class _Nesting:
    """How deep inside parentheses and BEGIN ... END bodies of CREATE FUNCTION / PROCEDURE we are, as psql counts."""

    def __init__(self) -> None:
        self.parens = 0
        self.bodies = 0
        self._opening: list[bytes] = []

    def at_top(self) -> bool:
        return self.parens == 0 and self.bodies == 0

    def see(self, token: Token, sql: bytes) -> None:
        if token.kind is TokenKind.OPEN:
            self.parens += 1
        elif token.kind is TokenKind.CLOSE:
            self.parens = max(0, self.parens - 1)
        elif token.kind is TokenKind.WORD:
            self._see_word(sql[token.start : token.end].lower())

    def _see_word(self, word: bytes) -> None:
        # psql remembers only the first four words, and of those only the ones that begin a CREATE FUNCTION.
        if len(self._opening) < 4:
            self._opening.append(word[:1] if word in _CREATE_WORDS else b" ")
        if not re.match(rb"c(?:f|p|or[fp])", b"".join(self._opening)) or self.parens:
            return
        if word == b"begin" or (word == b"case" and self.bodies):
            self.bodies += 1
        elif word == b"end" and self.bodies:
            self.bodies -= 1

    def restart(self) -> None:
        self.bodies = 0
        self._opening = []


def _end_of_copy_data(sql: bytes, piece: Piece) -> int:
    """Where the data lines after COPY ... FROM stdin end, as psql reads them; -1 for any other statement."""
    if not _COPY_IN.match(sql, piece.start, piece.end):
        return -1
    end = _END_OF_DATA.search(sql, piece.end)
    return end.end() if end else len(sql)


def cut(sql: bytes) -> Cut:
    """Cut a file as psql would send it.

    An unclosed parenthesis, quote, dollar quote or comment swallows the rest of the file into one piece, as in psql.
    """
    pieces: list[Piece] = []
    meta_commands: list[int] = []
    nesting, start, skip_to = _Nesting(), None, -1
    for token in tokens(sql):
        if token.start < skip_to:
            continue
        if token.kind is TokenKind.BACKSLASH:
            meta_commands.append(token.start)
            line_end = sql.find(b"\n", token.start)
            skip_to = len(sql) if line_end < 0 else line_end
        elif token.kind is TokenKind.SEMICOLON and nesting.at_top():
            if start is not None:
                pieces.append(Piece(start, token.start, token.start))
                skip_to = _end_of_copy_data(sql, pieces[-1])
            start = None
            nesting.restart()
        elif token.kind is not TokenKind.BLANK and (token.kind is not TokenKind.COMMENT or not token.closed):
            start = token.start if start is None else start
            nesting.see(token, sql)
    if start is not None:
        pieces.append(Piece(start, len(sql), None))
    return Cut(pieces, meta_commands)
