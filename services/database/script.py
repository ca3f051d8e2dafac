"""Knows what a SQL script is made of: its statements, the line each ends on, and what in it no server can be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.database.parser import enum_name, parse
from services.database.psql_cutter import Piece, TokenKind, cut, tokens
from services.errors import NotUnderstood


@dataclass(frozen=True, slots=True)
class Script:
    """One SQL file: its name as shown to people, and its text."""

    file: str
    sql: str


class Control(StrEnum):
    """What a transaction statement of the script's own asks for."""

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    PREPARED = "prepared"
    SAVEPOINT = "savepoint"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `line` (1-based) is where it ends, as psql reports it; `start_line` where its first word stands.

    `kind` is the parser's name for it ("create_stmt"), empty where the parser refuses the statement; only then `sql`
    has its semicolon. `commit_line` is where the script's own COMMIT after it stands, which is left out.
    """

    file: str
    line: int
    start_line: int
    sql: str
    kind: str
    control: Control | None = None
    commit_line: int | None = None


@dataclass(frozen=True, slots=True)
class Oddity:
    """A place in a script that a server cannot be sent, or that would break the one transaction: what, and its line."""

    file: str
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class ReadScripts:
    """Scripts read for execution: the statements to run, what was left out on purpose, and what cannot be handled."""

    statements: tuple[Statement, ...]
    left_out: tuple[Oddity, ...]
    unsupported: tuple[Oddity, ...]


_CONTROLS = {
    "TRANS_STMT_BEGIN": Control.BEGIN,
    "TRANS_STMT_START": Control.BEGIN,
    "TRANS_STMT_COMMIT": Control.COMMIT,
    "TRANS_STMT_ROLLBACK": Control.ROLLBACK,
    "TRANS_STMT_SAVEPOINT": Control.SAVEPOINT,
    "TRANS_STMT_RELEASE": Control.SAVEPOINT,
    "TRANS_STMT_ROLLBACK_TO": Control.SAVEPOINT,
    "TRANS_STMT_PREPARE": Control.PREPARED,
    "TRANS_STMT_COMMIT_PREPARED": Control.PREPARED,
    "TRANS_STMT_ROLLBACK_PREPARED": Control.PREPARED,
}


_WAY_BACK = re.compile(
    rb"--[ \t]*(?:migrate:down|\+goose[ \t]+down|\+migrate[ \t]+down|down migration|//[ \t]*@undo)\b", re.IGNORECASE
)
"""Comments of dbmate, goose, sql-migrate, node-pg-migrate and MyBatis, after which a file takes back what it made."""


def load_scripts(paths: Path | Iterable[Path]) -> list[Script]:
    """Scripts of a file, of a folder's *.sql in name order, or of several such paths.

    Raises NotUnderstood for a path that is not there, a folder without SQL, or a file that is not UTF-8 text.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    return [_load_file(file) for path in given for file in _files(path)]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise NotUnderstood(f"There is no SQL script at {path}.", do="Name a .sql file or a folder of them.")
    files = sorted(file for file in path.iterdir() if file.suffix == ".sql")
    if not files:
        raise NotUnderstood(f"The folder {path} has no .sql file.", do="Put the statements in files ending in .sql.")
    return files


def _load_file(path: Path) -> Script:
    return Script(path.name, text_of(path.name, path.read_bytes()))


def text_of(name: str, data: bytes) -> str:
    """The text of a file. Raises NotUnderstood for bytes that are not UTF-8 and for a zero byte, at "FILE:LINE"."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{name}:{_Lines(data).of(error.start)}"
        raise NotUnderstood(
            f"{name} is not UTF-8 text (byte {error.start}).", "Nothing was done.", "Save it as UTF-8.", place
        ) from error
    if "\0" in text:
        # A client library ends the text there, and what stands after it would never be run, without a word.
        raise NotUnderstood(
            f"{name} holds a zero byte.",
            "A server would be sent only what stands before it.",
            "Save the file as plain text, without that byte.",
            f"{name}:{_Lines(data).of(data.index(0))}",
        )
    return text


def split(script: Script) -> list[Statement]:
    """The statements of one script, in order, with the lines psql would report."""
    raw = script.sql.encode()
    lines = _Lines(raw)
    pieces = _parser_pieces(raw)
    if pieces is None or not covers(raw, pieces):
        pieces = cut(raw).pieces
    return [_statement(script.file, raw, lines, piece) for piece in pieces]


def read_scripts(scripts: Sequence[Script]) -> ReadScripts:
    """All statements of several scripts, with their oddities sorted out.

    A script's own BEGIN and COMMIT are left out: everything runs in one transaction that we open and close.
    """
    statements: list[Statement] = []
    left_out: list[Oddity] = []
    unsupported: list[Oddity] = []
    for script in scripts:
        raw = script.sql.encode()
        pieces = split(script)
        if _parser_pieces(raw) is None:
            unsupported += _meta_commands(script.file, raw)
        unsupported += _way_back(script.file, raw, pieces)
        for statement in pieces:
            if statement.control in (Control.BEGIN, Control.COMMIT) and not _has_options(statement):
                left_out.append(_oddity(statement, _left_out(statement, pieces)))
                if statement.control is Control.COMMIT and statements and statements[-1].file == statement.file:
                    statements[-1] = replace(statements[-1], commit_line=statement.line)
            elif what := _unsupported(statement):
                unsupported.append(_oddity(statement, what))
            else:
                statements.append(statement)
    return ReadScripts(tuple(statements), tuple(left_out), tuple(unsupported))


def covers(raw: bytes, pieces: Sequence[Piece]) -> bool:
    """True if the pieces hold every byte that is not blank, a comment or a semicolon between statements."""
    spans = iter(pieces)
    span = next(spans, None)
    for token in tokens(raw):
        if token.kind in (TokenKind.BLANK, TokenKind.SEMICOLON) or (token.kind is TokenKind.COMMENT and token.closed):
            continue
        while span is not None and token.start >= span.end:
            span = next(spans, None)
        if span is None or token.start < span.start or token.end > span.end:
            return False
    return True


def transaction_control(sql: str) -> Control | None:
    """The first statement in `sql` that begins or ends a transaction, if there is one; savepoints do not count."""
    for piece in split(Script("", sql)):
        if piece.control not in (None, Control.SAVEPOINT):
            return piece.control
    return None


class _Lines:
    """From byte offsets to 1-based lines."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        # psql counts lines as it reads them, so a newline at the very end opens no further line.
        self.last = max(1, raw.count(b"\n") + (0 if raw.endswith(b"\n") else 1))

    def of(self, offset: int) -> int:
        return self._raw.count(b"\n", 0, offset) + 1


