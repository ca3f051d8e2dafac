"""The release beside the role that reads for us: its verification and its way back are not disturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from services.app_definition import load_app
from services.connecting.reader_role import reader_role_sql, take_back_sql
from services.database.deployment.deploy import Deployment, deploy
from services.database.inspection.advisors import security_findings
from services.database.rehearsal.rehearse import rehearse
from services.database.rollback.roll_back import RollbackResult, rollback
from services.releases.bundle import Release
from services.verdict import Verdict
from tests.apps.pulsecheck.releases.production import Database, Shape
from tests.campaign import only_in_full

Production = Callable[[Shape], Database]
PASSWORD = "a-password-of-the-tests"


@pytest.fixture
def database(production: Production) -> Iterator[Database]:
    made = production(Shape("varchar(255)", "level", rows=True, rights=False))
    yield made
    made.run(take_back_sql())


def make_reader(database: Database) -> None:
    database.run(reader_role_sql(load_app("pulsecheck"), password=PASSWORD))


def deployed(database: Database, release: Release, rehearsed: str | None = None) -> Deployment:
    return deploy(
        database.owner,
        release.deploy,
        release.verify,
        release_id=release.id,
        plan_hash=release.content_hash,
        actor="test",
        expected_fingerprint=rehearsed,
    )


def rolled_back(database: Database, release: Release) -> RollbackResult:
    return rollback(database.owner, release.id, release.rollback, actor="test")


def counted(database: Database, table: str) -> object:
    with psycopg.connect(database.owner.replace("//postgres:postgres-pw@", f"//ops_reader:{PASSWORD}@")) as conn:
        return conn.execute(f"select count(*) from public.{table}".encode()).fetchone()


def test_made_after_the_rehearsal_it_lets_the_deploy_through_and_the_rollback_restore(
    database: Database, release: Release
) -> None:
    rehearsed = database.fingerprint()
    make_reader(database)
    done = deployed(database, release, rehearsed.digest)
    assert (done.applied, done.verdict) == (True, Verdict.PASS), done.summary
    make_reader(database)
    assert database.red(release) == {}
    assert (counted(database, "user_tier_limits"), counted(database, "users")) == ((3,), (2,))
    back = rolled_back(database, release)
    assert (back.fingerprint_restored, back.rows_lost) == (True, 0), back.not_restored
    assert counted(database, "users") == (2,)


def test_made_after_the_deploy_it_is_no_change_that_a_rollback_leaves_behind(
    database: Database, release: Release
) -> None:
    deployed(database, release)
    with psycopg.connect(database.owner) as conn:
        before = security_findings(conn)
    make_reader(database)
    with psycopg.connect(database.owner) as conn:
        assert security_findings(conn) == before
    assert rolled_back(database, release).fingerprint_restored is True


def test_what_only_looks_like_its_policy_is_found(database: Database, release: Release) -> None:
    database.run(release.deploy)
    make_reader(database)
    red = {}
    for policy in (
        "ops_reader_reads on ai_feedback for select to anon using (true)",
        "ops_reader_reads on ai_feedback for all to ops_reader using (true)",
        "ops_reader_reads on ai_feedback for select to ops_reader, anon using (true)",
        "another on ai_feedback for select to ops_reader using (true)",
    ):
        with psycopg.connect(database.owner) as conn:
            conn.execute(f"drop policy ops_reader_reads on ai_feedback; create policy {policy}".encode())
            query = next(query for query in release.verify if query.id == "041_policies")
            red[policy] = len(conn.execute(query.sql.encode()).fetchall())
            conn.rollback()
    assert set(red.values()) == {1}, red


@only_in_full
def test_a_rehearsal_is_not_disturbed_and_by_its_address_needs_only_the_rows(
    database: Database, release: Release
) -> None:
    make_reader(database)
    done = rehearse(database.owner, release.deploy, rows="all", rollback=release.rollback)
    assert (done.verdict, done.rollback_restores) == (Verdict.PASS, True), done.unknown_because
    reader = database.owner.replace("//postgres:postgres-pw@", f"//ops_reader:{PASSWORD}@")
    lacking = rehearse(reader, release.deploy, rows="none")
    assert lacking.shadow is not None
    assert (lacking.shadow.copied_by, lacking.shadow.runs_as) == ("definitions", "postgres")
    assert lacking.before == done.before
    assert lacking.verdict is not Verdict.FAIL
    assert all("it depends on rows of" in reason for reason in lacking.unknown_because)
