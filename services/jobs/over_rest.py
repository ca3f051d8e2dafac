"""Knows whether the tables that a deploy made answer over REST: the schema cache has to have heard of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.clients.supabase import Key, SupabaseClient
from services.clients.upstream_error import Kind, UpstreamError
from services.database.fingerprint import Fingerprint
from services.settings import Target
from services.verdict import Verdict, worst

WITHIN_S = 10.0
"""A cache is read anew within a second or two of being told; later than this it was not told."""

EXPOSED = "public"
_AGAIN_S = 0.3
_MOST_ASKED = 40


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """What the Data API said about one table or view."""

    table: str
    verdict: Verdict
    message: str

    def to_json(self) -> dict[str, str]:
        return {"table": self.table, "verdict": self.verdict.value, "message": self.message}


@dataclass(frozen=True, slots=True)
class RestAnswers:
    """All answers. not_asked says why nothing could be asked; its verdict is unknown."""

    answers: tuple[RestAnswer, ...] = field(default=())
    not_asked: str | None = None

    @property
    def verdict(self) -> Verdict:
        if self.not_asked is not None:
            return Verdict.UNKNOWN
        return worst(answer.verdict for answer in self.answers) if self.answers else Verdict.PASS

    @property
    def counts(self) -> bool:
        """Whether the deploy is judged by it: a target without a Data API in its settings is not."""
        return self.not_asked is None

    def sentence(self) -> str:
        """What is wrong, for the deploy's summary; empty where nothing is."""
        bad = [answer for answer in self.answers if answer.verdict is not Verdict.PASS]
        if not bad:
            return ""
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        return f"Over REST, {bad[0].table} {bad[0].message}{more}."

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "tables": [answer.to_json() for answer in self.answers],
            "not_asked": self.not_asked,
        }


def made_relations(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Names of the tables and views in the exposed schema that the deploy made."""
    prefix = f"relation {EXPOSED}."
    made = sorted(after.facts.keys() - before.facts.keys())
    return [
        fact.removeprefix(prefix).strip('"')
        for fact in made
        if fact.startswith(prefix) and after.facts[fact][:1] in "rpvm"
    ]


def ask_over_rest(
    target: Target, tables: Sequence[str], *, cancelled: Callable[[], bool], within_s: float = WITHIN_S
) -> RestAnswers:
    """Ask the target's Data API for each table until it knows it, `within_s` seconds at most; no row is fetched."""
    if not tables:
        return RestAnswers()
    client = SupabaseClient.of(target)
    try:
        key = next((key for key in (Key.SERVICE, Key.ANON) if client.has(key)), None)
        if key is None:
            return RestAnswers(not_asked=f"{target.name} has no supabase_url with a key in its settings.")
        until = time.monotonic() + within_s
        return RestAnswers(tuple(_ask(client, key, name, until, cancelled) for name in tables[:_MOST_ASKED]))
    finally:
        client.close()


def _ask(client: SupabaseClient, key: Key, table: str, until: float, cancelled: Callable[[], bool]) -> RestAnswer:
    while True:
        answer = _once(client, key, table)
        if answer.verdict is not Verdict.FAIL or cancelled() or time.monotonic() >= until:
            return answer
        time.sleep(_AGAIN_S)


def _once(client: SupabaseClient, key: Key, table: str) -> RestAnswer:
    try:
        client.rows(table, key=key, limit=0)
    except UpstreamError as error:
        if error.kind is Kind.FORBIDDEN and error.code == "42501":
            return RestAnswer(table, Verdict.PASS, f"is known, and refused to {key.value}")
        if error.kind is Kind.MISSING:
            return RestAnswer(table, Verdict.FAIL, "is not there: the schema cache has not heard of it")
        return RestAnswer(table, Verdict.UNKNOWN, f"could not be asked: {error.what}")
    return RestAnswer(table, Verdict.PASS, f"answers to {key.value}")
