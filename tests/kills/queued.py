"""Knows rounds that go through the real queue: a worker process of its own is killed, another finds out what came of
the job, and one person presses Resume where that is needed."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from pydantic import SecretStr
from sqlalchemy import insert

from services.access.permissions import Actor, Role
from services.jobs import releasing
from services.jobs.handlers import make_worker
from services.jobs.queue import Job, JobState, active_job, enqueue, events, job, resume
from services.jobs.worker import Worker
from services.releases.bundle import load_release
from services.releases.plans import plan_hash_of
from services.settings import Level, Settings, Target
from services.store.database import Store, open_store
from services.store.tables import jobs
from tests.kills.changes import CHANGES, Change
from tests.kills.client import step_of
from tests.kills.drawing import Drawn
from tests.kills.ground import Course, Ground
from tests.kills.rounds import Child, Told, judged, step_wanted
from tests.kills.worker import run_worker
from tests.kills.writing import Writers

_LONGEST_S = 60.0
_LOOK_EVERY_S = 0.004

_CHECKLIST = """\
id: {id}
title: A change that is killed
risk: low
expected_minutes: 1
phases:
  - id: during
    title: During
    steps:
      - {{id: during-1, title: Rehearse, action: rehearse}}
      - {{id: during-2, title: Deploy, action: deploy, needs: [during-1]}}
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A store, a target that leads to the round's database, and a worker in this process that is not killed."""

    store: Store
    settings: Settings
    target: Target
    worker: Worker


def play_queued(ground: Ground, drawn: Drawn) -> Told:
    """One round by job: the worker that carries it out is killed, or loses its session."""
    began = time.monotonic()
    told = Told(drawn)
    course = ground.course(drawn.action, drawn.change)
    database = ground.clone(course.template)
    try:
        with ExitStack() as stack:
            desk = _desk(ground, database, course, CHANGES[drawn.change])
            stack.callback(desk.store.close)
            stack.enter_context(patch.object(releasing, "refuse_while_needed", lambda _context: None))
            writers = stack.enter_context(Writers(ground.url(database), CHANGES[drawn.change].written))
            _disturb(ground, drawn, course, database, desk, told)
            writers.stop()
            judged(ground, database, drawn, course, writers, told)
            if active_job(desk.store, desk.target.name) is not None:
                told.wrong.append("the target's slot is still held")
    finally:
        ground.drop(database)
    told.took_s = time.monotonic() - began
    return told


def _desk(ground: Ground, database: str, course: Course, change: Change) -> Desk:
    home = ground.folder / database
    release = _release_folder(home / "release", change)
    address = SecretStr(ground.url(database))
    target = Target(
        name=f"target-{database}",
        production=False,
        levels=frozenset({Level.LOOK, Level.OBSERVE, Level.DEPLOY}),
        database_url=address,
        deploy_url=address,
    )
    settings = Settings(home=home, store_url=f"sqlite:///{home / 'store.sqlite3'}", targets={target.name: target})
    store = open_store(settings.store_url)
    now = datetime.now(UTC)
    loaded, catalog = load_release(str(release)), course.before.catalog.digest
    rehearsed = {
        "content_hash": loaded.content_hash,
        "plan_hash": plan_hash_of(loaded, loaded.deploy, catalog, None),
        "verdict": "pass",
        "statements": [],
        "target_fingerprint": catalog,
    }
    with store.write() as tx:
        tx.execute(
            insert(jobs).values(
                id="rehearsed",
                kind="rehearse",
                target=target.name,
                payload={},
                actor=_who(target).to_json(),
                idempotency_key="rehearsed",
                created=now,
                finished=now,
                state=JobState.PASSED,
                attempt=1,
                cancel_requested=False,
                result=rehearsed,
            )
        )
    return Desk(store, settings, target, make_worker(store, lambda: settings, watch=False))


def _who(target: Target) -> Actor:
    return Actor("o", "Olga", Role.OPERATOR, target.name)


def _release_folder(folder: Path, change: Change) -> Path:
    files = {"release.yaml": _CHECKLIST.format(id=change.id)}
    files |= {f"deploy/{script.file}": script.sql for script in change.deploy}
    files |= {f"rollback/{script.file}": script.sql for script in change.rollback}
    files |= {f"verify/{query.file}": f"-- Proves that {query.proves}.\n{query.sql};\n" for query in change.queries}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _disturb(ground: Ground, drawn: Drawn, course: Course, database: str, desk: Desk, told: Told) -> None:
    payload = {"release": str(desk.settings.home / "release")}
    if drawn.action == "restore":
        payload = {"snapshot_id": str(course.snapshot_id)}
    queued = enqueue(
        desk.store,
        actor=_who(desk.target),
        kind=drawn.action,
        target=desk.target,
        payload=payload,
        idempotency_key=secrets.token_hex(8),
        now=datetime.now(UTC),
    )
    child = Child(run_worker, desk.settings)
    try:
        told.hit = _struck(ground, drawn, course, database, desk, queued, child, told)
        ended = _until_ended(desk, queued.id)
    finally:
        child.process.terminate()
        child.wait()
        child.close()
    told.between = ended.state.value
    told.survivor_said = str((ended.result or {}).get("summary", ""))
    if ended.active:
        told.wrong.append("the job does not end")
    if ended.state is not JobState.PASSED:
        told.actions = 1
        resume(desk.store, actor=_who(desk.target), job_id=queued.id, target=desk.target, now=datetime.now(UTC))
        ended = _until_ended(desk, queued.id)
        if ended.state is not JobState.PASSED and "fingerprint_restored" not in (ended.result or {}):
            told.wrong.append(f"resumed, it is {ended.state.value}: {(ended.result or {}).get('summary')}")


def _struck(
    ground: Ground, drawn: Drawn, course: Course, database: str, desk: Desk, queued: Job, child: Child, told: Told
) -> bool:
    """Wait for the drawn moment and kill; returns whether the job was still running."""
    wanted = step_wanted(drawn, course)
    until = time.monotonic() + _LONGEST_S
    due: float | None = None
    while time.monotonic() < until:
        now = job(desk.store, queued.id)
        steps = [step_of(event.kind, dict(event.payload)) for event in events(desk.store, queued.id)]
        told.moment = steps[-1] if steps else "queued"
        if not now.active or (wanted is not None and wanted in steps):
            break
        if now.state is JobState.RUNNING and due is None:
            due = time.monotonic() + drawn.at * course.took_s
        if wanted is None and due is not None and time.monotonic() >= due:
            break
        time.sleep(_LOOK_EVERY_S)
    time.sleep(drawn.late_s)
    if drawn.kind == "worker kill -9":
        child.process.kill()
        child.wait()
    elif drawn.kind == "worker SIGTERM":
        child.process.terminate()
    else:
        name = queued.id if drawn.action != "restore" else f"restore {course.snapshot_id}"
        ground.admin.execute("SELECT pg_terminate_backend(%s)", (ground.backend_of(database, name),))
    return job(desk.store, queued.id).active


def _until_ended(desk: Desk, job_id: str) -> Job:
    """Wait until the job is over; the worker in this process does what nobody else does."""
    until = time.monotonic() + _LONGEST_S
    while (found := job(desk.store, job_id)).active and time.monotonic() < until:
        if not desk.worker.step():
            time.sleep(0.02)
    return found
