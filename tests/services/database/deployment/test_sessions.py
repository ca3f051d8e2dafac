"""What a dead client left: its session gives way to the same job, and a lost connection is told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from services.database.change_lock import require_lock
from services.database.connect import connect
from services.database.deployment.deploy import Limits, deploy
from services.database.deployment.guarded import Watch
from services.database.deployment.receipts import application_name
from services.database.deployment.sessions import loss_in_words, outcome_after_loss
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import rollback
from services.errors import Refused, Unavailable
from tests.services.database.app_database import Owner, script

QUICK = Limits(old_session_s=0.2)


def process_of(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def left_behind(app: Owner, job_id: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of the job as the server keeps it that has not heard of its client's end: in a transaction, locked."""
    conn = connect(app.url, application_name=application_name(job_id))
    require_lock(conn)
    conn.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    yield conn
    conn.close()


def deployed(app: Owner) -> None:
    sql = "ALTER TABLE users ADD COLUMN x int DEFAULT 1;"
    assert deploy(app.url, script(sql), release_id="beta", plan_hash="h", actor="ann", job_id="up").applied


def back(app: Owner, job_id: str):
    sql = script("ALTER TABLE users DROP COLUMN x;")
    return rollback(app.url, "beta", sql, actor="bob", job_id=job_id, may_copy=False, limits=QUICK)


def test_a_rollback_takes_the_place_of_its_own_dead_session(app: Owner):
    deployed(app)
    with left_behind(app, "down"):
        assert back(app, "down").fingerprint_restored


def test_it_leaves_the_session_of_another_job_alone(app: Owner):
    deployed(app)
    with left_behind(app, "other") as other:
        with pytest.raises(Refused, match="other"):
            back(app, "down")
        assert process_of(other)


def test_a_restore_takes_the_place_of_its_own_dead_session(app: Owner):
    deployed(app)
    snapshot_id = back(app, "down").snapshot_id
    with left_behind(app, f"restore {snapshot_id}"):
        assert restore(app.url, snapshot_id, limits=QUICK).recreated == ["public.users.x"]


def test_a_session_that_the_server_holds_for_alive_is_ended_soon(app: Owner):
    with left_behind(app, "job-1") as lost:
        assert outcome_after_loss(app.url, "job-1", process_of(lost), Watch(limits=QUICK)) == "not-applied"


def test_another_session_of_the_job_is_waited_for_and_not_ended(app: Owner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.database.deployment.sessions._OUTCOME_S", 0.6)
    with left_behind(app, "job-1") as resumed:
        with pytest.raises(Unavailable, match="cannot be told yet"):
            outcome_after_loss(app.url, "job-1", process_of(resumed) + 1, Watch(limits=QUICK))
        assert process_of(resumed)


def test_a_connection_that_dies_anywhere_is_told_in_a_sentence(app: Owner):
    def die() -> None:
        with connect(app.url) as conn, loss_in_words(conn):
            app.run(f"SELECT pg_terminate_backend({process_of(conn)})")
            conn.execute("SELECT 1")

    with pytest.raises(Unavailable, match="connection to the database was lost"):
        die()


def test_what_the_server_refuses_is_no_lost_connection(app: Owner):
    def ask() -> None:
        with connect(app.url) as conn, loss_in_words(conn):
            conn.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        ask()
