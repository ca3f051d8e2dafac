"""What an app hands the sandbox to run a twin of it there: builds, data, settings. The sandbox knows no app."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from services.errors import NotUnderstood

_MADE = re.compile(
    r"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:public\.)?(\w+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Build:
    """One commit of the app, as the platform would build it.

    module:   the Python module that serves it (`python -m module`), told its port by the variable PORT
    requires: packages its image must hold; the start-up fails with an ImportError where one is missing
    """

    commit: str
    message: str
    module: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorldAddresses:
    """Where the parts of a running world are, and the keys to them; an app's variables are made of these."""

    app_url: str
    database_url: str
    supabase_url: str
    supabase_anon_key: str
    supabase_service_key: str
    supabase_jwt_secret: str
    openai_url: str
    openai_key: str
    railway_url: str


@dataclass(frozen=True)
class Twin:
    """An app's double.

    builds:         every commit there is, oldest first
    serving_before: the commit that serves in the world `before`
    pushed:         the commit whose deployment failed in the world `before`, and that serves in the world `after`
    seed:           seed(conn, anchor, seed) fills an empty, Supabase-like database as the owner of schema public;
                    anchor is "now" in the data, so that nothing grows old by itself; equal arguments, equal rows
    release:        the release folder whose deploy/*.sql is in place in the world `after`
    variables:      the environment of the running app
    usage:          usage(conn, anchor, seed) writes, as the owner, what people did with the release in the time before
                    anchor; called in the world `after` once its SQL is in place and before its build serves; equal
                    arguments, equal rows; None: nobody has used it yet
    """

    app: str
    builds: tuple[Build, ...]
    serving_before: str
    pushed: str
    seed: Callable[[psycopg.Connection, datetime, int], None]
    release: Path
    variables: Callable[[WorldAddresses], Mapping[str, str]]
    usage: Callable[[psycopg.Connection, datetime, int], None] | None = None

    def released_relations(self) -> tuple[str, ...]:
        """The tables and views that the release's scripts make in schema public, in their order."""
        found: dict[str, None] = {}
        for script in sorted((self.release / "deploy").glob("*.sql")):
            found.update(dict.fromkeys(_MADE.findall(script.read_text(encoding="utf-8"))))
        return tuple(found)

    def build(self, commit: str) -> Build:
        """The build of a commit. Raises KeyError for a commit there is not."""
        for build in self.builds:
            if build.commit == commit:
                return build
        raise KeyError(commit)


def load_twin(app: str) -> Twin:
    """The twin of an app by its name, from `apps.<app>.twin.definition`. Raises NotUnderstood where it has none."""
    try:
        twin = importlib.import_module(f"apps.{app}.twin.definition").TWIN
    except ModuleNotFoundError as error:
        if error.name is None or not f"apps.{app}.twin.definition".startswith(error.name):
            raise
        twin = None
    if not isinstance(twin, Twin):
        raise NotUnderstood(
            f"The app '{app}' has no twin for the sandbox.",
            "No sandbox was started.",
            "Name an app that has one.",
            place=f"apps/{app}/twin/definition.py",
        )
    return twin
