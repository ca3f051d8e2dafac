"""A rehearsal: what runs, what it costs, what it endangers, whether it can be repeated, and what it cannot know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.rehearsal.catalog_copy import NoShadow
from services.database.rehearsal.rehearse import Rehearsal, rehearse, rehearse_on
from services.database.rehearsal.shadow import Shadow, shadow
from services.database.script import Script, read_scripts
from services.errors import NotUnderstood
from services.verdict import Verdict
from tests.campaign import sample
from tests.services.database.app_database import Listener, Owner, script


@pytest.fixture(scope="module")
def bare_shadow(app_shadow: Shadow) -> Iterator[Shadow]:
    """One without any row, for rehearsals that tell what they needed rows for."""
    with shadow(app_shadow.url, rows="none") as copy:
        yield copy


def on(copy: Shadow, sql: str, **more) -> Rehearsal:
    found = rehearse_on(copy, read_scripts(script(sql)).statements, **more)
    copy.drop_clones()
    return found


def dangers(found: Rehearsal, kind: str) -> list[tuple[str, int | None]]:
    return [(danger.object, danger.line) for danger in found.dangers if danger.danger_class == kind]


@dataclass
class Whole:
    """A rehearsal from address to result, with what its target looked like before."""

    owner: Owner
    found: Rehearsal
    before: dict[str, Any]


def seen(owner: Owner) -> dict[str, Any]:
    return {
        "catalog": owner.fingerprint(),
        "rows": owner.rows(),
        "databases": owner.value("SELECT count(*) FROM pg_database WHERE datname LIKE 'shadow%'"),
        "position": owner.value("SELECT last_value FROM journal_entries_id_seq"),
    }


WHOLE = """CREATE TABLE t (id int);
INSERT INTO journal_entries (user_id) VALUES ('x');
DROP VIEW moods;
DO $$ BEGIN
 IF NOT EXISTS (SELECT FROM users WHERE email = 'person7@example.com') THEN RAISE EXCEPTION 'gone'; END IF;
