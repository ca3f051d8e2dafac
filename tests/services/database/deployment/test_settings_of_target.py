"""What a database or a role sets for its sessions: short patience is not for what is ours, and read-only is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.database.deployment.deploy import deploy
from services.database.rehearsal.rehearse import rehearse
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import rollback
from services.errors import Refused
from services.verdict import Verdict
from tests.conftest import MakeDatabase
from tests.services.database.app_database import Owner, script

CHANGE = script("ALTER TABLE people ADD COLUMN IF NOT EXISTS age int;\n")


@pytest.fixture
def people(make_database: MakeDatabase) -> Iterator[Owner]:
    owner = Owner(make_database())
    owner.run("CREATE TABLE people (id int PRIMARY KEY)")
    yield owner
    owner.conn.close()


def set_for_all(people: Owner, setting: str) -> None:
    people.run(f"ALTER DATABASE {people.value('SELECT current_database()')} SET {setting}")


def test_a_snapshot_waits_for_its_copy_longer_than_sessions_may_idle(people: Owner) -> None:
    set_for_all(people, "idle_in_transaction_session_timeout = '100ms'")
    assert rehearse(people.url, CHANGE).verdict is Verdict.PASS


def test_a_database_that_takes_no_changes_says_so_and_a_rehearsal_says_what_a_change_would_meet(people: Owner) -> None:
    set_for_all(people, "default_transaction_read_only = on")
    failure = rehearse(people.url, CHANGE).failure
    assert failure is not None
    assert failure.sqlstate == "25006"
    with pytest.raises(Refused, match="takes no changes"):
        deploy(people.url, CHANGE, release_id="beta", plan_hash="h", actor="ann")
    with pytest.raises(Refused, match="takes no changes"):
        rollback(people.url, "beta", [], actor="ann", may_copy=False)
    with pytest.raises(Refused, match="takes no changes"):
        restore(people.url, "7b1e9f0c-8a07-4f0e-9d5b-0d3a6d0b7c11")


def test_an_event_trigger_of_theirs_that_stops_what_is_ours_is_named(people: Owner) -> None:
    people.run("CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no DDL''; END'")
    people.run("CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION frozen()")
    with pytest.raises(Refused, match=r"no DDL, in PL/pgSQL function frozen\(\).*event trigger let schema ops alone"):
        deploy(people.url, CHANGE, release_id="beta", plan_hash="h", actor="ann")


def test_a_database_that_reads_backslashes_as_escapes_is_rehearsed(people: Owner) -> None:
    set_for_all(people, "standard_conforming_strings = off")
    assert rehearse(people.url, CHANGE).verdict is Verdict.PASS
