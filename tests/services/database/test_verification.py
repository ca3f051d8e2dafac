"""Verification queries: no row is healthy, an answer that cannot be had is unknown, and nothing they write lasts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.database.execution import Stopped
from services.database.verification import Query, load_queries, verify, verify_inside
from services.errors import NotUnderstood, Unavailable
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner


def ask(app: Owner, *queries: str, **more):
    return verify(app.url, [Query(f"q{i}", f"q{i}.sql", sql, "it is well") for i, sql in enumerate(queries)], **more)


def test_no_row_is_healthy(app: Owner):
    seen = ask(app, "SELECT * FROM users WHERE email IS NULL")
    assert (seen.verdict, seen.queries[0].rows, seen.queries[0].proves) == (Verdict.PASS, 0, "it is well")


def test_rows_are_counted_and_the_first_are_shown(app: Owner):
    seen = ask(app, "SELECT mood_level, NULL AS nothing FROM journal_entries ORDER BY id")
    one = seen.queries[0]
    assert (seen.verdict, one.rows, one.columns, len(one.sample)) == (Verdict.FAIL, 300, ("mood_level", "nothing"), 50)
    assert one.sample[0] == ("2", None)


def test_a_missing_relation_fails_with_a_sentence(app: Owner):
    one = ask(app, "SELECT * FROM nowhere").queries[0]
    assert (one.verdict, one.message) == (Verdict.FAIL, 'The query failed: relation "nowhere" does not exist.')


@pytest.mark.parametrize("sql", ["SELECT pg_sleep(9)", "SELEC 1", "DO $$ BEGIN RAISE insufficient_privilege; END $$"])
def test_what_cannot_be_told_is_unknown(app: Owner, sql: str):
    assert ask(app, sql, timeout_s=0.2).verdict is Verdict.UNKNOWN


def test_one_that_fails_does_not_spoil_the_next(app: Owner):
    seen = ask(app, "SELECT 1 / 0", "SELECT 1 WHERE false")
    assert [one.verdict for one in seen.queries] == [Verdict.FAIL, Verdict.PASS]
    assert seen.verdict is Verdict.FAIL


def test_nothing_that_a_query_writes_lasts(app: Owner):
    probe = (
        "DO $$ BEGIN INSERT INTO users (email) VALUES ('probe'); END $$;"
        " SELECT 'the probe is not there' WHERE NOT EXISTS (SELECT FROM users WHERE email = 'probe')"
    )
    assert ask(app, probe).verdict is Verdict.PASS
    assert app.value("SELECT count(*) FROM users WHERE email = 'probe'") == 0


@pytest.mark.parametrize("sql", ["COMMIT; DELETE FROM users", "SELECT 1; ROLLBACK", "BEGIN; SELECT 1"])
def test_transaction_control_is_refused_before_anything_runs(app: Owner, sql: str):
    with pytest.raises(NotUnderstood, match=r"q0\.sql.*begins or ends a transaction"):
        ask(app, sql)
    assert app.value("SELECT count(*) FROM users") == 40


def test_a_commit_hidden_in_a_do_block_changes_nothing(app: Owner):
    seen = ask(app, "DO $$ BEGIN DELETE FROM journal_entries; COMMIT; END $$")
    assert seen.verdict is Verdict.FAIL
    assert app.value("SELECT count(*) FROM journal_entries") == 300


def test_a_session_that_dies_leaves_the_rest_unknown(app: Owner):
    seen = ask(app, "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1 WHERE false")
    assert [one.verdict for one in seen.queries] == [Verdict.UNKNOWN, Verdict.UNKNOWN]


def test_cancel_stops_it(app: Owner):
    started = time.monotonic()
    with pytest.raises(Stopped):
        ask(app, "SELECT pg_sleep(9)", cancelled=lambda: time.monotonic() - started > 0.3)
    assert time.monotonic() - started < 3


def test_no_queries_prove_nothing(app: Owner):
    assert ask(app).verdict is Verdict.UNKNOWN


def test_each_result_is_told_as_it_comes(app: Owner):
    heard = Listener()
    ask(app, "SELECT 1 WHERE false", emit=heard)
    assert [(one["id"], one["verdict"], one["rows"]) for one in heard.of("query")] == [("q0", "pass", 0)]


def test_an_unreachable_database_is_unavailable(app: Owner):
    with pytest.raises(Unavailable):
        verify("postgresql://u@127.0.0.1:1/d", [])


def test_queries_are_files_whose_comments_say_what_they_prove(tmp_path: Path):
    (tmp_path / "010_users.sql").write_text("-- Every user has\n-- an e-mail.\nSELECT 1 WHERE false;\n")
    query = load_queries(tmp_path)[0]
    assert (query.id, query.file, query.proves) == ("010_users", "010_users.sql", "Every user has an e-mail.")


def test_a_query_is_asked_as_each_role_that_its_comment_names(app: Owner):
    app.run("CREATE TABLE told (who text); GRANT SELECT ON told TO anon; REVOKE ALL ON told FROM service_role")
    asked = "-- Nobody is told.\n-- as: anon, service_role, nobody_here\nSELECT current_user::text, who FROM told"
    app.run("INSERT INTO told VALUES ('x')")
    seen = ask(app, asked).queries
    assert [(one.id, one.verdict.value, one.rows) for one in seen] == [
        ("q0 as anon", "fail", 1), ("q0 as service_role", "unknown", 0), ("q0 as nobody_here", "pass", 0),
    ]  # fmt: skip
    assert seen[0].sample == (("anon", "x"),)
    assert "permission denied" in seen[1].message


def test_inside_a_transaction_the_role_ends_with_the_query(app: Owner):
    app.run("BEGIN")
    queries = [
        Query("a", "a.sql", "-- as: anon\nSELECT 1 WHERE current_user <> 'anon'", ""),
        Query("b", "b.sql", "SELECT 1 WHERE current_user = 'anon'", ""),
    ]
    seen = verify_inside(app.conn, queries, search_path="public")
    app.run("ROLLBACK")
    assert [one.verdict for one in seen.queries] == [Verdict.PASS, Verdict.PASS]
