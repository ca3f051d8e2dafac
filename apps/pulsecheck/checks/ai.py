"""Checks of the AI: whether answers are real, and whether the app logs them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg.rows import dict_row

from apps.pulsecheck.client import one_object
from apps.pulsecheck.definition import own_of
from apps.pulsecheck.probe import Probe, Row, not_written, probing, relation_exists
from services.checks.context import CheckContext
from services.checks.side_by_side import side_by_side
from services.clients.http import Answer, UpstreamError, kind_of
from services.verdict import Finding, Verdict, digest

CONSTANT_MARKS = {(0.5, 100), (0.6, 50), (0.6, 0)}
REAL_CONFIDENCE = 0.7
PROBES = (
    (9, 8, 2, "Planted seven tulips with my neighbour and laughed a great deal"),
    (2, 3, 9, "Quarrelled about the boiler invoice and slept four hours"),
)


@dataclass(frozen=True, slots=True)
class Pulse:
    """One answer of the companion, without its words: their digest, and the app's own marks."""

    status: int
    took_s: float
    text_digest: str
    known_text: bool
    confidence: float | None
    response_time_ms: float | None
    kind: str | None = None

    @property
    def marks(self) -> tuple[float, float] | None:
        """Confidence and response time as the app gives them; constant in a fallback."""
        if self.confidence is None or self.response_time_ms is None:
            return None
        return self.confidence, self.response_time_ms


@dataclass(frozen=True, slots=True)
class AiProbe:
    """Two different entries, what the companion said to each, and the usage rows that appeared.

    analyses: what /analysis said of the same entries; asked for only where the companion's answers are canned
    """

    pulses: tuple[Pulse, ...]
    log_rows: tuple[Row, ...]
    has_log: bool
    refused: Finding | None = None
    analyses: tuple[Pulse, ...] = ()

    @property
    def answered(self) -> bool:
        return bool(self.pulses) and all(pulse.status == 200 for pulse in self.pulses)

    @property
    def canned(self) -> bool | None:
        """By behaviour: the same words for two different entries, or twice the constant marks of a fallback."""
        if not self.answered:
            return None
        first, second = self.pulses
        constant = first.marks == second.marks and first.marks in CONSTANT_MARKS
        return first.text_digest == second.text_digest or constant or first.known_text or second.known_text

    @property
    def analysis_real(self) -> bool | None:
        """Whether /analysis got real words for the same entries; None where it was not asked or did not answer."""
        if not self.analyses or any(one.status != 200 or not one.text_digest for one in self.analyses):
            return None
        told = {one.text_digest for one in self.analyses}
        as_pulse = {one.text_digest for one in self.pulses}
        return len(told) == len(self.analyses) and not told & as_pulse and not any(a.known_text for a in self.analyses)


def ai_probe(context: CheckContext) -> AiProbe:
    """The two probes of this run, made once however many checks ask."""
    return context.once("ai-probe", lambda: _probe_ai(context))


def _probe_ai(context: CheckContext) -> AiProbe:
    with probing(context, "ai") as probe:
        written = probe.write_entries(PROBES)
        if not isinstance(written, list):
            return AiProbe((), (), probe.has_log, not_written(written, "The entry for the companion"))
        probe.will_ask(written[0].user_id, 2 * len(written))
        canned_texts = own_of(context.app).canned_texts
        pulses = _asked(probe, [one.id for one in written], canned_texts, analysis=False)
        seen = AiProbe(pulses, (), probe.has_log)
        analyses = _asked(probe, [one.id for one in written], canned_texts, analysis=True) if seen.canned else ()
        rows = probe.awaited_log_rows(written[0].user_id, len(pulses)) if seen.answered else []
        return AiProbe(pulses, tuple(rows), probe.has_log, analyses=analyses)


def _asked(probe: Probe, entry_ids: list[str], canned_texts: tuple[str, ...], *, analysis: bool) -> tuple[Pulse, ...]:
    def ask(entry_id: str) -> Pulse:
        try:
            return pulse_in(probe.analysis(entry_id) if analysis else probe.pulse(entry_id), canned_texts)
        except UpstreamError as error:
            return Pulse(0, error.took_s, "", False, None, None, error.kind.value)

    return tuple(side_by_side([partial(ask, one) for one in entry_ids]))