def _parser_pieces(raw: bytes) -> list[Piece] | None:
    parsed = parse(raw.decode())
    if parsed is None:
        return None
    pieces = []
    for item in parsed.stmts:
        end = item.stmt_location + item.stmt_len if item.stmt_len else len(raw)
        ended = end < len(raw) and raw[end : end + 1] == b";"
        pieces.append(Piece(item.stmt_location, end, end if ended else None))
    return pieces


def _statement(file: str, raw: bytes, lines: _Lines, piece: Piece) -> Statement:
    text = raw[piece.start : piece.end]
    first = next((t for t in tokens(text) if t.kind not in (TokenKind.BLANK, TokenKind.COMMENT)), None)
    start = piece.start + (first.start if first else 0)
    sql = text.decode().strip(" \t\n\r\f\v")
    kind, control = _classify(sql)
    if not kind and piece.terminator is not None:
        # psql sends its semicolon along, and the server says "at or near" it where nothing else is wrong before it.
        sql = raw[piece.start : piece.terminator + 1].decode().strip(" \t\n\r\f\v")
    line = lines.last if piece.terminator is None else lines.of(piece.terminator)
    return Statement(file, line, lines.of(start), sql, kind, control)


def _classify(sql: str) -> tuple[str, Control | None]:
    parsed = parse(sql)
    if parsed is None or not parsed.stmts:
        return "", None
    node: Any = parsed.stmts[0].stmt
    kind = str(node.WhichOneof("node"))
    if kind == "transaction_stmt":
        return kind, _CONTROLS.get(enum_name(node.transaction_stmt, "kind"))
    if kind == "copy_stmt" and not node.copy_stmt.filename:
        return "copy_stdin" if node.copy_stmt.is_from else "copy_stdout", None
    return kind, None


def _left_out(statement: Statement, pieces: Sequence[Statement]) -> str:
    what = f"its own {str(statement.control).upper()} is left out"
    last = statement is pieces[-1] or all(piece.control for piece in pieces[pieces.index(statement) :])
    if statement.control is Control.BEGIN or last:
        return what
    return f"{what}: what follows runs in the same transaction, and is undone with it"


def _has_options(statement: Statement) -> bool:
    """True for a BEGIN that asks for an isolation level, or to be read-only: it cannot simply be left out."""
    parsed = parse(statement.sql)
    return parsed is not None and bool(parsed.stmts[0].stmt.transaction_stmt.options)


def _unsupported(statement: Statement) -> str | None:
    if statement.control is Control.BEGIN:
        return "its own BEGIN asks for a kind of transaction that a deploy does not open"
    if statement.control is Control.ROLLBACK:
        return "its own ROLLBACK would undo what ran before it"
    if statement.control is Control.PREPARED:
        return "a prepared transaction cannot be rehearsed"
    if statement.kind == "copy_stdin":
        return "COPY ... FROM stdin needs psql to send the data"
    if statement.kind == "copy_stdout":
        return "COPY ... TO stdout needs psql to receive the data"
    return None


def _meta_commands(file: str, raw: bytes) -> list[Oddity]:
    lines = _Lines(raw)
    found = []
    for offset in cut(raw).meta_commands:
        words = raw[offset : offset + 80].split()
        word = words[0].decode(errors="replace") if words else "\\"
        found.append(Oddity(file, lines.of(offset), f"{word} is a psql command, not SQL"))
    return found


def _way_back(file: str, raw: bytes, pieces: Sequence[Statement]) -> list[Oddity]:
    """The comment of another tool after which statements stand that take back what stands before it."""
    if not pieces or not _WAY_BACK.search(raw):
        return []
    lines = _Lines(raw)
    for token in tokens(raw):
        if token.kind is TokenKind.COMMENT and _WAY_BACK.match(raw, token.start):
            line, comment = lines.of(token.start), raw[token.start : token.end].decode(errors="replace").strip()
            if pieces[-1].start_line > line:
                return [Oddity(file, line, f"what follows {comment!r} would take back what stands before it")]
    return []


def _oddity(statement: Statement, what: str) -> Oddity:
    return Oddity(statement.file, statement.line, what)
