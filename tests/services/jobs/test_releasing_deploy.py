"""The deploy job: bound to its rehearsal, approved where that is wanted, and judged by what answers over REST too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.access.permissions import Actor, Role
from services.clients.upstream_error import Kind, UpstreamError
from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.fingerprint import catalog_fingerprint
from services.database.rollback.roll_back import rollback
from services.database.script import Script
from services.database.snapshots.kept import kept_in
from services.errors import Refused
from services.jobs import over_rest, releasing
from services.jobs.queue import Job, JobState
from services.jobs.story import Story
from services.jobs.worker import JobContext
from services.releases.approvals import Approval, approval, ask_for_approval, decide
from services.releases.bundle import load_release
from services.releases.catalogs import keep_catalog
from services.releases.plans import plan_hash_of
from services.settings import Level, Settings, Target
from services.store.database import open_store
from tests.migrated_store import migrated_file
from tests.services.conftest import NOON

SQL = "CREATE TABLE IF NOT EXISTS gifts (id int);\n"


@pytest.fixture
def owner_url(make_supabase_database: Callable[[], Any]) -> str:
    url: str = make_supabase_database().owner
    return url


@pytest.fixture
def context(owner_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobContext]:
    """A deploy of a plain file that passed its rehearsal on the database as it is; `.rehearsal` may be altered."""
    (tmp_path / "change.sql").write_text(SQL)
    target = Target(
        name="staging",
        levels=frozenset({Level.LOOK, Level.OBSERVE, Level.DEPLOY}),
        database_url=SecretStr(owner_url),
        deploy_url=SecretStr(owner_url),
    )
    address = migrated_file(tmp_path / "store.sqlite3")
    store = open_store(address)
    with connect(owner_url) as conn:
        catalog = catalog_fingerprint(conn)
    keep_catalog(store, catalog, NOON)
    plan = plan_hash_of(load_release(tmp_path / "change.sql"), (Script("change.sql", SQL),), catalog.digest, None)
    rehearsal = {
        "verdict": "pass",
        "content_hash": load_release(tmp_path / "change.sql").content_hash,
        "target_fingerprint": catalog.digest,
        "statements": [],
        "plan_hash": plan,
    }
    monkeypatch.setattr(releasing, "last_rehearsal", lambda *_: rehearsal)

    def clock() -> datetime:
        return NOON

    who = Actor("o", "Olga", Role.OPERATOR, target.name)
    job = Job(
        "job-1", "deploy", target.name, None, None, {"release": str(tmp_path / "change.sql")}, who, NOON,
        JobState.RUNNING, 1, None, None, NOON, None, False, None,
    )  # fmt: skip
    story = Story(store, job.id, clock)
    made = JobContext(
        job, target, Settings(home=tmp_path, store_url=address, targets={"staging": target}), store, clock, story
    )
    yield made
    story.close()
    store.close()


class Api:
    """Stands in for the target's Data API: answers what it is told to."""

    def __init__(self, *answers: UpstreamError | None, keyed: bool = True) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.keyed = keyed

    def has(self, key: object) -> bool:
        return self.keyed

    def rows(self, table: str, **_: object) -> None:
        self.asked.append(table)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer

    def close(self) -> None:
        """Nothing is open."""


def answering(monkeypatch: pytest.MonkeyPatch, *answers: UpstreamError | None, keyed: bool = True) -> Api:
    api = Api(*answers, keyed=keyed)
    monkeypatch.setattr(over_rest.SupabaseClient, "of", lambda target: api)
    monkeypatch.setattr(over_rest, "_AGAIN_S", 0.01)
    return api


def missing() -> UpstreamError:
    return UpstreamError("Supabase", Kind.MISSING, "no such table", code="PGRST205")


def test_new_tables_are_asked_for_until_the_schema_cache_knows_them(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = answering(monkeypatch, missing(), missing(), None)
    done = releasing.deploy(context)
    assert (done.state, api.asked) == (JobState.PASSED, ["gifts"] * 3)
    assert done.result["rest"]["tables"] == [
        {"table": "gifts", "verdict": "pass", "message": "answers to service_role"}
    ]
    assert done.result["inverse"] is True  # a plain file brings no rollback


def test_a_table_that_never_answers_over_rest_fails_the_job_though_it_is_applied(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, missing())
    monkeypatch.setattr(releasing, "ask_over_rest", lambda *a, **k: over_rest.ask_over_rest(*a, **k, within_s=0.05))
    done = releasing.deploy(context)
    assert (done.state, done.result["applied"], done.result["rest"]["verdict"]) == (JobState.FAILED, True, "fail")
    assert "gifts is not there" in done.summary


def test_asked_for_again_after_its_commit_it_looks_at_what_is_there_and_changes_nothing(
    context: JobContext, monkeypatch: pytest.MonkeyPatch, owner_url: str
) -> None:
    answering(monkeypatch, missing())
    monkeypatch.setattr(releasing, "ask_over_rest", lambda *a, **k: over_rest.ask_over_rest(*a, **k, within_s=0.05))
    first = releasing.deploy(context)
    context.job = replace(context.job, attempt=2)
    monkeypatch.setattr(releasing, "last_rehearsal", lambda *_: None)  # looking needs none
    still = releasing.deploy(context)
    assert (first.state, still.state, still.result["applied"]) == (JobState.FAILED, JobState.FAILED, True)
    assert "gifts is not there" in still.summary
    answering(monkeypatch, None)
    seen = releasing.deploy(context)
    assert (seen.state, seen.result["receipt_id"]) == (JobState.PASSED, first.result["receipt_id"])
    with connect(owner_url) as conn:
        assert conn.execute("SELECT count(*) FROM ops.deploy_receipts").fetchone() == (1,)
    rollback(owner_url, "change", (), actor="ann", may_copy=False)
    with pytest.raises(Refused, match=r"This deploy was applied, and rolled back at .* UTC by ann"):
        releasing.deploy(context)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (UpstreamError("Supabase", Kind.FORBIDDEN, "no", code="42501"), "pass"),
        (UpstreamError("Supabase", Kind.TIMEOUT, "slow"), "unknown"),
        (UpstreamError("Supabase", Kind.UNAUTHORISED, "bad key"), "unknown"),
    ],
)
def test_what_the_api_says_of_a_table(monkeypatch: pytest.MonkeyPatch, answer: UpstreamError, verdict: str) -> None:
    answering(monkeypatch, answer)
    told = over_rest.ask_over_rest(Target(name="staging"), ["gifts"], cancelled=lambda: False, within_s=0)
    assert told.verdict.value == verdict


