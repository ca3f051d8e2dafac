"""Recovery codes: made on the server's console, kept as hashes, good once, for when no sign-in can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Row, func, insert, select, update

from services.access.codes import Code, hash_of, matches, new_code, new_salt, read_code
from services.access.notices import current_in, tell
from services.access.permissions import Actor, Role
from services.access.sessions import begin_session
from services.errors import NotUnderstood, Refused
from services.store import audit
from services.store.database import Store
from services.store.tables import audit as audit_table
from services.store.tables import recovery_codes

LASTS = timedelta(minutes=60)
"""How long somebody who used a code is operator; it cannot be made longer."""
DAYS, MOST_DAYS = 90, 365
COUNT, MOST_CODES = 8, 50
WINDOW = timedelta(minutes=1)
MOST_TRIES, MOST_TRIES_OF_ALL = 5, 30
"""In one window: from one address, and on one target. Apart, so that who guesses does not lock out who needs it."""
TRIED = "recovery code tried"
_NOBODYS_SALT = "00" * 16


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """What is known of a code: everything but the code. id: its first group."""

    id: str
    target: str
    person: str
    made_by: str
    made: datetime
    expires: datetime
    used: datetime | None
    withdrawn: datetime | None

    def state(self, now: datetime) -> str:
        """unused, used, withdrawn or expired."""
        if self.used is not None:
            return "used"
        if self.withdrawn is not None:
            return "withdrawn"
        return "expired" if self.expires <= now else "unused"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A session opened with a code. token: for the browser's cookie; until: when it ends."""

    token: str
    actor: Actor
    until: datetime


def make_codes(
    store: Store, *, actor: str, target: str, person: str, now: datetime, count: int = COUNT, days: int = DAYS
) -> list[tuple[RecoveryCode, SecretStr]]:
    """Make codes and return them with their text, which is kept nowhere.

    actor: who sits at the console; person: whom they are handed to. Raises NotUnderstood for numbers out of range.
    """
    whom = " ".join(person.split())
    if not whom or len(whom) > 120:
        raise NotUnderstood(
            "Whom the codes are for is not said.", "No code was made.", 'Name one person: --for "Ada Example".', "--for"
        )
    for place, value, most in (("--count", count, MOST_CODES), ("--days", days, MOST_DAYS)):
        if not 1 <= value <= most:
            raise NotUnderstood(f"{value} is out of range.", "No code was made.", f"Give 1 to {most}.", place)
    expires = now + timedelta(days=days)
    made: list[tuple[RecoveryCode, SecretStr]] = []
    with store.write() as tx:
        taken = set(tx.execute(select(recovery_codes.c.id)).scalars())
        for code in _new_codes(count, taken):
            salt = new_salt()
            values = {"id": code.id, "target": target, "person": whom, "made_by": actor, "made": now}
            tx.execute(
                insert(recovery_codes).values(**values, expires=expires, salt=salt, code_hash=hash_of(code, salt))
            )
            known = RecoveryCode(code.id, target, whom, actor, now, expires, None, None)
            made.append((known, code.text()))
        detail = {"for": whom, "ids": [known.id for known, _ in made], "expires": expires.isoformat()}
        audit.record(tx, actor=actor, action="make recovery codes", target=target, subject=whom, now=now, detail=detail)
    return made


def _new_codes(count: int, taken: set[str]) -> list[Code]:
    """Codes whose ids are neither taken nor drawn twice."""
    drawn: dict[str, Code] = {}
    while len(drawn) < count:
        code = new_code()
        if code.id not in taken:
            drawn[code.id] = code
    return list(drawn.values())


def codes_of(store: Store, target: str) -> list[RecoveryCode]:
    """All codes ever made for a target, the newest first; never the codes themselves."""
    query = select(recovery_codes).where(recovery_codes.c.target == target)
    with store.read() as tx:
        rows = tx.execute(query.order_by(recovery_codes.c.made.desc(), recovery_codes.c.id)).all()
    return [_known(row) for row in rows]


def unused_codes(store: Store, target: str, now: datetime) -> int:
    """How many codes would sign somebody in to this target now."""
    with store.read() as tx:
        count: int = tx.execute(
            select(func.count()).select_from(recovery_codes).where(recovery_codes.c.target == target, *_still_good(now))
        ).scalar_one()
    return count


def withdraw_codes(store: Store, *, actor: str, target: str, now: datetime, person: str | None = None) -> int:
    """Make the unused codes of a target (of one person) worthless; returns how many they were."""
    whom = " ".join(person.split()) if person is not None else None
    query = update(recovery_codes).where(recovery_codes.c.target == target, *_still_good(now))
    if whom is not None:
        query = query.where(recovery_codes.c.person == whom)
    with store.write() as tx:
        withdrawn: int = tx.execute(query.values(withdrawn=now)).rowcount
        if withdrawn:
            audit.record(
                tx,
                actor=actor,
                action="withdraw recovery codes",
                target=target,
                subject=whom or "everybody",
                now=now,
                detail={"count": withdrawn},
            )
    return withdrawn


