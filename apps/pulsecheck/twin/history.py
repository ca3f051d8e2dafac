"""Fourteen days of the beta: who asked the AI, what it cost, and what people said about its answers; from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from apps.pulsecheck.twin.answers import confidence_of
from apps.pulsecheck.twin.model import MODEL
from apps.pulsecheck.twin.usage import AiCall, tier_of

WEEKS = 2
A_WEEK = 3  # the fewest calls a week of everybody who takes part
PREMIUM, BETA, FREE = 4, 6, 5
ERROR_SHARE = 0.02
FEEDBACK_SHARE = 0.45
KINDS = {"thumbs_up": 75, "thumbs_down": 14, "detailed": 9, "report": 2}
ERRORS = (
    "APITimeoutError: Request timed out.",
    "InternalServerError: The server had an error while processing your request.",
)
PRAISE = (
    "Short and to the point, this helped.",
    "The suggestion fitted my day.",
    "Kind tone, and it noticed the stress level.",
    "I would like one more concrete idea.",
    "A bit too general this time.",
    "Good question at the end, it made me think.",
)
COMPLAINTS = ("The answer repeats my own words.", "It did not refer to what I wrote.")


@dataclass(frozen=True, slots=True)
class _Limits:
    daily: int
    depth: int


@dataclass(slots=True)
class _Person:
    """Somebody who takes part. entries: when and which, oldest first; calls: how many on each UTC day."""

    id: UUID
    joined: datetime
    premium: bool
    entries: list[tuple[datetime, UUID]]
    calls: Counter[Any] = field(default_factory=Counter)

    def tier(self, moment: datetime) -> str:
        return tier_of({"is_premium": self.premium, "created_at": self.joined.isoformat()}, moment)


@dataclass(frozen=True, slots=True)
class _Interaction:
    id: UUID
    person: _Person
    entry: UUID
    moment: datetime
    context: str
    call: AiCall


def usage(conn: psycopg.Connection[Any], anchor: datetime, seed: int) -> None:
    """Write the fourteen days before `anchor` as the owner, after the release; its trigger sums up the quotas.

    Same anchor and seed, over the same entries: the same bytes in every row. The caller `user_123`, whom probes act
    as, takes no part, so that its quota of the day is whole. The connection is left committed.
    """
    random = Random(f"usage {seed}")  # noqa: S311 - the point is that it can be repeated
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute("set local search_path = public")
        people = _people(cursor, random, anchor)
        cursor.execute("update users set is_premium = true where id = any(%s)", [[p.id for p in people if p.premium]])
        limits = _limits(cursor)
        done = sorted(_interactions(people, limits, random, anchor), key=lambda one: (one.moment, one.id))
        _copy(
            cursor,
            "ai_usage_logs (id, user_id, prompt_tokens, response_tokens, total_tokens, model_used, response_time_ms,"
            " confidence_score, cost_usd, context_type, success, error_message, created_at)",
            map(_log_row, done),
        )
        _copy(
            cursor,
            "ai_feedback (id, user_id, journal_entry_id, ai_usage_log_id, feedback_type, feedback_text, user_tier,"
            " created_at)",
            _feedback(done, random, anchor),
        )
        # The trigger stamps a quota with the clock; on those days it would have stamped it with the day's last call.
        cursor.execute(
            "update daily_usage_quotas as quota set updated_at = log.latest from (select user_id, max(created_at) as"
            " latest, (created_at at time zone 'UTC')::date as day from ai_usage_logs group by 1, 3) as log"
            " where log.user_id = quota.user_id and log.day = quota.usage_date"
        )
    conn.execute("analyze users, ai_usage_logs, ai_feedback, daily_usage_quotas")
    conn.commit()


def _copy(cursor: psycopg.Cursor[Any], into: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with cursor.copy(f"copy {into} from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _limits(cursor: psycopg.Cursor[Any]) -> dict[str, _Limits]:
    cursor.execute("select tier_name, daily_ai_limit, context_depth from user_tier_limits")
    return {name: _Limits(daily, depth) for name, daily, depth in cursor.fetchall()}


def _people(cursor: psycopg.Cursor[Any], random: Random, anchor: datetime) -> list[_Person]:
    """Premium ones are old members who pay; the rest are of the tier that their age gives them."""
    found = _candidates(cursor, anchor)
    old = [one for one in found if one.tier(anchor - timedelta(weeks=WEEKS)) == "free"]
    new = [one for one in found if one.tier(anchor) == "beta"]
    old = random.sample(old, min(PREMIUM + FREE, len(old)))
    for one in old[:PREMIUM]:
        one.premium = True
    return [*old, *random.sample(new, min(BETA, len(new)))]


def _candidates(cursor: psycopg.Cursor[Any], anchor: datetime) -> list[_Person]:
    """Everybody known to the journal by the id of users, with enough entries in each week."""
    rows = cursor.connection.cursor(row_factory=dict_row).execute(
        "select known.id, known.created_at, array_agg(entry.created_at order by entry.created_at, entry.id) as moments,"
        " array_agg(entry.id order by entry.created_at, entry.id) as entries"
        " from public.users as known join public.journal_entries as entry on entry.user_id = known.id::text"
        " where entry.created_at >= %s and entry.created_at < %s group by known.id order by known.id",
        [anchor - timedelta(weeks=WEEKS), anchor - timedelta(minutes=5)],
    )
    people = [
        _Person(row["id"], row["created_at"], False, list(zip(row["moments"], row["entries"], strict=True)))
        for row in rows
    ]
    return [one for one in people if all(len(week) >= 2 * A_WEEK for week in _weeks(one, anchor))]


def _weeks(person: _Person, anchor: datetime) -> Iterator[list[tuple[datetime, UUID]]]:
    for week in range(WEEKS, 0, -1):
        start = anchor - timedelta(weeks=week)
        yield [one for one in person.entries if start <= one[0] < start + timedelta(weeks=1)]


def _interactions(
    people: Sequence[_Person], limits: Mapping[str, _Limits], random: Random, anchor: datetime
) -> Iterator[_Interaction]:
    for person in people:
        fondness = random.uniform(0.45, 0.75)
        for number, entries in enumerate(_weeks(person, anchor)):
            # People ask more often in the second week than in the first.
            wanted = max(A_WEEK, round(len(entries) * (fondness + 0.12 * number)))
            for moment, entry in sorted(random.sample(entries, min(wanted, len(entries)))):
                asked = moment + timedelta(seconds=random.randint(5, 90))
                limit = limits[person.tier(asked)]
                if person.calls[asked.date()] < limit.daily:
                    person.calls[asked.date()] += 1
                    context = "pulse" if random.random() < 0.7 else "analysis"
                    yield _Interaction(_uuid(random), person, entry, asked, context, _call(random, limit.depth))


def _call(random: Random, depth: int) -> AiCall:
    took = max(300, min(2500, round(random.lognormvariate(log(880), 0.42))))
    if random.random() < ERROR_SHARE:
        return AiCall(MODEL, 0, 0, took, None, error=random.choice(ERRORS))
    answer = random.randint(30, 90)
    prompt = 60 + sum(random.randint(35, 75) for _ in range(depth))  # earlier entries are told as context
    return AiCall(MODEL, prompt, answer, took, confidence_of(answer))


def _log_row(one: _Interaction) -> tuple[Any, ...]:
    call = one.call
    return (
        one.id,
        str(one.person.id),
        call.prompt_tokens,
        call.response_tokens,
        call.prompt_tokens + call.response_tokens,
        call.model,
        call.took_ms,
        call.confidence,
        None if call.cost_usd is None else float(call.cost_usd),
        one.context,
        call.error is None,
        call.error,
        one.moment,
    )


def _feedback(done: Sequence[_Interaction], random: Random, anchor: datetime) -> Iterator[tuple[Any, ...]]:
    for one in done:
        moment = one.moment + timedelta(seconds=random.randint(8, 200))
        if one.call.error is not None or moment > anchor or random.random() >= FEEDBACK_SHARE:
            continue
        (kind,) = random.choices(list(KINDS), weights=list(KINDS.values()))
        tier = one.person.tier(moment)
        yield _uuid(random), str(one.person.id), one.entry, one.id, kind, _text(kind, random), tier, moment


def _text(kind: str, random: Random) -> str | None:
    if kind == "detailed":
        return random.choice(PRAISE)
    return random.choice(COMPLAINTS) if kind == "report" else None


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)
