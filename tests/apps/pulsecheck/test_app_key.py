"""Why an AI is canned and whose key it is, as a function of what was seen; the key that counts is never ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pulsecheck.checks.ai import AiProbe, Pulse
from apps.pulsecheck.checks.app_key import Symptoms, delay_hint, recent_lines_about_ai, why_canned
from services.clients.railway import LogLine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUOTA = "APIStatusError: Error code: 429 - insufficient_quota"
REJECTED = "AuthenticationError: Error code: 401 - invalid_api_key"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (QUOTA, "quota"),
        ("RateLimitError: You exceeded your current quota, please check your plan", "quota"),
        ("APIStatusError: Error code: 429 - project_spend_limit_exceeded", "quota"),
        (REJECTED, "key-rejected"),
        ("Incorrect API key provided: [redacted]", "key-rejected"),
        ("Error code: 404 - model_not_found", "model"),
        ("Error code: 403 - model_not_found", "model"),
        ("Error code: 403 - unsupported_country_region_territory", "region"),
        ("Error code: 429 - rate_limit_exceeded", "rate-limited"),
        ("APIConnectionError: Connection error.", "network"),
        ("APITimeoutError: Request timed out.", "network"),
        ("Error code: 503 - overloaded", "network"),
        ("JSONDecodeError: Expecting value: line 1 column 1 (char 0)", "network"),
        ("LocalProtocolError: Illegal header value b'Bearer sk'", "key-malformed"),
        ("OpenAIError: The api_key client option must be set", "key-absent"),
        ("NameError: name 'usage' is not defined", "code-bug"),
        ("KeyError: 'mood_rating'", "code-bug"),
        ("something else went wrong", "unknown"),
    ],
)
def test_the_apps_own_log_of_our_calls_tells_why(line: str, why: str) -> None:
    found = why_canned(Symptoms(delays_s=(5.0,), logged_errors=(line,)))
    assert found.why == why
    assert found.certainty == ("unknown" if why == "unknown" else "proved")


def test_a_real_analysis_beside_a_canned_pulse_is_a_bug_whatever_the_keys_do() -> None:
    found = why_canned(Symptoms(analysis_real=True, logged_errors=(QUOTA,), our_key="quota", our_why="quota"))
    assert (found.why, found.whose, found.certainty) == ("code-bug", "none", "proved")


def test_a_variable_that_is_not_set_is_proved_by_its_name() -> None:
    found = why_canned(Symptoms(key_named=False, our_key="good"))
    assert (found.why, found.whose) == ("key-absent", "app")


@pytest.mark.parametrize(("line", "why"), [(REJECTED, "key-malformed"), (QUOTA, "quota")])
def test_a_key_without_the_form_of_one_explains_a_rejection_and_nothing_else(line: str, why: str) -> None:
    assert why_canned(Symptoms(logged_errors=(line,), looks_like_key=False, key_named=True)).why == why


def test_without_a_log_the_platforms_lines_make_it_likely_and_are_quoted_without_secrets() -> None:
    found = why_canned(Symptoms(log_lines=(f"AI answer failed with sk-abcdefghijklmnop: {REJECTED}",)))
    assert (found.why, found.certainty) == ("key-rejected", "likely")
    assert "abcdefghijklmnop" not in str(found.quoted)


def test_an_answer_that_was_paid_for_and_not_shown_is_a_bug() -> None:
    assert why_canned(Symptoms(succeeded=True)).why == "code-bug"


@pytest.mark.parametrize(
    ("delay", "hint"),
    [
        (0.05, "asks no AI"),
        (0.4, "missing key or a bug"),
        (0.7, "rejected key"),
        (2.5, "quota, or the network"),
        (3.3, "quota, or the network"),
        (1.5, None),
        (8.0, None),
    ],
)
def test_a_delay_is_a_hint_and_no_reason(delay: float, hint: str | None) -> None:
    found = why_canned(Symptoms(delays_s=(delay, delay)))
    assert (found.why, found.whose) == ("unknown", "unknown")
    assert (hint or "") in (found.hint or "")
    assert (found.hint is None) is (hint is None)
    assert delay_hint(()) is None


@given(
    our=st.sampled_from(["good", "quota", "unauthorised", "missing", "timeout", "forbidden", None]),
    line=st.sampled_from([QUOTA, REJECTED, "Error code: 404 - model_not_found", "", "Connection error."]),
)
def test_our_own_key_never_changes_the_reason(our: str | None, line: str) -> None:
    lines = (line,) if line else ()
    without, with_ours = why_canned(Symptoms(logged_errors=lines)), why_canned(Symptoms((), None, lines, our_key=our))
    assert without.why == with_ours.why
    assert "proves nothing about the app's" in with_ours.sentence(our) or our is None


def test_every_sentence_says_whose_key_it_speaks_of() -> None:
    for line in (QUOTA, REJECTED, "Connection error.", "NameError: x", ""):
        for our in ("good", "quota", None):
            said = why_canned(Symptoms(logged_errors=(line,), our_key=our)).sentence(our)
            assert "app" in said
            assert "Our own key" in said


def test_the_same_failure_of_both_keys_is_told_as_both() -> None:
    found = why_canned(Symptoms(logged_errors=(QUOTA,), our_key="quota", our_why="quota"))
    assert found.whose == "both"
    assert why_canned(Symptoms(logged_errors=(QUOTA,), our_key="good")).whose == "app"


def test_only_fresh_lines_about_the_ai_are_read() -> None:
    def line(minutes: int, message: str) -> LogLine:
        return LogLine((NOW - timedelta(minutes=minutes)).isoformat(), "error", message)

    lines = [
        line(60, f"AI answer failed: {REJECTED}"),
        line(5, f"AI answer failed: {QUOTA}"),
        line(4, "database request failed: Connection error."),
        line(1, "AI answer took 400 ms"),
    ]
    assert recent_lines_about_ai(lines, NOW) == (f"AI answer failed: {QUOTA}",)


def heard(text: str, known: bool = False) -> Pulse:
    return Pulse(200, 0.4, text, known, 0.6, 0)


@pytest.mark.parametrize(
    ("analyses", "real"),
    [
        ((heard("x"), heard("y")), True),
        ((heard("x"), heard("x")), False),
        ((heard("a"), heard("y")), False),
        ((heard("x"), heard("y", known=True)), False),
        ((heard("x"), Pulse(500, 0.4, "", False, None, None)), None),
        ((), None),
    ],
)
def test_an_analysis_is_real_where_it_is_neither_the_pulse_nor_twice_the_same(
    analyses: tuple[Pulse, ...], real: bool | None
) -> None:
    assert AiProbe((heard("a"), heard("a")), (), True, analyses=analyses).analysis_real is real
