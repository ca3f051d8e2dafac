"""The job that takes a backup: what it writes down, what it gives way to, and what it deletes when."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from services.access.permissions import Actor
from services.database.backup.encryption import new_key
from services.database.connect import connect
from services.errors import Refused
from services.jobs import backing_up
from services.jobs.backups import KeptBackup, kept_backups, newest_proved, prune
from services.jobs.handlers import HANDLERS
from services.jobs.queue import Job, JobState, enqueue, events, job, recent_jobs
from services.jobs.worker import Worker
from services.settings import Level, Settings, Target
from services.store import audit
from services.store.database import Store
from services.store.tables import backups
from tests.campaign import only_in_full
from tests.conftest import SupabaseDatabase
from tests.migrated_store import fresh_store
from tests.services.conftest import NOON, TurnableClock
from tests.services.database.app_database import APP


@pytest.fixture(scope="module")
def recipient() -> str:
    return new_key().recipient


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def target(recipient: str, tmp_path: Path) -> Target:
    nowhere = SecretStr("postgresql://owner@127.0.0.1:1/nowhere")
    return Target(
        name="staging",
        production=False,
        levels=frozenset(Level),
        deploy_url=nowhere,
        backup_recipient=recipient,
        backup_folder=tmp_path / "backups",
    )


@pytest.fixture
def real(target: Target, make_supabase_database: Callable[[], SupabaseDatabase]) -> Target:
    made = make_supabase_database()
    with connect(made.owner) as conn:
        conn.execute(APP)
    return target.model_copy(update={"deploy_url": SecretStr(made.owner)})


def carried_out(store: Store, target: Target, actor: Actor, clock: TurnableClock, tmp_path: Path) -> Job:
    settings = Settings(home=tmp_path / "home", store_url="sqlite://", targets={target.name: target})
    asked = enqueue(store, actor=actor, kind="backup", target=target, payload={}, idempotency_key="k", now=clock())
    worker = Worker(store, lambda: settings, handlers=HANDLERS, settlers={}, clock=clock)
    assert worker.step()
    return job(store, asked.id)


def written(store: Store, name: str, folder: Path, days_ago: float, verdict: str = "pass", keep_days: int = 30) -> Path:
    """A row as `write_down` leaves it, with its file and manifest."""
    folder.mkdir(exist_ok=True)
    file, taken = folder / f"{name}.dump.age", NOON - timedelta(days=days_ago)
    file.write_bytes(b"12345")
    (folder / f"{name}.dump.age.json").write_text("{}")
    body = {"rows": 1, "tables": 1, "contains": "", "not_contained": [], "proof": {"summary": ""}, "host": "elsewhere"}
    with store.write() as tx:
        tx.execute(
            insert(backups).values(
                id=name,
                target="staging",
                verdict=verdict,
                started=taken,
                finished=taken,
                file=str(file),
                bytes=5,
                digest="0" * 64,
                keep_until=taken + timedelta(days=keep_days),
                body=body,
            )
        )
    return file


def deleted(store: Store, target: Target, actor: Actor, clock: TurnableClock) -> list[str]:
    return [one.id for one in prune(store, actor=actor, target=target, now=clock())]


def test_a_backup_is_taken_proved_written_down_and_audited(
    store: Store, real: Target, operator: Actor, clock: TurnableClock, tmp_path: Path
) -> None:
    old = written(store, "old", tmp_path / "other", days_ago=40)
    done = carried_out(store, real, operator, clock, tmp_path)
    assert done.state is JobState.PASSED, done.result
    newest = newest_proved(store, "staging")
    assert newest is not None and newest.counts and newest.there and newest.job_id == done.id
    assert newest.file.parent == tmp_path / "backups" and newest.rows == 340
    assert newest.as_fact()["at"] == NOON.isoformat()
    assert [one.removed for one in kept_backups(store, "staging")] == [None, NOON] and not old.exists()
    actions = [entry.action for entry in audit.entries(store, target="staging")]
    assert {"take a backup", "delete a backup", "backup passed"} <= set(actions)
    told = [event.payload for event in events(store, done.id) if event.kind == "table"]
    assert {one["doing"] for one in told} == {"count", "dump", "restore", "compare"}
    kept = json.dumps([done.result, [entry.detail for entry in audit.entries(store)]], default=str)
    assert "postgres-pw" not in kept and "hard day at work" not in kept


def test_nobody_to_encrypt_to_is_told_with_the_way(
    store: Store, target: Target, operator: Actor, clock: TurnableClock, tmp_path: Path
) -> None:
    nobody = target.model_copy(update={"backup_recipient": None})
    done = carried_out(store, nobody, operator, clock, tmp_path)
    assert done.state is JobState.FAILED
    assert done.result is not None and "--new-key" in done.result["error"]["do"]
    assert done.result["error"]["place"] == "targets.staging.backup_recipient"


def test_a_viewer_may_not_and_a_target_without_the_level_neither(
    store: Store, target: Target, viewer: Actor, operator: Actor
) -> None:
    with pytest.raises(Refused, match="may not take a backup"):
        enqueue(store, actor=viewer, kind="backup", target=target, payload={}, idempotency_key="a", now=NOON)
    lower = target.model_copy(update={"levels": frozenset({Level.LOOK, Level.OBSERVE})})
    with pytest.raises(Refused, match="has not been granted the level 'deploy'"):
        enqueue(store, actor=operator, kind="backup", target=lower, payload={}, idempotency_key="b", now=NOON)
    with pytest.raises(Refused, match="may not take a backup"):
        prune(store, actor=viewer, target=target, now=NOON)


def test_none_is_begun_while_the_database_is_being_changed(
    store: Store, target: Target, operator: Actor, clock: TurnableClock, tmp_path: Path
) -> None:
    asked = {
        kind: enqueue(store, actor=operator, kind=kind, target=target, payload={}, idempotency_key=kind, now=NOON)
        for kind in ("backup", "deploy")
    }
    settings = Settings(home=tmp_path, store_url="sqlite://", targets={target.name: target})
    worker = Worker(store, lambda: settings, handlers=HANDLERS, settlers={}, clock=clock)
    assert worker.run_job(asked["backup"].id)
    ended = job(store, asked["backup"].id)
    assert ended.state is JobState.FAILED
    assert ended.result is not None and "'Deploy the schema' is not finished" in ended.result["error"]["what"]


def test_one_under_way_gives_way_to_a_change(
    store: Store,
    real: Target,
    operator: Actor,
    clock: TurnableClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backing_up, "LOOK_EVERY_S", 0.0)
    began = iter([True])

    def change_comes(where: Store, name: str) -> Job | None:
        if next(began, False):
            return None
        return replace(recent_jobs(where, name)[0], kind="deploy")

    monkeypatch.setattr(backing_up, "active_job", change_comes)
    done = carried_out(store, real, operator, clock, tmp_path)
    assert done.state is JobState.CANCELLED
    assert done.result is not None and "It gave way to 'Deploy the schema'" in done.result["summary"]
    assert list((tmp_path / "backups").iterdir()) == [] and newest_proved(store, "staging") is None


@only_in_full
def test_a_change_that_comes_during_the_proof_is_not_in_the_way(
    store: Store, real: Target, operator: Actor, clock: TurnableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "LOOK_EVERY_S", 0.0)

    def change_comes(where: Store, name: str) -> Job | None:
        mine = recent_jobs(where, name)[0]
        proving = any(one.payload.get("name") == "examine" for one in events(where, mine.id))
        return replace(mine, kind="deploy") if proving else None

    monkeypatch.setattr(backing_up, "active_job", change_comes)
    assert carried_out(store, real, operator, clock, tmp_path).state is JobState.PASSED


class TestDeleting:
    def test_only_what_is_over_goes_and_only_after_a_newer_proved_one(
        self, store: Store, target: Target, operator: Actor, clock: TurnableClock, tmp_path: Path
    ) -> None:
        old = written(store, "old", tmp_path / "b", days_ago=40)
        assert deleted(store, target, operator, clock) == []
        written(store, "failed", tmp_path / "b", days_ago=1, verdict="fail")
        assert deleted(store, target, operator, clock) == []
        gone = written(store, "gone", tmp_path / "b", days_ago=0.9)
        gone.write_bytes(b"not as long as it was")
        with store.write() as tx:
            tx.execute(backups.update().where(backups.c.id == "gone").values(body=_on_this_host(store, "gone")))
        assert deleted(store, target, operator, clock) == []
        young = written(store, "young", tmp_path / "b", days_ago=20)
        assert deleted(store, target, operator, clock) == ["old"]
        assert not old.exists() and not old.with_name("old.dump.age.json").exists() and young.exists()
        assert deleted(store, target, operator, clock) == []
        assert [e.subject for e in audit.entries(store) if e.action == "delete a backup"] == ["old"]

    def test_what_was_promised_longer_is_kept_longer(
        self, store: Store, target: Target, operator: Actor, clock: TurnableClock, tmp_path: Path
    ) -> None:
        written(store, "promised", tmp_path / "b", days_ago=40, keep_days=90)
        written(store, "asked", tmp_path / "b", days_ago=50, keep_days=1)
        written(store, "new", tmp_path / "b", days_ago=0)
        longer = target.model_copy(update={"backup_keep_days": 60})
        assert deleted(store, longer, operator, clock) == []
        assert deleted(store, target, operator, clock) == ["asked"]

    def test_what_lies_on_another_machine_is_left_to_it(
        self, store: Store, target: Target, operator: Actor, clock: TurnableClock, tmp_path: Path
    ) -> None:
        written(store, "far", tmp_path / "b", days_ago=40).unlink()
        written(store, "new", tmp_path / "b", days_ago=0)
        assert deleted(store, target, operator, clock) == []
        (far,) = [one for one in kept_backups(store, "staging") if one.id == "far"]
        assert isinstance(far, KeptBackup) and far.there is None and far.counts


def _on_this_host(store: Store, name: str) -> dict[str, Any]:
    (found,) = [one for one in kept_backups(store, "staging") if one.id == name]
    return {**found.facts, "host": socket.gethostname()}
