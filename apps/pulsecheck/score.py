"""How PulseCheck's production test is read, and what the team's old test by status codes would have said of it."""

from __future__ import annotations

from collections.abc import Mapping

from services.app_definition import AppDefinition
from services.checks.score import EvidenceById, OldVerdict, ScoreRules
from services.verdict import Verdict

READY_FROM = 8
ROWS_BEHIND = {
    "health": ("api-answers", "a path that nobody can have prepared, to see that a process and not a cache answers"),
    "journal-write": ("journal-roundtrip", "the entry's row in journal_entries"),
    "stats": ("stats-answer", "the number of rows behind total_entries"),
    "database": ("database-rest", "the number of entries in the database beside the number REST shows"),
    "ai-answers": ("analytics-arrive", "the row that each AI call should leave in ai_usage_logs"),
    "ai-quality": ("ai-quality", "a second entry, to see whether it gets the same words"),
    "feedback": ("feedback-stored", "the row in ai_feedback"),
    "admin": ("admin-numbers", "our own count of ai_usage_logs beside the admin numbers"),
}


def rules(_definition: AppDefinition) -> ScoreRules:
    return ScoreRules(old_verdict)


def old_verdict(evidence: EvidenceById) -> OldVerdict:
    """The old ten-point test on the same answers: a feature counted where the call came back with the right status.

    Its quality check wanted the fields insight, action and question, of which two do not exist and one is always null,
    so that it could never pass; and an admin answer counted as loaded unless it was 404.
    """
    said = {
        "health": _status(evidence, "api-answers") == 200,
        "docs": _status(evidence, "docs-served") == 200,
        "journal-write": _status(evidence, "journal-roundtrip") in (200, 201),
        "journal-read": _fact(evidence, "journal-roundtrip", "read_status") == 200,
        "stats": _status(evidence, "stats-answer") == 200,
        "database": _status(evidence, "journal-roundtrip") in (200, 201),
        "ai-answers": _fact(evidence, "ai-answers", "statuses") == [200, 200],
        "ai-quality": False,
        "feedback": _status(evidence, "feedback-stored") == 200,
        "admin": _status(evidence, "admin-numbers") not in (None, 404),
    }
    passed = sum(said.values())
    never = tuple(
        f"{what}: {_seen(evidence, check)}"
        for check, what in ROWS_BEHIND.values()
        if _seen(evidence, check) is not None
    )
    return OldVerdict(passed=passed, of=len(said), ready=passed >= READY_FROM, said=said, never_looked=never)


def _fact(evidence: EvidenceById, check: str, name: str) -> object:
    found = evidence.get(check)
    return found.facts.get(name) if found is not None else None


def _status(evidence: EvidenceById, check: str) -> object:
    return _fact(evidence, check, "status")


def _seen(evidence: Mapping[str, object], check: str) -> str | None:
    found = evidence.get(check)
    summary = getattr(found, "summary", None)
    verdict = getattr(found, "verdict", None)
    if summary is None or verdict is Verdict.UNKNOWN:
        return None
    return str(summary)
