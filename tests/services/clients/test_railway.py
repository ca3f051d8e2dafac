"""The Railway client: its documents are valid, its answers are read right, and each refusal has its kind."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_client_schema, execute, parse, validate
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.clients import railway_documents
from services.clients.http import Kind, UpstreamError
from services.clients.railway import RailwayClient, _without_texts
from services.errors import Unavailable
from services.settings import Target
from tests.services.clients.calls import RAILWAY, Call
from tests.services.clients.scripted_server import ScriptedServer, answers

SCHEMA = Path(__file__).resolve().parents[3] / "services" / "sandbox" / "data" / "railway-schema.json.gz"
SCOPE = {
    "projectToken": {
        "projectId": "p1",
        "environmentId": "e1",
        "project": {"id": "p1", "name": "pulse"},
        "environment": {"id": "e1", "name": "production"},
    }
}
Answers = dict[str, Any]


@pytest.fixture(scope="session")
def schema() -> GraphQLSchema:
    introspection = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)


@pytest.mark.parametrize("name", sorted(railway_documents.ALL))
def test_every_document_is_valid_against_the_published_schema(schema: GraphQLSchema, name: str) -> None:
    assert validate(schema, parse(railway_documents.ALL[name])) == []


def test_the_schema_test_would_notice_a_selection_on_a_boolean(schema: GraphQLSchema) -> None:
    assert validate(schema, parse("mutation R($id: String!) { deploymentRollback(id: $id) { id status } }"))


@pytest.mark.parametrize("call", RAILWAY, ids=str)
def test_every_call_is_executed_by_the_published_schema(schema: GraphQLSchema, call: Call) -> None:
    """The document and its variables are what the schema takes, and the answer that we read is what it gives."""
    server = ScriptedServer()
    try:
        call.ask(server.does(answers(call.good)))
        sent = json.loads(server.seen[0].body)
    finally:
        server.close()
    done = execute(schema, parse(sent["query"]), root_value=call.good["data"], variable_values=sent["variables"])
    assert not done.errors
    assert done.data == call.good["data"]


def test_the_execution_would_notice_a_variable_of_another_type(schema: GraphQLSchema) -> None:
    wanted = {"input": {"projectId": "p", "status": {"successfulOnly": True}}, "first": 1}
    assert execute(schema, parse(railway_documents.DEPLOYMENTS), root_value={}, variable_values=wanted).errors


def deployment(number: int, status: str = "SUCCESS", running: bool = True, commit: str = "abc") -> Answers:
    return {
        "id": f"d{number}",
        "status": status,
        "createdAt": f"2026-03-01T12:{number:02}:00.000Z",
        "statusUpdatedAt": None,
        "url": None,
        "staticUrl": None,
        "serviceId": "s1",
        "environmentId": "e1",
        "canRedeploy": True,
        "canRollback": True,
        "deploymentStopped": False,
        "meta": {"commitHash": commit},
        "instances": [{"id": "i", "status": "RUNNING"}] if running else [],
    }


def listed(*deployments: Answers) -> Answers:
    return {"deployments": {"edges": [{"node": one} for one in deployments]}}


@pytest.fixture
def railway(httpserver: HTTPServer) -> Callable[..., RailwayClient]:
    """`railway({"Deployments": [first answer, then], ...}, headers=...)`: answers by the operation's name."""

    def start(answers: dict[str, Any], headers: dict[str, str] | None = None) -> RailwayClient:
        asked: dict[str, int] = {}

        def answer(request: Request) -> Response:
            assert request.headers["project-access-token"] == "token-of-the-project"
            document = request.get_json()["query"]
            operation = parse(document).definitions[0].name.value  # type: ignore[attr-defined]
            asked[operation] = asked.get(operation, 0) + 1
            found = answers[operation]
            data = found[min(asked[operation], len(found)) - 1] if isinstance(found, list) else found
            body = data if "errors" in data else {"data": data}
            return Response(json.dumps(body), content_type="application/json", headers=headers)

        httpserver.expect_request("/graphql/v2", method="POST").respond_with_handler(answer)
        return RailwayClient(httpserver.url_for("/graphql/v2"), "token-of-the-project", "s1")

    return start


