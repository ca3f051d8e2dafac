"""What is wrong with a setting, as one sentence: where it stands, its key, what is wrong and what to do; no value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from services.errors import NotUnderstood
from services.settings.secret_kinds import kind_of

_NAME = re.compile(r"[\w-]{1,40}")

Path = tuple[str | int, ...]
"""The way to a setting from the top: ("targets", "staging", "people", 0, "name")."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. place: a file with its line, or a variable; key: as people write it; "" where the place says it.

    wrong: a predicate, "must be a list"; do: an imperative, "write [\\"look\\"]". Neither repeats a value.
    """

    place: str
    key: str
    wrong: str
    do: str

    @property
    def what(self) -> str:
        return f"{self.key or self.place} {self.wrong}."

    @property
    def sentence(self) -> str:
        head = f"{self.place}: {self.key}" if self.key else self.place
        return f"{head} {self.wrong}: {self.do}."


class SettingsNotUnderstood(NotUnderstood):
    """Every problem of the settings at once, in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        super().__init__(
            f"The settings hold {count}: " + " ".join(problem.sentence for problem in problems),
            "Nothing was started.",
            "Mend the named keys and try again; `doctor` lists them one by one.",
            place=problems[0].place,
        )
        self.problems = tuple(problems)


def key_of(path: Path) -> str:
    """A path as people write it: targets.staging.people[0].name."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{shown_name(part)}"
    return shown.lstrip(".")


def shown_name(name: str) -> str:
    """A key as it stands there, unless it looks as if a value had come to stand in a key's place."""
    return name if _NAME.fullmatch(name) and kind_of(name) is None else "(a key that is no name)"


def meant(name: str, known: Sequence[str], closeness: float = 0.72) -> str | None:
    """The known name that a mistyped one most likely stands for."""
    return next(iter(get_close_matches(name, known, 1, closeness)), None)


_AT_LEAST = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_KINDS: Sequence[tuple[tuple[str, ...], str, str]] = (
    (("bool",), "must be true or false", "write one of these words, without quotes in a file"),
    (("int",), "must be a whole number", "write digits only"),
    (("float",), "must be a number", "write digits, with a point where it has a fraction"),
    (("string", "path"), "must be text", "put it in quotes in a file"),
    (
        ("tuple", "list", "set", "frozen_set"),
        "must be a list",
        'write it as ["one", "other"], or as JSON in a variable',
    ),
    (("dict", "model", "mapping"), "must be a section with keys of its own", "write one key a line below its heading"),
)


def understood(error: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """What is wrong and what to do, for one error of the types. known: by the name of a part, the keys it may have."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "extra_forbidden":
        return _not_known(error["loc"], known)
    if kind == "missing":
        return "is missing", "add it"
    if kind == "enum":
        return "is not one of those that exist", f"use {context.get('expected', 'one that exists')}"
    if kind == "value_error":
        wrong, _, do = str(error["msg"]).removeprefix("Value error, ").partition(": ")
        return wrong, do or "write it so"
    if kind in _AT_LEAST:
        words, bound = _AT_LEAST[kind]
        return f"must be {words} {context[bound]:g}", "write such a number"
    for beginnings, wrong, do in _KINDS:
        if any(kind.startswith(f"{beginning}_") for beginning in beginnings):
            return wrong, do
    return "is not of the kind that belongs there", "see docs/settings.md for what does"


def _not_known(path: Path, known: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    close = meant(str(path[-1]), known.get(_part(path), ()))
    do = f"write {close} if that is meant" if close else "remove it, or see docs/settings.md for those that exist"
    return "is not a setting", do


def _part(path: Path) -> str:
    """The part whose keys a path's last name belongs to: "target", "people", "probe_caps", "oidc" or "settings"."""
    names = [part for part in path[:-1] if isinstance(part, str)]
    if names[:1] == ["targets"]:
        return "target" if len(names) == 2 else names[2]
    return names[0] if names else "settings"


class Collected:
    """Problems by path; of several about one setting, or about what it is part of, the first one counts."""

    def __init__(self) -> None:
        self._found: dict[Path, tuple[str, str]] = {}

    def add(self, path: Path, wrong: str, do: str) -> None:
        if not self.about(path):
            self._found[path] = (wrong, do)

    def about(self, path: Path) -> bool:
        """Whether something is known to be wrong with a setting, with a part of it, or with what it is part of."""
        return any(path[: len(other)] == other or other[: len(path)] == path for other in self._found)

    def __iter__(self) -> Iterator[tuple[Path, str, str]]:
        return ((path, wrong, do) for path, (wrong, do) in self._found.items())
