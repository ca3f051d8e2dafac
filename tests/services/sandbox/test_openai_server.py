"""The OpenAI-compatible server: the real SDK talks to it, errors have their bodies, models end by the world's clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import openai
import pytest

from services.sandbox.openai_server import openai_app, reply, tokens
from services.sandbox.openai_state import OpenAIState, Restriction
from tests.services.sandbox.loop_thread import LoopThread

KEY = "sk-proj-" + "k" * 40
START = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
WORDS = "Mood 3/10. The lake froze"
QUESTION: dict[str, Any] = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": WORDS}]}


class Server:
    """The server with a clock that can be turned."""

    def __init__(self, thread: LoopThread) -> None:
        self.now = START
        self.state = OpenAIState(lambda: self.now, [KEY], latency_s=0.02)
        self.url = thread.serve(openai_app(self.state)) + "/v1"
        self.http = httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
        self.sdk = openai.OpenAI(api_key=KEY, base_url=self.url, timeout=5, max_retries=0)

    def close(self) -> None:
        self.http.close()
        self.sdk.close()

    def get(self, path: str) -> httpx.Response:
        return self.http.get(f"{self.url}/{path}")

    def complete(self, **changes: Any) -> httpx.Response:
        return self.http.post(f"{self.url}/chat/completions", json={**QUESTION, **changes})


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.close()


@pytest.fixture
def server(thread: LoopThread) -> Iterator[Server]:
    fresh = Server(thread)
    yield fresh
    fresh.close()


def ask(server: Server, content: str) -> str:
    answer = server.complete(messages=[{"role": "user", "content": content}]).json()
    return str(answer["choices"][0]["message"]["content"])


def test_the_sdk_gets_an_answer_with_its_usage(server: Server) -> None:
    answer = server.sdk.chat.completions.create(
        model="gpt-6-luna", messages=[{"role": "user", "content": "The lake froze"}]
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens == tokens(answer.choices[0].message.content or "")
    assert "froze" in (answer.choices[0].message.content or "")


def test_the_answer_depends_on_words_and_levels(server: Server) -> None:
    answers = {
        ask(server, "Mood 3/10. My presentation failed"),
        ask(server, "Mood 9/10. My presentation failed"),
        ask(server, "Mood 3/10. My garden bloomed"),
    }
    assert len(answers) == 3
    assert all(("presentation" in one) or ("garden" in one) for one in answers)


def test_the_same_question_gets_the_same_answer() -> None:
    assert reply(QUESTION["messages"]) == reply(QUESTION["messages"])


def test_more_words_cost_more_prompt_tokens(server: Server) -> None:
    short, long = (
        server.complete(messages=[{"role": "user", "content": text}]).json()["usage"]["prompt_tokens"]
        for text in ("short words", "short words " * 20)
    )
    assert long > short + 40


def test_the_token_limit_cuts_the_answer(server: Server) -> None:
    answer = server.complete(max_completion_tokens=5).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] <= 5


def test_completions_carry_rate_limits_and_a_request_id_and_models_do_not(server: Server) -> None:
    headers = server.complete().headers
    assert int(headers["x-ratelimit-remaining-tokens"]) < int(headers["x-ratelimit-limit-tokens"])
    assert headers["x-request-id"].startswith("req_")
    assert int(headers["openai-processing-ms"]) >= 20
    assert "x-ratelimit-limit-requests" not in server.get("models").headers


def test_models_tell_when_they_end_counted_from_the_worlds_first_day(server: Server) -> None:
    ends = {one["id"]: one["shutdown_date"] for one in server.get("models").json()["data"]}
    assert ends["gpt-6-luna"] is None
    assert date.fromisoformat(ends["gpt-4o-mini"]) == START.date() + timedelta(days=53)
    assert date.fromisoformat(ends["gpt-3.5-turbo"]) < START.date()


def test_a_model_ends_when_the_clock_reaches_its_date(server: Server) -> None:
    assert server.get("models/gpt-4o-mini").status_code == 200
    server.now += timedelta(days=53)
    assert server.get("models/gpt-4o-mini").json()["error"]["code"] == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        server.sdk.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic abc"}])
def test_without_a_key_it_is_401_without_a_code(server: Server, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{server.url}/models", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, None)


def test_a_wrong_key_is_401_and_is_not_echoed(server: Server) -> None:
    wrong = "sk-proj-" + "w" * 40
    answer = httpx.get(f"{server.url}/models", headers={"Authorization": f"Bearer {wrong}"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (401, "invalid_api_key", "invalid_request_error")
    assert wrong not in answer.text
    with (
        openai.OpenAI(api_key=wrong, base_url=server.url, max_retries=0) as sdk,
        pytest.raises(openai.AuthenticationError),
    ):
        sdk.models.list()


def test_a_revoked_key_is_401_until_it_is_accepted_again(server: Server) -> None:
    server.state.add("test", Restriction(revoked=True))
    assert server.get("models").json()["error"]["code"] == "invalid_api_key"
    server.state.remove("test")
    assert server.get("models").status_code == 200


def test_without_quota_the_sdk_sees_a_rate_limit_error_that_names_billing(server: Server) -> None:
    server.state.add("test", Restriction(billing="insufficient_quota"))
    with pytest.raises(openai.RateLimitError) as caught:
        server.sdk.chat.completions.create(model="gpt-6-luna", messages=[{"role": "user", "content": "hello"}])
    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
    assert "billing" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, None),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0]"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(server: Server, changes: dict[str, Any], param: str | None) -> None:
    answer = server.complete(**changes)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_not_json_is_400(server: Server) -> None:
    assert server.http.post(f"{server.url}/chat/completions", content=b"{").status_code == 400


def test_an_unknown_model_is_404(server: Server) -> None:
    error = server.complete(model="gpt-none").json()["error"]
    assert (error["code"], error["type"]) == ("model_not_found", "invalid_request_error")


def test_an_answer_takes_time_and_longer_ones_more(server: Server) -> None:
    server.state.latency_s = 0.15
    took = server.complete().elapsed
    assert took >= timedelta(seconds=0.15)


@pytest.mark.parametrize(
    ("right", "statuses"),
    [
        ("models", {"models": 200, "completions": 403, "organization": 403}),
        ("completions", {"models": 403, "completions": 200, "organization": 403}),
        ("organization", {"models": 403, "completions": 403, "organization": 200}),
    ],
)
def test_a_restricted_key_does_what_it_was_made_for_and_nothing_else(
    thread: LoopThread, right: str, statuses: dict[str, int]
) -> None:
    state = OpenAIState(lambda: START, [KEY], rights={KEY: frozenset({right})}, latency_s=0)
    url = thread.serve(openai_app(state)) + "/v1"
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as http:
        answers = {
            "models": http.get(f"{url}/models"),
            "completions": http.post(f"{url}/chat/completions", json=QUESTION),
            "organization": http.get(f"{url}/organization/costs?start_time={START.timestamp():.0f}"),
        }
    assert {name: answer.status_code for name, answer in answers.items()} == statuses
    assert all("Missing scopes" in one.text for one in answers.values() if one.status_code == 403)


def test_the_bill_has_what_the_completions_of_a_day_have_cost(thread: LoopThread) -> None:
    state = OpenAIState(lambda: START, [KEY], rights={KEY: frozenset({"completions", "organization"})}, latency_s=0)
    url = thread.serve(openai_app(state)) + "/v1"
    since = START - timedelta(days=1)
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as http:
        used = http.post(f"{url}/chat/completions", json=QUESTION).json()["usage"]
        bill = http.get(f"{url}/organization/costs?start_time={since.timestamp():.0f}").json()
        assert http.get(f"{url}/organization/costs").status_code == 400
    yesterday, today = bill["data"]
    assert yesterday["results"] == []
    cost = (used["prompt_tokens"] * 0.20 + used["completion_tokens"] * 1.20) / 1_000_000
    assert today["results"][0]["amount"] == {"value": round(cost, 8), "currency": "usd"}
