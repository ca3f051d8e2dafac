"""Knows every way in which a release folder can be wrong, and reports them all at once, each with file and line."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from services.database.script import Script, split, text_of
from services.errors import NotUnderstood
from services.releases.schema import ReleaseDocument, known_keys

CHECKLIST = "release.yaml"
FOLDERS = ("deploy", "verify", "rollback")

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a release: where, by which rule, in a sentence, and how to mend it. line is 1-based."""

    file: str
    line: int
    rule: str
    message: str
    fix: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def to_json(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "rule": self.rule, "message": self.message, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Known:
    """What a release may refer to; None: not looked at here."""

    checks: Collection[str] | None = None
    actions: Collection[str] | None = None
    playbooks: Collection[str] | None = None
    links: Collection[str] | None = None


def read(files: Mapping[str, bytes], known: Known) -> tuple[ReleaseDocument | None, list[Problem]]:
    """The checklist of a release and everything that is wrong with its files, by file and line.

    The document is None where it does not fit its schema.
    """
    document, problems = _read_checklist(files, known)
    problems += _sql_problems(files)
    return document, sorted(problems, key=lambda problem: (problem.file != CHECKLIST, problem.file, problem.line))


def _read_checklist(files: Mapping[str, bytes], known: Known) -> tuple[ReleaseDocument | None, list[Problem]]:
    if CHECKLIST not in files:
        message = f"There is no {CHECKLIST} in the folder."
        return None, [_problem(1, "missing-file", message, "Write one; docs/release.schema.json says what is in it.")]
    try:
        tree = YAML(typ="rt").load(files[CHECKLIST].decode("utf-8-sig"))
    except DuplicateKeyError as error:
        return None, [_yaml_problem(error, "duplicate-key", "Keep one of the two.")]
    except MarkedYAMLError as error:
        return None, [
            _yaml_problem(error, "yaml-syntax", "Mend the line; indentation and quotes are the usual causes.")
        ]
    except (YAMLError, UnicodeDecodeError) as error:
        return None, [_problem(1, "yaml-syntax", f"This is not YAML in UTF-8: {error}.", "Save it as UTF-8 text.")]
    if not isinstance(tree, Mapping):
        return None, [_problem(1, "wrong-type", "This is not a mapping of keys to values.", "Begin with 'id:'.")]
    problems: list[Problem] = []
    document: ReleaseDocument | None = None
    try:
        # Through JSON, so that strictness does not refuse a list where a tuple is meant.
        document = ReleaseDocument.model_validate_json(json.dumps(tree, default=str), strict=True)
    except ValidationError as error:
        problems += _schema_problems(tree, [dict(item) for item in error.errors()])
    problems += _reference_problems(tree, known)
    problems += _manifest_problems(tree, files)
    return document, problems


def _problem(line: int, rule: str, message: str, fix: str) -> Problem:
    return Problem(CHECKLIST, line, rule, message, fix)


def _yaml_problem(error: MarkedYAMLError, rule: str, fix: str) -> Problem:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    said = str(error.problem or "it cannot be read").splitlines()[0]
    return _problem(line, rule, f"The YAML cannot be read: {said}.", fix)


def _line(tree: Any, location: Location) -> int:
    """The line of the innermost part of `location` that is there."""
    node: Any = tree
    line = 1
    for part in location:
        try:
            line = (node.lc.key(part) if part in node and not isinstance(node, list) else node.lc.item(part))[0] + 1
            node = node[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def _only_follows(tree: Any, location: Location) -> bool:
    """True for "too few entries" said of a list that has entries: they were left out because each is wrong itself."""
    return (
        location[-1:] in (("phases",), ("steps",))
        and bool(_at(tree, location))
        and isinstance(_at(tree, location), list)
    )


def _schema_problems(tree: Any, errors: Sequence[dict[str, Any]]) -> Iterator[Problem]:
    """One problem for each mistake: a required field under a nearly right key is not missing as well."""
    meant = {
        (*location[:-1], near)
        for location in (tuple(error["loc"]) for error in errors if error["type"] == "extra_forbidden")
        for near in get_close_matches(str(location[-1]), known_keys(location[:-1]), 1, 0.5)
    }
    for error in errors:
        location: Location = tuple(error["loc"])
        if not _only_follows(tree, location) and not (error["type"] == "missing" and location in meant):
            yield _schema_problem(tree, error)


def _schema_problem(tree: Any, error: dict[str, Any]) -> Problem:
    location: Location = tuple(error["loc"])
    line = _line(tree, location)
    name = str(location[-1]) if location else CHECKLIST
    kind = str(error["type"])
    if kind == "extra_forbidden":
        allowed = known_keys(location[:-1])
        near = get_close_matches(name, allowed, 1, 0.5)
        fix = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(allowed)}."
        return _problem(line, "wrong-key", f"The key '{name}' is not known{_within(tree, location[:-1])}.", fix)
    if kind == "missing":
        where = _within(tree, location[:-1])
        return _problem(line, "missing-field", f"The field '{name}' is missing{where}.", f"Add '{name}:'.")
    said = _SAID.get(kind) or str(error["msg"]).removeprefix("Value error, ").lower()
    rule = "wrong-type" if kind.endswith("_type") or kind.endswith("_parsing") else "wrong-value"
    within = _within(tree, location[:-1])
    subject = f"'{name}'{within}" if isinstance(location[-1], str) else _within(tree, location).removeprefix(" of ")
    fix = _FIX.get(kind) or _FIX.get(name, "Correct the value.")
    return _problem(line, rule, f"{subject or 'An entry'}: {said}.", fix)


_SAID: Mapping[str, str] = {
    "string_pattern_mismatch": "this is not of the right form",
    "string_too_short": "this must not be empty",
    "too_short": "this must not be empty",
}

_FIX: Mapping[str, str] = {
    "bool_type": "Write true or false, without quotes.",
    "int_type": "Write a whole number, without quotes.",
    "string_type": "Put the text into quotes.",
    "tuple_type": "Write a list: [first, second].",
    "expires": "Write a number and a unit: 90s, 15m, 24h, 7d.",
    "risk": "Write low, medium or high.",
    "id": "Use lower-case words, digits and hyphens.",
    "steps": "List at least one step.",
    "phases": "List at least one phase.",
}


def _at(tree: Any, location: Location) -> Any:
    """What stands at `location`; None where there is nothing."""
    node = tree
    for part in location:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def _within(tree: Any, location: Location) -> str:
    """' of step before-1', ' of phase during', or nothing at the top."""
    node: Any = tree
    inner, kind = "", ""
    for part in location:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(part, str):
            kind = {"phases": "phase", "steps": "step"}.get(part, part)
        elif isinstance(node, Mapping):
            inner = f" of {kind} {node.get('id', f'number {part + 1}')}"
    return inner


def _steps(tree: Any) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    for number, phase in enumerate(_list(tree, "phases")):
        for index, step in enumerate(_list(phase, "steps")):
            if isinstance(step, Mapping):
                yield ("phases", number, "steps", index), step


def _list(node: Any, key: str) -> Sequence[Any]:
    found = node.get(key) if isinstance(node, Mapping) else None
    return found if isinstance(found, list) else []


def _reference_problems(tree: Any, known: Known) -> Iterator[Problem]:
    yield from _duplicates(tree)
    ids = [str(step["id"]) for _, step in _steps(tree) if "id" in step]
    for location, step in _steps(tree):
        lists = (("checks", "check", known.checks), ("needs", "step", ids), ("links", "link", known.links))
        for key, word, allowed in lists:
            for index, name in enumerate(_list(step, key)):
                yield from _unknown(tree, (*location, key, index), name, word, allowed)
        for key, allowed in (("action", known.actions), ("playbook", known.playbooks)):
            if step.get(key) is not None:
                yield from _unknown(tree, (*location, key), step[key], key, allowed)
    yield from _cycles(tree)


def _unknown(tree: Any, location: Location, name: Any, word: str, allowed: Collection[str] | None) -> Iterator[Problem]:
    if allowed is None or name in allowed or not isinstance(name, str):
        return
    near = get_close_matches(name, sorted(allowed), 1, 0.5)
    fix = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(sorted(allowed)) or 'none'}."
    where = _within(tree, location)
    yield _problem(
        _line(tree, location), f"unknown-{word}", f"There is no {word} '{name}', named in '{location[4]}'{where}.", fix
    )


