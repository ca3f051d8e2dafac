"""Knows the statements that dangers are measured on: SQL in files by topic, each with its classes noted by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CLASSES = ("loss", "blocking", "security")
MARK = "--@"


@dataclass(frozen=True)
class Case:
    """One change. classes: what it endangers, by hand; empty is harmless.

    renames, columns, parts: what goes by another name afterwards without being lost, for whoever compares by name.
    probe: an INSERT that makes its triggers fire. superuser: the owner may not run it.
    """

    id: str
    sql: str
    classes: frozenset[str]
    superuser: bool = False
    probe: str = ""
    renames: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)


def load_cases() -> list[Case]:
    """Every case, in the order of the files; its id is the file and the line of its mark."""
    return [case for path in sorted((HERE / "statements").glob("*.sql")) for case in _of_file(path)]


def _of_file(path: Path) -> list[Case]:
    cases: list[Case] = []
    head, body, at = "", [], 0
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), MARK], 1):
        if line.startswith(MARK):
            if at:
                cases.append(_case(f"{path.stem}:{at}", head, "\n".join(body) + "\n"))
            head, body, at = line.removeprefix(MARK).strip(), [], number
        else:
            body.append(line)
    return cases


def _case(name: str, head: str, sql: str) -> Case:
    head, _, probe = head.partition("probe=")
    words = head.split()
    told = dict(word.split("=", 1) for word in words if "=" in word)
    pairs = {key: value.split(">") for key, value in told.items()}
    return Case(
        name,
        sql,
        frozenset(words) & frozenset(CLASSES),
        "superuser" in words,
        probe,
        {pairs["renames"][0]: pairs["renames"][1]} if "renames" in pairs else {},
        {pairs["columns"][0]: pairs["columns"][1]} if "columns" in pairs else {},
        {pairs["parts"][0]: tuple(pairs["parts"])} if "parts" in pairs else {},
    )
