"""Copied rows hold no e-mail and no free text, yet stay rows of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.rehearsal.masking import literals
from services.database.rehearsal.shadow import shadow
from tests.services.database.app_database import Owner

ROWS = """
CREATE TABLE people (
  id int PRIMARY KEY, mail text UNIQUE, note varchar(200), state text CHECK (state IN ('on hold for a long while')),
  tags text[], extra jsonb, plain json, n numeric);
INSERT INTO people VALUES
 (1, 'ann.smith@example.com', 'I never told this to anybody', NULL, ARRAY['a', 'a note nobody may read', NULL],
  '{"said": "I am so tired of all", "k e y": "v", "list": ["x@y.org", "z"], "quote": "a \\"b c\\" d: \\", e"}',
  '{"b" : "seven words that nobody may read"}', 1.50),
 (2, NULL, NULL, 'on hold for a long while', NULL, NULL, NULL, NULL),
 (3, 'bob@example.com', 'I never told this to anybody', NULL, '{}', '{}', '[]', 2),
 (4, 'kept@example.com', 'short one', NULL, ARRAY['x'], '[1, null]', '1', 3);
"""


@pytest.fixture
def copied(app: Owner) -> Iterator[psycopg.Connection[Any]]:
    app.run(ROWS)
    with (
        shadow(app.url, rows="all", keep=["kept@example.com"]) as copy,
        connect(copy.as_superuser(copy.clone())) as conn,
    ):
        assert (copy.rows.problems, copy.rows.incomplete) == ((), frozenset())
        yield conn


def test_what_is_private_is_replaced_and_what_is_not_stays(copied: psycopg.Connection[Any]):
    rows = copied.execute(
        "SELECT id, mail, note, state, tags, extra, plain::text, n FROM people ORDER BY id"
    ).fetchall()
    everything = copied.execute("SELECT string_agg(people::text, ' ') FROM people").fetchone()
    for private in ("ann", "smith", "bob", "told", "nobody", "tired", "x@y", "b c", "seven words"):
        assert private not in everything[0]
    first, empty, third, fourth = rows
    assert "@" in first[1]
    assert len(first[2]) == len("I never told this to anybody")
    assert first[2] == third[2]
    assert (first[4][0], first[4][2], len(first[4])) == ("a", None, 3)
    assert (first[5]["k e y"], first[5]["list"][1], set(first[5])) == ("v", "z", {"said", "k e y", "list", "quote"})
    assert empty == (2, None, None, "on hold for a long while", None, None, None, None)
    assert (third[4], third[5], third[6], third[7]) == ([], {}, "[]", 2)
    assert fourth[1:3] == ("kept@example.com", "short one")
    assert str(first[7]) == "1.50"


def test_sequences_stand_where_they_stood(copied: psycopg.Connection[Any]):
    assert copied.execute("SELECT nextval('journal_entries_id_seq')").fetchone() == (301,)


def test_literals_of_the_scripts_are_found():
    sql = "UPDATE t SET a = 'it''s a rather long sentence' WHERE mail = 'x@y.org' AND b = 'short'; DO $$ 'q@y.org' $$"
    assert literals([sql]) == ["it's a rather long sentence", "q@y.org", "x@y.org"]
    sql = """-- It isn't new.\nUPDATE t SET a = 1 WHERE extra @> '{"mail": "x@y.org"}' AND "a@b.cd" = $b$'p@y.org'$b$"""
    assert literals([sql]) == ["p@y.org", "x@y.org", '{"mail": "x@y.org"}']
