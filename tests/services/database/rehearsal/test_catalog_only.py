"""A rehearsal through the role that may only read the catalog and some columns: pass where no row is needed."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.app_definition import load_app
from services.connecting.reader_role import reader_role_sql, take_back_sql
from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.rehearsal import catalog_copy
from services.database.rehearsal.rehearse import Rehearsal, rehearse, rehearse_on
from services.database.rehearsal.shadow import Shadow, shadow
from services.database.script import read_scripts
from services.database.server import Server
from services.verdict import Verdict
from tests.services.database.app_database import APP, Owner, script

ROLE = "ops_reader_rehearsing"
MORE = """
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.users USING (id::text = current_setting('app.user', true));
CREATE TABLE public.empty (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text CHECK (kind <> ''));
CREATE MATERIALIZED VIEW public.kept_moods AS SELECT user_id FROM public.journal_entries;
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.created_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.touch();
"""


@pytest.fixture(scope="module")
def owner(postgres_server: Server, supabase_cluster, supabase_template) -> Iterator[Owner]:
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE catalog_only TEMPLATE {supabase_template} OWNER postgres")
        owner = Owner(supabase_cluster.dsn("postgres", "catalog_only"))
        owner.run(APP + MORE)
        owner.run(reader_role_sql(load_app("pulsecheck"), role=ROLE, password="of-the-tests"))
        yield owner
        owner.run(take_back_sql(role=ROLE))
        owner.conn.close()
        admin.execute("DROP DATABASE catalog_only WITH (FORCE)")


@pytest.fixture(scope="module")
def address(postgres_server: Server, owner: Owner) -> str:
    return postgres_server.dsn("catalog_only", ROLE, "of-the-tests")


@pytest.fixture(scope="module")
def copy(address: str) -> Iterator[Shadow]:
    with shadow(address, rows=None) as copy:
        yield copy


def on(copy: Shadow, sql: str) -> Rehearsal:
    found = rehearse_on(copy, read_scripts(script(sql)).statements)
    copy.drop_clones()
    return found


def test_the_shadow_is_proved_like_the_target(copy: Shadow, owner: Owner):
    assert (copy.unlike, copy.copied_by, copy.policy, copy.rows.rows) == ([], "definitions", "none", 0)
    assert copy.target_fingerprint.digest == owner.fingerprint().digest
    assert {"public.users", "public.journal_entries"} <= copy.rows.incomplete


def test_what_needs_no_row_passes_as_the_owner(copy: Shadow, owner: Owner):
    found = on(
        copy,
        "CREATE TABLE IF NOT EXISTS notes (id int PRIMARY KEY, of_user uuid REFERENCES users (id));\n"
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY;\n"
        "CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';\n"
        "INSERT INTO notes VALUES (1) ON CONFLICT DO NOTHING;\n"
        "COMMENT ON TABLE users IS 'people';",
    )
    assert (found.verdict, found.unknown_because) == (Verdict.PASS, ())
    assert copy.target_fingerprint.digest == owner.fingerprint().digest
    assert found.to_json()["shadow"] == {
        "copied_by": "definitions",
        "runs_as": "postgres",
        "stands_in": True,
        "sentence": "The shadow was made from the catalog alone, without any row; the scripts ran as postgres,"
        " because the connecting role only reads.",
    }


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT 1;\nALTER TABLE userz ADD COLUMN tier text;\n", 2),
        ("\n\nCREATE VIEW v AS\n  SELECT no_such FROM users;\n", 4),
        ("CREATE TABLE users (id int);", 1),
        ("ALTER TABLE empty ADD CHECK (kind > 0);", 1),
    ],
)
def test_a_failure_is_the_servers_own(copy: Shadow, owner: Owner, sql: str, line: int):
    with pytest.raises(psycopg.Error) as truth, owner.conn.transaction(force_rollback=True):
        owner.run(sql)
    found = on(copy, sql)
    assert found.verdict is Verdict.FAIL and found.failure is not None
    assert (found.failure.sqlstate, found.failure.line) == (truth.value.sqlstate, line)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE UNIQUE INDEX IF NOT EXISTS one_of_each ON journal_entries (content);",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM users) THEN RAISE EXCEPTION 'nobody'; END IF; END $$;",
    ],
)
def test_what_needs_rows_is_unknown(copy: Shadow, sql: str):
    found = on(copy, sql)
    assert (found.verdict, found.failure) == (Verdict.UNKNOWN, None)
    assert any("rows" in reason for reason in found.unknown_because)


def test_rows_that_the_role_sees_decide(copy: Shadow):
    found = on(copy, "ALTER TABLE users ALTER COLUMN created_at SET NOT NULL;")
    assert (found.verdict, [probe.verdict for probe in found.probes]) == (Verdict.PASS, [Verdict.PASS])


def test_a_right_that_the_owner_lacks_is_unknown(copy: Shadow):
    found = on(copy, "CREATE TABLE auth.mine (id int);")
    assert (found.verdict, found.failure) == (Verdict.UNKNOWN, None)
    assert "ran as postgres, and the role that deploys may have other rights" in found.unknown_because[-1]


@pytest.mark.parametrize("sql", ["SELECT 1;", "SELECT * FROM no_such;"])
def test_a_catalog_that_came_over_otherwise_is_unknown(address: str, monkeypatch: pytest.MonkeyPatch, sql: str):
    def without_policies(conn: psycopg.Connection) -> Definitions:
        return Definitions.of(one for one in read_definitions(conn) if one.kind != "policy")

    monkeypatch.setattr(catalog_copy, "read_definitions", without_policies)
    found = rehearse(address, script(sql))
    assert (found.verdict, found.failure) == (Verdict.UNKNOWN, None)
    assert "the shadow's catalog differs" in found.unknown_because[0]
