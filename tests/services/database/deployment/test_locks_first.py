"""What a DROP needs is locked before anything else: it gets through while writers come from both sides."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.deployment.guarded import Limits, Watch
from services.database.deployment.locks_first import lock_what_goes
from services.database.script import read_scripts
from tests.campaign import only_in_full
from tests.services.database.app_database import Owner, script

WORLD = """
CREATE TABLE teams (id int PRIMARY KEY);
CREATE TABLE people (id int PRIMARY KEY, code int UNIQUE, team int REFERENCES teams, name text);
CREATE TABLE orders (id serial PRIMARY KEY, person int REFERENCES people (id) ON DELETE CASCADE,
  code int REFERENCES people (code));
CREATE TABLE notes (id int PRIMARY KEY);
CREATE VIEW names AS SELECT id, name FROM people;
CREATE VIEW names_too AS SELECT * FROM names;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (id IN (SELECT code FROM people));
INSERT INTO teams VALUES (1);
INSERT INTO people SELECT g, g, 1, 'n' FROM generate_series(1, 3000) g;
"""
LOCKED = """
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'v') ORDER BY 1
"""
EVERYTHING = ["names", "names_too", "notes", "orders", "people", "teams"]


NEEDED = {
    "DROP TABLE people CASCADE": EVERYTHING,
    "DROP TABLE orders": ["orders", "people"],
    "ALTER TABLE people DROP COLUMN id CASCADE": ["names", "names_too", "orders", "people"],
    "ALTER TABLE people DROP COLUMN code CASCADE": ["notes", "orders", "people"],
    "ALTER TABLE people DROP COLUMN team": ["people", "teams"],
    "DROP TABLE IF EXISTS nowhere; ALTER TABLE people ADD COLUMN x int": [],
}


def test_what_a_drop_needs_is_locked_and_nothing_else(app: Owner) -> None:
    app.run(WORLD)
    before = app.fingerprint().digest
    for sql, locked in NEEDED.items():
        with app.conn.transaction():
            lock_what_goes(app.conn, read_scripts(script(sql)).statements, Watch())
            assert [row[0] for row in app.run(LOCKED)] == locked, sql
            assert app.fingerprint().digest == before


def test_whoever_holds_what_is_needed_next_is_waited_for_with_nothing_held(app: Owner) -> None:
    app.run(WORLD)
    with connect(app.url) as other, app.conn.transaction():
        # From the parent to the child, as the deletion of a row goes: against our order.
        other.execute("BEGIN; LOCK TABLE people IN ROW EXCLUSIVE MODE")

        def go_on() -> None:
            other.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE; COMMIT")

        waiting = threading.Timer(0.06, go_on)
        waiting.start()
        statements = read_scripts(script("DROP TABLE people CASCADE")).statements
        lock_what_goes(app.conn, statements, Watch(limits=Limits(lock_timeout_ms=2000)))
        waiting.join()
        assert [row[0] for row in app.run(LOCKED)] == EVERYTHING


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Within: sessions that write without a pause, from the child to the parent and the other way round."""
    over = threading.Event()

    def work(number: int) -> None:
        with connect(url) as conn:
            key = number * 1000 + 1
            while not over.is_set():
                key += 1
                try:
                    if number == 2:
                        conn.execute(f"DELETE FROM people WHERE id = {key % 3000}")
                    else:
                        conn.execute(f"INSERT INTO orders (person) VALUES ({key % 1000 + number * 1000})")
                except psycopg.Error:
                    over.wait(0.001)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE people CASCADE;",
        pytest.param("ALTER TABLE people DROP COLUMN id CASCADE;", marks=only_in_full),
        pytest.param("DROP TABLE orders;", marks=only_in_full),
    ],
)
def test_it_gets_through_between_writers_from_both_sides(app: Owner, sql: str) -> None:
    app.run(WORLD)
    with writing(app.url):
        done = deploy(app.url, script(sql), release_id="r", plan_hash="h", actor="ann", limits=Limits(attempts=5))
    assert done.applied, done.summary
