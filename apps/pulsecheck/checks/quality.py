"""The check of the companion's answers: ten synthetic entries, graded by rule; of the words only digests are kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from apps.pulsecheck.checks.ai import plain_words
from apps.pulsecheck.checks.api import build_of
from apps.pulsecheck.client import one_object
from apps.pulsecheck.definition import own_of
from apps.pulsecheck.probe import Probe, not_written, probing
from apps.pulsecheck.quality_rules import Expectations, Grades, Reply, expectations, grade, reply_in
from services.checks.context import CheckContext
from services.checks.side_by_side import side_by_side
from services.clients.http import UpstreamError, kind_of
from services.verdict import Finding, Verdict, digest

DIGITS = 12
AT_ONCE = 10


def response_quality(context: CheckContext) -> Finding:
    """Of ten synthetic entries, enough get an answer that keeps every rule for it."""
    expected = expectations()
    with probing(context, "ai") as probe:
        words = [(one.mood, one.energy, one.stress, one.words) for one in expected.entries]
        written = probe.write_entries(words, at_once=AT_ONCE)
        if not isinstance(written, list):
            return not_written(written, "A synthetic entry")
        probe.will_ask(written[0].user_id, len(written))
        replies = side_by_side([partial(_reply, probe, one.id) for one in written], at_once=AT_ONCE)
        # Their rows in the usage log are removed with them, so they must have been written.
        probe.awaited_log_rows(written[0].user_id, sum(isinstance(one, Reply) for one in replies))
    by_entry = {entry.id: one for entry, one in zip(expected.entries, replies, strict=True)}
    heard = {name: one for name, one in by_entry.items() if isinstance(one, Reply)}
    silent = [one for one in by_entry.values() if isinstance(one, str)]
    grades = grade(heard, expected, own_of(context.app).canned_texts)
    return judged_quality(expected, grades, {**_about(context, heard), "kind": silent[0] if silent else None})


def _reply(probe: Probe, entry_id: str) -> Reply | str:
    """The answer, or the kind of failure."""
    try:
        answer = probe.pulse(entry_id)
        return reply_in(one_object(answer)) if answer.ok else kind_of(answer.status).value
    except UpstreamError as error:
        return error.kind.value


def _about(context: CheckContext, heard: Mapping[str, Reply]) -> dict[str, Any]:
    build, app = build_of(context), context.app
    told = [one.confidence for one in heard.values() if one.confidence is not None]
    released = build is not None and app.release_build is not None and app.includes(build, app.release_build)
    return {
        "build": build,
        "release": (context.release.id if context.release is not None else app.default_release) if released else None,
        "confidence_self_reported": round(sum(told) / len(told), 3) if told else None,
        "digests": {name: digest(plain_words(one.message))[:DIGITS] for name, one in heard.items()},
        "removed": True,
    }


def judged_quality(expected: Expectations, grades: Grades, about: Mapping[str, Any]) -> Finding:
    """The verdict on graded answers. The app's own confidence stands beside it and decides nothing."""
    facts = {
        **about,
        "graded": grades.graded,
        "passed": grades.passed,
        "share": grades.share,
        "by_expectation": grades.by_expectation(),
        "failed": {name: list(rules) for name, rules in grades.failed.items() if rules},
    }
    of = len(expected.entries)
    if grades.graded < expected.graded_at_least:
        facts["share"] = None
        said = f"Only {grades.graded} of {of} entries got an answer ({about.get('kind') or 'none'}): not graded."
        return Finding(Verdict.UNKNOWN, said, facts)
    said = f"{grades.passed} of {grades.graded} answers keep every rule"
    if about.get("confidence_self_reported") is not None:
        said += f" (the app's own confidence, self-reported: {about['confidence_self_reported']:.0%})"
    broken = [rule for rule in expected.never if any(rule in rules for rules in grades.failed.values())]
    if broken:
        return Finding(Verdict.FAIL, f"{said}; a rule that may never be broken is: {', '.join(broken)}.", facts)
    if grades.share < expected.pass_share:
        worst = min(grades.by_expectation().items(), key=lambda item: item[1])
        said += f"; at least {expected.pass_share:.0%} should. Most often broken: {worst[0]}."
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    return Finding(Verdict.PASS, f"{said}.", facts)
