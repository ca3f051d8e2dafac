"""A small world for screens: a home, a store, a target with three accounts, a release, and jobs with given endings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.access.permissions import Actor, Role
from services.access.sessions import open_session
from services.jobs.queue import Job, JobState, append_event, enqueue
from services.jobs.worker import JobContext, Outcome, Worker
from services.releases.bundle import Release, release_from_files
from services.releases.ledger import record_evidence, start_run
from services.settings import Settings, load_settings
from services.store.database import Store
from services.verdict import Evidence, Verdict
from tests.migrated_store import fresh_store

TARGET = "sandbox"
LEVELS = ["look", "observe", "platform", "probe", "deploy"]
NOWHERE = "postgresql://owner@127.0.0.1:1/nowhere"
"""The address of a database at which nobody listens, so that its deploy is not armed but configured."""

CHECKLIST = """\
id: small-change
title: A small change
risk: low
expected_minutes: 10
phases:
  - id: before
    title: Before
    why: Nothing may be changed before all of this holds.
    steps:
      - id: before-1
        title: The app answers
        demand: Test the current API health.
        proof: A fresh process answers a request that reads the database.
        why: /health answers 200 in every build, so its text proves nothing.
        checks: [api-answers]
      - id: before-2
        title: Somebody agrees
        signoff: true
        look_at: The minutes of the meeting.
      - id: before-3
        title: The change was rehearsed
        action: rehearse
        params: {release: small-change}
  - id: during
    title: During
    steps:
      - id: during-1
        title: Deploy the schema
        action: deploy
        params: {release: small-change}
        needs: [before-3]
  - id: after
    title: After
    steps:
      - id: after-1
        title: The production test
        action: score
      - id: after-2
        title: Tell the others
        signoff: true
        required: false
"""


def small_release() -> Release:
    """A release with every kind of step, and scripts that are harmless."""
    files = {
        "release.yaml": CHECKLIST,
        "deploy/010_table.sql": "CREATE TABLE IF NOT EXISTS small (id int PRIMARY KEY);\n",
        "verify/010_exists.sql": "-- proves: the table exists\nSELECT 1 WHERE to_regclass('small') IS NULL;\n",
        "rollback/010_table.sql": "DROP TABLE IF EXISTS small;\n",
    }
    return release_from_files({name: text.encode() for name, text in files.items()})


@dataclass
class World:
    """What a screen test arranges. now: the clock of all that is written here, close to the real one."""

    home: Path
    settings: Settings
    store: Store
    now: datetime

    def actor(self, role: Role = Role.OPERATOR) -> Actor:
        return Actor(id=f"{TARGET}:{role.value}", name=role.value.capitalize(), role=role, target=TARGET)

    def session(self, role: Role = Role.OPERATOR) -> str:
        """A session token, as the cookie would hold it."""
        return open_session(self.store, self.actor(role), self.now)

    def start(self, release: Release | None = None) -> str:
        return start_run(
            self.store, actor=self.actor(), release=release or small_release(), target=TARGET, now=self.now
        )

    def evidence(
        self,
        check_id: str,
        verdict: Verdict,
        summary: str,
        *,
        run_id: str | None = None,
        step_id: str | None = None,
        age: timedelta = timedelta(seconds=5),
        facts: Mapping[str, Any] | None = None,
        link: str | None = None,
    ) -> None:
        started = self.now - age
        item = Evidence(
            check_id=check_id,
            target=TARGET,
            verdict=verdict,
            summary=summary,
            facts=facts or {},
            input={},
            digest="0" * 64,
            started=started,
            took_ms=12.0,
            check_version=1,
            expires=started + timedelta(minutes=15),
            link=link,
        )
        record_evidence(self.store, [item], run_id=run_id, step_id=step_id)

    def queued(
        self,
        kind: str,
        *,
        run_id: str | None = None,
        step_id: str | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Job:
        return enqueue(
            self.store,
            actor=self.actor(),
            kind=kind,
            target=self.settings.target(TARGET),
            payload=payload or {},
            idempotency_key=f"{kind}/{run_id}/{step_id}/{datetime.now(UTC).timestamp()}",
            now=self.now,
            run_id=run_id,
            step_id=step_id,
        )

    def ended(
        self,
        kind: str,
        state: JobState,
        summary: str,
        result: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        step_id: str | None = None,
        events: list[tuple[str, dict[str, Any]]] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Job:
        """A job that a worker has carried out with this ending."""

        def handler(context: JobContext) -> Outcome:
            for name, told in events or []:
                context.emit(name, told)
            return Outcome(state, summary, dict(result or {}))

        asked = self.queued(kind, run_id=run_id, step_id=step_id, payload=payload)
        self.worker({kind: handler}).run_job(asked.id)
        return asked

    def told(self, job: Job, kind: str, payload: Mapping[str, Any]) -> None:
        """One event in the story of a job."""
        with self.store.write() as tx:
            append_event(tx, job.id, kind, payload, self.now)

    def worker(self, handlers: Mapping[str, Any]) -> Worker:
        return Worker(
            self.store, lambda: self.settings, handlers=handlers, settlers={}, clock=lambda: datetime.now(UTC)
        )


def make_world(home: Path, **target: Any) -> World:
    """A world in `home`; target: settings of the target that differ from a disposable one with every level."""
    (home / "targets").mkdir(parents=True, exist_ok=True)
    accounts = [
        {"name": role.value, "email": f"{role.value}@example.com", "password": f"{role.value}-pw", "role": role.value}
        for role in Role
    ]
    described = {
        "app": "pulsecheck",
        "production": False,
        "colour": "violet",
        "levels": LEVELS,
        "database_url": NOWHERE,
        "deploy_url": NOWHERE,
        "quick_sign_in": accounts,
        **target,
    }
    (home / "targets" / f"{TARGET}.json").write_text(json.dumps(described), encoding="utf-8")
    settings = load_settings({"OPS_HOME": str(home)}, home)
    return World(home, settings, fresh_store(home / "store.sqlite3"), datetime.now(UTC))
