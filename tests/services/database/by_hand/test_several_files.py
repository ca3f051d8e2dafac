"""Several files of a deploy by hand: only one after the other, each once, and never past what was not done."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import psycopg
import pytest

from services.database.by_hand.editor_script import EditorScript, editor_scripts
from services.database.by_hand.plan import plan_of
from services.database.by_hand.seen import seen_by_hand
from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.rehearsal.rehearse import Rehearsal, rehearse
from services.database.rollback.roll_back import rollback
from services.verdict import Verdict
from tests.campaign import only_in_full
from tests.services.database.app_database import Owner, script

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
ROWS = """UPDATE users SET email = 'a' || email;
VACUUM users;
INSERT INTO users (email) VALUES ('one@example.com') ON CONFLICT DO NOTHING;
VACUUM users;
UPDATE users SET created_at = NULL WHERE email = 'one@example.com';
"""
INDEX = """ALTER TABLE users ADD COLUMN IF NOT EXISTS a int;
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_a ON users (a);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_b ON users (a, id);
CREATE TABLE IF NOT EXISTS later (id int);
"""
_REHEARSED: dict[str, Rehearsal] = {}


def files_for(app: Owner, sql: str) -> Sequence[EditorScript]:
    found = _REHEARSED[sql] = _REHEARSED.get(sql) or rehearse(app.url, script(sql), rows="all")
    plan = plan_of(
        found.to_json(),
        found.before,
        found.after,
        script(sql),
        (),
        release_id="beta",
        target="prod",
        plan_hash="hash",
        actor="ann",
        accept_loss=True,
    )
    return editor_scripts(plan, NOW)


def run(app: Owner, written: EditorScript) -> str:
    """As an editor does: one message on a connection of its own. Returns the last value of the last answer."""
    with connect(app.url) as editor:
        cursor = editor.execute(written.sql.encode())
        said = ""
        while True:
            if cursor.description and (row := cursor.fetchone()):
                said = str(row[-1])
            if not cursor.nextset():
                return said


@pytest.mark.parametrize("sql", [ROWS, INDEX], ids=["rows", "indexes"])
def test_in_their_order_they_deploy(app: Owner, sql: str) -> None:
    files = files_for(app, sql)
    assert not files[0].alone and not files[-1].alone
    assert not any(one.alone and other.alone for one, other in pairwise(files))
    for number, one in enumerate(files, start=1):
        assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.FAIL
        said = run(app, one)
        if not one.alone and number < len(files):
            assert said == f"File {number} of {len(files)} is done; go on with the next."
            assert "Only some files" in seen_by_hand(app.url, "beta", "hash").summary
    assert "deployed and verified" in said
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS
    assert app.value("SELECT statements FROM ops.deploy_receipts") == len(sql.strip().splitlines())
    with pytest.raises(psycopg.Error, match="run already"):
        run(app, files[0])
    with pytest.raises(psycopg.Error, match="all files of this deploy have been run already"):
        run(app, files[-1])


@pytest.mark.parametrize(
    ("before", "then", "said"),
    [
        ((), 5, "file 1 comes first"),
        ((), 3, "file 1 comes first"),
        ((1,), 1, "file 2 comes next"),
        ((1,), 3, "the work of file 2 is not to be seen"),
        ((1, 2), 5, "file 2 comes next"),
        ((1, 2, 3), 3, "file 4 comes next"),
        ((1, 2, 3), 1, "file 4 comes next"),
        ((1, 2, 3), 5, "the work of file 4 is not to be seen"),
    ],
)
@pytest.mark.parametrize("sql", [ROWS, INDEX], ids=["rows", "indexes"])
def test_out_of_order_each_says_which_one_is_next(
    app: Owner, sql: str, before: Sequence[int], then: int, said: str
) -> None:
    files = files_for(app, sql)
    for number in before:
        run(app, files[number - 1])
    rows, catalog = app.rows(), app.fingerprint()
    with pytest.raises(psycopg.Error, match=said):
        run(app, files[then - 1])
    assert (app.rows(), app.fingerprint()) == (rows, catalog)
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.FAIL


def test_what_begins_with_a_lone_statement_begins_with_a_guarded_file(app: Owner) -> None:
    sql = "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_e ON users (email, id);"
    files = files_for(app, sql)
    assert [one.alone for one in files] == [False, True, False]
    app.run("CREATE TABLE drifted (id int)")
    with pytest.raises(psycopg.Error, match="not the one that was rehearsed: nothing was changed"):
        run(app, files[0])
    with pytest.raises(psycopg.Error, match="file 1 comes first"):
        run(app, files[2])


def test_a_later_file_does_not_say_that_nothing_was_changed(app: Owner) -> None:
    files = files_for(app, INDEX)
    run(app, files[0])
    run(app, files[1])
    broken = files[2].sql.replace("current_user <> 'postgres'", "true")
    assert broken != files[2].sql
    with pytest.raises(psycopg.Error, match="nothing was changed by this file, and what was run before stays in"):
        run(app, replace(files[2], sql=broken))
    assert "if anything stops it, nothing was changed." in files[0].sql
    assert all("if anything stops it, nothing was changed." not in one.sql for one in files[1:])


def test_what_somebody_changes_between_two_files_stops_the_next(app: Owner) -> None:
    files = files_for(app, INDEX)
    run(app, files[0])
    run(app, files[1])
    app.run("ALTER TABLE journal_entries ADD COLUMN b int")
    with pytest.raises(psycopg.Error, match=r"changed since the file before \(column public.journal_entries.b\)"):
        run(app, files[2])


def test_an_invalid_index_is_not_taken_for_a_built_one(app: Owner) -> None:
    files = files_for(app, INDEX)
    run(app, files[0])
    with pytest.raises(psycopg.errors.UniqueViolation):
        app.run("CREATE UNIQUE INDEX CONCURRENTLY users_a ON users ((1))")
    with pytest.raises(psycopg.Error, match="the work of file 2 is not to be seen"):
        run(app, files[2])


def test_our_own_deploy_goes_on_where_the_files_stopped(app: Owner) -> None:
    files = files_for(app, ROWS)
    run(app, files[0])
    run(app, files[1])
    done = deploy(
        app.url,
        script(ROWS),
        release_id="beta",
        plan_hash="hash",
        actor="ann",
        job_id=str(uuid.uuid4()),
        keep_days=None,
    )
    assert done.applied
    assert app.value("SELECT count(*) FROM users WHERE email LIKE 'aa%'") == 0
    assert app.value("SELECT count(*) FROM ops.deploy_receipts WHERE state = 'done'") == 1
    assert "not by hand" in seen_by_hand(app.url, "beta", "hash").summary
    with pytest.raises(psycopg.Error, match="all files of this deploy have been run"):
        run(app, files[2])


def test_what_our_own_deploy_ended_has_the_way_back_of_the_files(app: Owner) -> None:
    before = app.fingerprint()
    files = files_for(app, INDEX)
    run(app, files[0])
    assert deploy(app.url, script(INDEX), release_id="beta", plan_hash="hash", actor="ann", keep_inverse=True).applied
    assert rollback(app.url, "beta", (), actor="ann").fingerprint_restored
    assert app.fingerprint() == before


def test_a_newer_deploy_ends_what_was_begun(app: Owner) -> None:
    old, new = files_for(app, ROWS), files_for(app, "ALTER TABLE users ADD COLUMN IF NOT EXISTS z int;")
    run(app, old[0])
    run(app, new[0])
    with pytest.raises(psycopg.Error, match="another deploy of the same release came after"):
        run(app, old[2])
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS


@pytest.mark.parametrize(
    "lone",
    [
        pytest.param("REINDEX INDEX CONCURRENTLY users_pkey;", marks=only_in_full),
        pytest.param("REINDEX TABLE CONCURRENTLY users;", marks=only_in_full),
        pytest.param("VACUUM FULL users;", marks=only_in_full),
        pytest.param("VACUUM (ANALYZE, FREEZE) public.users, journal_entries;", marks=only_in_full),
        pytest.param("DROP INDEX CONCURRENTLY IF EXISTS users_z;", marks=only_in_full),
        "CREATE INDEX CONCURRENTLY ON users (created_at);",
    ],
)
def test_the_work_of_a_lone_file_is_seen(app: Owner, lone: str) -> None:
    app.run("CREATE INDEX users_z ON users (created_at)")
    sql = f"CREATE TABLE IF NOT EXISTS one (id int);\n{lone}\nCREATE TABLE IF NOT EXISTS two (id int);"
    found = rehearse(app.url, script(sql), rows="all")
    assert found.before and found.after
    document = {**found.to_json(), "verdict": "pass"}
    names = {"release_id": "beta", "target": "prod", "plan_hash": "hash", "actor": "ann", "accept_loss": True}
    plan = plan_of(document, found.before, found.after, script(sql), (), **names)
    first, alone, last = editor_scripts(plan, NOW)
    run(app, first)
    with pytest.raises(psycopg.Error, match="the work of file 2 is not to be seen"):
        run(app, last)
    run(app, alone)
    run(app, last)
    assert seen_by_hand(app.url, "beta", "hash").verdict is Verdict.PASS
