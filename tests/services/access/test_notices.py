"""Notices: shown while they hold, sent once by one worker, tried again where nobody was told, and why is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection

from services.access.notices import GIVEN_UP_AFTER, PAUSE, Notice, current_notices, is_due, send_due, tell
from services.access.sending import send
from services.settings import Settings, Target
from services.store import audit
from services.store.database import Store
from tests.services.conftest import NOON

HOUR = timedelta(hours=1)


class Messenger:
    """Keeps what it is asked to send, and answers what it is told to."""

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.asked: list[tuple[int, str, str]] = []

    def __call__(self, addresses: Sequence[SecretStr], title: str, text: str) -> str | None:
        self.asked.append((len(addresses), title, text))
        return self.answer


def told(store: Store, target: str = "staging", at: datetime = NOON) -> None:
    with store.write() as tx:
        tell(tx, target=target, kind="recovery", text="Ada came in.", now=at, until=at + HOUR)


def only(store: Store) -> Notice:
    (notice,) = current_notices(store, "staging", NOON)
    return notice


@pytest.fixture
def reachable(tmp_path: Path) -> Settings:
    place = Target(name="staging", notify_urls=(SecretStr("json://127.0.0.1:1/token"),))
    return Settings(home=tmp_path, store_url="sqlite:///unused", targets={"staging": place})


def test_it_is_sent_once(kept: Store, reachable: Settings) -> None:
    told(kept)
    messenger = Messenger()
    assert is_due(kept, NOON)
    assert send_due(kept, reachable, NOON, carry=messenger)
    assert not is_due(kept, NOON + PAUSE)
    assert not send_due(kept, reachable, NOON + PAUSE, carry=messenger)
    assert messenger.asked == [(1, "staging: a recovery code was used", "Ada came in.")]
    assert only(kept).sent == NOON


def test_where_nobody_was_told_it_is_tried_again_and_why_is_kept(kept: Store, reachable: Settings) -> None:
    told(kept)
    send_due(kept, reachable, NOON, carry=Messenger("Nobody was told: of 1 addresses, number 1 (json) did not."))
    assert only(kept).sent is None
    assert "number 1 (json)" in str(only(kept).not_sent_because)
    assert not is_due(kept, NOON + PAUSE - timedelta(seconds=1))
    send_due(kept, reachable, NOON + PAUSE, carry=Messenger())
    assert only(kept).sent == NOON + PAUSE
    assert only(kept).not_sent_because is None
    assert [entry.action for entry in audit.entries(kept)] == ["notice sent"]


def test_after_a_day_it_is_given_up(kept: Store, reachable: Settings) -> None:
    told(kept)
    send_due(kept, reachable, NOON + GIVEN_UP_AFTER, carry=Messenger("Nobody was told."))
    assert not is_due(kept, NOON + 2 * GIVEN_UP_AFTER)
    assert [entry.action for entry in audit.entries(kept)] == ["notice not sent"]


def test_where_some_were_told_they_are_not_told_twice(kept: Store, reachable: Settings) -> None:
    told(kept)
    send_due(kept, reachable, NOON, carry=Messenger("Not everybody was told: of 2 addresses, number 2 (slack)."))
    assert not is_due(kept, NOON + PAUSE)
    assert only(kept).sent == NOON
    assert "number 2 (slack)" in str(only(kept).not_sent_because)


def test_without_an_address_that_is_said(kept: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, store_url="sqlite:///unused", targets={"staging": Target(name="staging")})
    told(kept)
    told(kept, target="gone")
    messenger = Messenger()
    while send_due(kept, settings, NOON, carry=messenger):
        pass
    assert messenger.asked == []
    assert only(kept).not_sent_because == "No address to send to is set (notify_urls)."


class SlowReader(Store):
    """A worker's store in whose first read another worker does all its work before this one goes on."""

    def __init__(self, store: Store, meanwhile: Callable[[], object]) -> None:
        super().__init__(store.engine)
        self._meanwhile: Callable[[], object] | None = meanwhile

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with super().read() as connection:
            yield connection
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()


def test_of_two_workers_that_find_the_same_notice_one_sends_it(store: Store, reachable: Settings) -> None:
    told(store)
    fast, slow = Messenger(), Messenger()
    reader = SlowReader(store, lambda: send_due(store, reachable, NOON, carry=fast))
    assert send_due(reader, reachable, NOON, carry=slow)
    assert (len(fast.asked), len(slow.asked)) == (1, 0)


def test_what_a_worker_died_over_is_sent_by_the_next(kept: Store, reachable: Settings) -> None:
    told(kept)

    def die(addresses: Sequence[SecretStr], title: str, text: str) -> str | None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_due(kept, reachable, NOON, carry=die)
    assert not is_due(kept, NOON)
    again = Messenger()
    assert send_due(kept, reachable, NOON + PAUSE, carry=again)
    assert len(again.asked) == 1


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_what_cannot_be_sent_is_a_sentence_without_the_address(capfd: pytest.CaptureFixture[str]) -> None:
    addresses = [SecretStr("json://user:geheimnis@127.0.0.1:1/token-9f8e7d"), SecretStr("no address")]
    failed = send(addresses, "title", "text")
    assert failed == "Nobody was told: of 2 addresses, number 1 (json), 2 (unknown kind) did not take it."
    out, err = capfd.readouterr()
    assert "geheimnis" not in out + err
    assert "token-9f8e7d" not in out + err
