"""Recovery codes: good once, for one target, for a time; kept as hashes, slowed down, told to everybody."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.access.codes import new_code, read_code
from services.access.notices import current_notices
from services.access.permissions import Role
from services.access.recovery import (
    LASTS,
    MOST_TRIES,
    MOST_TRIES_OF_ALL,
    Recovered,
    codes_of,
    make_codes,
    redeem,
    unused_codes,
    withdraw_codes,
)
from services.access.sessions import session_actor
from services.errors import NotUnderstood, Refused
from services.store import audit
from services.store.database import Store
from services.store.tables import recovery_codes
from tests.services.conftest import NOON

MINUTE = timedelta(minutes=1)


def made(store: Store, count: int = 1, target: str = "staging", days: int = 90) -> list[str]:
    drawn = make_codes(store, actor="cli:root", target=target, person="Ada Example", now=NOON, count=count, days=days)
    return [text.get_secret_value() for _, text in drawn]


def use(store: Store, typed: str, *, target: str = "staging", now=NOON, address: str = "10.0.0.1") -> Recovered:
    return redeem(store, target=target, typed=typed, now=now, address=address)


def test_a_code_makes_its_holder_operator_for_an_hour(kept: Store) -> None:
    recovered = use(kept, made(kept)[0])
    actor = session_actor(kept, recovered.token, NOON)
    assert actor is not None
    assert (actor.name, actor.role, actor.target, actor.way) == ("Ada Example", Role.OPERATOR, "staging", "recovery")
    assert session_actor(kept, recovered.token, NOON + LASTS - MINUTE) is not None
    assert session_actor(kept, recovered.token, NOON + LASTS) is None


def test_it_works_once(store: Store) -> None:
    code = made(store)[0]
    use(store, code)
    with pytest.raises(Refused, match=r"was used on 2026-03-01 at 12:00 UTC; each is good once"):
        use(store, code, now=NOON + MINUTE)


def test_of_many_who_press_at_once_one_gets_in(store: Store) -> None:
    code = made(store)[0]
    start = threading.Barrier(4)
    ended: list[str] = []

    def press(number: int) -> None:
        start.wait()
        try:
            use(store, code, address=f"10.0.0.{number}")
            ended.append("in")
        except Refused:
            ended.append("refused")

    threads = [threading.Thread(target=press, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["in", "refused", "refused", "refused"]


def test_case_blanks_dashes_and_misread_letters_do_not_matter(kept: Store) -> None:
    code = made(kept)[0]
    misread = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert use(kept, f"  {misread}\n").actor.name == "Ada Example"


def test_what_cannot_be_a_code_gets_a_sentence(kept: Store) -> None:
    for typed in ("", "K7QF", "K7QF3-" * 6, "K7QF!-3D9MW-2XP8H-JT5RN-CAAAA", "x" * 100_000):
        with pytest.raises(NotUnderstood, match="25 letters and digits"):
            use(kept, typed)


def test_a_wrong_code_is_refused_whether_its_first_group_is_known_or_not(kept: Store) -> None:
    code = made(kept)[0]
    known_group = code[:5] + new_code().text().get_secret_value()[5:]
    for typed in (known_group, new_code().text().get_secret_value()):
        with pytest.raises(Refused, match="not a recovery code of staging"):
            use(kept, typed)
    assert unused_codes(kept, "staging", NOON) == 1


def test_an_expired_a_withdrawn_and_anothers_code_are_refused_each_with_why(kept: Store) -> None:
    code = made(kept, days=1)[0]
    with pytest.raises(Refused, match="was good until 2026-03-02"):
        use(kept, code, now=NOON + timedelta(days=1))
    other = made(kept, target="production")[0]
    with pytest.raises(Refused, match="is for production, not for staging"):
        use(kept, other)
    withdrawn = made(kept)[0]
    assert withdraw_codes(kept, actor="cli:root", target="staging", now=NOON, person="Ada  Example") == 2
    with pytest.raises(Refused, match="was withdrawn on 2026-03-01"):
        use(kept, withdrawn)
    assert use(kept, other, target="production").actor.target == "production"


def test_withdrawing_leaves_other_people_and_targets(kept: Store) -> None:
    made(kept)
    made(kept, target="production")
    assert withdraw_codes(kept, actor="cli:root", target="staging", now=NOON, person="Bo") == 0
    assert withdraw_codes(kept, actor="cli:root", target="staging", now=NOON) == 1
    assert unused_codes(kept, "production", NOON) == 1


def test_neither_store_nor_audit_nor_list_knows_a_code(kept: Store) -> None:
    codes = made(kept, count=2)
    use(kept, codes[0])
    with kept.read() as tx:
        rows = str(tx.execute(select(recovery_codes)).all())
    told = rows + str(audit.entries(kept)) + str(codes_of(kept, "staging"))
    for code in codes:
        read = read_code(code)
        assert read is not None
        assert read.secret.get_secret_value() not in told
        assert not any(group in told for group in code.split("-")[1:])
        assert code not in repr(read)


def test_equal_codes_would_not_have_equal_hashes(kept: Store) -> None:
    made(kept, count=3)
    with kept.read() as tx:
        rows = tx.execute(select(recovery_codes)).all()
    assert len({row.salt for row in rows}) == 3


def test_everybody_is_told_while_it_lasts(kept: Store) -> None:
    use(kept, made(kept)[0])
    (notice,) = current_notices(kept, "staging", NOON)
    assert notice.text == "Ada Example signed in with a recovery code at 12:00 UTC; operator until 13:00."
    assert current_notices(kept, "production", NOON) == []
    assert current_notices(kept, "staging", NOON + LASTS) == []


def test_every_step_is_audited(kept: Store) -> None:
    code = made(kept)[0]
    use(kept, code)
    with pytest.raises(Refused):
        use(kept, code)
    withdraw_codes(kept, actor="cli:root", target="staging", now=NOON)
    entries = [(entry.actor, entry.action) for entry in reversed(audit.entries(kept))]
    assert entries == [
        ("cli:root", "make recovery codes"),
        ("nobody", "recovery code tried"),
        (f"staging:recovery:{code[:5]}", "sign-in"),
        ("nobody", "recovery code tried"),
        ("nobody", "recovery code refused"),
    ]
    assert audit.first_broken(kept) is None


def test_who_guesses_is_slowed_down_and_told_of_and_does_not_lock_out_the_others(store: Store) -> None:
    code = made(store)[0]
    for _ in range(MOST_TRIES):
        with pytest.raises(Refused, match="not a recovery code"):
            use(store, new_code().text().get_secret_value())
    with pytest.raises(Refused, match="Too many recovery codes were tried within a minute"):
        use(store, code)
    assert [notice.kind for notice in current_notices(store, "staging", NOON)] == ["guessing"]
    assert use(store, code, address="10.0.0.2").actor.name == "Ada Example"


def test_the_slowing_down_ends_after_a_minute(kept: Store) -> None:
    code = made(kept)[0]
    for _ in range(MOST_TRIES):
        with pytest.raises(Refused):
            use(kept, new_code().text().get_secret_value())
    assert use(kept, code, now=NOON + MINUTE).actor.name == "Ada Example"


def test_many_addresses_together_are_slowed_down_too(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.access.recovery.MOST_TRIES_OF_ALL", 3)
    assert MOST_TRIES_OF_ALL > MOST_TRIES
    for number in range(3):
        with pytest.raises(Refused, match="not a recovery code"):
            use(kept, new_code().text().get_secret_value(), address=f"10.0.1.{number}")
    with pytest.raises(Refused, match="Too many"):
        use(kept, new_code().text().get_secret_value(), address="10.0.1.9")


@pytest.mark.parametrize("given", [{"count": 0}, {"count": 51}, {"days": 0}, {"days": 366}, {"person": " "}])
def test_numbers_out_of_range_and_nobodys_codes_are_not_made(kept: Store, given: dict[str, object]) -> None:
    wanted = {"person": "Ada Example", **given}
    with pytest.raises(NotUnderstood):
        make_codes(kept, actor="cli:root", target="staging", now=NOON, **wanted)
    assert codes_of(kept, "staging") == []


def test_the_state_of_a_code(kept: Store) -> None:
    used, _ = made(kept, count=2, days=2)
    use(kept, used)
    assert sorted(code.state(NOON) for code in codes_of(kept, "staging")) == ["unused", "used"]
    assert sorted(code.state(NOON + timedelta(days=2)) for code in codes_of(kept, "staging")) == ["expired", "used"]
    withdraw_codes(kept, actor="cli:root", target="staging", now=NOON)
    assert sorted(code.state(NOON) for code in codes_of(kept, "staging")) == ["used", "withdrawn"]