def _duplicates(tree: Any) -> Iterator[Problem]:
    phases = [(("phases", n), p) for n, p in enumerate(_list(tree, "phases")) if isinstance(p, Mapping)]
    for word, parts in (("phase", phases), ("step", list(_steps(tree)))):
        first: dict[str, int] = {}
        for location, part in parts:
            name, line = part.get("id"), _line(tree, (*location, "id"))
            if not isinstance(name, str):
                continue
            if name in first:
                message = f"The {word} id '{name}' is there twice; the first stands in line {first[name]}."
                yield _problem(line, "duplicate-id", message, "Give one of them another id.")
            first.setdefault(name, line)


def _cycles(tree: Any) -> Iterator[Problem]:
    """One problem for each ring of steps that wait for each other, at the first of them."""
    needs: dict[str, list[str]] = {}
    places: dict[str, Location] = {}
    for location, step in _steps(tree):
        name = str(step.get("id"))
        needs.setdefault(name, []).extend(str(need) for need in _list(step, "needs"))
        places.setdefault(name, location)
    done: set[str] = set()
    for start in needs:
        ring = _ring(start, needs, done)
        if ring:
            chain = " → ".join([*ring, ring[0]])
            line = _line(tree, (*places[ring[0]], "needs"))
            yield _problem(
                line, "cycle", f"These steps wait for each other: {chain}.", "Take one 'needs' out of the ring."
            )


