"""The production test: features judged by effect, findings beside them, and what a status-code test would have said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.app_definition import AppDefinition, Feature, part_of
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import AT_ONCE, Emit, run_checks, silent
from services.verdict import Evidence, Verdict, worst

EvidenceById = Mapping[str, Evidence]
SCORE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class FeatureVerdict:
    """One feature of the score with the sentence that decided it."""

    id: str
    title: str
    verdict: Verdict
    summary: str
    checks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "verdict": self.verdict.value,
            "summary": self.summary,
            "checks": list(self.checks),
        }


@dataclass(frozen=True, slots=True)
class OldVerdict:
    """What a test by status codes alone would have said of the same answers, and what it never looked at."""

    passed: int
    of: int
    ready: bool
    said: Mapping[str, bool]
    never_looked: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "of": self.of,
            "ready": self.ready,
            "said": dict(self.said),
            "never_looked": list(self.never_looked),
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The result. `of` is always the number of features; unknown is not passed; findings never change `passed`."""

    features: tuple[FeatureVerdict, ...]
    findings: tuple[Evidence, ...]
    old: OldVerdict | None
    evidence: tuple[Evidence, ...]
    not_used: tuple[Mapping[str, str], ...] = ()

    @property
    def passed(self) -> int:
        return sum(feature.verdict is Verdict.PASS for feature in self.features)

    @property
    def of(self) -> int:
        return len(self.features)

    @property
    def tested(self) -> int:
        """Features about which something is known."""
        return sum(feature.verdict is not Verdict.UNKNOWN for feature in self.features)

    @property
    def percent(self) -> float:
        return round(100 * self.passed / self.of, 1) if self.of else 0.0

    @property
    def sentence(self) -> str:
        if self.tested == self.of:
            return f"{self.passed} of {self.of} features passed."
        return f"{self.passed} of {self.tested} tested, {self.of - self.tested} not tested."

    def to_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "of": self.of,
            "percent": self.percent,
            "sentence": self.sentence,
            "features": [feature.to_json() for feature in self.features],
            "findings": [
                {"id": e.check_id, "verdict": e.verdict.value, "summary": e.summary, "link": e.link}
                for e in self.findings
            ],
            "not_used": [dict(one) for one in self.not_used],
            "old": self.old.to_json() if self.old else None,
        }


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """How an app's score is read. old_verdict: a function of the same evidence; None where there was no old test."""

    old_verdict: Callable[[EvidenceById], OldVerdict | None]


def rules_of(app: AppDefinition) -> ScoreRules:
    """How the app's production test is read from the evidence; without a module `score` there was no old test."""
    module = part_of(app, "score")
    found: ScoreRules = module.rules(app) if module else ScoreRules(lambda _evidence: None)
    return found


def run_score(
    app: AppDefinition,
    context: CheckContext,
    now: datetime,
    emit: Emit = silent,
    *,
    within_s: float = SCORE_WITHIN_S,
    at_once: int = AT_ONCE,
) -> Score:
    """Run the whole catalogue and read the score from it. emit: as run_checks, then ("feature", feature as JSON)."""
    catalogue = catalogue_of(app)
    evidence = run_checks(catalogue, catalogue.ids, context, now, emit, within_s=within_s, at_once=at_once)
    score = replace(read_score(app, evidence), not_used=tuple(catalogue.told_not_used()))
    for feature in score.features:
        emit("feature", feature.to_json())
    return score


def read_score(app: AppDefinition, evidence: list[Evidence]) -> Score:
    """The score as a function of the evidence alone."""
    by_id = {one.check_id: one for one in evidence}
    features = tuple(_feature(feature, by_id) for feature in app.features)
    decided = {check for feature in app.features for check in feature.checks}
    findings = tuple(one for one in evidence if one.check_id not in decided and one.verdict is not Verdict.PASS)
    return Score(features, findings, rules_of(app).old_verdict(by_id), tuple(evidence))


def _feature(feature: Feature, by_id: EvidenceById) -> FeatureVerdict:
    seen = [
        (_verdict(by_id[check], feature.stages), by_id[check].summary) for check in feature.checks if check in by_id
    ]
    verdict = worst(found for found, _ in seen)
    if len(seen) < len(feature.checks) and verdict is Verdict.PASS:
        verdict = Verdict.UNKNOWN
    deciding = [summary for found, summary in seen if found is verdict]
    return FeatureVerdict(
        feature.id, feature.title, verdict, deciding[0] if deciding else "Not tested.", feature.checks
    )


def _verdict(evidence: Evidence, stages: tuple[str, ...]) -> Verdict:
    """The verdict of the stages that the feature is about; of the whole check where it names none or saw none."""
    seen = evidence.facts.get("stages")
    if not stages or not isinstance(seen, Mapping):
        return evidence.verdict
    return worst(Verdict(seen[stage]) if stage in seen else Verdict.UNKNOWN for stage in stages)
