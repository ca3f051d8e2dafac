"""What a target's credentials prove, level by level: each is tried, none is believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from dashboard.cli.outside import look_at
from services.clients.railway import RailwayClient
from services.database.connect import ConnectionFacts, connect, inspect_connection
from services.errors import OpsError
from services.settings import LEVEL_MEANS, Level, Target
from services.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Proof:
    """granted: by settings; verdict: whether the credential does what the level needs."""

    level: Level
    granted: bool
    verdict: Verdict
    summary: str

    @property
    def by_writing_only(self) -> bool:
        """Whether the credential cannot be tried without changing something, so that nothing is known before."""
        return self.level is Level.PROBE and self.verdict is Verdict.UNKNOWN

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level.value,
            "means": LEVEL_MEANS[self.level],
            "granted": self.granted,
            "verdict": self.verdict.value,
            "summary": self.summary,
        }


def prove_levels(target: Target) -> list[Proof]:
    """Try what each level needs; a level that cannot be proved without writing says so and stays unknown."""
    tries: dict[Level, Callable[[Target], tuple[Verdict, str]]] = {
        Level.LOOK: _look,
        Level.OBSERVE: _observe,
        Level.PLATFORM: _platform,
        Level.PROBE: _probe,
        Level.DEPLOY: _deploy,
    }
    return [Proof(level, target.allows(level), *_tried(attempt, target)) for level, attempt in tries.items()]


def _tried(attempt: Callable[[Target], tuple[Verdict, str]], target: Target) -> tuple[Verdict, str]:
    try:
        return attempt(target)
    except OpsError as error:
        return (Verdict.UNKNOWN if error.exit_code == 2 else Verdict.FAIL), str(error)


def _look(target: Target) -> tuple[Verdict, str]:
    if target.app_url is None:
        return _missing("app_url")
    seen = look_at(target.app_url, like=target.name)
    answered = [one for one in seen if one.verdict is not Verdict.UNKNOWN]
    if not answered:
        return Verdict.UNKNOWN, seen[0].summary if seen else "No check looks from outside."
    return Verdict.PASS, f"The app answers: {answered[0].summary}"


def _observe(target: Target) -> tuple[Verdict, str]:
    if target.database_url is None:
        return _missing("database_url")
    facts = _facts(target.database_url, read_only=True)
    kind = " (superuser: more than is needed)" if facts.superuser else ""
    return Verdict.PASS, f"Reads {facts.database} on Postgres {facts.major} as {facts.user}{kind}."


def _platform(target: Target) -> tuple[Verdict, str]:
    if target.railway_url is None:
        return _missing("railway_url")
    deployments = RailwayClient.of(target).deployments(first=1)
    if not deployments:
        return Verdict.UNKNOWN, "Railway answers and lists no deployment; whether it would start one is not known."
    return Verdict.PASS, f"Railway answers; the newest deployment is {deployments[0].id} ({deployments[0].status})."


def _probe(target: Target) -> tuple[Verdict, str]:
    absent = [name for name in ("app_url", "database_url") if getattr(target, name) is None]
    if absent:
        return _missing(*absent)
    return Verdict.UNKNOWN, "Shown only by writing; `score` writes marked test data and removes it again."


def _deploy(target: Target) -> tuple[Verdict, str]:
    if target.deploy_url is None:
        return _missing("deploy_url")
    facts = _facts(target.deploy_url, read_only=False)
    verdicts = {
        f"create objects in schema public as {facts.user}": facts.may_create,
        "keep its receipts in schema ops": facts.may_create_schema or "ops" in facts.schemas,
        "hold a lock for the length of a deploy": not facts.transaction_pooler,
        "alter every table in schema public": not facts.not_owned,
    }
    cannot = [what for what, can in verdicts.items() if not can]
    if cannot:
        return Verdict.FAIL, f"It cannot {'; it cannot '.join(cannot)}."
    return Verdict.PASS, f"It can {', '.join(verdicts)}."


def _facts(url: SecretStr, *, read_only: bool) -> ConnectionFacts:
    address = url.get_secret_value()
    with connect(address, read_only=read_only, application_name=f"ops connect {os.getpid()}") as conn:
        return inspect_connection(conn, address)


def _missing(*names: str) -> tuple[Verdict, str]:
    return Verdict.UNKNOWN, f"The settings have no {' and no '.join(names)}."
