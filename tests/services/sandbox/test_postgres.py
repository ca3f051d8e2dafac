"""The sandbox's database behaves as Supabase's: roles, rights, helper schemas, templates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from services.sandbox.accounts import make_accounts
from services.sandbox.postgres import AUTHENTICATOR, LOGIN_ROLES, OWNER, SKELETON, Cluster

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(make_supabase_database: Any) -> Any:
    return make_supabase_database()


@pytest.fixture
def owner(database: Any) -> Any:
    with psycopg.connect(database.owner, autocommit=True) as conn:
        yield conn


def test_the_owner_is_no_superuser_and_makes_tables_in_public(owner: psycopg.Connection) -> None:
    owner.execute("CREATE TABLE mine (n int)")
    row = owner.execute("SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = 'postgres'")
    assert row.fetchone() == (False, True, True)
    with pytest.raises(errors.InsufficientPrivilege):
        owner.execute("ALTER TABLE auth.users ADD COLUMN mine int")


def test_new_tables_are_granted_to_nobody(owner: psycopg.Connection) -> None:
    owner.execute("CREATE TABLE mine (n int)")
    owner.execute("SET ROLE service_role")
    with pytest.raises(errors.InsufficientPrivilege, match="permission denied for table mine"):
        owner.execute("SELECT * FROM mine")


def test_rows_are_hidden_from_anon_and_shown_to_service_role(owner: psycopg.Connection) -> None:
    owner.execute("CREATE TABLE mine AS SELECT 1 AS n")
    owner.execute("ALTER TABLE mine ENABLE ROW LEVEL SECURITY")
    owner.execute("GRANT SELECT ON mine TO anon, service_role")
    counts = []
    for role in ("anon", "service_role"):
        owner.execute(f"SET ROLE {role}")
        counts.append(owner.execute("SELECT count(*) FROM mine").fetchone())
    assert counts == [(0,), (1,)]


def test_the_authenticator_may_become_the_api_roles_and_nothing_else(supabase_cluster: Cluster, database: Any) -> None:
    with psycopg.connect(supabase_cluster.dsn(AUTHENTICATOR, database.name), autocommit=True) as conn:
        for role in ("anon", "authenticated", "service_role"):
            conn.execute(f"SET ROLE {role}")
        conn.execute("RESET ROLE")
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("SET ROLE postgres")


def test_the_read_only_role_sees_hidden_rows_and_cannot_write(owner: psycopg.Connection, database: Any) -> None:
    owner.execute("CREATE TABLE mine AS SELECT 1 AS n")
    owner.execute("ALTER TABLE mine ENABLE ROW LEVEL SECURITY")
    with psycopg.connect(database.read_only, autocommit=True) as conn:
        assert conn.execute("SELECT count(*) FROM public.mine").fetchone() == (1,)
        conn.execute("SET default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("INSERT INTO public.mine VALUES (2)")


def test_the_claims_of_the_caller_are_read(owner: psycopg.Connection) -> None:
    claims = '{"sub": "00000000-0000-0000-0000-000000000007", "role": "authenticated", "email": "a@example.com"}'
    owner.execute("SELECT set_config('request.jwt.claims', %s, false)", [claims])
    row = owner.execute("SELECT auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'sub'").fetchone()
    sub = "00000000-0000-0000-0000-000000000007"
    assert row == (sub, "authenticated", "a@example.com", sub)


def test_without_claims_there_is_no_caller(owner: psycopg.Connection) -> None:
    assert owner.execute("SELECT auth.uid(), auth.role(), auth.jwt()").fetchone() == (None, None, None)


def test_defaults_that_supabase_apps_use_work_for_the_owner(owner: psycopg.Connection) -> None:
    owner.execute(
        "CREATE TABLE mine (id uuid DEFAULT uuid_generate_v4(), secret text DEFAULT encode(digest('a', 'md5'), 'hex'))"
    )
    owner.execute("INSERT INTO mine DEFAULT VALUES")
    owner.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')


def test_the_rest_server_is_told_of_a_changed_schema(owner: psycopg.Connection, database: Any) -> None:
    with psycopg.connect(database.admin, autocommit=True) as listener:
        listener.execute("LISTEN pgrst")
        owner.execute("CREATE TABLE mine (n int)")
        assert [notice.payload for notice in listener.notifies(timeout=5, stop_after=1)] == ["reload schema"]


def test_supabase_limits_are_set(owner: psycopg.Connection) -> None:
    row = owner.execute("SELECT rolconfig FROM pg_roles WHERE rolname = 'anon'").fetchone()
    assert row == (["statement_timeout=3s"],)
    assert owner.execute("SHOW search_path").fetchone() == ('"$user", public, extensions',)


class TestFilling:
    @pytest.fixture
    def cluster(self, supabase_cluster: Cluster) -> Any:
        server = supabase_cluster.server
        yield Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES}, "test_filled")
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS test_filled")

    def test_filling_again_puts_back_the_seed_though_somebody_is_connected(self, cluster: Cluster) -> None:
        def seed(conn: psycopg.Connection, anchor: datetime, number: int) -> None:
            conn.execute("CREATE TABLE seeded AS SELECT %s::timestamptz AS at, %s AS number", [anchor, number])

        assert not cluster.has_database()
        cluster.fill(seed, ANCHOR, 7)
        with psycopg.connect(cluster.dsn(OWNER)) as conn:
            assert conn.execute("SELECT at, number, current_user FROM seeded").fetchone() == (ANCHOR, 7, OWNER)
            conn.execute("DROP TABLE seeded")
            conn.commit()
            cluster.fill(seed, ANCHOR, 8)
        assert cluster.has_database()
        with psycopg.connect(cluster.dsn(OWNER)) as conn:
            assert conn.execute("SELECT number FROM seeded").fetchone() == (8,)

    def test_a_release_is_applied_whole_or_not_at_all(self, cluster: Cluster, tmp_path: Path) -> None:
        cluster.fill(lambda *_: None, ANCHOR, 7)
        scripts = [tmp_path / "010.sql", tmp_path / "020.sql"]
        scripts[0].write_text("CREATE TABLE first (n int); CREATE TABLE second (n int);")
        scripts[1].write_text("SELECT 1 / 0")
        with pytest.raises(errors.DivisionByZero):
            cluster.apply(scripts)
        with psycopg.connect(cluster.dsn(OWNER)) as conn:
            assert conn.execute("SELECT to_regclass('first')").fetchone() == (None,)

    def test_the_people_are_known_to_auth_without_a_role_anybody_may_edit(self, cluster: Cluster) -> None:
        cluster.fill(lambda *_: None, ANCHOR, 7)
        cluster.add_accounts(make_accounts(), ANCHOR)
        with psycopg.connect(cluster.dsn(OWNER)) as conn:
            rows = conn.execute(
                "SELECT raw_app_meta_data ->> 'ops_role', raw_user_meta_data ? 'ops_role' FROM auth.users ORDER BY id"
            ).fetchall()
        assert rows == [(role, False) for role in ("viewer", "operator", "admin", *[None] * 6)]

    def test_preparing_again_changes_nothing(self, supabase_cluster: Cluster) -> None:
        oid = "SELECT oid FROM pg_database WHERE datname = %s"
        with psycopg.connect(supabase_cluster.server.dsn()) as conn:
            before = conn.execute(oid, [SKELETON]).fetchone()
            supabase_cluster.prepare()
            assert conn.execute(oid, [SKELETON]).fetchone() == before
