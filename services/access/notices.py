"""What everybody on a target must know now: shown on its pages while it holds, and sent where addresses are set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Connection, Row, insert, select, update

from services.access.sending import send
from services.settings import Settings
from services.store import audit
from services.store.database import Store
from services.store.tables import notices

PAUSE = timedelta(seconds=60)
"""Between two tries to send, and how long a sender that died keeps a notice from being sent."""
GIVEN_UP_AFTER = timedelta(days=1)
_REASON_LENGTH = 300

Send = Callable[[Sequence[SecretStr], str, str], str | None]
"""Addresses, title and text in; out: None where everybody was told, else a sentence on who was not."""


@dataclass(frozen=True, slots=True)
class Notice:
    """text: one sentence; until: how long it stands on the pages; not_sent_because: why nobody, or not all, got it."""

    seq: int
    target: str
    kind: str
    text: str
    at: datetime
    until: datetime
    sent: datetime | None
    not_sent_because: str | None


def tell(tx: Connection, *, target: str, kind: str, text: str, now: datetime, until: datetime) -> None:
    """Put up a notice, in the transaction of what it tells of: both are there or neither."""
    tx.execute(
        insert(notices).values(
            target=target, kind=kind, text=text, at=now, until=until, sent=None, next_try=now, not_sent_because=None
        )
    )


def take_down(tx: Connection, *, target: str, kind: str, text: str, now: datetime) -> None:
    """Let a notice stand no longer, in the transaction of what settles it. What was not sent yet still is."""
    same = (notices.c.target == target, notices.c.kind == kind, notices.c.text == text)
    tx.execute(update(notices).where(*same, notices.c.until > now).values(until=now))


def current_notices(store: Store, target: str, now: datetime) -> list[Notice]:
    """What stands on the pages of a target, the newest first."""
    with store.read() as tx:
        return current_in(tx, target, now)


def current_in(tx: Connection, target: str, now: datetime) -> list[Notice]:
    """As current_notices, in a transaction."""
    query = select(notices).where(notices.c.target == target, notices.c.until > now).order_by(notices.c.seq.desc())
    return [_notice(row) for row in tx.execute(query)]


def is_due(store: Store, now: datetime) -> bool:
    """Whether a notice waits to be sent now."""
    with store.read() as tx:
        return tx.execute(select(notices.c.seq).where(notices.c.next_try <= now).limit(1)).one_or_none() is not None


def send_due(store: Store, settings: Settings, now: datetime, *, carry: Send = send) -> bool:
    """Send one notice that is due to the addresses of its target; False where none is.

    What failed is tried again every minute for a day, and why is kept beside the notice. Two workers do not both send:
    whoever moves the next try on, sends. One that dies in between leaves it to be sent again.
    """
    with store.read() as tx:
        due = tx.execute(
            select(notices)
            # What our settings do not name, another machine's do: it knows whom to tell.
            .where(notices.c.next_try <= now, notices.c.target.in_(settings.targets))
            .order_by(notices.c.next_try, notices.c.seq)
            .limit(1)
        ).one_or_none()
    if due is None or not _claimed(store, due, now):
        return due is not None
    target = settings.targets.get(due.target)
    addresses = target.notify_urls if target is not None else ()
    if not addresses:
        _settle(store, due, now, sent=False, because="No address to send to is set (notify_urls).", again=False)
        return True
    failed = carry(addresses, f"{due.target}: {_TITLES.get(due.kind, 'notice')}", due.text)
    told_somebody = failed is None or failed.startswith(PARTLY)
    again = not told_somebody and now - due.at < GIVEN_UP_AFTER
    _settle(store, due, now, sent=told_somebody, because=failed, again=again)
    return True


PARTLY = "Not everybody"
"""How the sentence begins when somebody was told: sending again would tell them twice."""
_TITLES = {"recovery": "a recovery code was used", "guessing": "wrong recovery codes"}


def _claimed(store: Store, due: Row[tuple[object, ...]], now: datetime) -> bool:
    with store.write() as tx:
        moved: int = tx.execute(
            update(notices)
            .where(notices.c.seq == due.seq, notices.c.next_try == due.next_try)
            .values(next_try=now + PAUSE)
        ).rowcount
    return moved == 1


def _settle(
    store: Store, due: Row[tuple[object, ...]], now: datetime, *, sent: bool, because: str | None, again: bool
) -> None:
    """Write down how it went; tried again, it stays due at the time its claim has set."""
    told: dict[str, object] = {"not_sent_because": because[:_REASON_LENGTH] if because else None}
    if sent:
        told["sent"] = now
    if not again:
        told["next_try"] = None
    with store.write() as tx:
        tx.execute(update(notices).where(notices.c.seq == due.seq).values(**told))
        if not again:
            audit.record(
                tx,
                actor="worker",
                action="notice sent" if sent else "notice not sent",
                target=due.target,
                subject=due.kind,
                now=now,
                detail={"notice": due.seq, **({"because": because} if because else {})},
            )


def _notice(row: Row[tuple[object, ...]]) -> Notice:
    return Notice(row.seq, row.target, row.kind, row.text, row.at, row.until, row.sent, row.not_sent_because)
