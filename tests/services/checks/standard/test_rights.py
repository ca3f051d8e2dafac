"""What the service key is shown, against what there is: hidden rows, refusals, answers that are cut off."""

from __future__ import annotations

import pytest

from services.checks.standard.rights import _refused, judged
from services.clients.http import Kind, UpstreamError
from services.verdict import Verdict


@pytest.mark.parametrize(
    ("seen", "wanted", "came", "verdict"),
    [
        ({"people": (5, 5), "notes": (2, 2)}, 5, 5, Verdict.PASS),
        ({"people": (5, 0)}, 5, 0, Verdict.FAIL),
        ({"people": (1500, 1500)}, 1000, 1000, Verdict.PASS),
        ({"people": (1500, 1500)}, 1000, 7, Verdict.FAIL),
        ({"people": (5, None)}, 5, 5, Verdict.UNKNOWN),
        ({"people": (0, 0)}, 0, 0, Verdict.PASS),
    ],
)
def test_what_is_shown(seen: dict[str, tuple[int, int | None]], wanted: int, came: int, verdict: Verdict) -> None:
    assert judged(seen, wanted, came).verdict is verdict


def test_where_answers_are_cut_off_the_number_is_told() -> None:
    assert judged({"people": (1500, 1500)}, 1000, 7).facts["capped"] == 7
    assert judged({"people": (5, 5)}, 5, 5).facts["capped"] is None


@pytest.mark.parametrize(
    ("kind", "code"), [(Kind.FORBIDDEN, "42501"), (Kind.MISSING, "PGRST205"), (Kind.UNAUTHORISED, None)]
)
def test_a_refusal_of_the_key_or_its_rights_is_a_fail(kind: Kind, code: str | None) -> None:
    found = _refused(UpstreamError("Supabase", kind, "Refused.", code=code), "people")
    assert (found.verdict, found.facts["code"], found.facts["refused"]) == (Verdict.FAIL, code, ["people"])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.TIMEOUT, None),
        (Kind.RATE_LIMITED, None),
        (Kind.MISSING, None),
        (Kind.FORBIDDEN, None),
        (Kind.PAUSED, None),
    ],
)
def test_what_the_database_has_not_said_itself_is_no_refusal(kind: Kind, code: str | None) -> None:
    with pytest.raises(UpstreamError):
        _refused(UpstreamError("Supabase", kind, "No answer.", code=code), "people")


def test_every_finding_has_the_same_facts() -> None:
    refused = _refused(UpstreamError("Supabase", Kind.UNAUTHORISED, "Refused."), "people")
    assert set(refused.facts) == set(judged({"people": (5, 5)}, 5, 5).facts)
