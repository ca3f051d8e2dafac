"""Failure classes: a closed list, decided by SQLSTATE, and documented as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.database.failure_classes import FAILURE_CLASSES, classify


@pytest.mark.parametrize(
    ("sqlstate", "message", "expected"),
    [
        ("42P01", 'relation "x" does not exist', "missing-relation"),
        ("42883", "operator does not exist: uuid = character varying", "type-mismatch"),
        ("42883", "function f(integer) does not exist", "missing-function"),
        ("42P17", "functions in index expression must be marked IMMUTABLE", "not-immutable"),
        ("42P17", "infinite recursion detected in rules for relation", "other"),
        ("42P16", 'cannot change name of view column "a" to "b"', "view-columns"),
        ("42P16", "column must be of another kind", "other"),
        ("42P13", "cannot change return type of existing function", "return-type"),
        ("42710", 'policy "p" for table "t" already exists', "exists-already"),
        ("22P02", "invalid input syntax for type uuid", "bad-value"),
        ("57P01", "terminating connection", "connection"),
        ("XX000", "something unheard of", "other"),
        (None, "the connection was lost", "connection"),
    ],
)
def test_a_failure_has_the_class_of_its_sqlstate(sqlstate, message, expected):
    assert classify(sqlstate, message).id == expected


def test_the_documentation_lists_exactly_these_classes():
    text = (Path(__file__).parents[3] / "docs" / "failure-classes.md").read_text()
    documented = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert documented == [(one.id, one.means, one.fix) for one in FAILURE_CLASSES.values()]