def redeem(store: Store, *, target: str, typed: str, now: datetime, address: str) -> Recovered:
    """Open a session of 60 minutes as operator with a code; asks nobody but the store.

    address: where the browser is, to slow down who guesses
    Raises NotUnderstood for what cannot be a code, Refused for one that is not, or no longer, good for this target.
    """
    code = read_code(typed)
    if code is None:
        raise NotUnderstood(
            "A recovery code has 25 letters and digits, in five groups of five.",
            "Nobody was signed in.",
            "Type it as it is written down; case and dashes do not matter.",
        )
    _count_try(store, target, address, now)
    with store.read() as tx:
        row = tx.execute(select(recovery_codes).where(recovery_codes.c.id == code.id)).one_or_none()
    # Hashed in any case, so that the time taken does not tell whether the first group is known.
    good = matches(code, row.salt if row else _NOBODYS_SALT, row.code_hash if row else "")
    if row is None or not good:
        raise _refused(store, target, f"This is not a recovery code of {target}.", "unknown", now)
    if row.target != target:
        raise _refused(store, target, f"This recovery code is for {row.target}, not for {target}.", "other target", now)
    recovered = _use(store, _known(row), now)
    if recovered is not None:
        return recovered
    with store.read() as tx:
        known = _known(tx.execute(select(recovery_codes).where(recovery_codes.c.id == code.id)).one())
    raise _refused(store, target, _why_not(known, now), known.state(now), now)


def _use(store: Store, known: RecoveryCode, now: datetime) -> Recovered | None:
    """One conditional UPDATE decides who of two that press at once gets in; None for the other."""
    until = now + LASTS
    actor = Actor(f"{known.target}:recovery:{known.id}", known.person, Role.OPERATOR, known.target, way="recovery")
    with store.write() as tx:
        used = tx.execute(
            update(recovery_codes).where(recovery_codes.c.id == known.id, *_still_good(now)).values(used=now)
        ).rowcount
        if not used:
            return None
        token = begin_session(tx, actor, now, lifetime=LASTS)
        tell(
            tx,
            target=known.target,
            kind="recovery",
            text=f"{known.person} signed in with a recovery code at {now:%H:%M} UTC; operator until {until:%H:%M}.",
            now=now,
            until=until,
        )
    return Recovered(token, actor, until)


def _still_good(now: datetime) -> Sequence[Any]:
    return (recovery_codes.c.used.is_(None), recovery_codes.c.withdrawn.is_(None), recovery_codes.c.expires > now)


def _why_not(known: RecoveryCode, now: datetime) -> str:
    if known.used is not None:
        return f"This recovery code was used on {known.used:%Y-%m-%d} at {known.used:%H:%M} UTC; each is good once."
    if known.withdrawn is not None:
        return f"This recovery code was withdrawn on {known.withdrawn:%Y-%m-%d}."
    return f"This recovery code was good until {known.expires:%Y-%m-%d}."


def _count_try(store: Store, target: str, address: str, now: datetime) -> None:
    """Write the try down, or raise Refused where there were too many; tries that are refused here are not counted."""
    with store.write() as tx:
        # Written before it is counted: on Postgres that is what makes those who try at once wait for each other.
        audit.record(
            tx, actor="nobody", action=TRIED, target=target, subject="recovery", now=now, detail={"from": address}
        )
        tries = (
            tx.execute(
                select(audit_table.c.detail)
                .where(audit_table.c.at > now - WINDOW, audit_table.c.action == TRIED, audit_table.c.target == target)
                .order_by(audit_table.c.seq.desc())
                .limit(MOST_TRIES_OF_ALL + 1)
            )
            .scalars()
            .all()
        )
        here = sum(1 for detail in tries if detail.get("from") == address)
        if here > MOST_TRIES or len(tries) > MOST_TRIES_OF_ALL:
            raise Refused(
                "Too many recovery codes were tried within a minute.",
                "Nobody was signed in, and this one was not looked at.",
                "Wait a minute, then try again.",
            )
        if here == MOST_TRIES:
            _warn_of_guessing(tx, target, now)


def _warn_of_guessing(tx: Connection, target: str, now: datetime) -> None:
    if any(notice.kind == "guessing" for notice in current_in(tx, target, now)):
        return
    text = f"{MOST_TRIES} recovery codes were tried within a minute at {now:%H:%M} UTC; somebody may be guessing."
    tell(tx, target=target, kind="guessing", text=text, now=now, until=now + LASTS)


def _refused(store: Store, target: str, sentence: str, because: str, now: datetime) -> Refused:
    with store.write() as tx:
        audit.record(
            tx,
            actor="nobody",
            action="recovery code refused",
            target=target,
            subject="recovery",
            now=now,
            detail={"because": because},
        )
    return Refused(
        sentence,
        "Nobody was signed in.",
        "Take another code, or make new ones on the server: `python -m dashboard recovery-codes`.",
    )


def _known(row: Row[Any]) -> RecoveryCode:
    return RecoveryCode(row.id, row.target, row.person, row.made_by, row.made, row.expires, row.used, row.withdrawn)
