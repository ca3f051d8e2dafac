"""On which line of a TOML or JSON text each setting stands; asked only where something is wrong with one."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from services.settings.problems import Path

LONGEST = 3000
"""Lines of a TOML text beyond which no line is told: it is read once for each of its lines."""

_BLANK = re.compile(r"[ \t\r\n]*")
_SEPARATOR = re.compile(r"[ \t\r\n]*[:,]?[ \t\r\n]*")


def toml_lines(text: str) -> dict[Path, int]:
    """Path to line, 1-based, of each heading and key of a TOML text that can be read as a whole.

    The text is read from its beginning to each of its lines: a key stands on the line with which it first appears,
    or, where its value goes over several, on the first of those.
    """
    rows = text.splitlines()
    found: dict[Path, int] = {}
    if len(rows) > LONGEST:
        return found
    begins = 1
    for number in range(1, len(rows) + 1):
        try:
            document = tomllib.loads("\n".join(rows[:number]))
        except tomllib.TOMLDecodeError:
            continue  # a value that goes on in the next line
        while begins < number and not rows[begins - 1].split("#")[0].strip():
            begins += 1
        for path in _paths(document, ()):
            found.setdefault(path, begins)
        begins = number + 1
    return found


def _paths(value: Any, above: Path) -> list[Path]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path for name, part in inner for path in ((*above, name), *_paths(part, (*above, name)))]


def json_lines(text: str) -> dict[Path, int]:
    """Path to line, 1-based, of each key of a JSON text that can be read as a whole."""
    found: dict[Path, int] = {}
    _walk(text, _after(_BLANK, text, 0), (), found)
    return found


def _walk(text: str, at: int, above: Path, found: dict[Path, int]) -> int:
    """Note the keys of the value that begins here; returns where it ends."""
    decoder = json.JSONDecoder()
    if text[at] not in "{[":
        return decoder.raw_decode(text, at)[1]
    is_object, at, number = text[at] == "{", _after(_BLANK, text, at + 1), 0
    while text[at] not in "]}":
        path: Path = (*above, number)
        if is_object:
            name, end = decoder.raw_decode(text, at)
            path = (*above, str(name))
        else:
            end = at
        found[path] = text.count("\n", 0, at) + 1
        at = _walk(text, _after(_SEPARATOR, text, end) if is_object else at, path, found)
        at = _after(_SEPARATOR, text, at)
        number += 1
    return at + 1


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
