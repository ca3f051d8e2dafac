"""What all sources of settings say together: later ones win, key by key, and who said what stays known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.settings.problems import Path, Problem, key_of
from services.settings.sources import Source


class Written:
    """What all sources say together, and which of them says what. Later sources win, key by key."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.values: dict[str, Any] = {}
        self._said_by: dict[Path, Source] = {}
        for source in sources:
            self._merge(source, source(), self.values, ())

    def _merge(self, source: Source, said: Mapping[str, Any], into: dict[str, Any], above: Path) -> None:
        for name, value in said.items():
            path = (*above, name)
            self._said_by[path] = source
            if isinstance(value, Mapping) and isinstance(into.get(name, {}), dict):
                into[name] = dict(into.get(name, {}))
                self._merge(source, value, into[name], path)
            else:
                into[name] = value

    def source(self, path: Path) -> Source | None:
        """The source that has the last word on a setting, or on what it is part of."""
        return next((self._said_by[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._said_by), None)

    def sources_of(self, target: str) -> set[Source]:
        """All that say anything that counts about a target."""
        return {by for path, by in self._said_by.items() if path[:2] == ("targets", target) and len(path) == 3}

    def origins(self) -> dict[tuple[str, str], str]:
        """The origin of each key, by target; that of a key with parts is that of its first part."""
        found: dict[tuple[str, str], str] = {}
        for path, source in self._said_by.items():
            if path[0] == "targets" and len(path) == 3:
                found[str(path[1]), str(path[2])] = source.origin(path)
            elif path[0] != "targets" and len(path) == 1:
                found["", str(path[0])] = source.origin(path)
        return found

    def problem(self, path: Path, wrong: str, do: str) -> Problem:
        """A problem with the place at which the setting stands, or at which something around it does."""
        source = self.source(path)
        if source is None:
            return Problem("settings", key_of(path), wrong, do)
        return Problem(source.place(path), source.key(path), wrong, do)