def test_deployments_come_newest_first_with_what_runs(railway: Callable[..., RailwayClient]) -> None:
    client = railway(
        {"TokenScope": SCOPE, "Deployments": listed(deployment(1), deployment(3, "FAILED", False), deployment(2))}
    )
    found = client.deployments()
    assert [(one.id, one.status, one.running) for one in found] == [
        ("d3", "FAILED", False),
        ("d2", "SUCCESS", True),
        ("d1", "SUCCESS", True),
    ]
    assert found[0].commit == "abc"
    assert found[0].created_at == datetime(2026, 3, 1, 12, 3, tzinfo=UTC)


def test_a_rollback_is_followed_to_the_deployment_that_it_makes(railway: Callable[..., RailwayClient]) -> None:
    before = listed(deployment(1), deployment(2))
    after = listed(deployment(1), deployment(2), deployment(3, "DEPLOYING", False))
    client = railway(
        {"TokenScope": SCOPE, "Deployments": [before, before, after], "Rollback": {"deploymentRollback": True}}
    )
    waits: list[float] = []
    assert client.rollback("d1", pause=waits.append).id == "d3"
    assert len(waits) == 1


def test_a_rollback_after_which_nothing_appears_is_not_known_to_have_worked(
    railway: Callable[..., RailwayClient],
) -> None:
    client = railway(
        {"TokenScope": SCOPE, "Deployments": listed(deployment(1)), "Rollback": {"deploymentRollback": True}}
    )
    with pytest.raises(Unavailable, match="no new deployment"):
        client.rollback("d1", wait_s=0.2, pause=lambda _: None)


def test_variables_are_names_of_this_service_and_of_all(railway: Callable[..., RailwayClient]) -> None:
    def page(names: list[tuple[str, str | None]], more: bool) -> Answers:
        edges = [{"node": {"name": n, "serviceId": s, "isSealed": False}} for n, s in names]
        info = {"hasNextPage": more, "endCursor": "c"}
        return {"environment": {"id": "e1", "variables": {"edges": edges, "pageInfo": info}}}

    pages = [page([("MINE", "s1"), ("OTHERS", "s2")], True), page([("SHARED", None)], False)]
    client = railway({"TokenScope": SCOPE, "VariableNames": pages})
    assert [one.name for one in client.variable_names()] == ["MINE", "SHARED"]


def test_the_error_share_is_the_5xx_among_all(railway: Callable[..., RailwayClient]) -> None:
    groups = [
        {"statusCode": 200, "samples": [{"ts": 1, "value": 30}, {"ts": 2, "value": 60}]},
        {"statusCode": 502, "samples": [{"ts": 1, "value": 10}]},
    ]
    client = railway({"TokenScope": SCOPE, "HttpStatuses": {"httpMetricsGroupedByStatus": groups}})
    seen = client.requests(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert (seen.total, seen.errors, seen.error_share) == (100, 10, 0.1)


def test_no_request_at_all_has_no_error_share(railway: Callable[..., RailwayClient]) -> None:
    client = railway({"TokenScope": SCOPE, "HttpStatuses": {"httpMetricsGroupedByStatus": []}})
    seen = client.requests(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert seen.error_share is None


def test_the_budget_is_what_the_headers_say(railway: Callable[..., RailwayClient]) -> None:
    client = railway({"TokenScope": SCOPE}, {"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "7"})
    client.scope()
    assert client.budget is not None
    assert (client.budget.limit, client.budget.remaining) == (1000, 7)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Project Token not found", Kind.UNAUTHORISED),
        ("Not Authorized", Kind.UNAUTHORISED),
        ("Deployment not found", Kind.MISSING),
        ("Problem processing request", Kind.SERVER_ERROR),
        ('Cannot query field "x" on type "Deployment".', Kind.NOT_UNDERSTOOD),
    ],
)
def test_each_refusal_has_its_kind(railway: Callable[..., RailwayClient], message: str, kind: Kind) -> None:
    with pytest.raises(UpstreamError) as raised:
        railway({"TokenScope": {"errors": [{"message": message}]}}).scope()
    assert raised.value.kind is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, "{}", Kind.RATE_LIMITED),
        (401, '{"errors": [{"message": "who are you"}]}', Kind.UNAUTHORISED),
        (403, '{"errors": [{"message": "Two Factor Authentication Required"}]}', Kind.FORBIDDEN),
        (400, '{"errors": [{"message": "Cannot query field"}]}', Kind.NOT_UNDERSTOOD),
        (200, '{"errors": [{"message": "Rate limit exceeded"}]}', Kind.RATE_LIMITED),
        (200, '{"errors": ["odd"]}', Kind.NOT_UNDERSTOOD),
        (500, '{"errors": [{"message": "boom"}]}', Kind.SERVER_ERROR),
        (503, "{}", Kind.SERVER_ERROR),
        (200, "<html>welcome</html>", Kind.NOT_UNDERSTOOD),
        (502, "<html>bad gateway</html>", Kind.SERVER_ERROR),
        (200, "[]", Kind.NOT_UNDERSTOOD),
        (200, '{"data": null}', Kind.NOT_UNDERSTOOD),
    ],
)
def test_each_answer_that_is_none_has_its_kind(httpserver: HTTPServer, status: int, body: str, kind: Kind) -> None:
    httpserver.expect_request("/graphql/v2").respond_with_data(body, status=status)
    with pytest.raises(UpstreamError) as raised:
        RailwayClient(httpserver.url_for(""), "t", "s1").scope()
    assert raised.value.kind is kind


