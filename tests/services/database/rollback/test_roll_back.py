"""A rollback restores the catalog and loses no row; a restore puts the rows back and chooses nothing silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from services.database.deployment.deploy import deploy
from services.database.deployment.guarded import Limits
from services.database.deployment.receipts import find_receipt
from services.database.fingerprint import Fingerprint, RowHash
from services.database.rollback.blast_radius import rows_to_go
from services.database.rollback.drill import prove_on
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import RollbackResult, preview, preview_of, rollback
from services.database.server import Server
from services.errors import NotUnderstood, Refused
from services.sandbox.postgres import OWNER, Cluster
from services.verdict import Verdict
from tests.services.database.app_database import APP, Listener, Owner, script

UP = """
CREATE TYPE level AS ENUM ('low', 'high');
CREATE TABLE logs (
  id bigserial PRIMARY KEY, u uuid REFERENCES users, level level DEFAULT 'low', j jsonb, at timestamptz);
CREATE TABLE loose (note text, n numeric);
ALTER TABLE users ADD COLUMN premium boolean DEFAULT false, ADD COLUMN uses int;
CREATE INDEX ON users (uses);
CREATE VIEW busy AS SELECT u.email, l.level FROM users u JOIN logs l ON l.u = u.id;
CREATE FUNCTION count_logs() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM logs); END $$;
CREATE FUNCTION on_log() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE users SET uses = COALESCE(uses, 0) + 1 WHERE id = NEW.u; RETURN NEW; END $$;
CREATE TRIGGER counted AFTER INSERT ON logs FOR EACH ROW EXECUTE FUNCTION on_log();
ALTER TABLE logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON logs USING (u IS NOT NULL);
GRANT SELECT ON users, logs, busy TO anon;
COMMENT ON TABLE users IS 'people';
"""
DOWN = """
DROP VIEW IF EXISTS busy;
DROP TABLE IF EXISTS logs, loose;
DROP FUNCTION IF EXISTS count_logs(), on_log();
ALTER TABLE users DROP COLUMN IF EXISTS premium;
ALTER TABLE users DROP COLUMN IF EXISTS uses;
DROP TYPE IF EXISTS level;
REVOKE SELECT ON users FROM anon;
COMMENT ON TABLE users IS NULL;
"""
HIDING = DOWN.replace(
    "ALTER TABLE users DROP COLUMN IF EXISTS uses;",
    "DO $$ BEGIN EXECUTE 'ALTER TABLE users DROP COLUMN IF EXISTS ' || 'uses'; END $$;",
)
"""The same, and no catalog foretells that a second column goes: it has to be tried twice."""

USE = """
INSERT INTO logs (u, level, j) SELECT id, 'high', '{"a": 1}' FROM users;
INSERT INTO loose VALUES ('same', 1), ('same', 1), (NULL, 2);
UPDATE users SET premium = true, uses = 5 WHERE email < 'person2';
"""


InUse = tuple[str, Fingerprint, dict[str, RowHash]]


@dataclass(frozen=True)
class Course:
    """One release that was deployed, used and rolled back. Only looked at, since many tests look."""

    app: Owner
    before: Fingerprint
    rows: dict[str, RowHash]
    done: RollbackResult


@pytest.fixture(scope="module")
def make_fresh(postgres_server: Server, supabase_cluster: Cluster) -> Iterator[Callable[[str, str], Owner]]:
    """`make_fresh(name, template)` clones a database for this module, and opens it as its owner."""
    made: list[Owner] = []
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:

        def make(name: str, template: str) -> Owner:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")
            made.append(Owner(supabase_cluster.dsn(OWNER, name)))
            return made[-1]

        yield make
        for owner in made:
            owner.conn.close()
            name = owner.url.rsplit("/", 1)[1].partition("?")[0]
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def in_use(make_fresh: Callable[[str, str], Owner], supabase_template: str) -> InUse:
    """The name of a database in which the release was deployed and used, to be cloned; and how it was before."""
    app = make_fresh("roll_back_in_use", supabase_template)
    app.run(APP)
    before, rows = app.fingerprint(), app.rows()
    assert deploy(app.url, script(UP), release_id="beta", plan_hash="h", actor="ann", job_id="up").applied
    app.run(USE)
    app.conn.close()
    return "roll_back_in_use", before, rows


@pytest.fixture
def deployed(in_use: InUse, make_database: Any, supabase_cluster: Cluster) -> Iterator[Owner]:
    name = make_database(in_use[0], OWNER).rsplit("/", 1)[1]
    owner = Owner(supabase_cluster.dsn(OWNER, name))
    yield owner
    owner.conn.close()


@pytest.fixture(scope="module")
def course(make_fresh: Callable[[str, str], Owner], in_use: InUse) -> Course:
    template, before, rows = in_use
    app = make_fresh("roll_back_course", template)
    return Course(app, before, rows, back(app, HIDING))


def back(app: Owner, sql: str = DOWN, **more: Any) -> RollbackResult:
    return rollback(
        app.url, "beta", script(sql) if sql else (), **{"actor": "bob", "job_id": "down", "may_copy": False, **more}
    )


def test_catalog_and_rows_are_again_as_before_the_deploy(course: Course):
    done = course.done
    assert (done.verdict, done.fingerprint_restored, done.rows_lost, done.not_restored) == (Verdict.PASS, True, 0, "")
    assert (course.app.fingerprint(), course.app.rows()) == (course.before, course.rows)


def test_every_lost_row_is_in_the_snapshot(course: Course):
    app, done = course.app, course.done
    kept = app.run("SELECT table_name, columns, row_count, copy_name FROM ops.snapshot_parts ORDER BY 1")
    assert [(table, count) for table, _, count, _ in kept] == [("logs", 40), ("loose", 3), ("users", 40)]
    assert kept[2][1] == ["id", "premium", "uses"]  # the second one went in a DO block, which no catalog foretells
    assert app.value(f"SELECT count(*) FROM ops.{kept[0][3]} WHERE level = 'high' AND j = '{{\"a\": 1}}'") == 40
    assert done.rows_kept == 83


def test_the_blast_radius_is_told_before_and_changes_nothing(deployed: Owner):
    before = deployed.fingerprint()
    told = {
        (loss.kind, loss.object): (loss.rows, loss.effect) for loss in preview(deployed.url, "beta", script(HIDING))
    }
    assert told["table", "public.logs"] == (40, "dropped")
    assert told["column", "public.users.premium"] == (40, "dropped")
    assert told["trigger", "counted on public.logs"] == (None, "dropped")
    assert ("policy", "own on public.logs") in told
    assert told["statement", "change.sql:6: a DO block"] == (None, "unknown")
    assert deployed.fingerprint() == before


def test_what_a_do_block_took_stands_in_the_result(course: Course):
    objects = {(loss.kind, loss.object) for loss in course.done.blast_radius}
    assert {("column", "public.users.uses"), ("index", "public.users_uses_idx")} <= objects


def test_a_table_with_rows_is_parked_and_one_of_a_dropped_type_copied(course: Course):
    app, done = course.app, course.done
    assert done.parked == ("public.loose",)
    assert done.to_json()["parked"] == ["public.loose"]
    assert not app.exists("public.loose")
    parked = app.value("SELECT parked_name FROM ops.parked")
    assert app.value(f'SELECT count(*) FROM ops."{parked}"') == 3


def test_what_is_kept_is_brought_back_on_a_copy_and_so_proved(deployed: Owner):
    done = back(
        deployed,
        "DELETE FROM journal_entries WHERE id <= 10; ALTER TABLE users DROP COLUMN created_at;",
        may_copy=True,
    )
    assert done.proof is not None
    assert (done.proof.restorable, done.proof.reason) == (
        True,
        "Restored on a copy: 340 rows of 2 tables came back as kept.",
    )
    receipt = find_receipt(deployed.url, "beta")
    assert receipt is not None
    assert (receipt.rollback_result or {})["proved"] is True
    assert deployed.value("SELECT count(*) FROM journal_entries") == 290  # it was the copy that was restored


def test_a_copy_that_does_not_come_back_fails_the_drill(deployed: Owner):
    done = back(deployed)
    assert done.snapshot_id is not None
    deployed.run("UPDATE ops.snapshot_parts SET schema_name = 'nowhere' WHERE table_name = 'users'")
    proof = prove_on(deployed.url, done.snapshot_id)
    assert proof.restorable is False
    assert "nowhere.users" in proof.reason


def test_where_rows_may_not_be_copied_the_proof_is_unknown(course: Course):
    done = course.done
    assert done.proof is not None
    assert (done.proof.restorable, done.verdict) == (None, Verdict.PASS)
    assert "may not be copied" in done.proof.reason


def test_without_scripts_the_way_back_is_the_one_derived_at_the_deploy(deployed: Owner):
    inverse = {"sql": DOWN, "not_restored": ["the position of a sequence"]}
    deployed.conn.execute("UPDATE ops.deploy_receipts SET inverse = %s", (Jsonb(inverse),))
    seen = preview_of(deployed.url, "beta", ())
    assert (seen.derived, seen.sql, seen.not_restored) == (True, DOWN, ("the position of a sequence",))
    assert rows_to_go(seen.radius) == 43
    done = back(deployed, "")
    assert (done.fingerprint_restored, done.rows_lost, done.inverse) == (True, 0, inverse)
    assert "position of a sequence" in done.not_restored


def test_the_way_back_of_a_plain_script_is_derived_and_taken(app: Owner):
    before, rows = app.fingerprint(), app.rows()
    done = deploy(app.url, script(UP), release_id="beta", plan_hash="h", actor="ann", job_id="up", keep_inverse=True)
    assert done.applied
    app.run(USE)
    seen = preview_of(app.url, "beta", ())
    assert "DROP TABLE public.logs" in seen.sql
    assert rows_to_go(seen.radius) == 43
    back_again = back(app, "")
    assert (back_again.fingerprint_restored, back_again.rows_lost, back_again.verdict) == (True, 0, Verdict.PASS)
    assert (app.fingerprint(), app.rows()) == (before, rows)


def test_without_scripts_and_without_a_receipt_there_is_no_way_back(app: Owner):
    with pytest.raises(Refused, match="no rollback scripts, and was never deployed"):
        preview_of(app.url, "beta", ())
    with pytest.raises(Refused, match="no rollback scripts, and was never deployed"):
        rollback(app.url, "beta", (), actor="bob")


def test_deleted_and_changed_rows_are_kept_too(deployed: Owner):
    delete = "EXECUTE 'DELETE FROM journal_' || 'entries WHERE id <= 10'"
    sql = f"DO $$ BEGIN {delete}; UPDATE users SET premium = NULL; END $$;"
    done = back(deployed, sql)
    kept = deployed.run("SELECT table_name, row_count FROM ops.snapshot_parts ORDER BY 1")
    assert kept == [("journal_entries", 300), ("users", 40)]
    assert (done.rows_lost, done.fingerprint_restored) == (0, False)


def test_a_rollback_that_forgets_something_says_what(deployed: Owner):
    done = back(deployed, DOWN.replace("REVOKE SELECT ON users FROM anon;", ""))
    assert (done.verdict, done.fingerprint_restored) == (Verdict.FAIL, False)
    assert "rights relation public.users" in done.not_restored


def test_a_failing_rollback_changes_nothing(deployed: Owner):
    before, rows = deployed.fingerprint(), deployed.rows()
    with pytest.raises(Refused, match=r"change\.sql:11.*division by zero"):
        back(deployed, DOWN + "\nSELECT 1 / 0;")
    assert (deployed.fingerprint(), deployed.rows()) == (before, rows)
    assert deployed.value("SELECT count(*) FROM ops.snapshots") == 0


def test_a_copy_that_is_not_equal_stops_the_rollback(deployed: Owner, monkeypatch):
    from services.database.snapshots import snapshot

    honest = snapshot.text_hash

    def lying(conn, table, columns, **more):
        found = honest(conn, table, columns, **more)
        return type(found)(found.count - 1, found.digest) if "snapshot_" in table.as_string(conn) else found

    monkeypatch.setattr(snapshot, "text_hash", lying)
    before = deployed.fingerprint()
    with pytest.raises(Refused, match=r"copy of public\.logs does not equal"):
        back(deployed)
    assert deployed.fingerprint() == before


def test_the_receipt_tells_who_rolled_back_and_twice_is_refused(course: Course):
    deployed, done = course.app, course.done
    receipt = find_receipt(deployed.url, "beta")
    assert receipt is not None
    assert (receipt.rolled_back_by, receipt.snapshot_id) == ("bob", done.snapshot_id)
    assert receipt.rolled_back_at is not None
    with pytest.raises(Refused, match="rolled back already"):
        back(deployed, job_id="another")
    with pytest.raises(Refused, match="rolled back already"):
        preview(deployed.url, "beta", script(DOWN))


def test_the_same_job_twice_returns_the_first_result(course: Course):
    assert back(course.app).to_json() == course.done.to_json()
    assert course.app.value("SELECT count(*) FROM ops.snapshots") == 1


def test_without_a_receipt_what_is_restored_is_unknown(app: Owner):
    app.run(UP)
    done = back(app)
    assert (done.verdict, done.fingerprint_restored, done.rows_lost) == (Verdict.UNKNOWN, None, 0)


def test_drift_stops_it(deployed: Owner):
    with pytest.raises(Refused, match="not the one that was rehearsed"):
        back(deployed, expected_fingerprint="0" * 64)


def test_a_held_lock_is_retried(deployed: Owner):
    blocker = deployed.conn
    blocker.execute("BEGIN")
    blocker.execute("LOCK TABLE logs IN ROW EXCLUSIVE MODE")
    heard = Listener(at=lambda kind, _: blocker.execute("ROLLBACK") if kind == "retry" else None)
    assert back(deployed, emit=heard, limits=Limits(attempts=3)).fingerprint_restored
    assert len(heard.of("retry")) == 1


def test_restore_after_a_new_deploy_puts_all_rows_back_and_once_more_nothing(deployed: Owner):
    rows = deployed.rows()
    snapshot_id = back(deployed).snapshot_id
    deploy(deployed.url, script(UP), release_id="beta", plan_hash="h", actor="ann", job_id="up again")
    done = restore(deployed.url, snapshot_id)
    assert (done.verdict, done.conflicts) == (Verdict.PASS, [])
    assert deployed.rows() == rows  # the trigger did not count a second time
    again = restore(deployed.url, snapshot_id)
    assert (again.rows_restored, again.conflicts, deployed.rows()) == (0, [], rows)
    deployed.run("INSERT INTO logs (u) SELECT id FROM users LIMIT 1")
    assert deployed.value("SELECT max(id) FROM logs") == 41  # and numbers go on behind the last one


def test_rows_that_differ_now_are_listed_and_left_alone(deployed: Owner):
    snapshot_id = back(deployed).snapshot_id
    deploy(deployed.url, script(UP), release_id="beta", plan_hash="h", actor="ann", job_id="up again")
    deployed.run("INSERT INTO logs (id, level) VALUES (7, 'low')")
    deployed.run("UPDATE users SET uses = 99 WHERE email = 'person1@example.com'")
    done = restore(deployed.url, snapshot_id)
    person = deployed.value("SELECT id::text FROM users WHERE email = 'person1@example.com'")
    told = [(c.table, c.rows, c.keys) for c in done.conflicts]
    assert told == [("public.logs", 1, ("7",)), ("public.users", 1, (person,))]
    assert deployed.value("SELECT level::text FROM logs WHERE id = 7") == "low"
    assert deployed.value("SELECT uses FROM users WHERE email = 'person1@example.com'") == 99
    assert deployed.value("SELECT count(*) FROM logs") == 40


def test_tables_and_columns_that_are_gone_are_made_again(app: Owner):
    app.run("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2)")
    app.run(
        "CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent, t text); INSERT INTO child VALUES (5, 2, 'a')"
    )
    app.run("CREATE VIEW parents AS SELECT parent.id, t FROM parent JOIN child ON p = parent.id")
    sql = "DROP TABLE child CASCADE; DROP TABLE parent; ALTER TABLE users DROP COLUMN created_at;"
    done = restore(app.url, back(app, sql).snapshot_id)
    assert set(done.recreated) == {"public.child", "public.parent", "public.users.created_at"}
    assert (app.run("SELECT * FROM child"), app.value("SELECT count(*) FROM parent")) == ([(5, 2, "a")], 2)
    assert app.value("SELECT count(created_at) FROM users") == 40
    assert app.run("SELECT id, t FROM parents") == [(2, "a")]


def test_children_wait_for_their_parents(app: Owner):
    app.run("CREATE TABLE z_parent (id int PRIMARY KEY); INSERT INTO z_parent VALUES (1)")
    app.run("CREATE TABLE a_child (p int REFERENCES z_parent); INSERT INTO a_child VALUES (1)")
    snapshot_id = back(app, "DELETE FROM a_child; DELETE FROM z_parent;").snapshot_id
    assert restore(app.url, snapshot_id).rows_restored == 2


def test_a_kept_copy_that_was_changed_is_not_restored(deployed: Owner):
    snapshot_id = back(deployed).snapshot_id
    copy = deployed.value("SELECT copy_name FROM ops.snapshot_parts WHERE table_name = 'logs'")
    deployed.run(f"DELETE FROM ops.{copy} WHERE id = 1")
    with pytest.raises(Refused, match=r"copy of public\.logs is not what was kept"):
        restore(deployed.url, snapshot_id)


@pytest.mark.parametrize("snapshot_id", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_snapshot_is_told(app: Owner, snapshot_id: str):
    with pytest.raises(NotUnderstood, match="snapshot"):
        restore(app.url, snapshot_id)