def _ring(start: str, needs: Mapping[str, list[str]], done: set[str]) -> list[str] | None:
    """A ring that is reached from `start`, by depth-first search; `done` gathers what needs no second look."""
    path: list[str] = []
    pending: list[tuple[str, Iterator[str]]] = []
    if start not in done:
        path, pending = [start], [(start, iter(needs[start]))]
    while pending:
        name, rest = pending[-1]
        following = next(rest, None)
        if following is None:
            pending.pop()
            path.pop()
            done.add(name)
        elif following in path:
            done.update(path)
            return path[path.index(following) :]
        elif following in needs and following not in done:
            path.append(following)
            pending.append((following, iter(needs[following])))
    return None


def _manifest_problems(tree: Any, files: Mapping[str, bytes]) -> Iterator[Problem]:
    manifest = tree.get("files")
    for folder in FOLDERS:
        for index, name in enumerate(_list(manifest, folder)):
            if isinstance(name, str) and f"{folder}/{name}" not in files:
                line = _line(tree, ("files", folder, index))
                fix = "Put it back, or take it out of the list."
                yield _problem(line, "missing-file", f"The file {folder}/{name} is listed and is not there.", fix)


def _sql_problems(files: Mapping[str, bytes]) -> Iterator[Problem]:
    if not any(name.startswith("deploy/") for name in files):
        fix = "Put the statements into deploy/010_name.sql, deploy/020_name.sql ..."
        yield Problem("deploy", 1, "empty-deploy", "The folder deploy has no .sql file.", fix)
    for name, data in sorted(files.items()):
        if not name.endswith(".sql"):
            continue
        try:
            text = text_of(name, data)
        except NotUnderstood as error:
            line = int(str(error.place).rpartition(":")[2])
            yield Problem(name, line, "not-text", f"{error.what} {error.means}", error.do)
            continue
        if not text.strip():
            yield Problem(name, 1, "empty-file", "The file is empty.", "Write its statements, or remove it.")
        elif name.startswith("verify/"):
            yield from _query_problems(name, text)


def _query_problems(name: str, text: str) -> Iterator[Problem]:
    if not proves(text):
        fix = "Begin with a line such as: -- Proves that every table is there."
        yield Problem(name, 1, "no-comment", "The query does not begin with a comment that says what it proves.", fix)
    try:
        statements = split(Script(name, text))
    except NotUnderstood as error:
        yield Problem(name, 1, "sql-syntax", error.what, error.do)
        return
    if len(statements) != 1:
        line = statements[1].start_line if statements else 1
        message = f"A verification file holds one query; this one holds {len(statements)} statements."
        yield Problem(name, line, "one-query", message, "Put each query into a file of its own.")
    elif statements[0].kind != "select_stmt":
        message = "A verification is a query that returns rows only when something is wrong; this is another statement."
        yield Problem(name, statements[0].start_line, "not-a-query", message, "Write a SELECT.")


def proves(sql: str) -> str:
    """What a verification query proves: its leading comment lines in one; empty when it does not begin with one."""
    said: list[str] = []
    for line in sql.lstrip("\ufeff \t\r\n").splitlines():
        if not line.strip().startswith("--"):
            break
        said.append(line.strip().lstrip("-").strip())
    return " ".join(part for part in said if part)