def test_a_target_without_railway_says_what_to_set() -> None:
    with pytest.raises(Unavailable, match="railway_url"):
        RailwayClient.of(Target(name="staging"))


def test_a_refused_list_of_names_falls_back_to_the_variables_and_drops_their_values(
    railway: Callable[..., RailwayClient],
) -> None:
    values = {"PORT": "8000", "SECRET_KEY": "hunter2hunter2", "EMPTY": None, "message": "hunter2"}
    client = railway(
        {
            "TokenScope": SCOPE,
            "VariableNames": {"errors": [{"message": "Not Authorized"}]},
            "VariablesWithValues": {"variables": values},
        }
    )
    found = client.variable_names()
    assert [one.name for one in found] == ["EMPTY", "PORT", "SECRET_KEY", "message"]
    assert "hunter2" not in repr(found)


def test_the_values_of_variables_are_gone_before_anybody_could_look() -> None:
    text = '{"data": {"variables": {"A": "hunter2", "B": null, "C": "["}}}'
    assert json.loads(text, object_pairs_hook=_without_texts) == {"data": {"variables": dict.fromkeys("ABC")}}


def test_a_list_of_names_that_fails_otherwise_asks_for_no_value(railway: Callable[..., RailwayClient]) -> None:
    client = railway(
        {
            "TokenScope": SCOPE,
            "VariableNames": {"errors": [{"message": "Problem processing request"}]},
            "VariablesWithValues": {"variables": {"PORT": "8000"}},
        }
    )
    with pytest.raises(UpstreamError) as raised:
        client.variable_names()
    assert raised.value.kind is Kind.SERVER_ERROR


def test_a_request_at_the_edge_is_read_with_both_durations(railway: Callable[..., RailwayClient]) -> None:
    line = {
        "timestamp": "2026-03-01T12:00:00Z",
        "requestId": "r",
        "method": "GET",
        "path": "/reset?token=hunter2hunter2",
        "httpStatus": 502,
        "totalDuration": 5000,
        "upstreamRqDuration": 4990,
        "responseDetails": "upstream ended early",
    }
    client = railway({"HttpLogs": {"httpLogs": [line]}})
    (found,) = client.http_logs("d1", limit=5, filter="@httpStatus:500..599")
    assert (found.status, found.duration_ms, found.upstream_ms) == (502, 5000, 4990)
    assert found.details == "upstream ended early"
    assert "hunter2" not in found.path


def test_durations_come_oldest_first_in_milliseconds(railway: Callable[..., RailwayClient]) -> None:
    samples = [{"ts": 1_772_366_460, "p50": 9.5, "p90": 20, "p95": 30, "p99": 40}]
    samples = [*samples, {**samples[0], "ts": 1_772_366_400, "p95": 31.5}]
    client = railway({"TokenScope": SCOPE, "HttpDurations": {"httpDurationMetrics": {"samples": samples}}})
    found = client.durations(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), step_s=60)
    assert [(one.at.minute, one.p95_ms) for one in found] == [(0, 31.5), (1, 30)]


