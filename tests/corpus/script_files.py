"""Reads the corpus: files of SQL in which a line of three dashes names each script, its bases and how it fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.corpus.shapes import SHAPES

FOLDER = Path(__file__).parent / "scripts"
_HEAD = re.compile(
    r"^--- (?P<name>[a-z0-9-]+): (?P<bases>[a-z, ]+?)"
    r"(?: !(?P<failure>[a-z-]+))?"
    r"(?: \[(?P<note>alone|unknowable|left-out)\])?\n",
    re.M,
)
_OWN_TRANSACTION = re.compile(r"^(?:BEGIN|COMMIT);", re.M)
_MARKS = ("/*apart*/", "/*together*/")


@dataclass(frozen=True)
class CorpusScript:
    """One script on one base.

    failure: the class of failure it was written for, None for one written to pass. The truth is never taken from it.
    alone: it makes things that all databases of a server share, so it needs servers that nobody used before.
    unknowable: it asks for what a shadow does not have (the inside of masked e-mails and texts, large objects): there a
    rehearsal may say unknown.
    left_out: its own BEGINs and COMMITs decide how it ends. The product leaves those out, so psql is given it without.
    """

    name: str
    base: str
    sql: str
    failure: str | None
    alone: bool = False
    unknowable: bool = False
    left_out: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.base}"

    @property
    def runs_apart(self) -> bool:
        """True if a mark says that some of it can only run outside a transaction."""
        return _MARKS[0] in self.sql

    def text_on(self, database: str, *, for_psql: bool = False) -> str:
        """The text for one database, whose name stands for {database} in it.

        for_psql: as `psql -1` has to run it. Around each part that must run by itself the transaction is ended and
        begun again, on the same line, so that psql counts the same lines.
        """
        text = self.sql.replace("{database}", database)
        if for_psql and self.left_out:
            text = _OWN_TRANSACTION.sub("", text)
        return text.replace(_MARKS[0], "COMMIT;").replace(_MARKS[1], "BEGIN;") if for_psql else text


@cache
def corpus() -> tuple[CorpusScript, ...]:
    """Every script on every base it is meant for, in order of file and place."""
    found = [one for file in sorted(FOLDER.glob("*.sql")) for one in _read(file)]
    for shape in SHAPES:
        found += [CorpusScript(shape.name, base, shape.sql, shape.failure) for base in shape.bases]
    return tuple(found)


def _read(file: Path) -> list[CorpusScript]:
    text = file.read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    if len(heads) != len(re.findall(r"^--- ", text, re.M)):
        raise ValueError(f"{file.name} has a line of three dashes that names no script")
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [
        CorpusScript(
            head["name"],
            base.strip(),
            text[head.end() : end],
            head["failure"],
            alone=head["note"] == "alone",
            unknowable=head["note"] == "unknowable",
            left_out=head["note"] == "left-out",
        )
        for head, end in zip(heads, ends, strict=True)
        for base in head["bases"].split(",")
    ]
