"""Daily caps of test data: reserved before it is spent, never exceeded, given back where nothing was spent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from services.checks.caps import CapReached, Purse, Spent, cap_of, free_at, spending
from services.checks.context import CheckContext
from services.checks.registry import Catalogue, Cost
from services.checks.runner import run_checks
from services.clients.metering import metered, one_call
from services.errors import Unavailable
from services.settings import Level, ProbeAccount, ProbeCap, Target
from services.store.database import Store, open_store
from services.store.tables import probe_spending
from services.verdict import Evidence, Finding, Verdict
from tests.services.checks.conftest import app_of, passing, spec
from tests.services.conftest import NOON

APP = "https://app.example.test"
CAP = ProbeCap(calls=200, cents=20)


def production(**values: Any) -> Target:
    given: dict[str, Any] = {"name": "production", "levels": list(Level), "app_url": APP, **values}
    return Target.model_validate(given)


def spent(store: Store, target: Target, now: datetime = NOON) -> dict[str, tuple[int, float]]:
    return {one.purpose: (one.calls, one.cents) for one in spending(store, target, now)}


def look(store: Store | None, target: Target, *, now: datetime = NOON, **options: Any) -> Evidence:
    context = CheckContext.create(target, app_of(), now, purse=Purse(store, target) if store else None)
    writes = spec(
        "it", **{"mutates": True, "purpose": "ai", "level": Level.PROBE, "cost": Cost(10, cents=0.5), **options}
    )
    (seen,) = run_checks(Catalogue([writes]), ["it"], context, now)
    return seen


def calling(times: int, url: str = APP) -> Any:
    def run(_context: CheckContext) -> Finding:
        for _ in range(times):
            with one_call(f"{url}/journal"):
                pass
        return Finding(Verdict.PASS, "Seen.")

    return run


class TestWhereItHolds:
    def test_production_has_a_cap_for_every_purpose_and_a_disposable_target_only_those_that_are_set(self) -> None:
        assert cap_of(production(), "ai") == ProbeCap()
        assert cap_of(production(probe_caps={"ai": {"calls": 3}}), "ai") == ProbeCap(calls=3)
        disposable = production(production=False, probe_caps={"ai": {"calls": 3}})
        assert (cap_of(disposable, "ai"), cap_of(disposable, "probe")) == (ProbeCap(calls=3), None)

    def test_where_nobody_counts_nothing_is_written_on_production(self) -> None:
        seen = look(None, production())
        assert seen.verdict is Verdict.UNKNOWN
        assert seen.summary.startswith("Not written: nobody counts")

    def test_a_disposable_target_without_caps_is_neither_counted_nor_refused(self, store: Store) -> None:
        target = production(production=False)
        assert look(store, target, run=calling(10_000)).verdict is Verdict.PASS
        assert spending(store, target, NOON) == []

    def test_a_check_that_does_not_write_costs_nothing(self, store: Store) -> None:
        assert look(store, production(), mutates=False, run=calling(5)).verdict is Verdict.PASS
        assert spending(store, production(), NOON) == []


class TestWhatIsKept:
    def test_the_calls_that_were_made_to_the_app_and_the_cents_they_may_have_cost(self, store: Store) -> None:
        look(store, production(), run=calling(4))
        assert spent(store, production()) == {"ai": (4, 0.5)}

    def test_nothing_where_another_check_of_the_run_made_the_calls(self, store: Store) -> None:
        look(store, production())
        assert spent(store, production()) == {"ai": (0, 0.0)}

    def test_nothing_of_calls_that_went_elsewhere(self, store: Store) -> None:
        look(store, production(), run=calling(4, "https://database.example.test"))
        assert spent(store, production()) == {"ai": (0, 0.0)}

    def test_all_of_it_while_a_call_is_under_way(self, store: Store) -> None:
        held = Purse(store, production()).reserve("ai", 10, 0.5, NOON)
        assert held is not None
        with metered() as meter, one_call(APP):
            held.settle(meter)
        assert spent(store, production()) == {"ai": (10, 0.5)}

    def test_all_of_it_where_the_worker_died_in_the_middle(self, store: Store) -> None:
        Purse(store, production()).reserve("ai", 10, 0.5, NOON)
        assert spent(store, production()) == {"ai": (10, 0.5)}

    def test_what_a_check_that_failed_in_the_middle_had_called(self, store: Store) -> None:
        def breaks(context: CheckContext) -> Finding:
            calling(3)(context)
            raise Unavailable("Gone.")

        assert look(store, production(), run=breaks).verdict is Verdict.UNKNOWN
        assert spent(store, production()) == {"ai": (3, 0.5)}

    def test_nothing_where_it_was_not_started(self, store: Store) -> None:
        look(store, production(levels=["look"]))
        look(store, production(), needs=("database_url",))
        assert spent(store, production()) == {}

    def test_on_the_day_it_was_reserved(self, store: Store) -> None:
        late = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
        held = Purse(store, production()).reserve("ai", 10, 0.5, late)
        assert held is not None
        with metered() as meter:
            held.settle(meter)
        assert spent(store, production(), late) == {"ai": (0, 0.0)}
        assert spent(store, production(), late + timedelta(seconds=2)) == {}


class TestRefusal:
    def test_a_used_up_cap_is_unknown_and_names_cap_purpose_target_and_when_it_is_free(self, store: Store) -> None:
        target, at = production(probe_caps={"ai": CAP}), datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
        Purse(store, target).reserve("ai", 200, 0, at)
        seen = look(store, target, now=at, cost=Cost(10))
        assert seen.verdict is Verdict.UNKNOWN
        assert seen.summary.startswith(
            "Not written: the cap of 200 calls a day for 'ai' on production is used up; free again at 00:00 UTC (in "
        )
        assert seen.summary.endswith(("(in 3 h).", "(in 2 h 59 min)."))
        assert spent(store, target, at) == {"ai": (200, 0.0)}

    def test_what_is_left_is_told_where_it_does_not_suffice(self, store: Store) -> None:
        target = production(probe_caps={"ai": CAP})
        Purse(store, target).reserve("ai", 195, 0, NOON)
        assert "leaves 5, and this check may need 10;" in look(store, target).summary

    def test_cents_have_a_cap_of_their_own(self, store: Store) -> None:
        target = production(probe_caps={"ai": ProbeCap(calls=200, cents=0.7)})
        assert look(store, target, run=calling(1)).verdict is Verdict.PASS
        assert "the cap of 0.7 cents a day for 'ai'" in look(store, target).summary
        assert "leaves 0.2, and this check may need 0.5" in look(store, target).summary

    def test_the_check_is_not_run(self, store: Store) -> None:
        ran: list[int] = []

        def run(context: CheckContext) -> Finding:
            ran.append(1)
            return passing(context)

        look(store, production(probe_caps={"ai": ProbeCap(calls=0)}), run=run)
        assert ran == []

    def test_one_purpose_does_not_use_up_anothers(self, store: Store) -> None:
        target = production(probe_caps={"probe": ProbeCap(calls=0)})
        assert look(store, target).verdict is Verdict.PASS

    def test_the_next_day_it_is_free(self, store: Store) -> None:
        target = production(probe_caps={"ai": CAP})
        Purse(store, target).reserve("ai", 200, 0, NOON)
        assert look(store, target, now=free_at(NOON)).verdict is Verdict.PASS

    def test_a_store_that_cannot_count_is_a_refusal_too(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone() -> None:
            raise OperationalError("", None, Exception("gone"))

        monkeypatch.setattr(store, "read", gone)
        seen = look(store, production())
        assert (seen.verdict, "cannot be read" in seen.summary) == (Verdict.UNKNOWN, True)


def test_what_is_shown_names_every_purpose_with_an_account_a_cap_or_spending(store: Store) -> None:
    account = ProbeAccount.model_validate({"purpose": "probe", "email": "p@example.test", "password": "x"})
    target = production(probe_accounts=[account], probe_caps={"admin": ProbeCap(calls=7, cents=1)})
    Purse(store, target).reserve("ai", 200, 0.25, NOON)
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert spending(store, target, NOON) == [
        Spent("probe", 0, 200, 0.0, 20.0, midnight),
        Spent("admin", 0, 7, 0.0, 1.0, midnight),
        Spent("ai", 200, 200, 0.25, 20.0, midnight),
    ]
    assert [one.used_up for one in spending(store, target, NOON)] == [False, False, True]


@pytest.fixture
def shared(store: Store, store_url: str) -> Iterator[tuple[Store, Store]]:
    """The store as two processes have it open."""
    other = open_store(store_url)
    yield store, other
    other.close()


plans = st.lists(
    st.tuples(st.integers(1, 25), st.sampled_from([0.0, 0.1, 0.3, 1.0]), st.integers(0, 25)), min_size=2, max_size=8
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(many=st.lists(plans, min_size=2, max_size=4), calls=st.integers(0, 60), cents=st.sampled_from([0.0, 0.5, 2.0]))
def test_no_interleaving_of_workers_ever_exceeds_a_cap(
    shared: tuple[Store, Store], many: list[list[tuple[int, float, int]]], calls: int, cents: float
) -> None:
    cap = ProbeCap(calls=calls, cents=cents)
    target = production(name=f"t{id(many)}", probe_caps={"ai": cap})
    kept_lock, kept, reserved_most = threading.Lock(), [0, 0.0], [0]
    together = threading.Barrier(len(many))

    def work(number: int, plan: list[tuple[int, float, int]]) -> None:
        store = shared[number % 2]
        together.wait()
        for wanted, money, used in plan:
            try:
                held = Purse(store, target).reserve("ai", wanted, money, NOON)
            except CapReached:
                continue
            assert held is not None
            seen = _row(store, target)
            assert seen[0] <= cap.calls
            assert seen[1] <= cap.cents + 1e-6
            with metered() as meter:
                calling(min(used, wanted))(None)
            held.settle(meter)
            with kept_lock:
                kept[0] += min(used, wanted)
                kept[1] += money if used else 0.0
                reserved_most[0] = max(reserved_most[0], wanted)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (0 if not reserved_most[0] else _row(shared[0], target)[0]) == kept[0] <= cap.calls
    assert (0.0 if not reserved_most[0] else _row(shared[0], target)[1]) == pytest.approx(kept[1], abs=1e-6)


def _row(store: Store, target: Target) -> tuple[int, float]:
    with store.read() as tx:
        row = tx.execute(select(probe_spending).where(probe_spending.c.target == target.name)).one()
    return row.calls, row.cents
