"""Every call of every client under every failure: an UpstreamError of the right kind, in time, and nothing else."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.clients.deadline import deadline
from services.clients.http import Kind, Reason, UpstreamError
from services.clients.statuspages import ProviderStatus
from tests.campaign import sample
from tests.services.clients.calls import ALL, Call
from tests.services.clients.scripted_server import (
    Act,
    ScriptedServer,
    answers,
    closed_port,
    closes,
    drips,
    hangs,
    resets,
    says,
)

PAGE = "<!DOCTYPE html><title>Please sign in</title>"
PACKED = gzip.compress(b"[" + b" " * 9_000_000 + b"]")
WITHIN_S = 0.1
"""The deadline of the calls that can only end by it."""
GRACE_S = 0.6

EVERY = pytest.mark.parametrize("call", sample(ALL, 13, seed=20260309), ids=str)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    one = ScriptedServer()
    yield one
    one.close()


def fails(call: Call, url: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        call.ask(url)
    assert raised.value.what.endswith(".")
    assert raised.value.do
    return raised.value


@EVERY
def test_a_right_answer_is_read(server: ScriptedServer, call: Call) -> None:
    found = call.ask(server.does(answers(call.good)))
    assert found is not None or call.name == "railway.restart"


STATUSES = {
    401: Kind.UNAUTHORISED,
    402: Kind.QUOTA,
    403: Kind.FORBIDDEN,
    404: Kind.MISSING,
    429: Kind.RATE_LIMITED,
    500: Kind.SERVER_ERROR,
    503: Kind.SERVER_ERROR,
    504: Kind.TIMEOUT,
    521: Kind.UNREACHABLE,
    522: Kind.TIMEOUT,
    540: Kind.PAUSED,
    544: Kind.TIMEOUT,
}
# Where a kind cannot be: OpenAI pauses nothing, and a refused sign-in is about the person.
ELSEWHERE = {
    ("openai.", 540): Kind.SERVER_ERROR,
    ("supabase.sign_in", 403): Kind.UNAUTHORISED,
}


@EVERY
@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, "") for status in STATUSES),
        *((s, body) for s in (401, 429, 500) for body in (PAGE, '{"message": "no"}')),
    ],
)
def test_a_failing_status_has_its_kind(server: ScriptedServer, call: Call, status: int, body: str) -> None:
    error = fails(call, server.does(answers(body, status)))
    expected = next((k for (name, s), k in ELSEWHERE.items() if s == status and call.name.startswith(name)), None)
    assert error.kind is (expected or STATUSES[status])
    assert error.status == status


@EVERY
def test_a_429_keeps_how_long_to_wait(server: ScriptedServer, call: Call) -> None:
    error = fails(call, server.does(answers({"message": "slow down"}, 429, headers={"retry-after": "720"})))
    assert (error.kind, error.retry_after_s) == (Kind.RATE_LIMITED, 720)
    assert "12 min" in error.what


BROKEN: dict[str, tuple[Act, Kind, Reason]] = {
    "reset": (resets, Kind.UNREACHABLE, Reason.RESET),
    "closed": (closes, Kind.UNREACHABLE, Reason.RESET),
    "cut short": (says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), Kind.UNREACHABLE, Reason.RESET),
    "no http": (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Kind.NOT_UNDERSTOOD, Reason.NOT_HTTP),
    "too large": (answers("[" + " " * 5_000_000 + "]"), Kind.NOT_UNDERSTOOD, Reason.TOO_LARGE),
    "badly packed": (
        answers('{"a": 1}', headers={"content-encoding": "gzip"}),
        Kind.NOT_UNDERSTOOD,
        Reason.ENCODING,
    ),
}


@EVERY
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_has_its_kind_and_reason(server: ScriptedServer, call: Call, name: str) -> None:
    act, kind, reason = BROKEN[name]
    error = fails(call, server.does(act))
    assert (error.kind, error.reason) == (kind, reason)


@EVERY
def test_a_small_body_that_unpacks_to_a_large_one_is_not_read_on(server: ScriptedServer, call: Call) -> None:
    error = fails(call, server.does(answers(PACKED, headers={"content-encoding": "gzip"})))
    # Where a package would unpack it, nothing packed is taken at all.
    reason = Reason.ENCODING if call.name == "supabase.sign_in" or call.family == "openai" else Reason.TOO_LARGE
    assert (error.kind, error.reason) == (Kind.NOT_UNDERSTOOD, reason)


@EVERY
def test_nothing_listening_is_unreachable(call: Call) -> None:
    error = fails(call, f"http://127.0.0.1:{closed_port()}")
    assert (error.kind, error.reason) == (Kind.UNREACHABLE, Reason.REFUSED)


@EVERY
@pytest.mark.parametrize("act", [hangs, drips], ids=["hang", "drip"])
def test_silence_and_slowness_end_at_the_deadline(server: ScriptedServer, call: Call, act: Act) -> None:
    url = server.does(act)
    began = time.monotonic()
    with deadline(WITHIN_S):
        error = fails(call, url)
    assert time.monotonic() - began < WITHIN_S + GRACE_S
    assert (error.kind, error.reason) == (Kind.TIMEOUT, Reason.SLOW)


@EVERY
def test_no_time_left_is_a_call_not_made(server: ScriptedServer, call: Call) -> None:
    url = server.does(answers(call.good))
    with deadline(0):
        error = fails(call, url)
    assert error.kind is Kind.TIMEOUT
    assert server.seen == []


@EVERY
def test_a_redirect_to_a_sign_in_page_is_not_understood(server: ScriptedServer, call: Call) -> None:
    place = "https://login.example.com/sign-in?next=/x&token=abcdef"
    error = fails(call, server.does(answers("", 302, headers={"location": place})))
    assert error.kind is Kind.NOT_UNDERSTOOD
    assert "abcdef" not in str(error)
    assert len(server.seen) == 1


UNREADABLE = {
    "page": (PAGE, Reason.WEB_PAGE),
    "page as json": (PAGE, Reason.WEB_PAGE),
    "cut": ('{"data": {"x": [', Reason.BROKEN_JSON),
    "empty": ("", Reason.EMPTY),
    "words": ("everything is fine", Reason.BROKEN_JSON),
    "nested": ("[" * 200_000, Reason.BROKEN_JSON),
}


def not_understood(call: Call, url: str) -> UpstreamError | None:
    """The error; None where a status page says "unknown", which is how it says the same."""
    if call.family == "status":
        found = call.ask(url)
        assert isinstance(found, ProviderStatus)
        assert found.state == "unknown"
        return None
    error = fails(call, url)
    assert error.kind is Kind.NOT_UNDERSTOOD
    return error


@EVERY
@pytest.mark.parametrize("name", UNREADABLE)
def test_a_200_that_is_no_json_is_not_understood(server: ScriptedServer, call: Call, name: str) -> None:
    body, reason = UNREADABLE[name]
    kind = "text/html" if name == "page" else "application/json"
    error = not_understood(call, server.does(answers(body, content_type=kind)))
    assert error is None or error.reason is reason or call.name == "supabase.sign_in"


@EVERY
@pytest.mark.parametrize("body", ["null", "3", '"text"', "true", "[1]", "[null]", '{"data": 3}', '{"data": null}'])
def test_json_of_another_type_is_not_understood(server: ScriptedServer, call: Call, body: str) -> None:
    if call.any_json:
        pytest.skip("any JSON is an answer of a function")
    not_understood(call, server.does(answers(body)))


@EVERY
def test_a_list_for_an_object_and_an_object_for_a_list_are_not_understood(server: ScriptedServer, call: Call) -> None:
    if call.any_json:
        pytest.skip("any JSON is an answer of a function")
    not_understood(call, server.does(answers({} if isinstance(call.good, list) else [])))


@EVERY
def test_json_under_a_lying_content_type_is_read_all_the_same(server: ScriptedServer, call: Call) -> None:
    found = call.ask(server.does(answers(call.good, content_type="text/html")))
    assert found is not None or call.name == "railway.restart"


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.sampled_from([float("inf"), float("nan"), 10**400])
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


def bent(document: Any, odd: Any, chance: random.Random) -> Any:
    """The document with one of its parts, at any depth, replaced or taken away."""
    if isinstance(document, dict) and document and chance.random() < 0.9:
        key = chance.choice(sorted(document))
        if chance.random() < 0.15:
            return {name: value for name, value in document.items() if name != key}
        return {**document, key: bent(document[key], odd, chance)}
    if isinstance(document, list) and document and chance.random() < 0.9:
        at = chance.randrange(len(document))
        return [*document[:at], bent(document[at], odd, chance), *document[at + 1 :]]
    return odd


@EVERY
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=ODD, seed=st.integers(0, 10**6))
def test_an_answer_bent_anywhere_is_read_or_not_understood(
    server: ScriptedServer, call: Call, odd: Any, seed: int
) -> None:
    body = bent(json.loads(json.dumps(call.good)), odd, random.Random(seed))
    url = server.does(answers(body))
    try:
        call.ask(url)
    except UpstreamError as error:
        assert error.kind is not Kind.UNREACHABLE
    except Exception as error:
        # The settings' service is gone from a list that is bent: that is said by its own sentence.
        if type(error).__name__ != "Unavailable":
            raise


@EVERY
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=ODD, seed=st.integers(0, 10**6), status=st.sampled_from([400, 401, 403, 404, 409, 418, 429, 500, 503, 540]))
def test_a_refusal_bent_anywhere_is_a_refusal(
    server: ScriptedServer, call: Call, odd: Any, seed: int, status: int
) -> None:
    said = {"message": "no", "code": "42501", "type": "t", "param": None}
    body = {**said, "error": said, "errors": [said], "hint": "h", "missing_permissions": ["p"], "data": {"x": 1}}
    error = fails(call, server.does(answers(bent(body, odd, random.Random(seed)), status)))
    assert error.status == status
