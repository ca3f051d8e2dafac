"""REST, Auth and Management API as supabase-py and the published contract see them; REST on both engines."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import jwt
import psycopg
import pytest
from postgrest.exceptions import APIError
from supabase import AuthApiError, Client, create_client
from supabase.lib.client_options import SyncClientOptions

from services.database.server import Server
from services.sandbox.keys import Keys, load_keys
from services.sandbox.postgres import LOGIN_ROLES, OWNER, Cluster
from services.sandbox.postgrest import PostgRest, find_postgrest
from services.sandbox.railway_view import Ids
from services.sandbox.serving import Ports, Serving
from services.sandbox.supabase import supabase_app
from services.sandbox.supabase_state import SupabaseState

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
SCHEMA = """
CREATE TABLE notes (
    id int PRIMARY KEY,
    owner uuid,
    body text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    extra jsonb,
    stars numeric NOT NULL DEFAULT 1.5
);
INSERT INTO notes (id, body) SELECT n, 'note ' || n FROM generate_series(1, 1200) n;
CREATE TABLE secret (id int PRIMARY KEY, owner uuid DEFAULT auth.uid());
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret TO authenticated USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
INSERT INTO secret VALUES (1, NULL);
CREATE TABLE closed (id int);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes, secret TO anon, authenticated, service_role;
CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION first_notes(many int) RETURNS SETOF notes LANGUAGE sql AS 'SELECT * FROM notes ORDER BY id LIMIT many';
CREATE FUNCTION slowly() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(20)';
CREATE FUNCTION complain() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such tier'; END $$;
"""


def seed(conn: psycopg.Connection, anchor: datetime, number: int) -> None:
    conn.execute(SCHEMA)


class Project:
    """A Supabase project served by a thread of its own."""

    def __init__(self, cluster: Cluster, keys: Keys, folder: Path, real: bool) -> None:
        self.cluster, self.keys, self.now = cluster, keys, NOW
        self._folder, self._real = folder, real
        self._clients: list[httpx.Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)

    async def _start(self) -> None:
        ports = Ports(self._folder / "ports.json", ("supabase", "rest"), {})
        self.url = ports.url("supabase")
        program = find_postgrest(ROOT) if self._real else None
        self._rest = program and PostgRest(
            program,
            port=ports.release("rest"),
            database=self.cluster.dsn("authenticator"),
            jwt_secret=self.keys.jwt_secret,
            log=self._folder / "postgrest.log",
        )
        if self._rest:
            await self._rest.start()
        rest_url = self._rest.url if self._rest else None
        self.state = SupabaseState(self.keys, self.url, lambda: self.cluster, rest_url, lambda: self.now)
        self._serving = Serving(supabase_app(self.state), ports.take("supabase"))
        ports.close()

    def close(self) -> None:
        for http in self._clients:
            http.close()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        await self._serving.close()
        await self.state.close()
        if self._rest:
            await self._rest.stop()

    def client(self, key: str) -> Client:
        http = httpx.Client(trust_env=False, timeout=15)
        self._clients.append(http)
        options = SyncClientOptions(persist_session=False, auto_refresh_token=False, httpx_client=http)
        return create_client(self.url, key, options=options)

    def call(self, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"apikey": key} if key else {}
        headers.update(options.pop("headers", {}))
        with httpx.Client(trust_env=False, timeout=15) as client:
            return client.request(method, f"{self.url}{path}", headers=headers, **options)


@pytest.fixture(scope="module")
def cluster(supabase_cluster: Cluster) -> Iterator[Cluster]:
    server: Server = supabase_cluster.server
    one = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES}, "test_supabase")
    one.fill(seed, NOW, 1)
    yield one
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("DROP DATABASE test_supabase WITH (FORCE)")


@pytest.fixture(scope="module", params=["postgrest", "stand-in"])
def project(request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "postgrest" and find_postgrest(ROOT) is None:
        pytest.skip("PostgREST is not installed here")
    folder = tmp_path_factory.mktemp("project")
    one = Project(cluster, load_keys(folder / "keys.json", datetime.now(UTC)), folder, request.param == "postgrest")
    one.start()
    yield one
    one.close()


@pytest.fixture
def service(project: Project) -> Client:
    return project.client(project.keys.service_key)


@pytest.fixture
def anon(project: Project) -> Client:
    return project.client(project.keys.anon_key)


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "project" in request.fixturenames:
        one: Project = request.getfixturevalue("project")
        one.now, one.state.paused = NOW, False
        with psycopg.connect(one.cluster.dsn(OWNER)) as conn:
            conn.execute("DELETE FROM notes WHERE id > 1200; DELETE FROM secret WHERE id > 1")
            conn.execute(
                "UPDATE notes SET body = 'note ' || id, stars = 1.5 WHERE body <> 'note ' || id OR stars <> 1.5"
            )


class TestRest:
    def test_it_says_which_engine_answers(self, project: Project) -> None:
        assert project.state.rest_engine == ("postgrest" if project._real else "stand-in")

    def test_filters_order_and_columns(self, service: Client) -> None:
        query = service.table("notes").select("id, text:body").gt("id", 10).like("body", "note 1%")
        assert query.order("id", desc=True).limit(2).execute().data == [
            {"id": 1200, "text": "note 1200"},
            {"id": 1199, "text": "note 1199"},
        ]

    def test_lists_nulls_and_negation(self, service: Client) -> None:
        query = service.table("notes").select("id").in_("id", [3, 5, 7]).is_("owner", "null").not_.eq("id", 5)
        assert query.order("id").execute().data == [{"id": 3}, {"id": 7}]

    def test_values_keep_their_json_types(self, service: Client) -> None:
        row = service.table("notes").select("id,tags,extra,stars,owner").eq("id", 1).execute().data
        assert row == [{"id": 1, "tags": [], "extra": None, "stars": 1.5, "owner": None}]

    def test_an_exact_count_and_the_row_cap(self, service: Client) -> None:
        answer = service.table("notes").select("id", count="exact").execute()
        assert (answer.count, len(answer.data)) == (1200, 1000)

    def test_a_lower_row_cap_cuts_and_the_count_stays_true(self, stand_in: Project) -> None:
        stand_in.state.max_rows = 3
        try:
            answer = stand_in.client(stand_in.keys.service_key).table("notes").select("id", count="exact").execute()
        finally:
            stand_in.state.mend()
        assert (answer.count, len(answer.data)) == (1200, 3)

    def test_each_of_two_service_keys_can_be_rejected_alone(self, stand_in: Project) -> None:
        def statuses() -> list[int]:
            keys = (stand_in.keys.service_key, stand_in.keys.ops_service_key)
            return [stand_in.call("GET", "/rest/v1/secret?select=id", key).status_code for key in keys]

        assert statuses() == [200, 200]
        stand_in.state.rejected["test"] = stand_in.keys.ops_service_key
        try:
            assert statuses() == [200, 401]
        finally:
            stand_in.state.mend()
        assert statuses() == [200, 200]

    def test_a_page_tells_its_range(self, project: Project) -> None:
        answer = project.call(
            "GET", "/rest/v1/notes?select=id&order=id", project.keys.service_key,
            headers={"Range": "10-19", "Prefer": "count=exact"},
        )  # fmt: skip
        assert (answer.status_code, answer.headers["content-range"]) == (206, "10-19/1200")
        assert answer.json()[0] == {"id": 11}

    def test_one_row_or_none_is_an_error_of_its_own(self, service: Client) -> None:
        assert service.table("notes").select("body").eq("id", 2).single().execute().data == {"body": "note 2"}
        with pytest.raises(APIError) as caught:
            service.table("notes").select("body").eq("id", -1).single().execute()
        assert caught.value.code == "PGRST116"

    def test_insert_returns_the_row_with_defaults(self, service: Client) -> None:
        rows = service.table("notes").insert({"id": 2001, "body": "new", "tags": ["a"], "extra": {"b": 1}}).execute()
        assert rows.data[0]["stars"] == 1.5
        assert rows.data[0]["tags"] == ["a"]
        assert rows.data[0]["extra"] == {"b": 1}

    def test_upsert_update_and_delete(self, service: Client) -> None:
        service.table("notes").upsert([{"id": 2001, "body": "one"}, {"id": 2002, "body": "two"}]).execute()
        service.table("notes").upsert({"id": 2001, "body": "uno"}).execute()
        assert service.table("notes").update({"body": "dos"}).eq("id", 2002).execute().data[0]["body"] == "dos"
        gone = service.table("notes").delete().gt("id", 2000).execute().data
        assert sorted(row["body"] for row in gone) == ["dos", "uno"]
        assert service.table("notes").select("id").gt("id", 2000).execute().data == []

    def test_functions(self, service: Client) -> None:
        assert service.rpc("add", {"a": 2, "b": 3}).execute().data == 5
        assert [row["id"] for row in service.rpc("first_notes", {"many": 2}).execute().data] == [1, 2]

    def test_a_new_table_is_served_soon_and_without_a_restart(self, project: Project, service: Client) -> None:
        with psycopg.connect(project.cluster.dsn(OWNER), autocommit=True) as owner:
            owner.execute("CREATE TABLE IF NOT EXISTS fresh (n int); GRANT SELECT ON fresh TO service_role")
            try:
                path = "/rest/v1/fresh?select=n"
                codes = (project.call("GET", path, project.keys.service_key).status_code for _ in range(100))
                assert 200 in codes
            finally:
                owner.execute("DROP TABLE fresh")

    @pytest.mark.parametrize(
        ("path", "method", "body", "code", "status"),
        [
            ("nowhere", "GET", None, {"42P01", "PGRST205"}, 404),
            ("notes?select=nothing", "GET", None, {"42703"}, 400),
            ("notes?id=eq.word", "GET", None, {"22P02"}, 400),
            ("notes?id=near.3", "GET", None, {"PGRST100"}, 400),
            ("notes", "POST", {"id": 1, "body": "again"}, {"23505"}, 409),
            ("notes", "POST", {"id": 3001}, {"23502"}, 400),
            ("closed", "GET", None, {"42501"}, 403),
            ("rpc/nothing", "POST", {}, {"PGRST202"}, 404),
            ("rpc/complain", "POST", {}, {"P0001"}, 400),
        ],
    )
    def test_errors_have_the_code_and_status_that_clients_decide_by(
        self, project: Project, path: str, method: str, body: Any, code: set[str], status: int
    ) -> None:
        answer = project.call(method, f"/rest/v1/{path}", project.keys.service_key, json=body)
        assert answer.json()["code"] in code
        assert answer.status_code == status
        assert set(answer.json()) == {"code", "details", "hint", "message"}

    def test_anon_is_refused_with_401_and_hidden_rows_are_just_absent(self, project: Project, anon: Client) -> None:
        assert project.call("GET", "/rest/v1/closed", project.keys.anon_key).status_code == 401
        assert anon.table("secret").select("*").execute().data == []
        with pytest.raises(APIError) as caught:
            anon.table("secret").insert({"id": 9}).execute()
        assert caught.value.code == "42501"

    def test_the_service_key_sees_all_rows(self, service: Client) -> None:
        assert service.table("secret").select("id").execute().data == [{"id": 1}]

    def test_a_person_sees_their_own_rows(self, project: Project) -> None:
        project.now = datetime.now(UTC)
        account = project.keys.accounts[0]
        client = project.client(project.keys.anon_key)
        client.auth.sign_in_with_password({"email": account.email, "password": account.password})
        client.table("secret").insert({"id": 10}).execute()
        assert client.table("secret").select("*").execute().data == [{"id": 10, "owner": account.id}]

    def test_anon_may_not_take_as_long_as_others(self, anon: Client) -> None:
        began = time.monotonic()
        with pytest.raises(APIError) as caught:
            anon.rpc("slowly").execute()
        assert caught.value.code == "57014"
        assert time.monotonic() - began < 7

    @pytest.mark.parametrize(("key", "said"), [(None, "No API key found in request"), ("wrong", "Invalid API key")])
    def test_the_gateway_asks_for_a_key(self, project: Project, key: str | None, said: str) -> None:
        answer = project.call("GET", "/rest/v1/notes", key)
        assert (answer.status_code, answer.json()["message"]) == (401, said)

    def test_a_token_of_somebody_elses_making_is_refused(self, project: Project) -> None:
        forged = jwt.encode({"role": "service_role"}, "x" * 40, algorithm="HS256")
        headers = {"Authorization": f"Bearer {forged}"}
        answer = project.call("GET", "/rest/v1/notes", project.keys.anon_key, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "PGRST301")

    def test_a_token_for_a_role_of_the_server_is_refused(self, project: Project) -> None:
        owner = jwt.encode({"role": "postgres"}, project.keys.jwt_secret, algorithm="HS256")
        headers = {"Authorization": f"Bearer {owner}"}
        answer = project.call("GET", "/rest/v1/notes", project.keys.anon_key, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "42501")

    def test_a_paused_project_answers_540(self, project: Project) -> None:
        project.state.paused = True
        for path in ("/rest/v1/notes", "/auth/v1/user"):
            assert project.call("GET", path, project.keys.service_key).status_code == 540


@pytest.fixture(scope="module")
def stand_in(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("stand-in")
    one = Project(cluster, load_keys(folder / "keys.json", datetime.now(UTC)), folder, real=False)
    one.start()
    yield one
    one.close()


class TestAuth:
    @pytest.fixture(autouse=True)
    def clock(self, stand_in: Project) -> None:
        stand_in.now = datetime.now(UTC)

    @pytest.fixture
    def client(self, stand_in: Project) -> Client:
        return stand_in.client(stand_in.keys.anon_key)

    @pytest.mark.parametrize(("index", "role"), [(0, "viewer"), (1, "operator"), (2, "admin"), (3, None)])
    def test_people_sign_in_with_their_role(self, stand_in: Project, client: Client, index: int, role: Any) -> None:
        account = stand_in.keys.accounts[index]
        user = client.auth.sign_in_with_password({"email": account.email, "password": account.password}).user
        assert user is not None
        assert user.app_metadata.get("ops_role") == role
        assert client.auth.get_user().user.id == account.id

    def test_a_wrong_password_and_an_unknown_person_are_told_the_same(self, stand_in: Project, client: Client) -> None:
        account = stand_in.keys.accounts[0]
        for email in (account.email, "nobody@example.com"):
            with pytest.raises(AuthApiError) as caught:
                client.auth.sign_in_with_password({"email": email, "password": "wrong"})
            assert (caught.value.code, caught.value.status) == ("invalid_credentials", 400)
            assert str(caught.value) == "Invalid login credentials"

    def test_user_metadata_is_theirs_and_gives_no_role(self, stand_in: Project, client: Client) -> None:
        account = stand_in.keys.accounts[3]
        client.auth.sign_in_with_password({"email": account.email, "password": account.password})
        user = client.auth.update_user({"data": {"ops_role": "admin"}}).user
        assert user.user_metadata["ops_role"] == "admin"
        assert "ops_role" not in user.app_metadata

    def test_after_sign_out_the_token_is_dead(self, stand_in: Project, client: Client) -> None:
        account = stand_in.keys.accounts[0]
        session = client.auth.sign_in_with_password({"email": account.email, "password": account.password}).session
        assert session is not None
        client.auth.sign_out()
        with pytest.raises(AuthApiError) as caught:
            client.auth.get_user(session.access_token)
        assert (caught.value.code, caught.value.status) == ("session_not_found", 403)
        with pytest.raises(AuthApiError) as refreshed:
            client.auth.refresh_session(session.refresh_token)
        assert refreshed.value.code == "refresh_token_not_found"

    def test_a_refresh_token_works_once(self, stand_in: Project, client: Client) -> None:
        account = stand_in.keys.accounts[0]
        first = client.auth.sign_in_with_password({"email": account.email, "password": account.password}).session
        assert first is not None
        second = client.auth.refresh_session(first.refresh_token).session
        assert second is not None and second.refresh_token != first.refresh_token
        with pytest.raises(AuthApiError) as caught:
            client.auth.refresh_session(first.refresh_token)
        assert caught.value.code == "refresh_token_already_used"

    def test_an_expired_token_is_no_longer_good(self, stand_in: Project, client: Client) -> None:
        account = stand_in.keys.accounts[0]
        session = client.auth.sign_in_with_password({"email": account.email, "password": account.password}).session
        assert session is not None
        stand_in.now += timedelta(hours=2)
        with pytest.raises(AuthApiError) as caught:
            client.auth.get_user(session.access_token)
        assert caught.value.code == "bad_jwt"

    def test_older_callers_get_the_older_error_body(self, stand_in: Project) -> None:
        answer = stand_in.call("GET", "/auth/v1/user", stand_in.keys.anon_key)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "no_authorization")

    def test_a_body_that_is_no_json_is_told(self, stand_in: Project) -> None:
        answer = stand_in.call("POST", "/auth/v1/token?grant_type=password", stand_in.keys.anon_key, content=b"{email")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_json")


def contract(path: str, method: str = "get") -> dict[str, Any]:
    """What the published description says a 2xx body looks like; a copy of its parts that we answer."""
    described = json.loads((Path(__file__).parent / "management-contract.json").read_text())
    return {**described["paths"][path][method], "components": described["components"]}


class TestManagement:
    def ask(self, project: Project, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {project.keys.management_token}"}
        method = "POST" if "json" in options else "GET"
        return project.call(method, f"/v1/projects/{project.keys.project_ref}{path}", headers=headers, **options)

    @pytest.mark.parametrize(
        ("path", "described"),
        [
            ("", "/v1/projects/{ref}"),
            ("/health?services=db&services=rest&services=auth&services=realtime", "/v1/projects/{ref}/health"),
            ("/database/backups", "/v1/projects/{ref}/database/backups"),
            ("/advisors/security", "/v1/projects/{ref}/advisors/security"),
            ("/advisors/performance", "/v1/projects/{ref}/advisors/performance"),
            ("/analytics/endpoints/logs?sql=nonsense", "/v1/projects/{ref}/analytics/endpoints/logs"),
            ("/analytics/endpoints/usage.api-counts", "/v1/projects/{ref}/analytics/endpoints/usage.api-counts"),
            ("/config/database/pooler", "/v1/projects/{ref}/config/database/pooler"),
            ("/config/disk/util", "/v1/projects/{ref}/config/disk/util"),
            ("/readonly", "/v1/projects/{ref}/readonly"),
        ],
    )
    def test_bodies_keep_the_published_contract(self, stand_in: Project, path: str, described: str) -> None:
        answer = self.ask(stand_in, path)
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), contract(described))

    def test_a_service_that_does_not_answer_is_unhealthy(self, stand_in: Project) -> None:
        def states() -> dict[str, str]:
            asked = "/health?services=auth&services=rest&services=db&services=storage"
            return {one["name"]: one["status"] for one in self.ask(stand_in, asked).json()}

        assert set(states().values()) == {"ACTIVE_HEALTHY"}
        stand_in.state.unhealthy["test"] = "storage"
        assert states() == {name: "UNHEALTHY" if name == "storage" else "ACTIVE_HEALTHY" for name in states()}
        stand_in.state.unhealthy.clear()
        url, stand_in.state.url = stand_in.state.url, "http://127.0.0.1:1"
        try:
            assert [name for name, status in states().items() if status == "UNHEALTHY"] == ["auth", "rest"]
        finally:
            stand_in.state.url = url

    @pytest.mark.parametrize(("trouble", "status", "count"), [("missing", [], 0), ("failed", ["FAILED"], 7)])
    def test_backups_can_be_missing_or_failed(
        self, stand_in: Project, trouble: Any, status: list[str], count: int
    ) -> None:
        stand_in.state.backups["test"] = trouble
        try:
            found = self.ask(stand_in, "/database/backups").json()["backups"]
        finally:
            stand_in.state.backups.clear()
        assert (sorted({one["status"] for one in found}), len(found)) == (status, count)

    def test_the_advisors_tell_what_the_catalog_shows(self, stand_in: Project) -> None:
        def found(kind: str) -> set[tuple[str, str]]:
            lints = self.ask(stand_in, f"/advisors/{kind}").json()["lints"]
            return {(one["name"], one["metadata"]["entity"]) for one in lints}

        assert ("rls_disabled_in_public", "public.notes") in found("security")
        assert ("rls_disabled_in_public", "public.secret") not in found("security")
        assert ("no_primary_key", "public.closed") in found("performance")
        assert ("no_primary_key", "public.notes") not in found("performance")

    @staticmethod
    def day(sql: str) -> str:
        until = datetime.now(UTC) + timedelta(minutes=1)
        span = {"iso_timestamp_start": until - timedelta(hours=23), "iso_timestamp_end": until}
        named = {name: moment.isoformat().replace("+00:00", "Z") for name, moment in span.items()}
        return f"/analytics/endpoints/logs?{httpx.QueryParams({'sql': sql, **named})}"

    def test_the_logs_hold_the_servers_own_lines(self, stand_in: Project) -> None:
        with psycopg.connect(stand_in.cluster.dsn(OWNER)) as conn, pytest.raises(psycopg.errors.UndefinedTable):
            conn.execute("SELECT * FROM never_made")
        sql = (
            "select id, timestamp, event_message, log_attributes['parsed.error_severity'] as error_severity from logs"
            " where source = 'postgres_logs' and log_attributes['parsed.error_severity'] in ('ERROR', 'FATAL', 'PANIC')"
            " order by timestamp desc limit 100"
        )
        rows = self.ask(stand_in, self.day(sql)).json()["result"]
        assert ("ERROR", 'relation "never_made" does not exist') in {
            (row["error_severity"], row["event_message"].split(" at character")[0]) for row in rows
        }
        assert {row["error_severity"] for row in rows} <= {"ERROR", "FATAL", "PANIC"}

    def test_the_logs_of_the_gateway_hold_its_calls(self, stand_in: Project) -> None:
        stand_in.now = datetime.now(UTC)
        stand_in.call("GET", "/rest/v1/notes?select=id", "wrong")
        sql = (
            "select log_attributes['request.path'] as path, log_attributes['response.status_code'] as status from logs"
            " where source = 'edge_logs' and toInt32OrZero(log_attributes['response.status_code']) >= 401"
            " order by timestamp desc limit 1"
        )
        assert self.ask(stand_in, self.day(sql)).json()["result"] == [{"path": "/rest/v1/notes", "status": "401"}]
        counted = self.ask(stand_in, "/analytics/endpoints/usage.api-counts?interval=15min").json()["result"]
        assert sum(one["total_rest_requests"] for one in counted) >= 1

    @pytest.mark.parametrize(
        "sql",
        ["select 1", "select event_message from logs where source = 'moon_logs' order by timestamp desc limit 1"],
    )
    def test_another_question_to_the_logs_is_an_error(self, stand_in: Project, sql: str) -> None:
        body = self.ask(stand_in, self.day(sql)).json()
        assert (body["result"], body["error"]["code"]) == ([], 400)

    def test_logs_of_more_than_a_day_are_refused(self, stand_in: Project) -> None:
        span = "iso_timestamp_start=2026-01-01T00:00:00Z&iso_timestamp_end=2026-01-03T00:00:00Z"
        assert self.ask(stand_in, f"/analytics/endpoints/logs?{span}").status_code == 400

    def test_a_database_that_takes_no_writes_says_so(self, stand_in: Project) -> None:
        with psycopg.connect(stand_in.cluster.server.dsn("postgres"), autocommit=True) as admin:
            setting = "ALTER DATABASE test_supabase SET default_transaction_read_only"
            admin.execute(f"{setting} = on".encode())
            try:
                assert self.ask(stand_in, "/readonly").json()["enabled"] is True
            finally:
                admin.execute("ALTER DATABASE test_supabase RESET default_transaction_read_only")
        assert self.ask(stand_in, "/readonly").json()["enabled"] is False

    def test_the_budget_of_the_minute_counts_down_and_ends(self, stand_in: Project) -> None:
        first, second = (self.ask(stand_in, "/readonly").headers for _ in range(2))
        assert int(first["x-ratelimit-remaining"]) - int(second["x-ratelimit-remaining"]) == 1
        limit = stand_in.state.management_limit
        limit.leave("test", 1)
        assert self.ask(stand_in, "/readonly").status_code == 200
        refused = self.ask(stand_in, "/readonly")
        assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (429, "0")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        limit.taken.clear()

    def test_the_project_is_healthy_and_names_its_version(self, stand_in: Project) -> None:
        body = self.ask(stand_in, "").json()
        assert (body["status"], body["database"]["version"].split(".")[0]) == ("ACTIVE_HEALTHY", "17")

    def test_a_paused_project_still_tells_that_it_is(self, stand_in: Project) -> None:
        stand_in.state.paused = True
        try:
            assert self.ask(stand_in, "").json()["status"] == "INACTIVE"
        finally:
            stand_in.state.paused = False

    def test_the_newest_backup_is_fresh_whatever_the_date(self, stand_in: Project) -> None:
        for day in (1, 400):
            stand_in.now = NOW + timedelta(days=day)
            newest = self.ask(stand_in, "/database/backups").json()["backups"][0]
            age = stand_in.now - datetime.fromisoformat(newest["inserted_at"])
            assert newest["status"] == "COMPLETED" and timedelta(hours=2) <= age < timedelta(hours=3)

    def test_sql_reads_the_real_rows_as_the_read_only_role(self, stand_in: Project) -> None:
        query = "select 1; select count(*) as n, current_user::text as who, 1.5 as x from public.secret"
        answer = self.ask(stand_in, "/database/query/read-only", json={"query": query})
        assert (answer.status_code, answer.json()) == (
            201,
            [{"n": 1, "who": "supabase_read_only_user", "x": "1.5"}],
        )

    def test_sql_takes_parameters(self, stand_in: Project) -> None:
        body = {"query": "select body from public.notes where id = $1", "parameters": [3]}
        assert self.ask(stand_in, "/database/query/read-only", json=body).json() == [{"body": "note 3"}]

    def test_sql_that_writes_or_fails_is_told_with_its_code(self, stand_in: Project) -> None:
        for query, code in (("delete from public.notes", "25006"), ("select * from nowhere", "42P01")):
            answer = self.ask(stand_in, "/database/query/read-only", json={"query": query})
            assert answer.status_code == 400
            assert answer.json()["message"].startswith(f"Failed to run sql query: ERROR:  {code}: ")

    def test_writing_by_leaving_the_read_only_mode_fails_too(self, stand_in: Project) -> None:
        query = "set default_transaction_read_only = off; commit; insert into public.notes values (5001, null, 'x')"
        assert self.ask(stand_in, "/database/query/read-only", json={"query": query}).status_code == 400

    def test_a_wrong_token_or_project_is_refused(self, stand_in: Project) -> None:
        ref = stand_in.keys.project_ref
        assert stand_in.call("GET", f"/v1/projects/{ref}").status_code == 401
        assert stand_in.call("GET", f"/v1/projects/{ref}", headers={"Authorization": "Bearer x"}).status_code == 401
        headers = {"Authorization": f"Bearer {stand_in.keys.management_token}"}
        assert stand_in.call("GET", f"/v1/projects/{'z' * 20}", headers=headers).status_code == 404

    @pytest.mark.parametrize("path", ["", "/database/backups", "/advisors/security", "/config/database/pooler"])
    def test_a_token_that_only_reads_reads(self, stand_in: Project, path: str) -> None:
        assert self.scoped(stand_in, path).status_code == 200

    def test_what_a_token_was_not_made_for_is_refused_and_named(self, stand_in: Project) -> None:
        answer = self.scoped(stand_in, "/database/query", json={"query": "select 1 as n"})
        assert (answer.status_code, answer.json()["missing_permissions"]) == (403, ["database_write"])

    def test_a_token_of_every_permission_writes(self, stand_in: Project) -> None:
        query = "insert into public.notes values (5002, null, 'x') returning id"
        answer = self.ask(stand_in, "/database/query", json={"query": query})
        assert (answer.status_code, answer.json()) == (201, [{"id": 5002}])
        reading = self.ask(stand_in, "/database/query", json={"query": query, "read_only": True})
        assert "25006" in reading.json()["message"]

    @staticmethod
    def scoped(project: Project, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {project.keys.observe_token}"}
        method = "POST" if options else "GET"
        return project.call(method, f"/v1/projects/{project.keys.project_ref}{path}", headers=headers, **options)

    def test_health_wants_to_know_of_what(self, stand_in: Project) -> None:
        assert self.ask(stand_in, "/health").status_code == 400
        assert self.ask(stand_in, "/health?services=coffee").status_code == 400


def test_what_an_older_file_of_keys_lacks_is_added_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    values = load_keys(path, NOW).model_dump(mode="json")
    older = {name: value for name, value in values.items() if not name.startswith("ops_")}
    older["accounts"] = [
        {name: one[name] for name in ("id", "name", "email", "password", "ops_role")} for one in older["accounts"][:4]
    ]
    path.write_text(json.dumps(older))
    keys = load_keys(path, NOW)
    assert load_keys(path, NOW) == keys
    assert {name: value for name, value in keys.model_dump(mode="json").items() if name in older} | {
        "accounts": older["accounts"]
    } == older
    assert [one.password for one in keys.accounts[:4]] == [one["password"] for one in older["accounts"]]
    assert len({keys.openai_key, keys.ops_openai_key, keys.service_key, keys.ops_service_key}) == 4


def test_the_test_accounts_are_no_operators_and_only_one_is_the_apps_admin(tmp_path: Path) -> None:
    accounts = {one.purpose: one for one in load_keys(tmp_path / "keys.json", NOW).accounts if one.purpose}
    assert set(accounts) == {"probe", "ai", "rate-limit", "admin", "edited-metadata"}
    assert [one.app_metadata["ops_role"] for one in accounts.values() if "ops_role" in one.app_metadata] == []
    assert [name for name, one in accounts.items() if one.app_metadata.get("role") == "admin"] == ["admin"]
    assert [name for name, one in accounts.items() if one.user_metadata.get("role") == "admin"] == ["edited-metadata"]


def test_a_world_is_named_by_the_file_that_is_there_before_it(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"name": "production"}))
    keys = load_keys(tmp_path / "keys.json", NOW)
    assert {one.email for one in keys.accounts if one.ops_role} == {
        f"{role}@production.example" for role in ("viewer", "operator", "admin")
    }
    assert Ids.of(keys.name).service != Ids().service == Ids.of("sandbox").service


def test_keys_are_private_and_stay_the_same(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "keys.json", NOW)
    assert load_keys(tmp_path / "keys.json", NOW + timedelta(days=30)) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert jwt.decode(first.anon_key, first.jwt_secret, algorithms=["HS256"])["role"] == "anon"
    assert uuid.UUID(first.accounts[0].id)