def test_without_a_data_api_in_the_settings_nothing_is_asked_and_the_deploy_is_not_judged_by_it(
    context: JobContext,
) -> None:
    done = releasing.deploy(context)
    assert (done.state, done.result["rest"]["verdict"]) == (JobState.PASSED, "unknown")
    assert "supabase_url" in done.result["rest"]["not_asked"]


def test_drift_since_the_rehearsal_is_refused_by_name(context: JobContext, owner_url: str) -> None:
    with connect(owner_url) as conn:
        conn.execute("CREATE TABLE sneaked_in (id int)")
    with pytest.raises(Refused, match=r"added: .*column public\.sneaked_in\.id"):
        releasing.deploy(context)


def test_what_an_undo_keeps_is_by_whoever_asked_for_it(context: JobContext, owner_url: str) -> None:
    with connect(owner_url) as conn:
        conn.execute("CREATE TABLE people (id int); INSERT INTO people VALUES (1)")
    change = [Script("swap.sql", "DROP TABLE people; CREATE TABLE gifts (id int)")]
    taken = deploy(owner_url, change, release_id="swap", plan_hash="h", actor="ann").snapshot_id
    with connect(owner_url) as conn:
        conn.execute("INSERT INTO gifts VALUES (1)")
    context.job = replace(context.job, kind="restore", payload={"snapshot_id": taken, "undo": True})
    assert releasing.restore(context).state is JobState.PASSED
    newest = kept_in(owner_url)[0]
    assert (newest.parked, newest.actor) == (("public.gifts",), context.job.actor.id)


def test_a_second_persons_yes_is_asked_for_by_plan(context: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    known = releasing.last_rehearsal(context.store, "staging", load_release(str(context.job.payload["release"]))) or {}

    def require(store: object, **more: Any) -> None:
        asked.append(more)
        raise Refused("nobody approved", "", "")

    monkeypatch.setattr(releasing, "require_approval", require)
    with pytest.raises(Refused, match="nobody approved"):
        releasing.deploy(context)
    assert (asked[0]["plan_hash"], asked[0]["actor"]) == (known["plan_hash"], context.job.actor)


def test_a_worker_that_died_half_way_leaves_a_job_to_be_resumed(context: JobContext, owner_url: str) -> None:
    half = "SELECT 1;\nCREATE INDEX CONCURRENTLY i ON nowhere (n);\n"
    deploy(owner_url, [Script("x.sql", half)], release_id="r", plan_hash="h", actor="a", job_id="job-1")
    settled = releasing.settle_deploy(context)
    assert settled is not None
    assert (settled.state, settled.result["state"]) == (JobState.INTERRUPTED, "begun")


def approved(context: JobContext) -> Approval:
    """The plan of this deploy, approved by the clock of the database, and the target asking for it."""
    context.target = context.target.model_copy(update={"second_approval": True})
    context.clock = lambda: datetime.now(UTC)
    rehearsal = releasing.last_rehearsal(context.store, "staging", load_release(str(context.job.payload["release"])))
    asker, other = (replace(context.job.actor, id=who, name=who, way="auth") for who in ("ann", "bob"))
    context.job = replace(context.job, actor=asker)
    about = {"store": context.store, "target": context.target, "now": datetime.now(UTC)}
    asked = ask_for_approval(actor=asker, release_id="change", rehearsal=rehearsal or {}, **about)  # type: ignore[arg-type]
    return decide(actor=other, approval_id=asked.id, approve=True, reason="", **about)  # type: ignore[arg-type]


def test_a_deploy_whose_worker_died_after_its_commit_has_used_its_yes_up(context: JobContext, owner_url: str) -> None:
    said = approved(context)
    deploy(owner_url, [Script("change.sql", SQL)], release_id="change", plan_hash="h", actor="a", job_id="job-1")
    settled = releasing.settle_deploy(context)
    assert settled is not None and settled.state is JobState.PASSED
    assert approval(context.store, said.id).used_by == "job-1"


def test_a_job_that_is_looked_at_again_is_not_asked_for_the_yes_that_it_used(context: JobContext) -> None:
    said = approved(context)
    assert releasing.deploy(context).result["applied"]
    assert approval(context.store, said.id).used_by == "job-1"
    context.job = replace(context.job, attempt=2)
    assert releasing.deploy(context).result["applied"]
    with pytest.raises(Refused, match="was for one deploy"):
        context.job = replace(context.job, id="job-2", attempt=1)
        releasing.deploy(context)
