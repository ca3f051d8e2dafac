"""A deploy by hand: written only from what was rehearsed and approved, and seen by a connection that only reads."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.access.permissions import Actor, Role
from services.database.connect import connect
from services.errors import Refused
from services.jobs.by_hand import scripts_by_hand
from services.jobs.handlers import make_worker
from services.jobs.queue import Job, JobState, enqueue, job
from services.releases.bundle import Release, load_release
from services.settings import Level, Settings, Target
from services.store.database import Store
from tests.conftest import SupabaseDatabase
from tests.services.conftest import NOON

ANN = Actor("staging:1", "Ann", Role.OPERATOR, "staging", way="auth")


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.sqlite3"


@pytest.fixture
def database(make_supabase_database: Callable[[], SupabaseDatabase]) -> SupabaseDatabase:
    made = make_supabase_database()
    with connect(made.owner) as owner:
        owner.execute("CREATE TABLE users (id int PRIMARY KEY, tier text); INSERT INTO users VALUES (1, 'free')")
        owner.execute("CREATE SCHEMA supabase_migrations")
        listing = "version text PRIMARY KEY, statements text[], name text"
        owner.execute(f"CREATE TABLE supabase_migrations.schema_migrations ({listing})".encode())
    return made


@pytest.fixture
def place(database: SupabaseDatabase) -> Target:
    """A target whose database we may rehearse as the owner does, and otherwise only read."""
    return Target(
        name="staging",
        production=False,
        levels=frozenset({Level.LOOK, Level.OBSERVE}),
        database_url=SecretStr(database.owner),
    )


def change(folder: Path, sql: str) -> Release:
    (folder / "change.sql").write_text(sql)
    return load_release(str(folder / "change.sql"), root=folder)


def carried_out(store: Store, settings: Settings, place: Target, kind: str, release: Path) -> Job:
    known = settings.model_copy(update={"targets": {"staging": place}})
    queued = enqueue(
        store,
        actor=ANN,
        kind=kind,
        target=place,
        payload={"release": str(release)},
        idempotency_key=secrets.token_hex(4),
        now=NOON,
    )
    assert make_worker(store, lambda: known, watch=False).run_job(queued.id)
    return job(store, queued.id)


def written(store: Store, place: Target, release: Release, **more: Any) -> Any:
    return scripts_by_hand(store, actor=ANN, target=place, release=release, now=NOON, **more)


def test_from_the_rehearsal_to_the_receipt_without_a_key_that_could_write(
    store: Store, settings: Settings, place: Target, database: SupabaseDatabase, tmp_path: Path
) -> None:
    release = change(tmp_path, "ALTER TABLE users ADD COLUMN IF NOT EXISTS beta boolean;\n")
    with pytest.raises(Refused, match="not passed a rehearsal"):
        written(store, place, release)
    assert carried_out(store, settings, place, "rehearse", tmp_path / "change.sql").state is JobState.PASSED
    reading = place.model_copy(update={"database_url": SecretStr(database.read_only)})
    assert carried_out(store, settings, reading, "find_deploy", tmp_path / "change.sql").state is JobState.FAILED
    (file,) = written(store, place, release)
    with connect(database.owner) as editor:
        editor.execute(file.sql.encode())
        listed = editor.execute("SELECT version, name FROM supabase_migrations.schema_migrations").fetchall()
    assert listed == [(f"{NOON:%Y%m%d%H%M%S}", "change")]
    found = carried_out(store, settings, reading, "find_deploy", tmp_path / "change.sql")
    assert found.state is JobState.PASSED
    assert "receipt" in str((found.result or {})["summary"])


def test_what_destroys_rows_is_not_written_unless_that_is_accepted(
    store: Store, settings: Settings, place: Target, tmp_path: Path
) -> None:
    release = change(tmp_path, "DROP TABLE IF EXISTS users;\n")
    carried_out(store, settings, place, "rehearse", tmp_path / "change.sql")
    with pytest.raises(Refused, match=r"destroys what stands in public\.users"):
        written(store, place, release)
    assert written(store, place, release, accept_loss=True)


def test_a_list_that_changed_since_the_rehearsal_is_refused_in_a_sentence(
    store: Store, settings: Settings, place: Target, database: SupabaseDatabase, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for version, name in (("20260101000000", "one"), ("20260102000000", "two")):
        (folder / f"{version}_{name}.sql").write_text(f"CREATE TABLE IF NOT EXISTS {name} (id int);\n")
    release = load_release(str(folder), root=tmp_path)
    assert carried_out(store, settings, place, "rehearse", folder).state is JobState.PASSED
    assert written(store, place, release)
    with connect(database.owner) as owner:
        owner.execute("INSERT INTO supabase_migrations.schema_migrations (version) VALUES ('20260101000000')")
    with pytest.raises(
        Refused, match=r"list of applied migrations has changed since the rehearsal: .*_one\.sql would not"
    ):
        written(store, place, release)


def test_a_target_that_asks_for_a_second_person_gets_no_script_without(
    store: Store, settings: Settings, place: Target, tmp_path: Path
) -> None:
    careful = place.model_copy(update={"second_approval": True})
    release = change(tmp_path, "CREATE TABLE IF NOT EXISTS logs (id int);\n")
    carried_out(store, settings, careful, "rehearse", tmp_path / "change.sql")
    with pytest.raises(Refused, match="second person"):
        written(store, careful, release)
    later = NOON + timedelta(hours=1)
    with pytest.raises(Refused, match="viewer"):
        viewer = Actor("staging:9", "Vi", Role.VIEWER, "staging", way="auth")
        scripts_by_hand(store, actor=viewer, target=careful, release=release, now=later)
