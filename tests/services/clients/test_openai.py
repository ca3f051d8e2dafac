"""The OpenAI client: end dates, a tiny completion, one request per call, and the kind of each error of the table."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from services.clients.http import Kind, UpstreamError
from services.clients.openai import OpenAiClient
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


def test_a_completion_tells_its_tokens_and_what_is_left(httpserver: HTTPServer) -> None:
    message = {"role": "assistant", "content": "ok"}
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-6-luna",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
    headers = {"x-ratelimit-remaining-requests": "99"}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body, headers=headers)
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
