"""The generic kinds of check: what passes, what fails, and what is not known."""

from __future__ import annotations

import pytest

from services.checks.kinds import (
    Compared,
    RouteInventory,
    Stage,
    answered,
    missing_keys,
    names_present,
    numbers_agree,
    rows_that_should_not_be,
    shaped,
    staged,
)
from services.clients.http import Answer
from services.verdict import Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def answer(status: int) -> Answer:
    return Answer("Thing", "http://x", status, {}, b"{}", 0.01)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, PASS), (204, UNKNOWN), (302, UNKNOWN), (404, FAIL), (500, FAIL), (401, UNKNOWN), (429, UNKNOWN)],
)
def test_a_status_passes_only_where_it_was_expected(status: int, verdict: Verdict) -> None:
    assert answered(answer(status), "It").verdict is verdict


def test_a_route_that_is_listed_but_answers_not_found_is_missing() -> None:
    inventory = RouteInventory(("/a", "/b", "/c"), frozenset({"/a", "/b"}), not_answering=("/b",))
    assert inventory.missing == ("/b", "/c")


@pytest.mark.parametrize(
    ("body", "missing"),
    [({"a": 1}, ("b",)), ([{"a": 1, "b": 2}], ()), ([], ("a", "b")), ("text", ("a", "b")), (None, ("a", "b"))],
)
def test_keys_are_looked_for_in_an_object_or_a_list_of_objects(body: object, missing: tuple[str, ...]) -> None:
    assert missing_keys(body, ("a", "b")) == missing


@pytest.mark.parametrize(
    ("low", "high", "theirs", "verdict"),
    [(3, 3, 3.0, PASS), (3, 3, 0.0, FAIL), (3, 5, 4.0, PASS), (3, 5, 6.0, FAIL), (3, 3, None, FAIL), (0, 0, 0.0, PASS)],
)
def test_numbers_agree_within_what_we_counted(low: float, high: float, theirs: float | None, verdict: Verdict) -> None:
    assert numbers_agree([Compared("calls", low, high, theirs)], "Numbers").verdict is verdict


def test_nothing_compared_is_not_known() -> None:
    assert numbers_agree([], "Numbers").verdict is UNKNOWN


def test_a_missing_name_is_named() -> None:
    found = names_present(["A", "B"], ["B", "C"], "Variables")
    assert (found.verdict, found.facts["missing"]) == (FAIL, ["A"])
    assert names_present(["A"], ["A"], "Variables").verdict is PASS


def test_the_worst_stage_decides_and_gives_the_sentence() -> None:
    found = staged([Stage("write", PASS, "Written."), Stage("read", FAIL, "Lost.")], "Journal", {})
    assert (found.verdict, found.summary) == (FAIL, "Journal: Lost.")
    assert found.facts["stages"] == {"write": "pass", "read": "fail"}


def test_one_row_that_should_not_be_is_enough() -> None:
    assert rows_that_should_not_be([], "Fine.", str).verdict is PASS
    found = rows_that_should_not_be([{"n": 1}, {"n": 2}], "Fine.", lambda row: f"n={row['n']}")
    assert (found.verdict, found.summary) == (FAIL, "2 counter-examples: n=1; n=2.")


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [(200, b'{"guests": []}', PASS), (200, b"{}", FAIL), (500, b'{"guests": []}', FAIL), (401, b"{}", UNKNOWN)],
)
def test_a_shape_passes_only_with_the_status_and_every_key(status: int, body: bytes, verdict: Verdict) -> None:
    assert shaped(Answer("Thing", "http://x", status, {}, body, 0.01), ("guests",), "/guests").verdict is verdict
