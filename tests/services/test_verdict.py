"""Verdicts combine so that nothing becomes a pass by accident; evidence ages and survives JSON."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.verdict import Evidence, Freshness, Verdict, digest, worst
from tests.services.conftest import NOON


@given(st.lists(st.sampled_from(Verdict)))
def test_several_pass_only_where_each_passes(verdicts: list[Verdict]) -> None:
    assert (worst(verdicts) is Verdict.PASS) == (bool(verdicts) and set(verdicts) == {Verdict.PASS})


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_one_fail_is_a_fail(verdicts: list[Verdict]) -> None:
    assert (worst(verdicts) is Verdict.FAIL) == (Verdict.FAIL in verdicts)


def test_evidence_counts_until_it_expires_and_survives_json() -> None:
    evidence = Evidence(
        "c", "t", Verdict.PASS, "ok", {"n": 1}, {}, digest("raw"), NOON, 1.5, 1, NOON + timedelta(minutes=5)
    )
    assert evidence.freshness(NOON) is Freshness.FRESH
    assert evidence.freshness(NOON + timedelta(minutes=5)) is Freshness.EXPIRED
    assert Evidence.from_json(evidence.to_json()) == evidence


def test_equal_documents_have_equal_digests_whatever_their_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
