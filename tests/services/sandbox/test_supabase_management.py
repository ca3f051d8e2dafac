"""The Management API as the published contract sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import psycopg
import pytest

from services.sandbox.postgres import OWNER
from tests.services.sandbox.supabase_project import NOW, Project, cluster, stand_in

__all__ = ["cluster", "stand_in"]


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
