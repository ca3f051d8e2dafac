"""Reads the settings from the environment, secrets.toml and target files; tells all problems at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.errors import NotUnderstood
from services.settings.model import Settings, Target

DEFAULT_HOME = ".ops"


def load_settings(environ: Mapping[str, str], root: Path) -> Settings:
    """Read settings; later sources win: target files in <home>/targets, .streamlit/secrets.toml, the environment.

    environ: OPS_HOME, OPS_STORE_URL, OPS_TARGET, OPS_TARGETS__<NAME>__<KEY>
    root:    the folder that holds .streamlit/ and a relative OPS_HOME
    Raises NotUnderstood with every problem at once, each with its place and without its value.
    """
    home = (root / environ.get("OPS_HOME", DEFAULT_HOME)).resolve()
    found: dict[str, dict[str, Any]] = {}
    origin: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    for place, name, values in [
        *_target_files(home, problems),
        *_secrets_file(root, problems),
        *_environment(environ, problems),
    ]:
        found.setdefault(name, {"name": name}).update(values)
        origin.update({(name, key): place for key in values})
    targets: dict[str, Target] = {}
    for name, values in found.items():
        try:
            targets[name] = Target.model_validate(values)
        except ValidationError as error:
            problems.extend(
                _sentence(name, origin, problem) for problem in error.errors(include_input=False, include_url=False)
            )
    store_url = environ.get("OPS_STORE_URL") or f"sqlite:///{home / 'store.sqlite3'}"
    problems.extend(_store_problems(store_url, targets))
    if problems:
        raise NotUnderstood(
            f"The settings hold {len(problems)} problem{'s' if len(problems) > 1 else ''}: " + " ".join(problems),
            "Nothing was started.",
            "Mend the named keys and try again.",
            place=problems[0].split(":", 1)[0],
        )
    return Settings(
        home=home, store_url=store_url, targets=targets, default_target=environ.get("OPS_TARGET") or "sandbox"
    )


Source = tuple[str, str, dict[str, Any]]


def _target_files(home: Path, problems: list[str]) -> list[Source]:
    sources: list[Source] = []
    for path in sorted((home / "targets").glob("*.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"{path.name}: cannot be read as JSON ({type(error).__name__}).")
            continue
        if isinstance(values, dict):
            sources.append((path.name, path.stem, values))
        else:
            problems.append(f"{path.name}: must hold one JSON object.")
    return sources


def _secrets_file(root: Path, problems: list[str]) -> list[Source]:
    path = root / ".streamlit" / "secrets.toml"
    if not path.exists():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"secrets.toml: cannot be read as TOML ({type(error).__name__}).")
        return []
    sections = document.get("targets", {})
    if not isinstance(sections, dict):
        problems.append("secrets.toml: [targets] must hold one section a target.")
        return []
    sources: list[Source] = []
    for name, values in sections.items():
        if isinstance(values, dict):
            sources.append((f"secrets.toml [targets.{name}]", name, values))
        else:
            problems.append(f"secrets.toml: targets.{name} must be a section.")
    return sources


def _environment(environ: Mapping[str, str], problems: list[str]) -> list[Source]:
    sources: list[Source] = []
    for key, text in sorted(environ.items()):
        if not key.startswith("OPS_TARGETS__"):
            continue
        parts = key.split("__")
        if len(parts) != 3 or not all(parts):
            problems.append(f"{key}: must have the form OPS_TARGETS__NAME__KEY.")
            continue
        name, field = parts[1].lower(), parts[2].lower()
        value: Any = text
        if field in {"levels", "people", "quick_sign_in"}:
            try:
                value = (
                    json.loads(text)
                    if text.lstrip().startswith("[")
                    else [part.strip() for part in text.split(",") if part.strip()]
                )
            except ValueError:
                problems.append(f"{key}: cannot be read as a JSON list.")
                continue
        sources.append((key, name, {field: value}))
    return sources


def _sentence(name: str, origin: Mapping[tuple[str, str], str], problem: Mapping[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    key = path[0] if path else "?"
    place = origin.get((name, key), f"targets.{name}")
    reason = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        reason = "is not a setting we know"
    shown = place if place.startswith("OPS_TARGETS__") else f"{place} {'.'.join(path)}"
    return f"{shown}: {reason}."


def _store_problems(store_url: str, targets: Mapping[str, Target]) -> list[str]:
    if not store_url.startswith(("sqlite:///", "postgresql")):
        return ["OPS_STORE_URL: must begin with sqlite:/// or postgresql://."]

    def bare(url: str) -> str:
        return url.split("://", 1)[-1].split("?", 1)[0]

    taken = {
        bare(secret.get_secret_value()) for t in targets.values() for secret in (t.database_url, t.deploy_url) if secret
    }
    if bare(store_url) in taken:
        return ["OPS_STORE_URL: is the database of a target; our own records must not live in what we change."]
    return []
