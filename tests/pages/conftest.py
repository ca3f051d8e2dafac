"""A page in-process: `open_page("/checklist", role=..., step=...)` over a small world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st

from dashboard import composition, context, nav
from dashboard.edge.cookies import cookie_name
from services.access.permissions import Role
from tests.app_test import AppTest
from tests.pages.world import TARGET, World, make_world

MAIN = Path(composition.__file__).with_name("main.py")

OpenPage = Callable[..., AppTest]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A fresh world that the process's settings point at."""
    made = make_world(tmp_path)
    monkeypatch.setenv("OPS_HOME", str(tmp_path))
    monkeypatch.delenv("OPS_STORE_URL", raising=False)
    monkeypatch.delenv("OPS_TARGET", raising=False)
    composition.close()
    st.cache_data.clear()
    yield made
    composition.close()
    made.store.close()


@pytest.fixture
def open_page(world: World, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page as somebody; role=None: as nobody. The other arguments are query parameters."""

    def open_one(path: str, role: Role | None = Role.OPERATOR, **query: str) -> AppTest:
        cookies = {} if role is None else {cookie_name(TARGET): world.session(role)}
        monkeypatch.setattr(context, "cookies", lambda: cookies)
        app = AppTest.from_file(str(MAIN), default_timeout=20)
        app.run()
        for name, value in query.items():
            app.query_params[name] = value
        if path != "/":
            app.switch_page(str(nav.PAGES / nav.entry(path).file))
        return app.run()

    return open_one


def texts(app: AppTest) -> str:
    """Everything that is written on a page, as Markdown source or text."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info, app.text, app.code, app.title, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)
