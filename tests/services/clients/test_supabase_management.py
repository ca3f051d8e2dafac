"""The Management API: what is read out of its answers, and what its refusals say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.clients.http import Kind, Reason, UpstreamError
from services.clients.supabase import SupabaseClient
from tests.services.clients.calls import BACKUP, END, LINT, POOLER, START, supabase
from tests.services.clients.scripted_server import ScriptedServer, answers


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    one = ScriptedServer()
    yield one
    one.close()


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[SupabaseClient]:
    one = supabase(server.url)
    yield one
    one.close()


def test_the_gravest_finding_comes_first_with_what_it_is_about(server: ScriptedServer, client: SupabaseClient) -> None:
    lints = [
        {**LINT, "level": "INFO", "name": "no_primary_key"},
        {**LINT, "level": "ERROR", "name": "rls_disabled_in_public", "metadata": {"schema": "public", "name": "notes"}},
        {**LINT, "level": "WARN", "name": "a_new_one", "metadata": None},
        {**LINT, "level": "ERROR", "name": "auth_users_exposed", "metadata": {"entity": "Auth"}},
    ]
    server.does(answers({"lints": lints}))
    assert [(one.level, one.name, one.entity) for one in client.advisors("security")] == [
        ("ERROR", "auth_users_exposed", "Auth"),
        ("ERROR", "rls_disabled_in_public", "public.notes"),
        ("WARN", "a_new_one", None),
        ("INFO", "no_primary_key", "auth.users"),
    ]


def test_a_pooler_is_an_address_and_a_mode_and_never_a_connection_string(
    server: ScriptedServer, client: SupabaseClient
) -> None:
    told = POOLER["connection_string"].replace("[YOUR-PASSWORD]", "hunter2hunter2")
    server.does(answers([{**POOLER, "connection_string": told}, {**POOLER, "database_type": "READ_REPLICA"}]))
    found = client.poolers()
    assert [(one.host, one.port, one.mode, one.primary) for one in found] == [
        ("aws-1-eu-central-1.pooler.supabase.com", 6543, "transaction", True),
        ("aws-1-eu-central-1.pooler.supabase.com", 6543, "transaction", False),
    ]
    assert "PASSWORD" not in repr(found)
    assert "hunter2" not in repr(found)


def test_the_disk_says_its_share(server: ScriptedServer, client: SupabaseClient) -> None:
    metrics = {"fs_size_bytes": 8_000_000_000, "fs_avail_bytes": 1_000_000_000, "fs_used_bytes": 7_000_000_000}
    server.does(answers({"timestamp": "2026-03-01T11:00:00Z", "metrics": metrics}))
    assert client.disk().used_share == 0.875


@pytest.mark.parametrize("until", ["", None, "2026-03-02T00:00:00Z"])
def test_a_read_only_database_says_so(server: ScriptedServer, client: SupabaseClient, until: str | None) -> None:
    server.does(answers({"enabled": True, "override_enabled": False, "override_active_until": until}))
    state = client.read_only_state()
    assert state.enabled
    assert state.override_until == (datetime(2026, 3, 2, tzinfo=UTC) if until else None)
    assert client.read_only() is True


def test_a_backup_without_a_zone_is_read_as_utc(server: ScriptedServer, client: SupabaseClient) -> None:
    backups = [{**BACKUP, "inserted_at": "2026-03-02T04:00:00"}, BACKUP]
    server.does(answers({"pitr_enabled": False, "backups": backups, "physical_backup_data": {}}))
    assert client.backups().newest == datetime(2026, 3, 2, 4, tzinfo=UTC)


def test_log_lines_are_asked_by_source_and_read_from_texts(server: ScriptedServer, client: SupabaseClient) -> None:
    rows = [
        {
            "id": "1",
            "timestamp": 1_772_362_800_000_000,
            "event_message": "password=hunter2hunter2 failed",
            "error_severity": "FATAL",
            "status_code": "",
            "path": "",
        },
        {"id": "2", "timestamp": "soon", "event_message": None, "status_code": "503", "path": "/rest/v1/notes"},
    ]
    server.does(answers({"result": rows}))
    fatal, failed = client.log_lines("postgres_logs", START, END, limit=7)
    assert (fatal.at, fatal.severity) == (datetime(2026, 3, 1, 11, tzinfo=UTC), "FATAL")
    assert "hunter2" not in fatal.message
    assert (failed.at, failed.status, failed.path, failed.message) == (None, 503, "/rest/v1/notes", "")
    asked = server.seen[0].target
    assert "source+%3D+%27postgres_logs%27" in asked
    assert "limit+7" in asked
    assert "iso_timestamp_start=2026-03-01T11%3A00%3A00Z" in asked


def test_failures_at_the_gateway_are_asked_for_by_status(server: ScriptedServer, client: SupabaseClient) -> None:
    server.does(answers({"result": []}))
    assert client.log_lines("edge_logs", START, END) == []
    assert "toInt32OrZero" in server.seen[0].target


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Unknown identifier: log_attribute", Kind.NOT_UNDERSTOOD),
        ({"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "errors": []}, Kind.RATE_LIMITED),
        ({"code": 503, "message": "away", "status": "UNAVAILABLE", "errors": []}, Kind.SERVER_ERROR),
        ({"message": "odd"}, Kind.NOT_UNDERSTOOD),
    ],
)
def test_an_error_inside_a_200_of_the_logs_is_an_error(
    server: ScriptedServer, client: SupabaseClient, error: Any, kind: Kind
) -> None:
    server.does(answers({"result": [], "error": error}))
    with pytest.raises(UpstreamError) as raised:
        client.logs("select 1", START, END)
    assert raised.value.kind is kind
    assert "could not read its logs" in raised.value.what


def test_logs_of_more_than_a_day_are_not_asked_for(client: SupabaseClient) -> None:
    with pytest.raises(ValueError, match="24 hours"):
        client.logs("select 1", START, START + timedelta(hours=25))


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        ('Failed to run sql query: ERROR:  42P01: relation "x" does not exist\nLINE 1: x\n', Kind.MISSING, "42P01"),
        ("Failed to run sql query: ERROR:  42501: permission denied for table x\n", Kind.FORBIDDEN, "42501"),
        ("Failed to run sql query: ERROR:  57014: canceling statement\n", Kind.TIMEOUT, "57014"),
        ("Failed to run sql query: ERROR:  53300: too many connections\n", Kind.SERVER_ERROR, "53300"),
        ("Failed to run sql query: ERROR:  08006: connection refused\n", Kind.SERVER_ERROR, "08006"),
        ("Failed to run sql query: ERROR:  25006: cannot execute UPDATE\n", Kind.FORBIDDEN, "25006"),
        ("Failed to run sql query: ERROR:  42601: syntax error\n", Kind.NOT_UNDERSTOOD, "42601"),
        ("Project is paused", Kind.PAUSED, None),
        ("something else", Kind.NOT_UNDERSTOOD, None),
    ],
)
def test_a_refused_statement_bears_its_sqlstate(
    server: ScriptedServer, client: SupabaseClient, message: str, kind: Kind, code: str | None
) -> None:
    server.does(answers({"message": message}, 400))
    with pytest.raises(UpstreamError) as raised:
        client.run_read_only("select * from x")
    assert (raised.value.kind, raised.value.code) == (kind, code)


@pytest.mark.parametrize("status", [200, 201])
def test_rows_of_a_statement_come_with_either_status(
    server: ScriptedServer, client: SupabaseClient, status: int
) -> None:
    server.does(answers([{"n": 1}], status))
    assert client.run_read_only("select 1 as n", [7]) == [{"n": 1}]
    assert json.loads(server.seen[0].body) == {"query": "select 1 as n", "parameters": [7]}


def test_a_statement_whose_answer_is_plain_text_is_not_understood(
    server: ScriptedServer, client: SupabaseClient
) -> None:
    server.does(answers("CREATE TABLE", 201, content_type="text/plain"))
    with pytest.raises(UpstreamError) as raised:
        client.run_read_only("create table x ()")
    assert raised.value.reason is Reason.BROKEN_JSON


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (["advisors_read"], "lacks the permission advisors_read"),
        (
            ["advisors_read", "backups_read", "database_read"],
            "permissions advisors_read, backups_read and database_read",
        ),
    ],
)
def test_a_scoped_token_is_told_which_permissions_it_lacks(
    server: ScriptedServer, client: SupabaseClient, missing: list[str], sentence: str
) -> None:
    server.does(answers({"message": "Forbidden", "missing_permissions": missing}, 403))
    with pytest.raises(UpstreamError) as raised:
        client.advisors("security")
    assert raised.value.kind is Kind.FORBIDDEN
    assert sentence in raised.value.detail
    assert sentence in raised.value.what


def test_the_budget_is_remembered_from_answer_to_answer(server: ScriptedServer, client: SupabaseClient) -> None:
    assert client.budget is None
    headers = {"x-ratelimit-limit": "120", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "60"}
    server.does(answers([], headers=headers))
    client.poolers()
    server.does(answers([]))
    client.poolers()
    assert client.budget is not None
    assert (client.budget.limit, client.budget.remaining, client.budget.low) == (120, 9, True)
    assert client.budget.sentence() == "Supabase: 9 of 120 calls are left this minute."


def test_after_a_429_nothing_is_sent_until_the_wait_is_over(server: ScriptedServer, client: SupabaseClient) -> None:
    server.does(answers({"message": "slow"}, 429, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "40"}))
    for expected in (429, None):
        with pytest.raises(UpstreamError) as raised:
            client.poolers()
        assert (raised.value.kind, raised.value.status) == (Kind.RATE_LIMITED, expected)
        assert raised.value.retry_after_s is not None
        assert 39 < raised.value.retry_after_s <= 40
        assert "40 s" in raised.value.what
    assert len(server.seen) == 1
