"""Without rows on the shadow, the target's rows are asked, read-only, and they say what the server would."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.database.connect import connect
from services.database.rehearsal.rehearse import Rehearsal, rehearse_on
from services.database.rehearsal.row_answers import Asking, Decided
from services.database.rehearsal.row_probes import Probe, probes_of
from services.database.rehearsal.shadow import Shadow, shadow
from services.database.rehearsal.table_facts import read_tables
from services.database.script import Script, read_scripts, split
from services.database.server import Server
from services.verdict import Verdict
from tests.services.database.app_database import APP, script

MORE = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int, parent int, code text, amount bigint, label varchar(30), twice text);
INSERT INTO parents VALUES (1), (2);
INSERT INTO children VALUES (1, 1, '17', 5, 'short', 'Same'), (2, 2, 'x2', 3000000000, 'quite a bit longer', 'same'),
  (3, 9, '18', NULL, 'short', 'other');
ALTER TABLE children ADD CONSTRAINT small CHECK (amount < 100) NOT VALID;
CREATE TABLE closed (id int); INSERT INTO closed VALUES (1), (1); ALTER TABLE closed ENABLE ROW LEVEL SECURITY;
ALTER TABLE closed FORCE ROW LEVEL SECURITY;
"""

BROKEN = [
    ("ALTER TABLE children ALTER amount SET NOT NULL", "23502", 1),
    ("ALTER TABLE children ADD COLUMN must int NOT NULL", "23502", 3),
    ("CREATE UNIQUE INDEX ON children (lower(twice))", "23505", 1),
    ("CREATE UNIQUE INDEX ON children (label) WHERE id < 4", "23505", 1),
    ("ALTER TABLE children ADD UNIQUE (label)", "23505", 1),
    ("ALTER TABLE children ADD PRIMARY KEY (amount)", "23502", 1),
    ("ALTER TABLE children ADD FOREIGN KEY (parent) REFERENCES parents", "23503", 1),
    ("ALTER TABLE children ADD CHECK (amount < 100)", "23514", 1),
    ("ALTER TABLE children VALIDATE CONSTRAINT small", "23514", 1),
    ("ALTER TABLE children ALTER label TYPE varchar(10)", "22001", 1),
    ("ALTER TABLE children ALTER code TYPE int USING code::int", "22P02", None),
    ("ALTER TABLE children ALTER amount TYPE int", "22003", None),
]
WHOLE = [
    "ALTER TABLE children ALTER id SET NOT NULL",
    "ALTER TABLE children ADD COLUMN may int, ADD COLUMN has int NOT NULL DEFAULT 1",
    "CREATE UNIQUE INDEX fine ON children (twice)",
    "CREATE UNIQUE INDEX fine ON children (lower(twice)) WHERE id > 1",
    "ALTER TABLE children ADD FOREIGN KEY (id) REFERENCES parents NOT VALID",
    "ALTER TABLE children ADD CHECK (id > 0)",
    "ALTER TABLE children ALTER label TYPE varchar(20)",
    "ALTER TABLE children ALTER amount TYPE numeric",
    "CREATE INDEX ON children (code)",
    "UPDATE children SET code = 'x' WHERE id = 1",
    "SELECT count(*) FROM children WHERE id < 3",
]
NOT_DECIDED = [
    "UPDATE children SET amount = amount + 1",
    "ALTER TABLE children ADD EXCLUDE (id WITH =)",
    "ALTER TABLE children ADD CHECK (pg_sleep(id) IS NULL)",
    "ALTER TABLE children ALTER code TYPE int USING public.cast_it(code)",
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM children) THEN RAISE EXCEPTION 'empty'; END IF; END $$",
]


@pytest.fixture(scope="module")
def target(postgres_server: Server, supabase_cluster, supabase_template) -> Iterator[str]:
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE asked TEMPLATE {supabase_template} OWNER postgres")
        url = supabase_cluster.dsn("postgres", "asked")
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(APP + MORE)
        yield url
        admin.execute("DROP DATABASE asked WITH (FORCE)")


@pytest.fixture(scope="module")
def empty_shadow(target: str) -> Iterator[Shadow]:
    with shadow(target, rows="none") as copy:
        yield copy


def on(copy: Shadow, sql: str) -> Rehearsal:
    found = rehearse_on(copy, read_scripts(script(f"SELECT 1;\n{sql};")).statements)
    copy.drop_clones()
    return found


