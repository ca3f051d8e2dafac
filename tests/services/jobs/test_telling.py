"""Sending beside the worker's other work: one at a time, keeping nobody waiting, surviving what it stumbles over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.access.notices import tell
from services.jobs.telling import Telling, telling_first
from services.settings import Settings
from services.store.database import Store
from tests.migrated_store import fresh_store
from tests.services.conftest import NOON


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path / "store.sqlite3")
    with opened.write() as tx:
        tell(tx, target="staging", kind="recovery", text="Ada came in.", now=NOON, until=NOON + timedelta(hours=1))
    yield opened
    opened.close()


@pytest.fixture
def ours(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, store_url="sqlite:///unused")


def test_an_address_that_hangs_keeps_neither_the_loop_nor_the_next_turn(kept: Store, ours: Settings) -> None:
    began, go_on = threading.Event(), threading.Event()
    sent: list[datetime] = []

    def hang(settings: Settings, store: Store, now: datetime) -> bool:
        began.set()
        go_on.wait(10)
        sent.append(now)
        return True

    turn = Telling(hang)
    assert turn(ours, kept, NOON)
    assert began.wait(10)
    assert not turn(ours, kept, NOON)
    go_on.set()
    assert turn._sending is not None
    turn._sending.join(10)
    assert sent == [NOON]
    assert turn(ours, kept, NOON)
    turn._sending.join(10)


def test_with_nothing_due_nothing_is_begun(kept: Store, ours: Settings) -> None:
    turn = Telling(lambda settings, store, now: pytest.fail("nothing was due"))
    assert not turn(ours, kept, NOON - timedelta(seconds=1))


def test_what_sending_stumbles_over_ends_in_the_log(kept: Store, ours: Settings) -> None:
    def stumble(settings: Settings, store: Store, now: datetime) -> bool:
        raise OSError("the address would stand here")

    turn = Telling(stumble)
    assert turn(ours, kept, NOON)
    assert turn._sending is not None
    turn._sending.join(10)


def test_people_are_told_even_where_the_other_work_fails(kept: Store, ours: Settings) -> None:
    turns: list[str] = []

    def telling(settings: Settings, store: Store, now: datetime) -> bool:
        turns.append("told")
        return True

    def fails(settings: Settings, store: Store, now: datetime) -> bool:
        raise OSError("the checks cannot run")

    with pytest.raises(OSError, match="the checks"):
        telling_first(telling, fails)(ours, kept, NOON)
    assert turns == ["told"]
    assert telling_first(telling, lambda *_: False)(ours, kept, NOON)
