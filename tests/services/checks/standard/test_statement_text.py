"""Statements are shown without people's words: literals of every kind, comments, and literals that were cut off."""

from __future__ import annotations

import pytest

from services.checks.standard.statement_text import without_literals


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("select * from notes where body = 'it''s private'", "select * from notes where body = ?"),
        (r"select E'a\'private' || b'1' || U&'x'", "select ? || ? || ?"),
        ("select $$private ' words$$, $q$ private $$ too $q$ from t1", "select ?, ? from t1"),
        ("select 1.5e3, t2.c3, $1 -- private 'words'\nfrom t", "select ?, t2.c3, $1 from t"),
        ("select /* private ' */ \"My 'Column\" from t", 'select "My \'Column" from t'),
        ("insert into notes values ('cut off in the midd", "insert into notes values (?"),
        ("insert into notes values ($tag$ cut off", "insert into notes values (?"),
        ("select 1\n\n   from t", "select ? from t"),
    ],
)
def test_no_literal_is_shown(statement: str, shown: str) -> None:
    assert without_literals(statement) == shown


def test_a_long_statement_is_cut() -> None:
    assert len(without_literals("select " + "a, " * 500 + "b")) == 200
