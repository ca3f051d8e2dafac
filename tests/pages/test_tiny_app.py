"""Every page of a tiny app without a release: what it does not use reads "not used", and nothing is missing loudly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from dashboard import composition, nav
from services.verdict import Verdict
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import World, make_world
from tests.tiny_app.served import FOLDER


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose target's app is the guest book."""
    monkeypatch.setenv("OPS_APPS", str(FOLDER))
    monkeypatch.setenv("OPS_HOME", str(tmp_path))
    monkeypatch.delenv("OPS_STORE_URL", raising=False)
    monkeypatch.delenv("OPS_TARGET", raising=False)
    made = make_world(tmp_path, app="tiny")
    composition.close()
    st.cache_data.clear()
    yield made
    composition.close()
    made.store.close()


@pytest.mark.parametrize("path", [page.path for page in nav.REGISTRY])
def test_a_page_opens_for_an_app_without_a_release(open_page: OpenPage, path: str) -> None:
    app = open_page(path)
    assert not app.exception
    assert app.title[0].value == nav.entry(path).title


def test_the_verification_page_says_not_used(open_page: OpenPage, world: World) -> None:
    world.evidence("guests-answer", Verdict.PASS, "The list of guests answered 200.")
    app = open_page("/verification", part="checks")
    labels = [expander.label for expander in app.expander]
    assert [label for label in labels if "The guest book answers" in label and "Passed" in label]
    (key,) = [label for label in labels if "Our OpenAI key works" in label]
    assert "Not used" in key
    assert "Unknown" not in key


def test_the_war_room_watches_its_own_services(open_page: OpenPage, world: World) -> None:
    world.evidence("guests-answer", Verdict.PASS, "The list of guests answered 200.")
    assert "Guest book" in texts(open_page("/war-room"))
