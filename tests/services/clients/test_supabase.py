"""The Supabase client: rows as each key sees them, sign-in, the Management API, and the kind of each refusal."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from pytest_httpserver import HTTPServer

from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key, SupabaseClient
from services.errors import Unavailable

REF = "abcdefghijklmnopqrst"
PERSON = {
    "id": "6a1f8a2e-0d0a-4b8e-9a64-0f0a4b8e9a64",
    "aud": "authenticated",
    "role": "authenticated",
    "email": "olof@example.com",
    "app_metadata": {"ops_role": "operator"},
    "user_metadata": {"ops_role": "admin"},
    "created_at": "2026-01-01T00:00:00Z",
}


def client_of(server: HTTPServer) -> SupabaseClient:
    url = server.url_for("")
    return SupabaseClient(
        url=url, anon_key="anon-key", service_key="service-key", management_url=url, access_token="sbp_x", ref=REF
    )


def test_rows_come_with_the_exact_count_that_the_key_sees(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rest/v1/notes", headers={"apikey": "service-key"}).respond_with_json(
        [{"id": 1}], headers={"content-range": "0-0/42"}
    )
    found = client_of(httpserver).rows("notes", key=Key.SERVICE)
    assert (found.rows, found.total) == (({"id": 1},), 42)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "42501", Kind.FORBIDDEN),
        (403, "42501", Kind.FORBIDDEN),
        (404, "PGRST205", Kind.MISSING),
        (404, "42P01", Kind.MISSING),
        (400, "PGRST204", Kind.MISSING),
        (401, "PGRST301", Kind.UNAUTHORISED),
        (503, "PGRST001", Kind.SERVER_ERROR),
        (504, "PGRST003", Kind.TIMEOUT),
        (500, "57014", Kind.TIMEOUT),
    ],
)
def test_each_code_of_the_data_api_has_its_kind(httpserver: HTTPServer, status: int, code: str, kind: Kind) -> None:
    httpserver.expect_request("/rest/v1/notes").respond_with_json({"code": code, "message": "no"}, status=status)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).rows("notes", key=Key.ANON)
    assert (raised.value.kind, raised.value.code) == (kind, code)


def test_a_paused_project_is_paused(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rest/v1/notes").respond_with_data("", status=540)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).rows("notes", key=Key.ANON)
    assert raised.value.kind is Kind.PAUSED


@pytest.mark.parametrize("body", ["<html>hello</html>", '{"rows": []}', '"text"'])
def test_a_200_that_is_no_list_of_rows_is_no_success(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/rest/v1/notes").respond_with_data(body)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).rows("notes", key=Key.ANON)
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


def session() -> dict[str, Any]:
    now = int(time.time())
    token = jwt.encode({"sub": PERSON["id"], "exp": now + 3600}, "a-secret-that-is-long-enough-for-hs256", "HS256")
    return {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": 3600,
        "expires_at": now + 3600,
        "refresh_token": "r",
        "user": PERSON,
    }


def test_signing_in_tells_who_it_is_by_app_metadata(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/auth/v1/token", query_string="grant_type=password").respond_with_json(session())
    person = client_of(httpserver).sign_in("olof@example.com", "right")
    assert person.app_metadata == {"ops_role": "operator"}
    assert person.user_id == PERSON["id"]
    assert session()["access_token"][:20] not in repr(person)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"},
            Kind.UNAUTHORISED,
        ),
        (500, {"code": 500, "error_code": "unexpected_failure", "msg": "boom"}, Kind.SERVER_ERROR),
        (503, {"msg": "down"}, Kind.SERVER_ERROR),
    ],
)
def test_a_refused_sign_in_has_its_kind(httpserver: HTTPServer, status: int, body: dict[str, Any], kind: Kind) -> None:
    httpserver.expect_request("/auth/v1/token").respond_with_json(body, status=status)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).sign_in("olof@example.com", "wrong-password")
    assert raised.value.kind is kind
    assert "wrong-password" not in str(raised.value)


def test_a_web_page_signs_nobody_in(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/auth/v1/token").respond_with_data("<html>hi</html>", content_type="text/html")
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).sign_in("olof@example.com", "right")
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


def test_an_auth_server_that_is_gone_is_unreachable() -> None:
    client = SupabaseClient(url="http://127.0.0.1:9", anon_key="k")
    with pytest.raises(UpstreamError) as raised:
        client.sign_in("olof@example.com", "right")
    assert raised.value.kind is Kind.UNREACHABLE


@pytest.mark.parametrize(("status", "paused"), [("ACTIVE_HEALTHY", False), ("INACTIVE", True), ("HIBERNATED", False)])
def test_a_project_is_paused_when_it_is_inactive(httpserver: HTTPServer, status: str, paused: bool) -> None:
    body = {"ref": REF, "name": "pulse", "status": status, "region": "eu-central-1"}
    httpserver.expect_request(f"/v1/projects/{REF}").respond_with_json(body)
    assert client_of(httpserver).project().paused is paused


def test_health_names_the_services_it_asks_for(httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/v1/projects/{REF}/health").respond_with_json(
        [{"name": "db", "status": "UNHEALTHY", "healthy": False}]
    )
    assert [(one.name, one.status) for one in client_of(httpserver).health()] == [("db", "UNHEALTHY")]
    asked = httpserver.log[0][0].query_string.decode()
    assert asked.count("services=") == 5


def backup(day: int, status: str = "COMPLETED") -> dict[str, Any]:
    return {"id": day, "is_physical_backup": True, "status": status, "inserted_at": f"2026-03-{day:02}T04:00:00Z"}


def test_only_completed_backups_count(httpserver: HTTPServer) -> None:
    body = {"pitr_enabled": False, "backups": [backup(1), backup(3, "FAILED"), backup(2)], "physical_backup_data": {}}
    httpserver.expect_request(f"/v1/projects/{REF}/database/backups").respond_with_json(body)
    found = client_of(httpserver).backups()
    assert (found.count, found.newest) == (2, datetime(2026, 3, 2, 4, tzinfo=UTC))


def test_a_free_project_has_no_backup(httpserver: HTTPServer) -> None:
    body = {"pitr_enabled": False, "backups": [], "physical_backup_data": {}}
    httpserver.expect_request(f"/v1/projects/{REF}/database/backups").respond_with_json(body)
    assert client_of(httpserver).backups().newest is None


def test_what_is_not_set_is_named() -> None:
    with pytest.raises(Unavailable, match="service_role"):
        SupabaseClient(url="http://127.0.0.1:9", anon_key="k").rows("notes", key=Key.SERVICE)
    with pytest.raises(Unavailable, match="supabase_access_token"):
        SupabaseClient(url=None).project()
