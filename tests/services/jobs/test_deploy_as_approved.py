"""From rehearsal to deploy through jobs: what runs is what was rehearsed and approved, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from services.access.permissions import Actor, Role
from services.database.connect import connect
from services.database.rollback.roll_back import rollback
from services.jobs.by_hand import scripts_by_hand
from services.jobs.checking import last_rehearsal
from services.jobs.handlers import make_worker
from services.jobs.queue import Job, JobState, enqueue, events, job
from services.releases.approvals import Approval, ApprovalState, approval, ask_for_approval, decide
from services.releases.bundle import load_release
from services.settings import Level, Settings, Target
from services.store.database import Store
from services.store.tables import jobs
from tests.conftest import SupabaseDatabase
from tests.migrated_store import migrated_file

NOW = datetime.now(UTC)
ANN = Actor("staging:1", "Ann", Role.OPERATOR, "staging", way="auth")
BOB = Actor("staging:2", "Bob", Role.OPERATOR, "staging", way="auth")


class Stage:
    """A target that wants a second person, whose database we own, and the jobs on it."""

    def __init__(self, store: Store, settings: Settings, owner: str) -> None:
        self.store, self.owner = store, owner
        self.target = Target(
            name="staging",
            production=False,
            levels=frozenset({Level.LOOK, Level.OBSERVE, Level.DEPLOY}),
            database_url=SecretStr(owner),
            deploy_url=SecretStr(owner),
            second_approval=True,
        )
        self.settings = settings.model_copy(update={"targets": {"staging": self.target}})

    def job(self, kind: str, path: Path, later_s: int = 0, **payload: Any) -> Job:
        queued = enqueue(
            self.store,
            actor=ANN,
            kind=kind,
            target=self.target,
            payload={"release": str(path), **payload},
            idempotency_key=secrets.token_hex(4),
            now=NOW + timedelta(seconds=later_s),
        )
        assert make_worker(self.store, lambda: self.settings, watch=False).run_job(queued.id)
        return job(self.store, queued.id)

    def approved(self, rehearsed: Job, later_s: int = 0) -> Approval:
        plan, now = rehearsed.result or {}, NOW + timedelta(seconds=later_s)
        asked = ask_for_approval(self.store, actor=ANN, target=self.target, release_id="x", rehearsal=plan, now=now)
        return decide(self.store, actor=BOB, target=self.target, approval_id=asked.id, approve=True, reason="", now=NOW)

    def ask(self, sql: str) -> Any:
        with connect(self.owner) as conn:
            cursor = conn.execute(sql.encode())
            return cursor.fetchall() if cursor.description else None


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return migrated_file(tmp_path / "store.sqlite3")


@pytest.fixture
def database(make_supabase_database: Callable[[], SupabaseDatabase]) -> SupabaseDatabase:
    """With one row, and a list of migrations that names none."""
    made = make_supabase_database()
    with connect(made.owner) as owner:
        owner.execute("CREATE TABLE users (id int PRIMARY KEY, tier text); INSERT INTO users VALUES (1, 'free')")
        owner.execute("CREATE SCHEMA supabase_migrations")
        listing = "version text PRIMARY KEY, statements text[], name text"
        owner.execute(f"CREATE TABLE supabase_migrations.schema_migrations ({listing})".encode())
    return made


@pytest.fixture
def stage(store: Store, settings: Settings, database: SupabaseDatabase) -> Stage:
    return Stage(store, settings, database.owner)


CHECKLIST = """
id: rel
title: Rel
risk: low
expected_minutes: 1
phases:
  - {id: during, title: During, steps: [{id: d1, title: deploy, action: deploy}]}
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release that adds a column, with verification and a way back."""
    folder = tmp_path / "rel"
    for name, text in {
        "release.yaml": CHECKLIST,
        "deploy/1.sql": "ALTER TABLE users ADD COLUMN IF NOT EXISTS beta boolean;\n",
        "verify/1.sql": "-- Proves that the column is there.\nSELECT 1 WHERE false\n",
        "rollback/1.sql": "ALTER TABLE users DROP COLUMN IF EXISTS beta;\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def refusal(done: Job) -> str:
    """What the job was refused with."""
    assert done.state is not JobState.PASSED
    return str(done.result)


def test_a_migration_that_is_listed_no_longer_does_not_come_in_on_the_yes_to_another(
    stage: Stage, tmp_path: Path
) -> None:
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder / "20260101000000_one.sql").write_text("INSERT INTO users SELECT 5, 'x';\n")
    (folder / "20260102000000_two.sql").write_text("ALTER TABLE users ADD COLUMN IF NOT EXISTS beta boolean;\n")
    stage.ask("INSERT INTO supabase_migrations.schema_migrations(version, name) VALUES ('20260101000000', 'one')")
    stage.approved(stage.job("rehearse", folder))
    stage.ask("DELETE FROM supabase_migrations.schema_migrations")
    assert "20260101000000_one.sql would run as well" in refusal(stage.job("deploy", folder))
    assert stage.ask("SELECT id FROM users") == [(1,)]
    stage.ask("INSERT INTO supabase_migrations.schema_migrations(version, name) VALUES ('20260101000000', 'one')")
    assert stage.job("deploy", folder).state is JobState.PASSED


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("verify/1.sql", "-- Proves nothing.\nSELECT 1 WHERE 1 = 2\n"),
        ("rollback/1.sql", "DROP TABLE IF EXISTS users;\n"),
    ],
)
def test_a_yes_is_for_the_verification_and_the_way_back_too(stage: Stage, release: Path, file: str, text: str) -> None:
    stage.approved(stage.job("rehearse", release))
    (release / file).write_text(text)
    assert stage.job("rehearse", release).state is JobState.PASSED
    assert "nobody was asked" in refusal(stage.job("deploy", release))
    assert stage.ask("SELECT * FROM users") == [(1, "free")]


def test_a_yes_is_for_one_deploy_and_a_rollback_does_not_give_it_back(stage: Stage, release: Path) -> None:
    rehearsed = stage.job("rehearse", release)
    said = stage.approved(rehearsed)
    done = stage.job("deploy", release)
    assert done.state is JobState.PASSED
    known = approval(stage.store, said.id)
    assert (known.state(NOW), known.used_by) == (ApprovalState.USED, done.id)
    rollback(stage.owner, "rel", load_release(release).rollback, actor="ann", may_copy=False)
    assert f"was for one deploy, which was made ({done.id})" in refusal(stage.job("deploy", release))
    assert stage.ask("SELECT * FROM users") == [(1, "free")]
    assert stage.approved(rehearsed, later_s=1).id != said.id
    assert stage.job("deploy", release).state is JobState.PASSED


def test_a_deploy_that_did_not_come_in_uses_no_yes_up(stage: Stage, release: Path) -> None:
    (release / "verify/1.sql").write_text("-- Proves nothing.\nSELECT 1 FROM users WHERE tier = 'gold'\n")
    stage.approved(stage.job("rehearse", release))
    stage.ask("UPDATE users SET tier = 'gold'")
    assert stage.job("deploy", release).state is JobState.FAILED
    stage.ask("UPDATE users SET tier = 'free'")
    assert stage.job("deploy", release).state is JobState.PASSED


def test_a_deploy_by_hand_is_seen_as_one_only_on_a_yes_that_held_then(stage: Stage, release: Path) -> None:
    said = stage.approved(stage.job("rehearse", release))
    loaded = load_release(str(release), root=release)
    (file,) = scripts_by_hand(stage.store, actor=ANN, target=stage.target, release=loaded, now=NOW)
    taken_back = decide(
        stage.store, actor=BOB, target=stage.target, approval_id=said.id, approve=False, reason="wait", now=NOW
    )
    assert taken_back.state(NOW) is ApprovalState.WITHDRAWN
    stage.ask(file.sql)
    assert "without a second person's approval, which staging wants" in refusal(stage.job("find_deploy", release))


def test_a_deploy_by_hand_uses_its_yes_up_and_can_be_looked_at_again(stage: Stage, release: Path) -> None:
    said = stage.approved(stage.job("rehearse", release))
    loaded = load_release(str(release), root=release)
    (file,) = scripts_by_hand(stage.store, actor=ANN, target=stage.target, release=loaded, now=NOW)
    stage.ask(file.sql)
    for _ in range(2):
        assert stage.job("find_deploy", release).state is JobState.PASSED
    assert approval(stage.store, said.id).state(NOW) is ApprovalState.USED


def test_a_wait_that_was_predicted_is_not_forgotten_by_a_rehearsal_that_does_not_predict(
    stage: Stage, release: Path
) -> None:
    predicted = stage.job("rehearse", release, predict=True)
    told = predicted.result or {}
    assert told["predicted"] is not None
    told["statements"][0]["stall_ms"] = 900.0
    with stage.store.write() as tx:
        tx.execute(update(jobs).where(jobs.c.id == predicted.id).values(result=told))
    stage.approved(stage.job("rehearse", release, later_s=1))
    newest = last_rehearsal(stage.store, "staging", load_release(release))
    assert newest is not None and predicted.finished is not None
    assert (newest["statements"][0]["stall_ms"], newest["predicted_at"]) == (900, predicted.finished.isoformat())
    stopped = stage.job("deploy", release)
    assert "waiting for about 900 ms" in refusal(stopped)
    said = [one.payload["message"] for one in events(stage.store, stopped.id) if one.kind == "notice"]
    assert f"the one of {predicted.finished:%Y-%m-%d %H:%M} UTC count" in said[0]
    assert stage.job("deploy", release, accept_stall_ms=900).state is JobState.PASSED


def test_what_was_predicted_of_another_plan_says_nothing_of_this_one(stage: Stage, release: Path) -> None:
    stage.job("rehearse", release, predict=True)
    stage.ask("CREATE TABLE another (id int)")
    stage.job("rehearse", release, later_s=1)
    newest = last_rehearsal(stage.store, "staging", load_release(release))
    assert newest is not None and newest["predicted"] is None and "predicted_at" not in newest
