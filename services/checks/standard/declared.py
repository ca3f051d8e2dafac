"""What the scripts of a release declare: names of functions, triggers and tables, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.database.script import Script

_WORD = r'"?(?P<name>[A-Za-z_]\w*)"?'
_NAME = rf'(?:"?public"?\.)?{_WORD}'
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_FUNCTION = re.compile(rf"\bcreate\s+(?:or\s+replace\s+)?function\s+{_NAME}\s*\(", re.IGNORECASE)
_DROPPED = re.compile(rf"\bdrop\s+function\s+(?:if\s+exists\s+)?{_NAME}", re.IGNORECASE)
_TABLE = re.compile(rf"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?{_NAME}\s*\(", re.IGNORECASE)
_TRIGGER = re.compile(
    rf'\bcreate\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\s+"?(?P<trigger>\w+)"?\s[^;]*?\son\s+(?:\w+\.)?{_WORD}',
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """Names without schema, in the order in which they appear. triggers: (name, table)."""

    functions: tuple[str, ...]
    triggers: tuple[tuple[str, str], ...]
    tables: tuple[str, ...]


def declared_in(scripts: Iterable[Script]) -> Declared:
    """Read by pattern and not by grammar, since half of what a release declares stands inside of DO blocks."""
    functions: dict[str, None] = {}
    triggers: dict[tuple[str, str], None] = {}
    tables: dict[str, None] = {}
    for script in scripts:
        text = _COMMENT.sub(" ", script.sql)
        gone = {match["name"]: match.start() for match in _DROPPED.finditer(text)}
        for match in _FUNCTION.finditer(text):
            # Dropped before it is created is the way to change a signature; dropped afterwards, it was a tool.
            if gone.get(match["name"], -1) < match.start():
                functions[match["name"]] = None
        triggers.update({(match["trigger"], match["name"]): None for match in _TRIGGER.finditer(text)})
        tables.update({match["name"]: None for match in _TABLE.finditer(text)})
    return Declared(tuple(functions), tuple(triggers), tuple(tables))
