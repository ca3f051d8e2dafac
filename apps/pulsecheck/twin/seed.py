"""Production before the beta release: sixty people, thirty days, about three thousand entries, from one seed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg

PEOPLE = 60
NEWCOMERS = 18  # joined within the last 30 days: the ones the tier rule calls beta
DAYS = 30
CALLER = "user_123"
CALLER_EMAIL = "user_123@example.com"

_FIRST = tuple(
    "Ada Ben Cleo Dara Eli Fay Gus Hana Ivo June Kai Lena Milo Nora Otis Pia Quin Rosa Sami Tess".split(" ")  # noqa: SIM905
)
_LAST = ("Arden", "Birk", "Calder", "Dahl", "Esten", "Frost")
_OPENINGS = (
    "Long day of meetings",
    "Quiet morning, then a rush before lunch",
    "Worked from home",
    "Deadline moved forward again",
    "Finished the report at last",
    "Slept badly and felt it",
    "Walked to the office",
    "Helped a colleague with a hard review",
)
_MIDDLES = (
    "and the afternoon got away from me",
    "but the team was kind",
    "and I kept my breaks",
    "though the inbox never ended",
    "and a walk cleared my head",
    "but I could not switch off",
)
_ENDINGS = ("Early night planned.", "Tomorrow should be lighter.", "Need to say no more often.", "Grateful for dinner.")
_TAGS = ("work", "sleep", "family", "health", "focus", "deadline", "exercise")
_CHALLENGES = ("too many meetings", "unclear priorities", "interruptions", "late hours")
_GRATITUDE = ("a good coffee", "my team", "the weather", "a call with a friend")


@dataclass(frozen=True, slots=True)
class _Person:
    id: UUID
    email: str
    name: str
    joined: datetime
    known_as: str  # how journal_entries.user_id names this person
    writes: float  # entries a day
    mood: int


def seed(conn: psycopg.Connection[Any], anchor: datetime, seed: int) -> None:
    """Create and fill the tables as the connection's role. Same anchor and seed: the same bytes in every row.

    anchor: the newest moment of the data, aware; the connection is left committed.
    """
    random = Random(seed)  # noqa: S311 - the point is that it can be repeated
    people = list(_people(random, anchor))
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute("set search_path = public")
        cursor.execute(Path(__file__).with_name("schema.sql").read_bytes())
        _copy(cursor, "users (id, email, name, created_at, updated_at, last_login_at)", _users(people, random, anchor))
        checkins = list(_checkins(people, random, anchor))
        _copy(cursor, "checkins (id, user_id, mood_level, energy_level, note, created_at)", checkins)
        _copy(
            cursor,
            "ai_analyses (id, user_id, checkin_id, summary, burnout_risk_level, created_at)",
            _analyses(checkins, random),
        )
        _copy(
            cursor,
            "journal_entries (id, user_id, content, mood_level, energy_level, stress_level, sleep_hours, work_hours,"
            " tags, work_challenges, gratitude_items, ai_insights, ai_generated_at, created_at, updated_at)",
            _entries(people, random, anchor),
        )
    conn.execute("analyze users, checkins, ai_analyses, journal_entries")
    conn.commit()


def _copy(cursor: psycopg.Cursor[Any], into: str, rows: Sequence[tuple[Any, ...]] | Iterator[tuple[Any, ...]]) -> None:
    with cursor.copy(f"copy {into} from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def _people(random: Random, anchor: datetime) -> Iterator[_Person]:
    for number in range(PEOPLE):
        newcomer = number < NEWCOMERS
        age = 12.0 if number == 0 else random.uniform(1, 27) if newcomer else random.uniform(40, 400)
        first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) + number % 3]
        person_id = _uuid(random)
        email = CALLER_EMAIL if number == 0 else f"{first.lower()}.{last.lower()}{number}@example.com"
        # Three ways in which the app has written down who an entry belongs to, over the months.
        known_as = CALLER if number == 0 else (email if number % 6 == 5 else str(person_id))
        yield _Person(
            id=person_id,
            email=email,
            name=f"{first} {last}",
            joined=anchor - timedelta(days=age),
            known_as=known_as,
            writes=2.8 if number == 0 else random.uniform(1.2, 2.8),
            mood=random.randint(3, 8),
        )


def _users(people: Sequence[_Person], random: Random, anchor: datetime) -> Iterator[tuple[Any, ...]]:
    for person in people:
        seen = anchor - timedelta(hours=random.uniform(0.5, 20))
        yield person.id, person.email, person.name, person.joined, person.joined, seen


def _moments(person: _Person, random: Random, anchor: datetime, a_day: float) -> Iterator[datetime]:
    """Points in time of the last thirty days, after the person joined, `a_day` a day on average, oldest first."""
    start = max(person.joined, anchor - timedelta(days=DAYS))
    moment = start + timedelta(hours=random.uniform(0, 12))
    while moment < anchor:
        yield moment.replace(microsecond=0)
        moment += timedelta(days=random.expovariate(a_day))


def _level(random: Random, middle: float) -> int:
    return max(1, min(10, round(random.gauss(middle, 1.6))))


def _checkins(people: Sequence[_Person], random: Random, anchor: datetime) -> Iterator[tuple[Any, ...]]:
    for person in people:
        for moment in _moments(person, random, anchor, 0.4):
            mood, energy = _level(random, person.mood), _level(random, person.mood - 0.5)
            note = random.choice(_ENDINGS) if random.random() < 0.3 else None
            yield _uuid(random), person.id, mood, energy, note, moment


def _analyses(checkins: Sequence[tuple[Any, ...]], random: Random) -> Iterator[tuple[Any, ...]]:
    for checkin_id, user_id, mood, energy, _note, moment in checkins:
        if random.random() < 0.35:
            risk = "high" if mood + energy <= 6 else "moderate" if mood + energy <= 11 else "low"
            summary = f"Mood {mood} and energy {energy}: {risk} risk of burn-out."
            yield _uuid(random), user_id, checkin_id, summary, risk, moment + timedelta(seconds=4)


def _entries(people: Sequence[_Person], random: Random, anchor: datetime) -> Iterator[tuple[Any, ...]]:
    for person in people:
        for moment in _moments(person, random, anchor, person.writes):
            mood = _level(random, person.mood)
            energy, stress = _level(random, mood - 0.5), _level(random, 11 - mood)
            content = f"{random.choice(_OPENINGS)} {random.choice(_MIDDLES)}. {random.choice(_ENDINGS)}"
            read = random.random() < 0.25
            yield (
                _uuid(random),
                person.known_as,
                content,
                mood,
                energy,
                stress,
                round(random.uniform(4.5, 9), 1),
                round(random.uniform(0, 11), 1),
                random.sample(_TAGS, random.randint(0, 3)),
                random.sample(_CHALLENGES, random.randint(0, 2)),
                random.sample(_GRATITUDE, random.randint(0, 2)),
                json.dumps({"source": "canned"}) if read else None,
                moment + timedelta(seconds=2) if read else None,
                moment,
                moment,
            )
