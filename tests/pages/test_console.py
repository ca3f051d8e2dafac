"""The console's page: off without an address, rows and masks with one, refusals in place, nothing saved by a viewer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dashboard import composition
from services.access.permissions import Role
from services.database.connect import connect
from tests.app_test import AppTest
from tests.conftest import SupabaseDatabase
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import TARGET, World


@pytest.fixture
def with_address(world: World, make_supabase_database: Callable[[], SupabaseDatabase]) -> SupabaseDatabase:
    made = make_supabase_database()
    with connect(made.owner) as owner:
        owner.execute(
            "CREATE TABLE users (id int, email text, name text); INSERT INTO users VALUES (1, 'a@b.example', 'Ann')"
        )
    point_at(world, made.read_only)
    return made


def point_at(world: World, address: str) -> None:
    file = world.home / "targets" / f"{TARGET}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "read_only_url": address}))
    composition.close()


def ask(open_page: OpenPage, question: str, role: Role = Role.OPERATOR) -> AppTest:
    app = open_page("/verification", role, part="console")
    app.text_area[0].input(question)
    next(button for button in app.button if button.key == "console-ask").click()
    return app.run()


def test_without_an_address_it_says_how_to_get_one(open_page: OpenPage) -> None:
    app = open_page("/verification", part="console")
    assert not app.exception
    assert "is off" in texts(app) and not app.text_area


def test_rows_come_masked_and_the_question_is_listed(open_page: OpenPage, with_address: SupabaseDatabase) -> None:
    app = ask(open_page, "SELECT * FROM users")
    assert not app.exception
    assert app.dataframe[0].value.to_dict("records") == [{"id": "1", "email": "•••", "name": "•••"}]
    assert "Masked: public.users.email" in texts(app).replace("\\", "")
    assert "asked at" in texts(app)
    assert "answered · 1 row ·" in texts(app)


def test_a_refusal_stands_where_it_was_asked_and_the_text_is_kept(
    open_page: OpenPage, with_address: SupabaseDatabase
) -> None:
    app = ask(open_page, "DELETE FROM users")
    assert not app.exception and not app.dataframe
    assert "The console asks one SELECT" in texts(app)
    assert app.text_area[0].value == "DELETE FROM users"


def test_a_database_that_does_not_answer_is_unknown(open_page: OpenPage, world: World) -> None:
    point_at(world, "postgresql://reader:secret@127.0.0.1:1/postgres")
    app = ask(open_page, "SELECT 1")
    assert not app.exception and "secret" not in texts(app)
    assert "unknown" in texts(app)


def test_a_viewer_asks_and_saves_nothing(open_page: OpenPage, with_address: SupabaseDatabase) -> None:
    app = ask(open_page, "SELECT count(*) FROM users", Role.VIEWER)
    assert app.dataframe
    assert next(button for button in app.button if button.key == "console-save-query").disabled
