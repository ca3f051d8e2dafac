"""How the errors in Postgres's log are judged: few are usual, refusals are the door doing its work."""

from __future__ import annotations

from datetime import UTC, datetime

from services.checks.standard.supabase import LOG_ERRORS, LOG_LINES, log_errors
from services.clients.supabase import LogLine
from services.verdict import Verdict

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def lines(message: str, count: int, severity: str = "ERROR") -> list[LogLine]:
    return [LogLine("postgres_logs", AT, severity, message, None, None) for _ in range(count)]


def test_a_few_errors_are_usual_and_many_are_not() -> None:
    few = log_errors(lines('invalid input syntax for type uuid: "x"', LOG_ERRORS))
    many = log_errors(lines('invalid input syntax for type uuid: "x"', LOG_ERRORS + 1))
    assert (few.verdict, many.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert many.facts["messages"] == {"invalid input syntax for type uuid": LOG_ERRORS + 1}


def test_refusals_are_told_and_not_counted_since_our_own_checks_provoke_them() -> None:
    found = log_errors(lines("permission denied for table ai_usage_logs", 80))
    assert found.verdict is Verdict.PASS
    assert (found.facts["errors"], found.facts["refusals"]) == (0, 80)


def test_one_panic_is_too_many() -> None:
    assert log_errors(lines("could not write to file", 1, "PANIC")).verdict is Verdict.FAIL


def test_what_was_not_read_to_its_end_is_not_clean() -> None:
    found = log_errors(lines("permission denied for table ai_usage_logs", LOG_LINES))
    assert found.verdict is Verdict.UNKNOWN
