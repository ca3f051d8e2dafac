"""What the command line does with a target's levels: each step one service call, as the person at this console."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard import composition
from dashboard.cli.answer import columns, tell
from dashboard.cli.following import follow, raise_error
from dashboard.cli.person import maker, person
from services.app_definition import load_app
from services.connecting.grants import create_target, grant, keep_credentials, level_states
from services.connecting.grants import take_back as take_level_back
from services.connecting.keys import CREDENTIALS, given
from services.connecting.proofs import Proof, prove_level
from services.connecting.reader_role import take_back_sql
from services.errors import NotUnderstood
from services.jobs.queue import enqueue
from services.settings import LEVEL_MEANS, Level, Target, origin_of

STRUCTURED = frozenset({"probe_accounts", "probe_caps"})
"""Keys whose variable holds JSON."""


def make(name: str, url: str, *, app: str, disposable: bool) -> None:
    """Make a target that can only look; the person at this console is its admin."""
    load_app(app)
    settings = composition.settings()
    values = {"app": app, "app_url": url, "production": not disposable, "colour": "blue" if disposable else "red"}
    create_target(composition.store(), settings, maker(name), name, values, now())
    tell(f"{name} is made. It can look, and nothing else, until a level is granted.")


def keep(name: str, values: Mapping[str, Any]) -> None:
    """Keep credentials, and tell which levels have to be proved again because of them."""
    target = _target(name)
    lost = keep_credentials(composition.store(), composition.settings(), target, person(target), values, now())
    tell(f"Kept on {name}: {', '.join(sorted(values))}.")
    if lost:
        tell(f"To be proved and granted again, since its key was replaced: {', '.join(lost)}.")


def from_variables(said: Sequence[str]) -> dict[str, Any]:
    """KEY=env:VARIABLE, several times, as values by key. A value in the command line itself is not understood."""
    values: dict[str, Any] = {}
    for one in said:
        key, _, source = one.partition("=")
        if key not in CREDENTIALS:
            raise NotUnderstood(
                f"'{key[:60]}' is no key of a level.",
                "Nothing was kept.",
                f"Keys: {', '.join(sorted(CREDENTIALS))}.",
                place="--set",
            )
        variable = source.removeprefix("env:")
        if not source.startswith("env:") or not variable:
            raise NotUnderstood(
                f"The value of {key} has to come from a variable.",
                "Nothing was kept: what stands in a command line shows in ps and in the shell's history.",
                f"Write --set {key}=env:VARIABLE.",
                place="--set",
            )
        if not os.environ.get(variable):
            raise NotUnderstood(
                f"The variable {variable} is empty or not set.", "Nothing was kept.", "Set it.", place="--set"
            )
        values[key] = _read(key, os.environ[variable])
    return values


def _read(key: str, text: str) -> Any:
    if key not in STRUCTURED:
        return text.strip()
    try:
        return json.loads(text)
    except ValueError:
        raise NotUnderstood(f"{key} has to be JSON.", "Nothing was kept.", "docs/connecting.md shows it.") from None


def level_called(name: str) -> Level:
    """A level by its name. Raises NotUnderstood."""
    try:
        return Level(name)
    except ValueError:
        known = ", ".join(level.value for level in Level)
        raise NotUnderstood(f"'{name[:60]}' is no level.", "Nothing was done.", f"Levels: {known}.") from None


def prove(name: str, level: Level) -> Proof:
    """Have a level proved as a job, which keeps the proof, and tell what was seen."""
    store, target = composition.store(), _target(name)
    queued = enqueue(
        store,
        actor=person(target),
        kind="prove_level",
        target=target,
        payload={"level": level.value},
        idempotency_key=f"cli/{secrets.token_hex(8)}",
        now=now(),
    )
    ended = raise_error(follow(store, queued))
    proof = Proof.from_json((ended.result or {})["proof"])
    for line in columns([(one.verdict.value, one.what, one.text) for one in proof.seen]):
        tell(f"  {line}")
    return proof


def prove_and_grant(name: str, level: Level) -> None:
    """Prove a level and grant it. Raises Refused where the proof did not pass."""
    if level is not Level.LOOK and _target(name).allows(level):
        tell(f"'{level}' is granted on {name} already.")
        return
    prove(name, level)
    give(name, level)


def give(name: str, level: Level) -> None:
    """Grant a level that was proved. Raises Refused where it was not."""
    target = _target(name)
    grant(composition.store(), composition.settings(), target, level, person(target), now())
    tell(f"'{level}' is granted on {name}: it allows us to {LEVEL_MEANS[level]}.")


def take_back(name: str, level: Level) -> dict[str, Any]:
    """Take a level back; what else is to be done where the key was made, and the SQL that removes the reading role."""
    target = _target(name)
    gone = take_level_back(composition.store(), composition.settings(), target, level, person(target), now())
    made = {"supabase_access_token": "Supabase", "railway_token": "Railway", "openai_key": "OpenAI"}
    places = [place for key, place in made.items() if key in gone]
    do = [f"The key is forgotten here and still valid at {place}: delete it there." for place in places]
    settings = composition.settings()
    left = given(level, _target(name)) if not _target(name).allows(level) else {}
    for key in left:
        origin = origin_of(settings, name, key)
        if origin is not None and origin != f"targets/{name}.json":
            do.append(f"{key} is set in {origin}: take it out there.")
    had_role = level is Level.OBSERVE and "database_url" in gone
    return {
        "level": level.value,
        "taken_out": list(gone),
        "do": [*do, *(["Run this SQL to remove the reading role:"] if had_role else [])],
        "sql": take_back_sql() if had_role else None,
    }


def stand_of(name: str) -> list[dict[str, Any]]:
    """Every level tried now without writing, and whether it is granted."""
    target = _target(name)
    settings, store, app = composition.settings(), composition.store(), load_app(target.app)
    found = []
    for state in level_states(store, settings, target):
        proof = prove_level(state.level, target, app, now(), store=store)
        told = {
            **proof.to_json(),
            "granted": state.granted,
            "missing": list(state.missing),
            "granted_in": state.from_where,
            "by_writing_only": proof.by_writing_only,
        }
        found.append(told)
    return found


def _target(name: str) -> Target:
    return composition.settings().target(name)


def now() -> datetime:
    return composition.now()
