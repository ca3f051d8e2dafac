"""The catalogue: every check once, and what an app does not use is left out and named."""

from __future__ import annotations

import pytest

from services.checks.registry import USED, Catalogue
from services.errors import NotUnderstood
from tests.services.checks.conftest import app_of, spec

SPECS = (
    spec("answers", touches=("app",)),
    spec("rows", touches=("database", "Supabase")),
    spec("key", touches=("OpenAI",)),
    spec("own", touches=("our own store",)),
)


def test_an_app_uses_everything_unless_it_says_so() -> None:
    assert app_of().uses == USED
    assert Catalogue(SPECS).used_by(app_of()).not_used == ()


def test_a_check_about_something_not_used_is_left_out_and_never_among_the_ids() -> None:
    catalogue = Catalogue(SPECS).used_by(app_of(uses=("app", "database")))
    assert catalogue.ids == ("answers", "own")
    assert [one.id for one in catalogue.not_used] == ["rows", "key"]
    assert catalogue.in_phase("before") == ("answers", "own")


def test_why_it_is_left_out_is_said_in_the_words_not_used() -> None:
    told = Catalogue(SPECS).used_by(app_of(uses=("app",))).told_not_used()
    assert told[0] == {
        "id": "rows",
        "title": "rows",
        "why": "Not used: this app does not use database and Supabase.",
    }


def test_asking_for_one_that_is_left_out_says_so() -> None:
    with pytest.raises(NotUnderstood, match="does not use OpenAI"):
        Catalogue(SPECS).used_by(app_of(uses=("app",)))["key"]


def test_two_checks_of_one_id_are_refused_also_where_one_is_left_out() -> None:
    with pytest.raises(NotUnderstood, match="'key'"):
        Catalogue([*SPECS, spec("key")], uses=("app",))


def test_a_word_that_no_app_can_use_is_refused() -> None:
    with pytest.raises(ValueError, match="uses"):
        app_of(uses=("Heroku",))