def test_the_service_tells_its_health_check_and_restart_settings(railway: Callable[..., RailwayClient]) -> None:
    node = {
        "serviceId": "s1",
        "serviceName": "api",
        "region": None,
        "numReplicas": None,
        "startCommand": None,
        "healthcheckPath": "/health",
        "healthcheckTimeout": 120,
        "restartPolicyType": "ON_FAILURE",
        "restartPolicyMaxRetries": 10,
    }
    page = {"edges": [{"node": node}], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    client = railway({"TokenScope": SCOPE, "Services": {"environment": {"id": "e1", "serviceInstances": page}}})
    service = client.service()
    assert (service.healthcheck_path, service.healthcheck_timeout_s) == ("/health", 120)
    assert (service.restart_policy, service.restart_retries) == ("ON_FAILURE", 10)


def test_a_service_that_is_not_there_is_told_by_its_setting(railway: Callable[..., RailwayClient]) -> None:
    page = {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    client = railway({"TokenScope": SCOPE, "Services": {"environment": {"id": "e1", "serviceInstances": page}}})
    with pytest.raises(Unavailable, match="railway_service_id"):
        client.service()


def test_a_list_that_never_ends_is_not_understood(railway: Callable[..., RailwayClient]) -> None:
    page = {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": "again"}}
    client = railway({"TokenScope": SCOPE, "Services": {"environment": {"id": "e1", "serviceInstances": page}}})
    with pytest.raises(UpstreamError) as raised:
        client.services()
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


def test_a_deployment_tells_its_instances_and_railways_diagnosis(railway: Callable[..., RailwayClient]) -> None:
    node = {**deployment(1, "CRASHED"), "diagnosis": {"title": "Out of memory", "hints": ["key sk-abcdefghijklmnop"]}}
    node["instances"] = [{"id": "i", "status": "CRASHED"}, {"id": "j", "status": "EXITED"}]
    found = railway({"Deployment": {"deployment": node}}).deployment("d1")
    assert found.instances == ("CRASHED", "EXITED")
    assert not found.running
    assert found.diagnosis is not None
    assert found.diagnosis.startswith("Out of memory")
    assert "abcdefgh" not in found.diagnosis


def test_an_event_tells_which_attempt_failed_and_why(railway: Callable[..., RailwayClient]) -> None:
    payload = {
        "error": "Healthcheck failed",
        "reason": None,
        "detail": "no answer",
        "attempt": 3,
        "maxAttempts": 8,
        "durationMs": 300_000,
        "skipped": False,
    }
    node = {
        "id": "v",
        "step": "HEALTHCHECK",
        "createdAt": "2026-03-01T12:00:00Z",
        "completedAt": None,
        "payload": payload,
    }
    bare = {**node, "payload": None}
    client = railway({"DeploymentEvents": {"deploymentEvents": {"edges": [{"node": node}, {"node": bare}]}}})
    failed, plain = client.events("d1")
    assert (failed.error, failed.detail, failed.attempt, failed.max_attempts) == (
        "Healthcheck failed",
        "no answer",
        3,
        8,
    )
    assert (plain.error, plain.attempt, plain.skipped) == (None, None, False)


def test_the_budget_is_kept_where_an_answer_says_nothing_of_it(httpserver: HTTPServer) -> None:
    headers = {"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "42"}
    httpserver.expect_ordered_request("/graphql/v2").respond_with_json({"data": SCOPE}, headers=headers)
    httpserver.expect_ordered_request("/graphql/v2").respond_with_json({"data": {"buildLogs": []}})
    client = RailwayClient(httpserver.url_for(""), "t", "s1")
    client.scope()
    client.build_logs("d1")
    assert client.budget is not None
    assert client.budget.sentence() == "Railway: 42 of 1,000 calls are left this hour."
    assert client.budget.low is True


def test_after_a_429_railway_is_left_alone_for_as_long_as_it_asked(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/graphql/v2").respond_with_json(
        {"errors": [{"message": "Too many requests"}]}, status=429, headers={"retry-after": "1500"}
    )
    client = RailwayClient(httpserver.url_for(""), "t", "s1")
    for said in ("it asks us to wait 25 min", "was not asked again; 25 min are left"):
        with pytest.raises(UpstreamError) as raised:
            client.scope()
        assert raised.value.kind is Kind.RATE_LIMITED
        assert said in raised.value.what
    assert len(httpserver.log) == 1
