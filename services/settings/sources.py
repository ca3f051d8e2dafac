"""The three sources of settings: variables, secrets.toml and target files; each remembers where a value stands."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path as File
from typing import Any, Protocol

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, InitSettingsSource, TomlConfigSettingsSource

from services.settings.lines import json_lines, toml_lines
from services.settings.model import Settings
from services.settings.problems import Path, Problem, key_of, meant, shown_name

SPELLED: Mapping[str, str] = {"target": "default_target"}
"""Settings whose name outside is another one than here."""

SECTION = "ops"
"""The section of secrets.toml with settings that belong to no target; sections that are not ours are Streamlit's."""


class Source(Protocol):
    """What the loading asks of a source. problems: what hindered its reading as a whole."""

    problems: list[Problem]

    def __call__(self) -> dict[str, Any]:
        """What it says, from the top."""

    def place(self, path: Path) -> str:
        """Where it says so: a file with its line, or a variable."""

    def key(self, path: Path) -> str:
        """The key as it is written there; empty where the place says it all."""

    def origin(self, path: Path) -> str:
        """The source itself: "secrets.toml", "targets/NAME.json", or the variable's name."""


class Variables(EnvSettingsSource):
    """The environment: OPS_KEY, OPS_TARGETS__NAME__KEY, OPS_TARGETS__NAME__KEY__PART."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._names: dict[Path, str] = {}
        self.problems: list[Problem] = []
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        prefix, delimiter = str(self.env_prefix), "__"
        spelled: dict[str, str | None] = {}
        for name, value in sorted(self._environ.items()):
            if not name.startswith(prefix) or not value.strip():
                continue
            first, *rest = name.removeprefix(prefix).lower().split(delimiter)
            first = SPELLED.get(first, first)
            if first == "targets" and rest:
                rest = [_dashed(rest[0]), *rest[1:]]
                if len(rest) > 2 and rest[1] == "probe_caps":
                    rest[2] = _dashed(rest[2])
            self._names[(first, *rest)] = name
            spelled[prefix.lower() + delimiter.join([first, *rest])] = value
        return spelled

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or a section as JSON, levels also as "one, other", addresses also with blanks between them."""
        text = str(value).strip()
        if text[:1] in {"[", "{"}:
            try:
                return json.loads(text)
            except ValueError:
                return value
        if field_name == "levels":
            return [part.strip() for part in text.split(",") if part.strip()]
        if field_name == "notify_urls":
            return text.split()
        return value

    def place(self, path: Path) -> str:
        return self.origin(path)

    def origin(self, path: Path) -> str:
        """The variable that says it, or the one that would have to."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._names:
                return self._names[path[:length]]
        around = path[:-1] if path[-1] == "name" else path
        below = (name for other, name in self._names.items() if other[: len(around)] == around)
        return next(below, f"{self.env_prefix}{'__'.join(map(str, path))}".upper().replace("-", "_"))

    def key(self, path: Path) -> str:
        """What of a path the variable's name does not say yet."""
        said = next((n for n in range(len(path), 0, -1) if path[:n] in self._names), len(path))
        return key_of(path[said:])