def pulse_in(answer: Answer, canned_texts: tuple[str, ...]) -> Pulse:
    """What an answer of the companion, or an analysis, is like, without its words. Raises UpstreamError for no JSON."""
    if answer.status != 200:
        return Pulse(answer.status, answer.took_s, "", False, None, None)
    body = one_object(answer)
    text = plain_words(str(body.get("message") or body.get("pulse_message") or _first(body.get("insights")) or ""))
    known = any(text.startswith(plain_words(one)) for one in canned_texts)
    return Pulse(
        200,
        answer.took_s,
        digest(text) if text else "",
        known,
        _float(body.get("confidence_score")),
        _float(body.get("response_time_ms")),
    )


def plain_words(text: str) -> str:
    """The words alone: numbers and white space do not make an answer another one, since a template fills them in."""
    return re.sub(r"[\d\s]+", " ", text).strip().lower()


def _first(values: object) -> object:
    return values[0] if isinstance(values, list) and values else None


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def ai_answers(context: CheckContext) -> Finding:
    """The companion answers two entries with 200 and some words. Whether they are worth anything is ai-quality."""
    seen = ai_probe(context)
    if seen.refused is not None:
        return seen.refused
    facts = _facts(seen)
    silent = [pulse for pulse in seen.pulses if pulse.status != 200]
    if silent:
        first = silent[0]
        if first.status in (0, 401, 403, 429):
            kind = first.kind or kind_of(first.status).value
            why = "the daily limit of the caller is reached" if first.status == 429 else kind
            return Finding(Verdict.UNKNOWN, f"The companion was not heard: {why}.", {**facts, "kind": kind})
        return Finding(Verdict.FAIL, f"The companion answered {first.status}.", facts, link="railway_logs")
    if any(not pulse.text_digest for pulse in seen.pulses):
        return Finding(Verdict.FAIL, "The companion answered 200 without a word.", facts, link="railway_logs")
    slowest = max(pulse.took_s for pulse in seen.pulses)
    limit = context.app.thresholds.response_alert_s
    if slowest > limit:
        return Finding(Verdict.FAIL, f"The companion took {slowest:.1f} s; the limit is {limit:g} s.", facts)
    return Finding(Verdict.PASS, f"The companion answered both entries, in {slowest:.1f} s at most.", facts)


def ai_quality(context: CheckContext) -> Finding:
    """Two entries with different levels and words get different answers, without the marks of a fallback."""
    seen = ai_probe(context)
    facts = _facts(seen)
    if seen.refused is not None:
        return seen.refused
    if seen.canned is None:
        return Finding(
            Verdict.UNKNOWN, "The companion did not answer both entries, so its answers cannot be judged.", facts
        )
    if seen.canned:
        same = len({pulse.text_digest for pulse in seen.pulses}) == 1
        said = "Two different entries got the same words" if same else "The answers bear the marks of a fallback"
        marks = ", ".join(f"{p.confidence:g}/{p.response_time_ms:g} ms" for p in seen.pulses if p.marks is not None)
        return Finding(
            Verdict.FAIL,
            f"{said}: the AI is canned (confidence and time {marks or 'not given'}).",
            facts,
            link="railway_logs",
        )
    low = [p for p in seen.pulses if p.confidence is not None and p.confidence < REAL_CONFIDENCE]
    if low:
        return Finding(
            Verdict.FAIL, f"The answers differ, but the app itself rates them below {REAL_CONFIDENCE:g}.", facts
        )
    return Finding(Verdict.PASS, "Two different entries got two different answers.", facts)


def _facts(seen: AiProbe) -> dict[str, Any]:
    return {
        "statuses": [pulse.status for pulse in seen.pulses],
        "took_ms": [round(pulse.took_s * 1000) for pulse in seen.pulses],
        "same_text": len({pulse.text_digest for pulse in seen.pulses}) == 1 if seen.answered else None,
        "known_text": any(pulse.known_text for pulse in seen.pulses),
        "confidence": [pulse.confidence for pulse in seen.pulses],
        "response_time_ms": [pulse.response_time_ms for pulse in seen.pulses],
        "logged_errors": [str(row["error_message"]) for row in seen.log_rows if row.get("error_message")],
        "log_rows": len(seen.log_rows),
        "analysis_real": seen.analysis_real,
        "removed": True,
    }


