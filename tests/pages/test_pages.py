"""Every page: with a full store and an empty one, for each role and for nobody; never a traceback."""

from __future__ import annotations

import pytest

from dashboard import nav
from services.access.permissions import Role
from services.verdict import Verdict
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import World

PAGES = [page.path for page in nav.REGISTRY]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_with_nothing_in_the_store(open_page: OpenPage, path: str) -> None:
    app = open_page(path)
    assert not app.exception
    assert app.title[0].value == nav.entry(path).title


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_with_a_run(open_page: OpenPage, world: World, path: str, role: Role) -> None:
    run_id = world.start()
    world.evidence("api-answers", Verdict.PASS, "A fresh process answers.", run_id=run_id, step_id="before-1")
    app = open_page(path, role)
    assert not app.exception
    assert app.query_params["run"] == run_id


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_nothing(open_page: OpenPage, world: World, path: str) -> None:
    world.start()
    app = open_page(path, None)
    assert not app.title
    assert "You are not signed in to sandbox" in texts(app).replace("\\", "")


@pytest.mark.parametrize("path", PAGES)
def test_the_target_stands_on_every_page(open_page: OpenPage, path: str) -> None:
    assert "SANDBOX · disposable" in texts(open_page(path))


@pytest.mark.parametrize("path", PAGES)
def test_every_address_names_its_target(open_page: OpenPage, path: str) -> None:
    assert open_page(path).query_params["target"] == "sandbox"


def test_a_session_that_ends_while_a_page_is_open_is_told(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("/")
    monkeypatch.setattr("dashboard.context.cookies", dict)
    assert "your session has ended" in texts(app.run()).replace("\\", "")


def test_an_unknown_run_is_a_sentence(open_page: OpenPage, world: World) -> None:
    world.start()
    app = open_page("/checklist", run="run-none")
    assert not app.exception
    assert "There is no run" in texts(app)