class SecretsFile(TomlConfigSettingsSource):
    """.streamlit/secrets.toml: [targets.NAME] and [ops]. Its other sections belong to Streamlit."""

    name = "secrets.toml"

    def __init__(self, path: File) -> None:
        self.problems: list[Problem] = []
        self._shown = f"{path.parent.name}/{path.name}"
        self._text = ""
        self._lines: dict[Path, int] | None = None
        if path.exists() and not path.is_file():
            self.problems.append(Problem(self._shown, "", "is no file", "put the file in its place, or take it away"))
        super().__init__(Settings, path)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        """What the file says. A file that cannot be read says nothing, and is a problem."""
        text = read_text(File(file_path), self._shown, self.problems)
        if text is None:
            return {}
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.problems.append(_no_toml(self._shown, str(error)))
            return {}
        self._text = text
        return self._ours(document)

    def _ours(self, document: Mapping[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for name, value in document.items():
            if name == "targets":
                said["targets"] = value
            elif name == SECTION and isinstance(value, dict):
                said |= {SPELLED.get(key, key): part for key, part in value.items()}
            elif name == SECTION or (isinstance(value, dict) and meant(name, ("targets", SECTION), 0.8)):
                self.problems.append(_section(f"{self._shown}:{self._line((name,))}", name))
        return {name: without_empty(value) for name, value in said.items()}

    def place(self, path: Path) -> str:
        return f"{self._shown}:{self._line(self._inside(path))}"

    def key(self, path: Path) -> str:
        return key_of(self._inside(path))

    def origin(self, path: Path) -> str:
        return self.name

    def _inside(self, path: Path) -> Path:
        outside = {inner: outer for outer, inner in SPELLED.items()}
        first, *rest = path
        return path if first == "targets" else (SECTION, outside.get(str(first), first), *rest)

    def _line(self, path: Path) -> int:
        if self._lines is None:
            self._lines = toml_lines(self._text)
        return line_of(self._lines, path)


class TargetFiles(InitSettingsSource):
    """<home>/targets/NAME.json: one target a file, written by the sandbox and by the connecting of a target."""

    def __init__(self, home: File) -> None:
        self.problems: list[Problem] = []
        self._texts: dict[str, str] = {}
        self._lines: dict[str, dict[Path, int]] = {}
        found = {path.stem: values for path, values in self._read(home)}
        super().__init__(Settings, {"targets": found} if found else {})

    def _read(self, home: File) -> Iterator[tuple[File, dict[str, Any]]]:
        for path in sorted((home / "targets").glob("*.json")):
            shown = f"targets/{path.name}"
            text = read_text(path, shown, self.problems)
            if text is None:
                continue
            try:
                values = json.loads(text, object_pairs_hook=partial(self._once, shown))
            except (ValueError, RecursionError) as error:
                line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
                self.problems.append(
                    Problem(f"{shown}{line}", "", "cannot be read as JSON", "look for a missing quote, comma or brace")
                )
                continue
            if not isinstance(values, dict):
                wrong = "must hold one JSON object"
                self.problems.append(Problem(shown, "", wrong, "put the target's settings between { and }"))
                continue
            self._texts[path.stem] = text
            yield path, without_empty(values)

    def _once(self, shown: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        twice = {name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1}
        self.problems += [
            Problem(shown, shown_name(name), "stands there twice", "keep one of the two") for name in sorted(twice)
        ]
        return values

    def place(self, path: Path) -> str:
        name = str(path[1]) if len(path) > 1 else ""
        if name not in self._lines:
            self._lines[name] = json_lines(self._texts.get(name, "{}"))
        return f"targets/{name}.json:{line_of(self._lines[name], path[2:])}"

    def key(self, path: Path) -> str:
        return key_of(path)

    def origin(self, path: Path) -> str:
        return f"targets/{path[1]}.json"


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a setting, else that of the nearest thing around it, else the first."""
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)


def read_text(path: File, shown: str, problems: list[Problem]) -> str | None:
    """A file's text; None where there is none, and a problem where it cannot be read."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(
            Problem(shown, "", f"cannot be read ({type(error).__name__})", "let our account read that file")
        )
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.append(Problem(f"{shown}:{line}", "", "is not UTF-8 there", "save the file anew as UTF-8"))
        return None


def without_empty(value: Any) -> Any:
    """The same without what is set to nothing: an empty text or null counts as not set."""
    if isinstance(value, dict):
        kept = {name: without_empty(part) for name, part in value.items()}
        return {name: part for name, part in kept.items() if part is not None and part != ""}
    if isinstance(value, list):
        return [without_empty(part) for part in value]
    return "" if isinstance(value, str) and not value.strip() else value


def _dashed(name: str) -> str:
    """A variable's name cannot hold the dash that a target's name may have."""
    return name.replace("_", "-")


def _no_toml(shown: str, said: str) -> Problem:
    line = said.partition("(at line ")[2].partition(",")[0]
    place = f"{shown}:{line}" if line.isdecimal() else shown
    where = "" if line.isdecimal() else " at its end"
    return Problem(
        place, "", f"cannot be read as TOML{where}", "look for a missing quote or bracket, or a key given twice"
    )


def _section(place: str, name: str) -> Problem:
    right = "[ops]" if name == SECTION else "[targets.NAME]" if meant(name, ("targets",), 0.8) else "[ops]"
    return Problem(place, name, "is no section of ours", f"write {right} as a section of its own")
