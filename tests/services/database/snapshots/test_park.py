"""A table that is dropped goes aside with its rows; all else is just as if it had been dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from services.database.rollback.restoring import restore
from services.database.snapshots.park import parked, purge
from tests.campaign import sample
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

WORLD = """
CREATE SEQUENCE numbers;
CREATE TABLE teams (id int PRIMARY KEY, name text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION secret() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE TABLE logs (
  id bigserial PRIMARY KEY, own int GENERATED ALWAYS AS IDENTITY, nr int DEFAULT nextval('numbers'),
  word text DEFAULT secret(), team int REFERENCES teams, up bigint REFERENCES logs, CHECK (nr > 0), UNIQUE (own));
CREATE INDEX ON logs (team);
CREATE STATISTICS both_ways ON team, up FROM logs;
CREATE TRIGGER stamped BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE RULE noted AS ON DELETE TO logs DO ALSO SELECT 1;
ALTER TABLE logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON logs TO anon USING (team IN (SELECT id FROM teams));
GRANT SELECT ON logs TO anon;
GRANT UPDATE (team) ON logs TO authenticated;
GRANT USAGE ON SEQUENCE logs_id_seq TO anon;
COMMENT ON COLUMN logs.nr IS 'the number';
CREATE TABLE notes (id int PRIMARY KEY, log bigint REFERENCES logs, n int DEFAULT nextval('logs_id_seq'), whole logs);
CREATE POLICY through ON notes USING (log IN (SELECT id FROM logs));
CREATE VIEW busy AS SELECT team, count(*) FROM logs GROUP BY 1;
CREATE VIEW busier AS SELECT * FROM busy;
CREATE MATERIALIZED VIEW hot AS SELECT * FROM busy;
CREATE FUNCTION all_logs() RETURNS SETOF logs LANGUAGE sql AS 'SELECT * FROM logs';
CREATE PUBLICATION told FOR TABLE logs, teams;
INSERT INTO teams VALUES (1, 'a'), (2, 'b');
INSERT INTO logs (team, up) VALUES (1, NULL), (2, 1), (1, 2);
"""


def test_the_catalog_is_as_after_a_real_drop(app: Owner, make_app):
    other = make_app()
    for owner in (app, other):
        owner.run(WORLD)
    other.run("DROP TABLE logs CASCADE")
    assert change(app.url, "DROP TABLE logs CASCADE").parked == ("public.logs",)
    assert app.fingerprint().facts == other.fingerprint().facts
    assert [(one.object, one.rows) for one in parked(app.conn)] == [("public.logs", 3)]


LATER = (
    "DROP FUNCTION stamp(), secret()",
    "DROP SEQUENCE numbers",
    "DROP TABLE teams",
    "CREATE TABLE logs (id bigserial PRIMARY KEY, team int, UNIQUE (team))",
    "CREATE TABLE logs (id bigserial PRIMARY KEY); INSERT INTO logs DEFAULT VALUES; DROP TABLE logs",
    "DROP SCHEMA IF EXISTS nowhere",
)


@pytest.mark.parametrize("later", sample(LATER, 2, seed=1))
def test_what_is_parked_stands_in_nobodys_way(app: Owner, later: str):
    app.run(WORLD)
    assert "public.logs" in change(app.url, f"DROP TABLE logs CASCADE; {later}").parked


def test_nobody_else_reaches_what_is_parked(app: Owner):
    app.run(WORLD)
    change(app.url, "DROP TABLE logs CASCADE")
    assert app.run(
        "SELECT relname FROM pg_class c, aclexplode(relacl) x WHERE relnamespace = 'ops'::regnamespace"
        " AND x.grantee <> relowner UNION ALL SELECT relname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid,"
        " aclexplode(attacl) x WHERE relnamespace = 'ops'::regnamespace AND x.grantee <> relowner"
    ) == []  # fmt: skip


def test_a_drop_that_the_server_refuses_fails_the_same(app: Owner):
    app.run(WORLD)
    with pytest.raises(psycopg.errors.DependentObjectsStillExist, match="cannot drop table logs because other objects"):
        change(app.url, "DROP TABLE logs")
    with pytest.raises(psycopg.errors.UndefinedTable, match='table "nothing" does not exist'):
        change(app.url, "DROP TABLE nothing, logs CASCADE")
    assert (app.exists("logs"), parked(app.conn)) == (True, [])


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TYPE level AS ENUM ('low'); CREATE TABLE t (id int, level level); INSERT INTO t VALUES (1, 'low')",
        "CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';"
        "CREATE TABLE t (id int, CHECK (f(id) > 0)); INSERT INTO t VALUES (1)",
        "CREATE TABLE over (id int); CREATE TABLE t () INHERITS (over); INSERT INTO t VALUES (1)",
        "CREATE TABLE over (id int) PARTITION BY LIST (id); CREATE TABLE t PARTITION OF over DEFAULT;"
        "INSERT INTO t VALUES (1)",
    ],
)
def test_what_cannot_be_parted_from_others_is_copied(app: Owner, made: str):
    app.run(made)
    done = change(app.url, "DROP TABLE t; DROP TYPE IF EXISTS level")
    assert (done.rows, done.parked, app.exists("t")) == (1, (), False)


def test_what_was_changed_before_it_was_dropped_is_copied_as_it_was(app: Owner):
    app.run("CREATE TABLE t (id int, note text); INSERT INTO t VALUES (1, 'a')")
    for sql in ("UPDATE t SET note = 'b'", "INSERT INTO t VALUES (2)", "ALTER TABLE t DROP COLUMN note"):
        done = change(app.url, f"DO $$ BEGIN {sql}; END $$; DROP TABLE t")
        copy = app.value(f"SELECT copy_name FROM ops.snapshot_parts WHERE snapshot_id = '{done.snapshot_id}'")
        assert (done.parked, app.run(f"SELECT * FROM ops.{copy}")) == ((), [(1, "a")])
        app.run("CREATE TABLE t (id int, note text); INSERT INTO t VALUES (1, 'a')")


def test_the_same_name_can_be_parked_again_and_again(app: Owner):
    for _ in range(3):
        app.run("CREATE TABLE t (id bigserial PRIMARY KEY); INSERT INTO t DEFAULT VALUES")
        change(app.url, "DROP TABLE t")
    assert [one.object for one in parked(app.conn)] == ["public.t"] * 3


def test_what_was_kept_long_enough_is_purged(app: Owner):
    app.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    change(app.url, "DROP TABLE t; DELETE FROM users WHERE email LIKE 'person1%'")
    (one,) = parked(app.conn)
    assert timedelta(days=29) < one.until - datetime.now(UTC) < timedelta(days=31)
    assert purge(app.conn, one.until - timedelta(days=1)) == []
    assert purge(app.conn, one.until + timedelta(days=1)) == ["public.t", "public.users"]
    assert (parked(app.conn), purge(app.conn, one.until + timedelta(days=9))) == ([], [])
    assert (
        app.run("SELECT relname FROM pg_class WHERE relnamespace = 'ops'::regnamespace AND relname ~ '_0$|_1$'") == []
    )


def test_a_table_that_was_moved_back_and_dropped_since_is_told(app: Owner):
    app.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    done = change(app.url, "DROP TABLE t")
    restore(app.url, str(done.snapshot_id))
    app.run("DROP TABLE t")
    told = restore(app.url, str(done.snapshot_id))
    assert [(one.table, one.rows) for one in told.conflicts] == [("public.t", 1)]
