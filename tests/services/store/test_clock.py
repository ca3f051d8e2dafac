"""The shared clock: machines whose own clocks differ read one time, and keep it while the store is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from services.store.clock import StoreClock
from services.store.database import Store, StoreGone, open_store

MINUTE = timedelta(minutes=1)


class LocalClock:
    """This machine's clock, wrong by `ahead`."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def postgres(make_database: Callable[[], str]) -> Store:
    return open_store(make_database())


@pytest.mark.parametrize("ahead", [MINUTE, -MINUTE, timedelta(0), timedelta(days=400)])
def test_on_postgres_it_is_the_servers_time_whatever_ours_says(postgres: Store, ahead: timedelta) -> None:
    clock = StoreClock(postgres.engine, LocalClock(ahead))
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=0.5)
    assert clock.ahead_s == pytest.approx(-ahead.total_seconds(), abs=0.5)
    postgres.close()


def test_a_clock_that_is_set_while_we_run_is_noticed_at_once(postgres: Store) -> None:
    local = LocalClock(timedelta(0))
    clock = StoreClock(postgres.engine, local)
    clock()
    local.ahead = MINUTE
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=0.5)
    postgres.close()


def test_while_the_store_is_away_what_was_known_is_kept() -> None:
    nobody = create_engine(make_url("postgresql+psycopg://u@127.0.0.1:1/x"), connect_args={"connect_timeout": 1})
    local = LocalClock(timedelta(0))
    clock = StoreClock(nobody, local)
    assert abs(clock() - local()) < timedelta(seconds=0.5)


def test_on_sqlite_it_is_our_own(tmp_path: object) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    store.now = StoreClock(store.engine, LocalClock(MINUTE))
    assert store.now() - datetime.now(UTC) > MINUTE / 2
    store.close()


def test_a_store_that_is_gone_is_one_sentence(make_database: Callable[[], str]) -> None:
    url = make_database()
    store = open_store(url)
    gone = Store(create_engine(make_url("postgresql+psycopg://u@127.0.0.1:1/x")))
    with pytest.raises(StoreGone, match=r"Our own store does not answer \(OperationalError\)"), gone.read():
        pass
    store.close()
