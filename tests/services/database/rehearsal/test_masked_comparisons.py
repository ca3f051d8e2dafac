"""What compares masked rows, or reads them as another type, finds what it finds in the true rows, or it is unknown."""

from __future__ import annotations

import psycopg

from services.database.connect import connect
from services.database.rehearsal.masking import literals
from services.database.rehearsal.rehearse import rehearse_on
from services.database.rehearsal.shadow import shadow
from services.database.script import Script, split
from tests.services.database.app_database import Owner

ROWS = """
CREATE TABLE logins (id int PRIMARY KEY, mail text CHECK (mail ~ '@'));
CREATE UNIQUE INDEX ON logins (lower(mail));
CREATE TABLE imported (id int PRIMARY KEY, owner text, at text, state text, doc text, extra jsonb, span text);
INSERT INTO logins VALUES (1, 'ann.smith@example.com'), (2, 'Bob@example.com');
INSERT INTO imported VALUES
 (1, 'Ann.Smith@Example.com', '2025-01-01 10:00:00.123456+00', 'on hold', '{"mail":"bob@example.com", "a b": [1, 2]}',
  '{"mail": "ann.smith@example.com", "at": "2025-01-01 10:00:00.5", "state": "on hold",
    "said": "I told it to nobody at all"}',
  '[2025-01-01 10:00, 2025-01-02 11:00)');
"""
COMPARED = {
    "-- It isn't new.\nINSERT INTO logins VALUES (3, 'BOB@example.com')": "23505",
    "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM logins WHERE mail = 'Bob@example.com'); END $$": "P0004",
    "DO $$ BEGIN ASSERT (SELECT lower(owner) = mail FROM imported NATURAL JOIN logins); END $$": None,
    "DO $$ BEGIN ASSERT (SELECT extra->>'mail' = mail FROM imported NATURAL JOIN logins); END $$": None,
    "DO $$ BEGIN ASSERT (SELECT extra->>'state' = state FROM imported); END $$": None,
    "DO $$ BEGIN ASSERT (SELECT doc::jsonb->>'mail' IS NOT NULL FROM imported); END $$": None,
    "ALTER TABLE imported ALTER at TYPE timestamptz USING at::timestamptz": None,
    "SELECT (extra->>'at')::timestamp FROM imported": None,
}


def test_what_is_compared_or_read_as_another_type_is_what_it_was(app: Owner):
    app.run(ROWS)
    with (
        shadow(app.url, rows="all", keep=literals(COMPARED)) as copy,
        connect(copy.as_superuser(copy.clone())) as conn,
    ):
        assert copy.rows.problems == ()
        assert conn.execute("SELECT extra::text ~ 'ann|told|nobody' FROM imported").fetchone() == (False,)
        assert {sql: _state(conn, sql) for sql in COMPARED} == COMPARED


def _state(conn: psycopg.Connection, sql: str) -> str | None:
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(sql.encode())
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_what_only_the_true_texts_decide_is_unknown(app: Owner):
    app.run(ROWS)
    with shadow(app.url, rows="all") as copy:
        built = rehearse_on(copy, split(Script("s.sql", "INSERT INTO logins SELECT 3, 'bob' || '@example.com'")))
        read = rehearse_on(
            copy, split(Script("s.sql", "ALTER TABLE imported ALTER span TYPE tsrange USING span::tsrange"))
        )
    assert (built.failure, read.failure) == (None, None)
    assert "s.sql:1: it builds addresses for public.logins.mail" in built.unknown_because[0]
    assert "with the true texts it may not" in read.unknown_because[0]


def test_an_address_is_no_number_masked_or_not(app: Owner):
    app.run(ROWS)
    with shadow(app.url, rows="all") as copy:
        for kind in ("uuid", "integer"):
            found = rehearse_on(
                copy, split(Script("s.sql", f"ALTER TABLE imported ALTER owner TYPE {kind} USING owner::{kind}"))
            )
            assert found.failure is not None
            assert (found.failure.sqlstate, found.unknown_because) == ("22P02", ())