def asked(url: str, sql: str) -> Decided | None:
    """What the target's rows say of one statement; None where no question decides it."""
    with connect(url) as conn:
        tables = read_tables(conn)
    statement = split(Script("change.sql", sql))[0]
    probes = probes_of(statement, tables)
    with Asking(url) as asking:
        return None if probes is None else asking.decide(statement, probes)


@pytest.mark.parametrize(("sql", "sqlstate", "rows"), BROKEN)
def test_rows_that_break_a_statement_refuse_it_as_the_server_would(target: str, sql, sqlstate, rows):
    with connect(target) as conn, pytest.raises(psycopg.Error) as refused:
        conn.execute(f"BEGIN; {sql}")
    found = asked(target, sql)
    assert (refused.value.sqlstate, found.failure.sqlstate, found.verdict) == (sqlstate, sqlstate, Verdict.FAIL)
    assert str(refused.value.diag.message_primary).startswith(found.failure.message)
    assert found.answers[-1].rows == rows


@pytest.mark.parametrize("sql", WHOLE)
def test_rows_that_fit_clear_it(target: str, sql):
    assert asked(target, sql).verdict is Verdict.PASS


@pytest.mark.parametrize("sql", NOT_DECIDED)
def test_what_no_question_decides_is_not_asked(target: str, sql):
    assert asked(target, sql) is None


def test_a_rehearsal_without_rows_fails_where_the_targets_rows_would(empty_shadow: Shadow):
    found = on(empty_shadow, "ALTER TABLE children ADD UNIQUE (label)")
    assert (found.verdict, found.failure.line, found.failure.sqlstate) == (Verdict.FAIL, 2, "23505")
    assert [one.rows for one in found.probes] == [1]


def test_a_rehearsal_without_rows_passes_where_the_targets_rows_fit(empty_shadow: Shadow):
    sql = "UPDATE children SET code = 'x' WHERE id = 1;\nCREATE UNIQUE INDEX IF NOT EXISTS fine ON children (twice)"
    assert (on(empty_shadow, sql).unknown_because, on(empty_shadow, sql).verdict) == ((), Verdict.PASS)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE children SET amount = amount + 1",
        "UPDATE children SET amount = 1 WHERE amount IS NULL;\nALTER TABLE children ALTER amount SET NOT NULL",
        "UPDATE children SET code = 'x' WHERE id = 1;\nUPDATE children SET amount = 1 WHERE amount IS NULL;\n"
        "ALTER TABLE children ALTER amount SET NOT NULL",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM children) THEN RAISE EXCEPTION 'empty'; END IF; END $$",
    ],
)
def test_what_earlier_writes_or_branches_may_change_stays_unknown(empty_shadow: Shadow, sql):
    found = on(empty_shadow, sql)
    assert (found.failure, found.verdict) == (None, Verdict.UNKNOWN)
    assert "public.children" in " ".join(found.unknown_because)


def test_who_may_not_see_all_rows_does_not_know(postgres_server: Server, target: str):
    with psycopg.connect(postgres_server.dsn("asked"), autocommit=True) as admin:
        admin.execute("CREATE ROLE half_blind LOGIN PASSWORD 'blind'; GRANT SELECT ON closed TO half_blind")
    probe = Probe("closed", "?", "SELECT count(*) FROM closed", None, {"public.closed": frozenset()})
    statement = split(Script("x.sql", "SELECT 1"))[0]
    with Asking(postgres_server.dsn("asked", "half_blind", "blind")) as asking:
        assert asking.decide(statement, [probe]).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("question", "budget_s"), [("INSERT INTO parents VALUES (7) RETURNING 0", 5.0), ("SELECT 0 FROM pg_sleep(3)", 0.2)]
)
def test_a_question_that_writes_or_lasts_is_ended_and_decides_nothing(target: str, question, budget_s):
    statement = split(Script("x.sql", "SELECT 1"))[0]
    with Asking(target, budget_s=budget_s) as asking:
        assert asking.decide(statement, [Probe("t", "?", question, None, {})]).verdict is Verdict.UNKNOWN
    with connect(target) as conn:
        assert conn.execute("SELECT count(*) FROM parents WHERE id = 7").fetchone() == (0,)
