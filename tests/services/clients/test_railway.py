"""The Railway client: its documents are valid, its answers are read right, and each refusal has its kind."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_client_schema, parse, validate
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.clients import railway_documents
from services.clients.http import Kind, UpstreamError
from services.clients.railway import RailwayClient
from services.errors import Unavailable
from services.settings import Target

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