END $$;
"""


@pytest.fixture(scope="module")
def whole(app_shadow: Shadow) -> Iterator[Whole]:
    owner = Owner(app_shadow.url)
    before = seen(owner)
    yield Whole(owner, rehearse(owner.url, script(WHOLE)), before)
    owner.conn.close()


def test_the_result_has_the_documented_shape(whole: Whole):
    found = whole.found.to_json()
    assert list(found) == [
        "verdict",
        "failure",
        "second_run",
        "unknown_because",
        "statements",
        "dangers",
        "security",
        "took_ms",
        "further_failures",
        "not_idempotent",
        "left_out",
        "probes",
        "inspection",
        "advice",
        "like_this_before",
        "inverse",
        "predicted",
        "not_predicted",
        "plan_hash",
        "apart",
        "order",
        "shadow",
    ]
    assert (found["verdict"], found["failure"]) == ("fail", None)
    second = found["second_run"]
    told = {key: second[key] for key in ("file", "line", "sqlstate", "message", "class")}
    assert told == {
        "file": "change.sql",
        "line": 1,
        "sqlstate": "42P07",
        "message": 'relation "t" already exists',
        "class": "exists-already",
    }
    assert second["suggestion"] == "CREATE TABLE IF NOT EXISTS t (id int)"
    assert {"means", "fix"} < set(second)
    assert list(found["statements"][0]) == [
        "file",
        "line",
        "sql",
        "lock",
        "rows_scanned",
        "rewrites",
        "rows_written",
        "ms",
        "locks",
        "predicted_ms",
        "stall_ms",
    ]


def test_nothing_is_left_on_the_target(whole: Whole):
    app = whole.owner
    assert seen(app) == whole.before
    sessions = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'release-cockpit%'"
    until = time.monotonic() + 10  # a backend that was told to go needs a moment to be gone
    while app.value(f"SELECT count(*) {sessions}") != 1:
        assert time.monotonic() < until, app.run(f"SELECT application_name, state, query {sessions}")


def test_it_is_bound_to_the_catalog_that_was_read(whole: Whole):
    assert whole.found.before == whole.owner.fingerprint()


def test_e_mails_that_the_script_spells_out_are_found(whole: Whole):
    assert (whole.found.failure, len(whole.found.statements), whole.found.unknown_because) == (None, 4, ())


def test_the_shadow_equals_the_target(app_shadow: Shadow):
    assert (app_shadow.unlike, app_shadow.rows.incomplete, app_shadow.rows.rows) == ([], frozenset(), 340)


def test_what_runs_runs_as_the_connecting_role(app_shadow: Shadow):
    found = on(app_shadow, "DO $$ BEGIN RAISE NOTICE '% % %', current_user, current_setting('search_path'),"
               " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user); END $$;")  # fmt: skip
    assert found.notices == ('postgres "$user", public, extensions f',)


@pytest.mark.parametrize(
    ("sql", "lock", "scanned", "rewrites", "written"),
    sample(
        [  # a rewrite reads the rows once more for each of the two indexes
            ("ALTER TABLE journal_entries ALTER mood_level SET NOT NULL", "AccessExclusiveLock", 300, [], 0),
            ("CREATE INDEX ON journal_entries (user_id)", "ShareLock", 300, [], 0),
            ("ALTER TABLE users ADD COLUMN x int DEFAULT 1", "AccessExclusiveLock", 0, [], 0),
            ("ALTER TABLE users ADD COLUMN x float DEFAULT random()", "AccessExclusiveLock", 120, ["public.users"], 0),
            ("UPDATE users SET created_at = NULL", "RowExclusiveLock", 40, [], 40),
            ("DO $$ BEGIN DELETE FROM journal_entries WHERE id < 11; END $$", "RowExclusiveLock", None, [], 10),
            ("CREATE TABLE fresh (id int)", None, 0, [], 0),
            ("SELECT count(*) FROM users", "AccessShareLock", 40, [], 0),
        ],
        4,
        seed=3,
    ),
)
def test_each_statement_is_measured(app_shadow: Shadow, sql, lock, scanned, rewrites, written):
    told = on(app_shadow, sql).statements[0]
    assert (told.lock, list(told.rewrites), told.rows_written) == (lock, rewrites, written)
    assert scanned in (None, told.rows_scanned)


STATE = """
SELECT 'sequence', c.oid::regclass::text, pg_sequence_last_value(c.oid)::text
FROM pg_class c WHERE c.relkind = 'S'
UNION ALL
SELECT 'table', c.oid::regclass::text, concat_ws(' ', pg_relation_size(c.oid), pg_stat_get_tuples_inserted(c.oid))
FROM pg_class c WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace
ORDER BY 1, 2
"""


def test_the_shadow_itself_stays_as_it_was_made(app_shadow: Shadow):
    with connect(app_shadow.as_superuser()) as conn:
        before = conn.execute(STATE).fetchall()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("SELECT nextval('journal_entries_id_seq')")
    found = on(
        app_shadow,
        "CREATE OR REPLACE FUNCTION longer() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.content := NEW.content || '.'; RETURN NEW; END $$;\n"
        "CREATE OR REPLACE TRIGGER longer BEFORE INSERT ON journal_entries FOR EACH ROW EXECUTE FUNCTION longer();",
    )
    assert found.failure is None and found.second_run is None
    with connect(app_shadow.as_superuser()) as conn:
        assert conn.execute(STATE).fetchall() == before


@pytest.mark.parametrize(
    ("sql", "lost"),
    sample([
        ("SELECT 1;\nDROP VIEW moods;\nDROP TABLE journal_entries;", [("public.journal_entries", 3)]),
        ("ALTER TABLE users\n DROP COLUMN email;", [("public.users.email", 2)]),
        ("DO $$ BEGIN EXECUTE 'DELETE FROM users WHERE created_at IS NOT NULL'; END $$;", [("public.users", 1)]),
        ("WITH gone AS (DELETE FROM journal_entries WHERE id = 1 RETURNING 1) SELECT * FROM gone;",
         [("public.journal_entries", 1)]),
        ("SELECT 1;\nTRUNCATE journal_entries;", [("public.journal_entries", 2)]),
        ("UPDATE journal_entries SET created_at = now() - interval '1 year';", [("public.journal_entries", 1)]),
        ("UPDATE journal_entries SET created_at = created_at;", []),
        ("ALTER TABLE journal_entries ALTER mood_level TYPE bigint;", []),
        ("CREATE TABLE t (id int); INSERT INTO t VALUES (1); DELETE FROM t; DROP TABLE t;", []),
        ("ALTER TABLE users ADD COLUMN premium boolean; UPDATE users SET premium = false;", []),
    ], 4, seed=20260401),
)  # fmt: skip
def test_lost_and_changed_rows_are_dangers_by_effect(app_shadow: Shadow, sql, lost):
    assert dangers(on(app_shadow, sql), "loss") == lost


@pytest.mark.parametrize(
    ("sql", "blocked"),
    sample([
        ("SELECT 1;\nCREATE INDEX ON journal_entries (user_id);", [("public.journal_entries", 2)]),
        ("ALTER TABLE users ADD COLUMN x float DEFAULT random();", [("public.users", 1)]),
        ("ALTER TABLE users ADD COLUMN x int;\nSELECT count(*) FROM users;", [("public.users", 2)]),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON journal_entries (user_id);", []),
        ("ALTER TABLE users ADD COLUMN x int;", []),
        ("CREATE TABLE t AS SELECT * FROM users; CREATE INDEX ON t (id);", []),
    ], 3, seed=20260401),
)  # fmt: skip
def test_a_scan_or_rewrite_under_a_lock_that_stops_writers_is_a_danger(app_shadow: Shadow, sql, blocked):
    assert dangers(on(app_shadow, sql), "blocking") == blocked


def test_only_new_security_findings_are_told(app_shadow: Shadow):
    found = on(app_shadow, "CREATE TABLE open_to_all (id int); GRANT SELECT ON open_to_all TO anon;")
    assert {finding.rule for finding in found.security} == {"rls-off", "rls-missing", "anon-granted"}
    assert {finding.object for finding in found.security} == {"public.open_to_all"}
    assert ("public.open_to_all", 1) in dangers(found, "security")


def test_statements_outside_transactions_run_apart_as_the_server_wants(app_shadow: Shadow):
    sql = "CREATE TABLE t (id int);\nCREATE INDEX CONCURRENTLY i ON t (id);\nVACUUM t;\nINSERT INTO t VALUES (1);"
    found = on(app_shadow, sql)
    assert (found.failure, found.apart) == (None, (("change.sql", 2), ("change.sql", 3)))
    assert [statement.line for statement in found.statements] == [1, 2, 3, 4]


def test_25001_of_another_kind_is_a_failure(app_shadow: Shadow):
    found = on(app_shadow, "SELECT 1;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;")
    assert (found.failure.sqlstate, found.failure.line, found.apart) == ("25001", 2, ())


def test_several_files_are_one_transaction_and_keep_their_names(app_shadow: Shadow):
    files = [Script("1.sql", "CREATE TABLE t (id int);"), Script("2.sql", "SELECT 1;\nSELECT * FROM nowhere;")]
    found = rehearse_on(app_shadow, read_scripts(files).statements)
    assert (found.failure.file, found.failure.line) == ("2.sql", 2)


def test_a_rollback_is_tried_and_its_catalog_compared(app_shadow: Shadow):
    up = "CREATE TABLE IF NOT EXISTS t (id int); GRANT SELECT ON users TO anon;"
    down = "DROP TABLE t;"
    assert on(app_shadow, up, rollback=script(down)).rollback_restores is False
    assert on(app_shadow, up, rollback=script(down + "REVOKE SELECT ON users FROM anon;")).rollback_restores is True
    assert on(app_shadow, up, rollback=script("DROP TABLE nowhere;")).rollback_failure.sqlstate == "42P01"


def test_progress_is_told(app_shadow: Shadow):
    heard = Listener()
    on(app_shadow, "SELECT 1;\nDO $$ BEGIN RAISE NOTICE 'hello'; END $$;", emit=heard)
    assert [(one["index"], one["of"], one["line"]) for one in heard.of("statement")] == [(1, 2, 1), (2, 2, 2)]
    assert [one["message"] for one in heard.of("notice")] == ["hello"]


def test_without_rows_what_depends_on_them_is_unknown(bare_shadow: Shadow):
    found = on(bare_shadow, "SELECT 1;\nUPDATE journal_entries SET mood_level = mood_level + 1;")
    assert found.verdict is Verdict.UNKNOWN
    assert "change.sql:2" in found.unknown_because[0]
    assert "public.journal_entries" in found.unknown_because[0]


def test_without_rows_what_does_not_depend_on_them_is_known(bare_shadow: Shadow):
    assert on(bare_shadow, "CREATE TABLE IF NOT EXISTS t (id int);").verdict is Verdict.PASS


def test_a_search_for_parts_of_e_mails_is_unknown(app_shadow: Shadow):
    found = on(app_shadow, "DELETE FROM users WHERE email LIKE 'person1%@example.com';")
    assert found.verdict is Verdict.UNKNOWN


def test_scripts_with_psql_commands_are_unknown_with_their_line(app: Owner):
    found = rehearse(app.url, script("SELECT 1;\n\\copy users FROM 'x'\n"))
    assert (found.verdict, found.unknown_because[0][:12]) == (Verdict.UNKNOWN, "change.sql:2")


def test_scripts_without_a_statement_are_refused(app: Owner):
    with pytest.raises(NotUnderstood, match="no statement"):
        rehearse(app.url, script("-- nothing\n"))


def test_a_missing_extension_is_unknown_and_named(app: Owner, monkeypatch):
    def missing(*_):
        raise NoShadow("The scratch server lacks the extension pg_net, which the target uses.")

    monkeypatch.setattr("services.database.rehearsal.shadow._refuse_missing_extensions", missing)
    found = rehearse(app.url, script("SELECT 1"))
    assert (found.verdict, "pg_net" in found.unknown_because[0]) == (Verdict.UNKNOWN, True)


def test_a_sample_keeps_only_rows_whose_parents_are_there(app: Owner):
    app.run("CREATE TABLE parent (id int PRIMARY KEY, filler text); CREATE TABLE child (p int REFERENCES parent)")
    app.run("INSERT INTO parent SELECT i, 'x' FROM generate_series(1, 1500) i")
    app.run("INSERT INTO child SELECT i FROM generate_series(1, 1500) i")
    with shadow(app.url, rows="sample") as copy:
        assert {"public.parent", "public.child"} <= copy.rows.incomplete
        found = on(copy, "ALTER TABLE child ADD FOREIGN KEY (p) REFERENCES parent;\nUPDATE child SET p = p;")
    assert (found.failure, found.verdict) == (None, Verdict.UNKNOWN)
