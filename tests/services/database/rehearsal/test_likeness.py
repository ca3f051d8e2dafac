"""A clone is like the target in all that scripts can see: its name, settings, roles, positions, rows, filled views."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from services.database.execution import Stopped
from services.database.rehearsal.rehearse import Rehearsal, rehearse, rehearse_on
from services.database.rehearsal.shadow import Shadow, shadow
from services.database.script import Script, read_scripts
from services.database.server import Server, scratch_server
from services.verdict import Verdict
from tests.campaign import only_in_full
from tests.services.database.app_database import APP, Owner, script

MORE = """
CREATE TABLE odd (id int, n int); INSERT INTO odd VALUES (1, -1);
ALTER TABLE odd ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
CREATE TABLE twice (id int);
CREATE FUNCTION doubles() RETURNS trigger LANGUAGE plpgsql AS
 $$ BEGIN INSERT INTO twice VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER always AFTER INSERT ON odd FOR EACH ROW EXECUTE FUNCTION doubles();
ALTER TABLE odd ENABLE ALWAYS TRIGGER always;
CREATE SEQUENCE ahead; SELECT setval('ahead', 77, false);
CREATE MATERIALIZED VIEW filled AS SELECT count(*) AS n FROM users;
CREATE MATERIALIZED VIEW on_it AS SELECT n FROM filled;
CREATE MATERIALIZED VIEW empty AS SELECT 1 AS n WITH NO DATA;
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (p int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture(scope="module")
def like_target(postgres_server: Server, supabase_cluster, supabase_template) -> Iterator[Shadow]:
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "like it" TEMPLATE {supabase_template} OWNER postgres')
        url = supabase_cluster.dsn("postgres", "like it")
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(APP + MORE)
        with shadow(url, rows="all") as copy:
            yield copy
        admin.execute('DROP DATABASE "like it" WITH (FORCE)')


def on(copy: Shadow, sql: str) -> Rehearsal:
    found = rehearse_on(copy, read_scripts([Script("x.sql", sql)]).statements)
    copy.drop_clones()
    return found


def test_it_holds_what_the_target_holds(like_target: Shadow):
    assert (like_target.unlike, like_target.rows.problems, like_target.rows.incomplete) == ([], (), frozenset())
    told = "DO $$ BEGIN RAISE NOTICE '% % % % %', current_database(), (SELECT count(*) FROM twice), nextval('ahead'),"
    found = on(like_target, told + " (SELECT n FROM on_it), (SELECT count(*) FROM odd); END $$;")
    assert found.notices == ("like it 0 77 40 1",)


@pytest.mark.parametrize(
    ("sql", "outcome"),
    [
        ("ALTER DATABASE \"like it\" SET work_mem = '5MB'; COMMENT ON DATABASE \"like it\" IS 'x';", None),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE; SELECT 1;", None),
        ("SELECT * FROM empty;", "55000"),
        ("INSERT INTO odd VALUES (2, -2);", "23514"),
        ("SET LOCAL statement_timeout = '40ms'; SELECT 1; SELECT pg_sleep(1);", "57014"),
        ("DO $$ BEGIN EXECUTE 'VACUUM'; END $$;", "25001"),
    ],
)
def test_scripts_come_to_what_they_come_to_there(like_target: Shadow, sql, outcome):
    found = on(like_target, sql)
    assert (found.failure.sqlstate if found.failure else None) == outcome
    assert found.second_run is None and found.unknown_because == ()


def test_a_deferred_failure_has_the_line_of_the_scripts_own_commit(like_target: Shadow):
    found = on(like_target, "BEGIN;\nINSERT INTO children VALUES (4);\nCOMMIT;\nSELECT 1;")
    assert (found.failure.sqlstate, found.failure.line) == ("23503", 3)


def test_roles_are_as_before_for_every_clone(like_target: Shadow):
    found = on(like_target, "CREATE ROLE night_worker; VACUUM users; GRANT night_worker TO authenticated; VACUUM odd;")
    assert (found.failure, found.second_run.sqlstate) == (None, "42710")


def test_an_extension_that_nobody_has_is_a_failure(like_target: Shadow):
    found = on(like_target, "CREATE EXTENSION no_such_extension;")
    assert (found.verdict, found.failure.sqlstate) == (Verdict.FAIL, "0A000")


@pytest.mark.parametrize(
    "after", [0.6, *(pytest.param(after, marks=only_in_full) for after in (0.0, 0.2, 0.4, 0.8, 1.2, 2.0))]
)
def test_a_rehearsal_can_be_cancelled_in_any_phase(app: Owner, after: float):
    begun = time.monotonic()
    with pytest.raises(Stopped):
        rehearse(app.url, script("SELECT pg_sleep(60);"), cancelled=lambda: time.monotonic() - begun > after)


def test_how_the_targets_server_reads_and_writes_values_holds_on_a_clone():
    set_there = {"timezone": "Asia/Tokyo", "DateStyle": "SQL, DMY"}
    with (
        scratch_server(options=set_there) as server,
        shadow(server.dsn(), rows="none") as copy,
        psycopg.connect(copy.url_of(copy.clone())) as conn,
    ):
        assert conn.execute("SELECT '1 1 2026'::timestamptz::text").fetchone() == ("01/01/2026 00:00:00 JST",)


def test_what_the_role_may_not_do_fails_whatever_the_file_holds(like_target: Shadow):
    found = on(like_target, "SELECT pg_read_file('/etc/hostname');")
    assert found.failure is not None
    assert (found.verdict, found.failure.sqlstate) == (Verdict.FAIL, "42501")
    inside = on(like_target, "DO $$ BEGIN IF random() < 2 THEN PERFORM pg_read_file('/etc/hostname'); END IF; END $$;")
    assert (inside.verdict, inside.failure) == (Verdict.UNKNOWN, None)


def test_a_scratch_server_without_room_says_nothing_of_the_target(like_target: Shadow):
    full = on(like_target, "DO $$ BEGIN RAISE EXCEPTION 'No space left' USING ERRCODE = 'disk_full'; END $$;")
    assert (full.verdict, full.failure) == (Verdict.UNKNOWN, None)
    assert "may have more room" in full.unknown_because[0]
