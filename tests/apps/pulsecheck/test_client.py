"""PulseCheck's API in the shapes of its builds, against a server that plays each of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from apps.pulsecheck.checks.admin import admin_public
from apps.pulsecheck.checks.api import api_answers, docs_served, route_inventory, served_build
from apps.pulsecheck.client import NO_ENTRY, Entry, PulseCheck, TooMany, one_object, paths_in, too_many
from services.app_definition import load_app
from services.checks.context import CheckContext
from services.clients.http import Kind, UpstreamError
from services.settings import Target
from services.verdict import Verdict

APP = load_app("pulsecheck")
ADMIN = "/api/v1/admin/beta-metrics"
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def context_of(server: HTTPServer) -> CheckContext:
    return CheckContext.create(Target(name="t", app_url=server.url_for("")), APP, datetime(2026, 3, 1, tzinfo=UTC))


def serve(
    server: HTTPServer,
    paths: tuple[str, ...],
    *,
    listed: bool = True,
    unknown: int = 404,
    answers: dict[str, int] | None = None,
) -> CheckContext:
    """A build with these paths: GET answers 200 on each, `unknown` on any other, and as told in `answers`."""
    document: dict[str, Any] = {"paths": {path: {"get": {}} for path in paths}}
    told = {**({"/openapi.json": 200} if listed else {"/openapi.json": 404}), **(answers or {})}
    for path, status in told.items():
        body = document if path == "/openapi.json" and status == 200 else {"detail": "told"}
        server.expect_request(path).respond_with_json(body, status=status)
    for path in paths:
        if "{" not in path and path not in told:
            server.expect_request(path).respond_with_json({"status": "healthy"})
        if path.endswith("{entry_id}/feedback"):
            empty = path.format(entry_id=NO_ENTRY)
            server.expect_request(empty, method="POST").respond_with_json({"detail": []}, status=422)
    server.no_handler_status_code = unknown
    return context_of(server)


@pytest.fixture(autouse=True)
def _json_for_unknown_paths(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from werkzeug import Response

    def answer(_extra: str = "") -> Response:
        status = httpserver.no_handler_status_code
        return Response(json.dumps({"detail": "Not Found"}), status=status, content_type="application/json")

    monkeypatch.setattr(httpserver, "respond_nohandler", lambda _request, extra="": answer(extra))


def test_an_object_and_a_list_of_one_are_the_same(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(f"{ADMIN}/daily").respond_with_json({"error_count": 1})
    httpserver.expect_oneshot_request(f"{ADMIN}/daily").respond_with_json([{"error_count": 1}])
    api = PulseCheck(httpserver.url_for(""))
    assert one_object(api.admin_daily()) == one_object(api.admin_daily()) == {"error_count": 1}


@pytest.mark.parametrize("body", [[], [{}, {}], "text", 3, None])
def test_anything_else_is_not_understood(httpserver: HTTPServer, body: Any) -> None:
    httpserver.expect_request(f"{ADMIN}/daily").respond_with_json(body)
    with pytest.raises(UpstreamError) as raised:
        one_object(PulseCheck(httpserver.url_for("")).admin_daily())
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


SAID = {"feedback_type": "thumbs_up", "feedback_text": "well done"}
FEEDBACK = "/api/v1/journal/entries/e1/feedback"


@pytest.mark.parametrize(("understood", "first"), [("query", "query"), ("json", "query"), ("query", "json")])
def test_feedback_is_given_in_the_shape_that_the_build_understands(
    httpserver: HTTPServer, understood: str, first: Any
) -> None:
    shapes: dict[str, Any] = {"query": {"query_string": SAID}, "json": {"json": SAID, "query_string": ""}}
    other = "json" if understood == "query" else "query"
    httpserver.expect_request(FEEDBACK, method="POST", **shapes[understood]).respond_with_json({"message": "ok"})
    httpserver.expect_request(FEEDBACK, method="POST", **shapes[other]).respond_with_json({"detail": []}, status=422)
    answer, shape = PulseCheck(httpserver.url_for("")).feedback_as_understood("e1", "thumbs_up", "well done", first)
    assert (answer.status, shape) == (200, understood)
    assert len(httpserver.log) == (1 if understood == first else 2)


def test_feedback_that_is_refused_otherwise_is_given_once(httpserver: HTTPServer) -> None:
    httpserver.expect_request(FEEDBACK, method="POST").respond_with_json({"detail": "Not Found"}, status=404)
    answer, _ = PulseCheck(httpserver.url_for("")).feedback_as_understood("e1", "thumbs_up", "well done")
    assert (answer.status, len(httpserver.log)) == (404, 1)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (
            {"detail": {"message": "Daily AI limit reached", "type": "rate_limit", "retry_after": 60}},
            {},
            TooMany("Daily AI limit reached", True, 60.0),
        ),
        (
            {"error": "Rate limit exceeded: 5 per 1 minute"},
            {"Retry-After": "12"},
            TooMany("Rate limit exceeded: 5 per 1 minute", False, 12.0),
        ),
        (["odd"], {}, TooMany("", False, None)),
    ],
)
def test_a_429_is_read_in_both_shapes(
    httpserver: HTTPServer, body: Any, headers: dict[str, str], expected: TooMany
) -> None:
    httpserver.expect_request("/health").respond_with_json(body, status=429, headers=headers)
    assert too_many(PulseCheck(httpserver.url_for("")).health()) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "told so"},
        {"error": "HTTPException", "message": "told so", "status_code": 500, "timestamp": "now"},
        {"error": "told so"},
        {"detail": {"message": "told so", "type": "rate_limit"}},
    ],
)
def test_an_error_is_read_in_each_of_its_shapes(httpserver: HTTPServer, body: Any) -> None:
    httpserver.expect_request("/health").respond_with_json(body, status=500)
    with pytest.raises(UpstreamError) as raised:
        PulseCheck(httpserver.url_for("")).health().expect()
    assert raised.value.detail == "told so"


def test_a_token_is_sent_where_there_is_one(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/journal/entries", headers={"authorization": "Bearer abc"}).respond_with_json({})
    assert PulseCheck(httpserver.url_for(""), "abc").create_entry(Entry("ten letters", 5, 5, 5)).status == 200


def test_an_openapi_document_without_paths_is_not_understood(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openapi.json").respond_with_json({"openapi": "3.1.0"})
    with pytest.raises(UpstreamError):
        paths_in(PulseCheck(httpserver.url_for("")).openapi())


@pytest.mark.parametrize(("build", "verdict"), [("old", FAIL), ("beta", PASS), ("newest", PASS)])
def test_a_build_is_known_by_its_paths(httpserver: HTTPServer, build: str, verdict: Verdict) -> None:
    context = serve(httpserver, APP.paths_of(build))
    assert served_build(context).id == build
    assert route_inventory(context).verdict is verdict


@pytest.mark.parametrize("status", [404, 405])
def test_a_route_that_is_listed_and_answers_not_loaded_is_missing(httpserver: HTTPServer, status: int) -> None:
    context = serve(httpserver, APP.paths_of("beta"), answers={f"{ADMIN}/costs": status})
    found = route_inventory(context)
    assert (found.verdict, found.facts["missing"], found.facts["build"]) == (FAIL, [f"{ADMIN}/costs"], None)


def test_a_route_that_answers_500_is_loaded_and_broken(httpserver: HTTPServer) -> None:
    context = serve(httpserver, APP.paths_of("beta"), answers={f"{ADMIN}/costs": 500})
    found = route_inventory(context)
    assert (found.verdict, found.facts["broken"], found.facts["missing"]) == (FAIL, [f"{ADMIN}/costs"], [])


def test_a_build_with_one_router_missing_is_no_build_of_ours(httpserver: HTTPServer) -> None:
    paths = tuple(path for path in APP.paths_of("beta") if not path.endswith("/feedback") or "admin" in path)
    found = route_inventory(serve(httpserver, paths))
    assert (found.verdict, found.facts["build"]) == (FAIL, None)
    assert "part of the new build is missing" in found.summary


def test_the_newest_build_hides_its_documentation_and_is_found_by_calling(httpserver: HTTPServer) -> None:
    context = serve(httpserver, APP.paths_of("newest"), listed=False)
    assert docs_served(context).verdict is PASS
    assert route_inventory(context).verdict is PASS


@pytest.mark.parametrize("unknown", [404, 405])
def test_a_process_answers_a_path_that_nobody_prepared(httpserver: HTTPServer, unknown: int) -> None:
    assert api_answers(serve(httpserver, APP.paths_of("old"), unknown=unknown)).verdict is PASS


def test_something_that_says_healthy_to_everything_is_no_process_of_ours(httpserver: HTTPServer) -> None:
    assert api_answers(serve(httpserver, APP.paths_of("old"), unknown=200)).verdict is FAIL


def test_a_web_page_at_the_health_address_is_not_understood(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("<html>parked domain</html>", content_type="text/html")
    with pytest.raises(UpstreamError) as raised:
        api_answers(context_of(httpserver))
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


@pytest.mark.parametrize(("status", "verdict"), [(200, FAIL), (401, PASS), (403, PASS), (404, UNKNOWN), (500, UNKNOWN)])
def test_admin_numbers_must_be_refused_to_strangers(httpserver: HTTPServer, status: int, verdict: Verdict) -> None:
    numbers = {"daily_active_users": 1, "total_ai_interactions": 2, "total_daily_cost": 0.1}
    httpserver.expect_request(f"{ADMIN}/daily").respond_with_json(numbers, status=status)
    assert admin_public(serve(httpserver, APP.paths_of("old"))).verdict is verdict


def test_a_200_without_numbers_is_no_proof_that_anybody_reads_them(httpserver: HTTPServer) -> None:
    context = serve(httpserver, APP.paths_of("old"), answers={f"{ADMIN}/daily": 200})
    with pytest.raises(UpstreamError) as raised:
        admin_public(context)
    assert raised.value.kind is Kind.NOT_UNDERSTOOD
