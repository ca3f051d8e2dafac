"""The OpenAI client: end dates, a tiny completion, one request per call, and the kind of each error of the table."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from services.clients.http import Kind, Reason, UpstreamError
from services.clients.openai import OpenAiClient, OpenAiError, Problem, RateLimits
from services.clients.openai_answers import seconds_of
from services.errors import Unavailable
from services.settings import Target
from tests.services.clients.conftest import StartServer, silence

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


def client_of(server: HTTPServer) -> OpenAiClient:
    return OpenAiClient(server.url_for("/v1"), KEY)


def test_models_tell_when_they_end(httpserver: HTTPServer) -> None:
    models = [
        {"id": "old", "object": "model", "created": 1, "owned_by": "system", "shutdown_date": "2026-10-23"},
        {"id": "new", "object": "model", "created": 1, "owned_by": "system", "shutdown_date": None},
        {"id": "plain", "object": "model", "created": 1, "owned_by": "system"},
    ]
    httpserver.expect_request("/v1/models").respond_with_json({"object": "list", "data": models})
    found = client_of(httpserver).models()
    assert {name: model.ends for name, model in found.items()} == {
        "old": date(2026, 10, 23),
        "new": None,
        "plain": None,
    }


COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-6-luna",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def test_a_completion_tells_its_tokens_and_what_is_left(httpserver: HTTPServer) -> None:
    headers = {"x-ratelimit-remaining-requests": "99"}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(COMPLETION, headers=headers)
    done = client_of(httpserver).complete("gpt-6-luna")
    assert (done.prompt_tokens, done.completion_tokens, done.requests_left) == (9, 2, 99)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"code": "invalid_api_key", "type": "invalid_request_error"}, Kind.UNAUTHORISED),
        (403, {"code": "unsupported_country_region_territory", "type": "request_forbidden"}, Kind.FORBIDDEN),
        (404, {"code": "model_not_found", "type": "invalid_request_error"}, Kind.MISSING),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, Kind.QUOTA),
        (429, {"code": "credit_balance_exhausted", "type": "insufficient_quota"}, Kind.QUOTA),
        (429, {"code": "project_spend_limit_exceeded", "type": "other"}, Kind.QUOTA),
        (429, {"code": None, "type": "insufficient_quota"}, Kind.QUOTA),
        (429, {"code": "rate_limit_exceeded", "type": "requests"}, Kind.RATE_LIMITED),
        (500, {"code": None, "type": "server_error"}, Kind.SERVER_ERROR),
        (503, {"code": "server_is_overloaded", "type": "server_error"}, Kind.SERVER_ERROR),
        (400, {"code": "unsupported_parameter", "type": "invalid_request_error"}, Kind.NOT_UNDERSTOOD),
    ],
)
def test_each_error_has_its_kind_and_is_asked_once(
    httpserver: HTTPServer, status: int, error: dict[str, Any], kind: Kind
) -> None:
    body = {"error": {"message": f"Incorrect API key provided: {KEY}", "param": None, **error}}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, status=status)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).complete("m")
    assert raised.value.kind is kind
    assert KEY not in str(raised.value) + raised.value.detail
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("body", ["<html>sign in to the wifi</html>", "{broken"])
def test_a_200_that_is_no_answer_is_not_understood(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/v1/models").respond_with_data(body)
    httpserver.expect_request("/v1/chat/completions").respond_with_data(body)
    for call in (client_of(httpserver).models, lambda: client_of(httpserver).complete("m")):
        with pytest.raises(UpstreamError) as raised:
            call()
        assert raised.value.kind is Kind.NOT_UNDERSTOOD


def test_a_silent_server_times_out(misbehaving: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.clients.openai.CALL_S", 0.3)
    with pytest.raises(UpstreamError) as raised:
        OpenAiClient(misbehaving(silence), KEY).models()
    assert raised.value.kind is Kind.TIMEOUT


def test_nothing_listening_is_unreachable() -> None:
    with pytest.raises(UpstreamError) as raised:
        OpenAiClient("http://127.0.0.1:9", KEY).models()
    assert raised.value.kind is Kind.UNREACHABLE


def test_a_target_without_a_key_says_so_and_no_repr_shows_one() -> None:
    with pytest.raises(Unavailable, match="openai_key"):
        OpenAiClient.of(Target(name="staging"))
    assert KEY not in repr(OpenAiClient(None, KEY))


def refusal(status: int, **error: Any) -> Any:
    return {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None, **error}}


@pytest.mark.parametrize(
    ("status", "error", "problem"),
    [
        (401, {"code": "invalid_api_key"}, Problem.KEY_REJECTED),
        (401, {"message": "You have insufficient permissions. Missing scopes: model.request"}, Problem.KEY_RESTRICTED),
        (403, {"message": "Missing scopes: api.model.read", "code": "missing_scope"}, Problem.KEY_RESTRICTED),
        (403, {"code": "unsupported_country_region_territory"}, Problem.REGION),
        (
            403,
            {"message": "Project `p` does not have access to model `m`", "code": "model_not_found"},
            Problem.MODEL_NOT_ALLOWED,
        ),
        (403, {"code": "model_not_found"}, Problem.MODEL_NOT_ALLOWED),
        (404, {"message": "The model `m` has been deprecated", "code": "model_not_found"}, Problem.MODEL_RETIRED),
        (404, {"message": "The model `m` has been shut down", "code": "model_not_found"}, Problem.MODEL_RETIRED),
        (
            404,
            {"message": "does not exist or you do not have access", "code": "model_not_found"},
            Problem.MODEL_UNKNOWN,
        ),
        (429, {"code": "insufficient_quota"}, Problem.QUOTA),
        (429, {"type": "insufficient_quota"}, Problem.QUOTA),
        (429, {"code": "credit_balance_exhausted"}, Problem.QUOTA),
        (429, {"code": "organization_spend_limit_exceeded"}, Problem.QUOTA),
        (429, {"code": "project_spend_limit_exceeded"}, Problem.QUOTA),
        (429, {"code": "organization_usage_limit_exceeded"}, Problem.QUOTA),
        (429, {"code": "rate_limit_exceeded", "type": "tokens"}, Problem.RATE_LIMITED),
        (429, {"code": "slow_down"}, Problem.RATE_LIMITED),
        (500, {"code": None, "type": "server_error"}, Problem.SERVER_ERROR),
        (503, {"code": "server_is_overloaded"}, Problem.OVERLOADED),
        (503, {"code": "slow_down"}, Problem.OVERLOADED),
        (504, {}, Problem.TIMEOUT),
        (521, {}, Problem.NETWORK),
        (400, {"code": "unsupported_parameter"}, Problem.REQUEST_REFUSED),
        (400, {"code": 17, "message": None}, Problem.REQUEST_REFUSED),
    ],
)
def test_each_problem_is_told_apart(httpserver: HTTPServer, status: int, error: Any, problem: Problem) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(refusal(status, **error), status=status)
    with pytest.raises(OpenAiError) as raised:
        client_of(httpserver).complete("m")
    assert raised.value.problem is problem
    assert raised.value.what.startswith(f"OpenAI answered {status}")


def test_a_refusal_that_is_no_error_body_is_told_by_its_status(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_data("<html>blocked</html>", status=403)
    with pytest.raises(OpenAiError) as raised:
        client_of(httpserver).models()
    assert (raised.value.problem, raised.value.reason) == (Problem.KEY_RESTRICTED, Reason.WEB_PAGE)


def test_a_429_keeps_the_limits_and_the_wait(httpserver: HTTPServer) -> None:
    headers = {
        "retry-after": "20",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m12.5s",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "17",
        "x-ratelimit-reset-tokens": "120ms",
    }
    body = refusal(429, code="rate_limit_exceeded", type="requests")
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, status=429, headers=headers)
    client = client_of(httpserver)
    with pytest.raises(OpenAiError) as raised:
        client.complete("m")
    limits = RateLimits(500, 0, 72.5, 30_000, 17, 0.12)
    assert raised.value.limits == limits == client.limits
    assert raised.value.retry_after_s == 20
    assert "20 s" in raised.value.what


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120ms", 0.12), ("6m0s", 360), ("1h2m3.5s", 3723.5), ("2d", 172_800), ("", None), ("soon", None), ("5", None)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_a_restricted_key_may_complete_and_not_list(httpserver: HTTPServer) -> None:
    body = refusal(403, code="missing_scope", message="Missing scopes: api.model.read")
    httpserver.expect_request("/v1/models").respond_with_json(body, status=403)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(COMPLETION)
    client = client_of(httpserver)
    assert client.complete("gpt-6-luna").completion_tokens == 2
    with pytest.raises(OpenAiError) as raised:
        client.models()
    assert raised.value.problem is Problem.KEY_RESTRICTED


def test_a_restricted_key_may_list_and_not_complete(httpserver: HTTPServer) -> None:
    body = refusal(401, message="You have insufficient permissions for this operation. Missing scopes: model.request.")
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, status=401)
    httpserver.expect_request("/v1/models").respond_with_json({"object": "list", "data": []})
    client = client_of(httpserver)
    assert client.models() == {}
    with pytest.raises(OpenAiError) as raised:
        client.complete("gpt-6-luna")
    assert (raised.value.problem, raised.value.kind) == (Problem.KEY_RESTRICTED, Kind.FORBIDDEN)


@pytest.mark.parametrize("key", ["sk-abc\ndef", "", "sk-äöü"])
def test_a_malformed_key_is_told_and_not_sent(httpserver: HTTPServer, key: str) -> None:
    with pytest.raises(OpenAiError) as raised:
        OpenAiClient(httpserver.url_for("/v1"), key).models()
    assert (raised.value.problem, raised.value.kind) == (Problem.KEY_MALFORMED, Kind.UNAUTHORISED)
    assert httpserver.log == []


def test_an_answer_without_choices_is_no_completion(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json({**COMPLETION, "choices": []})
    with pytest.raises(OpenAiError) as raised:
        client_of(httpserver).complete("gpt-6-luna")
    assert (raised.value.problem, raised.value.reason) == (Problem.NOT_UNDERSTOOD, Reason.WRONG_TYPE)
