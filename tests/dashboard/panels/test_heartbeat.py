"""The heartbeat's line on the settings page: how it went, and never where it goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from services.jobs.heartbeat import NAME
from services.jobs.turns import take_turn, tell_of_turn
from services.settings import Settings
from tests.app_test import AppTest
from tests.migrated_store import fresh_store
from tests.services.conftest import NOON

SECRET = "https://alarm.example.test/ping/not-for-anybody"


def draw(context) -> None:  # type: ignore[no-untyped-def]  # its source alone is run: it knows no imports
    from dashboard.panels.heartbeat import heartbeat_part

    heartbeat_part(context)


@pytest.mark.parametrize(
    ("address", "told", "kind", "words"),
    [
        (None, {}, "caption", "nobody would be told"),
        (SECRET, {"answered": {"at": NOON.isoformat(), "status": 200}}, "caption", "40 s ago, answered 200"),
        (SECRET, {"failed": {"at": NOON.isoformat(), "because": "answered 404"}}, "warning", "failed 40 s ago"),
    ],
)
def test_it_says_how_the_last_one_went(tmp_path: Path, address: str | None, told: Any, kind: str, words: str) -> None:
    store = fresh_store(tmp_path / "store.sqlite3")
    take_turn(store, NAME, "w", NOON, timedelta(seconds=60))
    tell_of_turn(store, NAME, told)
    settings = Settings(home=tmp_path, store_url="sqlite://", heartbeat_url=SecretStr(address) if address else None)
    context = SimpleNamespace(store=store, settings=settings, now=NOON + timedelta(seconds=40))
    page = AppTest.from_function(draw, args=(context,)).run()
    (shown,) = getattr(page, kind)
    assert words in shown.value
    assert "alarm.example" not in shown.value
    store.close()
