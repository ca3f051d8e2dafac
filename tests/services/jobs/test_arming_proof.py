"""The proof before arming, on a real database: whose address it is, what it may, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from services.access.permissions import Actor, Role
from services.database.deployment.deploy import deploy
from services.database.deployment.receipts import remove_all
from services.database.fingerprint import catalog_fingerprint
from services.database.rehearsal.rehearse import rehearse
from services.database.rollback.roll_back import preview
from services.database.server import Server
from services.errors import OpsError, Refused, Unavailable
from services.jobs import releasing
from services.jobs.owner_proof import prove_owner
from services.jobs.queue import Job, JobState
from services.jobs.story import Story
from services.jobs.worker import JobContext
from services.settings import Level, Settings, Target
from services.verdict import Verdict
from tests.faults.armed_world import Production, production
from tests.migrated_store import fresh_store
from tests.pages.world import small_release
from tests.services.conftest import NOON


@pytest.fixture(scope="module")
def place(postgres_server: Server) -> Iterator[Production]:
    with production(postgres_server) as made:
        yield made


@pytest.fixture
def target(place: Production) -> Target:
    return Target(
        name="production",
        levels=frozenset({Level.LOOK, Level.OBSERVE, Level.DEPLOY}),
        database_url=SecretStr(place.reader_url),
    )


def objects(place: Production) -> list[tuple[object, ...]]:
    with place.admin() as conn:
        return conn.execute(
            "SELECT nspname FROM pg_namespace UNION ALL SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY 1"
        ).fetchall()


def test_the_owners_address_is_proved_by_effects_that_leave_nothing(place: Production, target: Target) -> None:
    before = objects(place)
    proof = prove_owner(place.owner_url, target)
    assert objects(place) == before
    assert proof.role == place.owner
    assert proof.place.endswith(f"/{place.name}")
    same, effect, way = proof.seen
    assert "a lock taken through it was seen through database_url" in same
    assert "made a table in a schema made for it and one in schema public; both were taken back" in effect
    assert "direct connection" in way
    assert any("drop all of the 1 tables" in one for one in proof.could_also)
    assert place.password not in str(proof)


def test_another_database_of_the_same_server_is_refused(place: Production, target: Target) -> None:
    with production(place.server) as other, pytest.raises(Refused, match="This is not the database of production"):
        prove_owner(other.owner_url, target)


def test_without_an_address_to_compare_with_it_is_refused(place: Production, target: Target) -> None:
    with pytest.raises(Refused, match="has no database_url"):
        prove_owner(place.owner_url, target.model_copy(update={"database_url": None}))


def test_a_superuser_is_taken_only_when_asked_for(place: Production, target: Target) -> None:
    url = place.server.dsn(place.name)
    with pytest.raises(Refused, match="is a superuser"):
        prove_owner(url, target)
    assert any("superuser" in one for one in prove_owner(url, target, superuser=True).could_also)


def test_a_role_that_may_only_read_is_refused(place: Production, target: Target) -> None:
    with pytest.raises(Refused, match="may not create"):
        prove_owner(place.reader_url, target)


@contextmanager
def owned_by_another(place: Production) -> Iterator[None]:
    with place.admin() as conn:
        conn.execute("ALTER TABLE accounts OWNER TO CURRENT_USER")
        try:
            yield
        finally:
            conn.execute(sql.SQL("ALTER TABLE accounts OWNER TO {}").format(sql.Identifier(place.owner)))


def test_a_role_that_does_not_own_the_tables_is_refused(place: Production, target: Target) -> None:
    with owned_by_another(place), pytest.raises(Refused, match="does not own accounts"):
        prove_owner(place.owner_url, target)


def test_a_schema_of_receipts_that_is_not_ours_to_write_in_is_refused(place: Production, target: Target) -> None:
    with place.admin() as conn:
        conn.execute("CREATE SCHEMA ops")
        try:
            with pytest.raises(Refused, match="may not make a table in schema ops"):
                prove_owner(place.owner_url, target)
        finally:
            conn.execute("DROP SCHEMA ops")


@pytest.mark.parametrize(
    "url", ["postgresql://o:secret-word@127.0.0.1:1/x", "postgresql://o:secret-word@h:x/y", "secret-word"]
)
def test_what_leads_nowhere_is_told_without_repeating_it(target: Target, url: str) -> None:
    with pytest.raises(OpsError) as told:
        prove_owner(url, target)
    assert "secret-word" not in str(told.value)


@contextmanager
def deployed(place: Production, job_id: str) -> Iterator[None]:
    release = small_release()
    deploy(
        place.owner_url,
        release.deploy,
        release.verify,
        release_id=release.id,
        plan_hash=release.content_hash,
        actor="test",
        job_id=job_id,
    )
    try:
        yield
    finally:
        remove_all(place.owner_url)
        with psycopg.connect(place.owner_url) as conn:
            conn.execute("DROP TABLE small")


@pytest.fixture
def context(target: Target, tmp_path: Path) -> Iterator[JobContext]:
    """A deploy whose process died, as a worker without the owner's address finds it."""
    store = fresh_store(tmp_path / "store.sqlite3")
    settings = Settings(home=tmp_path, store_url="sqlite://", targets={target.name: target})

    def clock() -> datetime:
        return NOON

    who = Actor("o", "Olga", Role.OPERATOR, target.name)
    left = Job(
        "job-1",
        "deploy",
        target.name,
        None,
        None,
        {},
        who,
        NOON,
        JobState.RUNNING,
        1,
        None,
        None,
        NOON,
        None,
        False,
        None,
    )
    story = Story(store, left.id, clock)
    yield JobContext(left, target, settings, store, clock, story)
    story.close()
    store.close()


def test_what_became_of_a_dead_deploy_is_not_guessed_where_the_receipts_are_hidden(
    place: Production, context: JobContext
) -> None:
    with deployed(place, "job-1"):
        for settle in (releasing.settle_deploy, releasing.settle_rollback):
            with pytest.raises(Unavailable, match="which the role of production's database_url may not read") as told:
                settle(context)
            assert "arm --target production" in told.value.do


def test_where_there_are_no_receipts_at_all_the_reader_may_tell(context: JobContext) -> None:
    settled = releasing.settle_deploy(context)
    assert settled is not None and settled.state is JobState.INTERRUPTED


def test_the_way_back_is_previewed_by_the_reader_and_uncounted_rows_are_no_zero(place: Production) -> None:
    release = small_release()
    with deployed(place, "job-2"):
        (lost,) = [one for one in preview(place.reader_url, release.id, release.rollback) if one.kind == "table"]
    assert (lost.object, lost.rows) == ("public.small", None)


def test_a_rehearsal_before_arming_runs_as_the_owner(place: Production, target: Target) -> None:
    told = rehearse(place.reader_url, small_release().deploy, rows="none", stand_in=True)
    assert told.verdict is Verdict.PASS, told.unknown_because
    assert told.shadow is not None
    assert (told.shadow.runs_as, told.shadow.stands_in) == (place.owner, True)
    with place.admin() as conn:
        assert told.before == catalog_fingerprint(conn)
