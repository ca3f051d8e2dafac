"""The store opens, migrates once, keeps times and documents, and says in a sentence why it cannot be opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, insert, inspect, select, text

import services.store.database as database
from services.errors import Unavailable
from services.releases.approvals import Accepts, ApprovalState, approval_of_deploy, recent_approvals
from services.store.database import NewerStore, Store, open_store
from services.store.tables import interests, metadata, workers
from tests.services.conftest import NOON


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place where no store is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    url: str = request.getfixturevalue("make_database")()
    return url


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    with store.read() as tx:
        differences = compare_metadata(MigrationContext.configure(tx), metadata)
    assert differences == []


def test_the_head_in_the_code_is_the_newest_migration() -> None:
    folder = Path(database.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == database.HEAD


def test_many_processes_may_open_an_empty_store_at_once(store_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda _: open_store(store_url), range(6)))
    with opened[0].read() as tx:
        assert inspect(tx).has_table("audit")
    for each in opened:
        each.close()


def test_a_time_comes_back_aware_and_equal(store: Store) -> None:
    with store.write() as tx:
        tx.execute(insert(interests).values(target="t", view="v", until=NOON))
    with store.read() as tx:
        assert tx.execute(select(interests.c.until)).scalar_one() == NOON


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    naive = datetime(2026, 3, 1, 12, 0)  # noqa: DTZ001 - the mistake this test is about
    with pytest.raises(Exception, match="without a zone"), store.write() as tx:
        tx.execute(insert(interests).values(target="t", view="v", until=naive))


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as tx:
        tx.execute(insert(workers).values(id="w", host="h", pid=1, started=NOON, heartbeat=NOON))
        raise RuntimeError("in the middle")
    with store.read() as tx:
        assert tx.execute(select(workers)).all() == []


def test_sqlite_commits_are_on_disk_before_they_return(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 's.sqlite3'}")
    with store.read() as tx:
        assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert tx.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert tx.execute(text("PRAGMA foreign_keys")).scalar() == 1
    store.close()


def test_a_connection_in_use_while_the_store_closes_is_closed_when_it_comes_back(store_url: str) -> None:
    store = open_store(store_url)
    closed: list[object] = []
    event.listen(store.engine, "close", lambda connection, _record: closed.append(connection))
    with store.read() as tx:
        in_use = tx.connection.dbapi_connection
        store.close()
        assert in_use not in closed
    assert in_use in closed


def test_writers_wait_for_each_other_instead_of_failing(store: Store) -> None:
    def add_one(number: int) -> None:
        with store.write() as tx:
            seen = len(tx.execute(select(workers.c.id)).all())
            tx.execute(insert(workers).values(id=f"{number}-{seen}", host="h", pid=1, started=NOON, heartbeat=NOON))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(40)))
    with store.read() as tx:
        assert len(tx.execute(select(workers)).all()) == 40


@pytest.mark.parametrize(
    "url", ["postgresql://nobody:topsecret@127.0.0.1:1/ops", "sqlite:////proc/no-such-folder/store.sqlite3"]
)
def test_a_store_that_cannot_be_opened_is_a_sentence_without_its_password(url: str) -> None:
    with pytest.raises(Unavailable) as caught:
        open_store(url)
    assert caught.value.place == "OPS_STORE_URL"
    assert "topsecret" not in str(caught.value)


def test_a_store_of_a_newer_version_is_a_sentence_and_is_let_go_of(store_url: str) -> None:
    store = open_store(store_url)
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(NewerStore, match="newer version") as caught:
        open_store(store_url)
    assert caught.value.place == "OPS_STORE_URL"


def test_approvals_of_before_what_they_are_for_was_kept_stay_and_fit_no_plan_of_today(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "HEAD", "0003")
    monkeypatch.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0003"))
    old = open_store(store_url)
    given = {
        "who": '{"id":"staging:1","name":"Ann","role":"operator","target":"staging"}',
        "at": "2026-03-01T12:00:00.000000+00:00",
        "until": "2026-03-02T12:00:00.000000+00:00",
    }
    columns = "id, target, release_id, plan_hash, asked_by, asked, expires, decided_by, decision, decided"
    values = "'a', 'staging', 'beta', 'p', :who, :at, :until, :who, 'yes', :at"
    with old.write() as tx:
        tx.execute(text(f"INSERT INTO approvals ({columns}) VALUES ({values})"), given)
    old.close()
    monkeypatch.undo()
    now = open_store(store_url)
    (kept,) = recent_approvals(now, "staging")
    assert (kept.state(NOON), kept.content_hash, kept.accepts) == (ApprovalState.APPROVED, None, Accepts())
    about = {"target": "staging", "job_id": "job-1", "at": NOON}
    assert approval_of_deploy(now, content_hash="c" * 64, **about) is None  # type: ignore[arg-type]
    now.close()
