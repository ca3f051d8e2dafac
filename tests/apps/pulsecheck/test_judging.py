"""How single things are judged, as functions: canned or real answers, errors in a log, prices, the old test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.pulsecheck.checks.ai import AiProbe, Pulse, price_of
from apps.pulsecheck.probe import Lost, NotStored, not_written
from apps.pulsecheck.score import old_verdict
from services.app_definition import load_app
from services.checks.context import CheckContext
from services.checks.standard.startup import last_error
from services.clients.http import Answer, Kind, UpstreamError
from services.clients.railway import LogLine
from services.settings import Target
from services.verdict import Evidence, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANSWERED = Answer("PulseCheck", "http://app", 200, {}, b"{}", 0.1)


def pulse(text: str, confidence: float | None = 0.9, time_ms: float | None = 412, known: bool = False) -> Pulse:
    return Pulse(200, 0.4, text, known, confidence, time_ms)


@pytest.mark.parametrize(
    ("first", "second", "canned"),
    [
        (pulse("a", time_ms=412), pulse("b", time_ms=388), False),
        (pulse("a", time_ms=412), pulse("a", time_ms=388), True),
        (pulse("a", 0.6, 50), pulse("b", 0.6, 50), True),
        (pulse("a", 0.5, 100), pulse("b", 0.8, 400), False),
        (pulse("a", known=True), pulse("b"), True),
        (pulse("a", None, None), pulse("b", None, None), False),
    ],
)
def test_canned_is_decided_by_behaviour(first: Pulse, second: Pulse, canned: bool) -> None:
    assert AiProbe((first, second), (), True).canned is canned


def test_an_answer_that_did_not_come_is_neither_canned_nor_real() -> None:
    silent = Pulse(0, 8.0, "", False, None, None, "timeout")
    assert AiProbe((pulse("a"), silent), (), True).canned is None
    assert AiProbe((), (), True).canned is None


def lines(text: str) -> list[LogLine]:
    return [LogLine("2026-03-01T12:00:00Z", "error", line) for line in text.splitlines()]


TRACEBACK = """Traceback (most recent call last):
  File "/app/backend/main.py", line 12, in <module>
    from services.beta import Beta
  File "/app/backend/services/beta.py", line 3, in <module>
    import tiktoken
ModuleNotFoundError: No module named 'tiktoken'
Process exited with code 1"""


def test_the_error_of_a_start_is_found_with_the_line_that_raised_it() -> None:
    found = last_error(lines(TRACEBACK))
    assert found == {
        "name": "ModuleNotFoundError",
        "said": "ModuleNotFoundError: No module named 'tiktoken'",
        "file": "beta.py",
        "line": 3,
    }


def test_a_traceback_in_one_message_is_read_too() -> None:
    found = last_error([LogLine("", "error", TRACEBACK)])
    assert found is not None
    assert found["line"] == 3


@pytest.mark.parametrize(
    "text",
    [
        "INFO: PulseCheck starting on port 8000",
        "ERROR: AI answer failed, using the fallback",
        "no errors, no Exceptional",
    ],
)
def test_ordinary_lines_are_no_error_of_a_start(text: str) -> None:
    assert last_error(lines(text)) is None


def test_an_error_that_holds_a_secret_is_quoted_without_it() -> None:
    found = last_error(lines("ValueError: bad key sk-abcdefghijklmnopqrstuvwx"))
    assert found is not None
    assert "abcdefgh" not in found["said"]


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o-mini", Decimal("0.00075")),  # 1,000 tokens in and out at 0.15 and 0.60 dollars a million
        ("no-such-model", None),
    ],
)
def test_a_call_costs_its_tokens_at_list_price_and_an_unknown_model_is_unpriced(
    model: str, price: Decimal | None
) -> None:
    context = CheckContext.create(Target(name="t"), load_app("pulsecheck"), NOW)
    assert price_of(context, model, 1000, 1000) == price


def evidence(check: str, verdict: Verdict = Verdict.PASS, **facts: Any) -> Evidence:
    return Evidence(check, "t", verdict, f"{check} said so.", facts, {}, "", NOW, 1, 1, NOW + timedelta(hours=1))


def everything(**changes: Evidence) -> dict[str, Evidence]:
    good = {
        "api-answers": evidence("api-answers", status=200),
        "docs-served": evidence("docs-served", status=200),
        "journal-roundtrip": evidence("journal-roundtrip", status=200, read_status=200),
        "stats-answer": evidence("stats-answer", status=200),
        "ai-answers": evidence("ai-answers", statuses=[200, 200]),
        "feedback-stored": evidence("feedback-stored", status=200),
        "admin-numbers": evidence("admin-numbers", status=200),
    }
    return good | {one.check_id: one for one in changes.values()}


def test_the_old_test_called_a_build_ready_where_admin_was_500_and_feedback_lost() -> None:
    seen = everything(
        admin=evidence("admin-numbers", Verdict.FAIL, status=500),
        feedback=evidence("feedback-stored", Verdict.FAIL, status=200, stored=0),
    )
    old = old_verdict(seen)
    assert (old.passed, old.of, old.ready) == (9, 10, True)
    assert any("ai_feedback" in line for line in old.never_looked)


def test_the_old_test_saw_missing_routes() -> None:
    seen = everything(
        admin=evidence("admin-numbers", Verdict.FAIL, status=404),
        feedback=evidence("feedback-stored", Verdict.FAIL, status=404),
    )
    assert (old_verdict(seen).passed, old_verdict(seen).ready) == (7, False)


@pytest.mark.parametrize(
    "outcome",
    [NotStored(ANSWERED), Lost(UpstreamError("PulseCheck", Kind.NOT_UNDERSTOOD, "A page.", status=200), stored=False)],
)
def test_an_entry_that_was_answered_and_is_not_there_is_no_answer_to_feedback(outcome: NotStored | Lost) -> None:
    found = not_written(outcome, "The entry")
    assert (found.verdict, found.facts["entry_status"]) == (Verdict.UNKNOWN, 200)
    seen = everything(feedback=evidence("feedback-stored", found.verdict, **found.facts))
    assert old_verdict(seen).said["feedback"] is False


def test_the_old_test_read_an_entry_by_its_status_alone() -> None:
    stale = evidence("journal-roundtrip", Verdict.FAIL, status=200, read_status=200)
    assert old_verdict(everything(journal=stale)).said["journal-read"] is True


def test_the_old_test_on_nothing_seen_passed_nothing() -> None:
    assert old_verdict({}).passed == 0
