"""REST and Auth as supabase-py sees them; REST on both engines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import psycopg
import pytest
from postgrest.exceptions import APIError
from supabase import AuthApiError, Client

from services.sandbox.keys import load_keys
from services.sandbox.postgres import OWNER, Cluster
from services.sandbox.postgrest import find_postgrest
from tests.services.sandbox.supabase_project import NOW, ROOT, Project, cluster, stand_in

__all__ = ["cluster", "stand_in"]


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