def analytics_arrive(context: CheckContext) -> Finding:
    """Every AI call leaves a row in ai_usage_logs; a real answer's row has tokens."""
    seen = ai_probe(context)
    calls, rows = len(seen.pulses), seen.log_rows
    facts = {"calls": calls, "log_rows": len(rows), "removed": True}
    if seen.refused is not None:
        return seen.refused
    if not seen.has_log:
        return Finding(Verdict.FAIL, "There is no usage log: nothing that the AI does is counted.", facts)
    if not seen.answered:
        return Finding(Verdict.UNKNOWN, "The companion did not answer, so no row was to be expected.", facts)
    if len(rows) < calls:
        return Finding(
            Verdict.FAIL, f"{calls} AI calls left {len(rows)} rows in the usage log.", facts, link="railway_logs"
        )
    counted = [row for row in rows if row["success"]]
    if counted and all(not row["total_tokens"] for row in counted):
        return Finding(Verdict.FAIL, "The usage log counts no tokens for calls that succeeded.", facts)
    return Finding(Verdict.PASS, f"{calls} AI calls left {len(rows)} rows in the usage log.", facts)


def cost_matches_log(context: CheckContext) -> Finding:
    """The cost that the app logged for a call is its tokens at the list price, within one tenth."""
    rows: list[Mapping[str, Any]] = list(ai_probe(context).log_rows)
    with context.database() as conn:
        if not relation_exists(conn, "ai_usage_logs"):
            return Finding(Verdict.FAIL, "There is no usage log, so no cost is known.", {"rows": 0})
        sql = (
            "select model_used, prompt_tokens, response_tokens, cost_usd from public.ai_usage_logs"
            " where success and total_tokens > 0 and context_type is distinct from 'ops-probe'"
            " order by created_at desc limit 500"
        )
        rows += conn.cursor(row_factory=dict_row).execute(sql).fetchall()
    paid = [row for row in rows if (row["prompt_tokens"] or 0) + (row["response_tokens"] or 0) > 0]
    if not paid:
        return Finding(Verdict.UNKNOWN, "No successful AI call is logged, so there is no cost to compare.", {"rows": 0})
    unpriced, wrong, worst_factor = 0, 0, Decimal(1)
    for row in paid:
        ours = price_of(context, str(row["model_used"]), int(row["prompt_tokens"]), int(row["response_tokens"]))
        theirs = row["cost_usd"]
        if ours is None or theirs is None:
            unpriced += 1
        elif abs(Decimal(str(theirs)) - ours) > max(ours / 10, Decimal("0.000001")):
            wrong += 1
            if ours > 0 and theirs:
                worst_factor = max(worst_factor, Decimal(str(theirs)) / ours, ours / Decimal(str(theirs)))
    facts = {"rows": len(paid), "wrong": wrong, "unpriced": unpriced, "worst_factor": float(round(worst_factor, 2))}
    if wrong:
        said = f"{wrong} of {len(paid)} calls were logged at a cost up to {worst_factor:.2g} times off the list price."
        return Finding(Verdict.FAIL, said, facts)
    if unpriced == len(paid):
        return Finding(Verdict.UNKNOWN, f"None of {len(paid)} calls has a price that we or the app know.", facts)
    return Finding(Verdict.PASS, f"The logged cost of {len(paid) - unpriced} calls equals tokens at list price.", facts)


def price_of(context: CheckContext, model: str, prompt: int, response: int) -> Decimal | None:
    """US dollars for one call by the public price list; by the app's own table where that knows no model; else None."""
    from genai_prices import Usage, calc_price

    try:
        usage = Usage(input_tokens=prompt, output_tokens=response)
        return Decimal(calc_price(usage, model, provider_id="openai").total_price)
    except LookupError:
        table = own_of(context.app).prices_per_1k_usd.get(model)
    if table is None:
        return None
    return (prompt * Decimal(str(table[0])) + response * Decimal(str(table[1]))) / 1000
