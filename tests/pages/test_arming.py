"""Who has armed a target is told on its database page, and ended there by one press."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import insert

from dashboard import composition
from services.access.permissions import Role
from services.jobs.arming import Wanted, arm, armed, last_end
from services.store.tables import workers
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import TARGET, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A target whose owner's address no settings hold, with a run under way."""
    made = make_world(tmp_path, deploy_url=None)
    monkeypatch.setenv("OPS_HOME", str(tmp_path))
    monkeypatch.delenv("OPS_STORE_URL", raising=False)
    monkeypatch.delenv("OPS_TARGET", raising=False)
    composition.close()
    st.cache_data.clear()
    made.start()
    yield made
    composition.close()
    made.store.close()


def arm_it(world: World) -> None:
    with world.store.write() as tx:
        tx.execute(insert(workers).values(id="far:1:a", host="far", pid=1, started=world.now, heartbeat=world.now))
    wanted = Wanted(TARGET, None, "db.example:5432/app", "owner", world.actor(), world.now + timedelta(hours=2))
    arm(world.store, target=world.settings.target(TARGET), wanted=wanted, worker="far:1:a", now=world.now)


def test_how_to_arm_is_said_where_nothing_is(world: World, open_page: OpenPage) -> None:
    page = open_page("/database", part="Deploy")
    assert not page.exception
    told = texts(page)
    assert "Not armed" in told
    assert f"python -m dashboard arm --target {TARGET}" in told
    assert f"{TARGET} is not armed" in told, "the deploy button says why it cannot be pressed"


def test_who_has_armed_it_is_told_and_ended_by_one_press(world: World, open_page: OpenPage) -> None:
    arm_it(world)
    page = open_page("/database", part="Deploy")
    told = texts(page)
    assert "Armed by Operator" in told
    assert "owner at db\\.example" in told or "owner at db.example" in told
    press = next(button for button in page.button if button.label == "Disarm")
    page = press.click().run()
    assert armed(world.store, TARGET, world.now) is None
    assert last_end(world.store, TARGET) == "Operator disarmed it"
    assert "Not armed" in texts(page)


def test_a_viewer_sees_it_and_cannot_end_it(world: World, open_page: OpenPage) -> None:
    arm_it(world)
    page = open_page("/database", role=Role.VIEWER, part="Deploy")
    assert "Armed by Operator" in texts(page)
    assert next(button for button in page.button if button.label == "Disarm").disabled
