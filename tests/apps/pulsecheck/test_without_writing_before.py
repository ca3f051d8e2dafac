"""Where nothing may be written, before the release: what is missing is found all the same."""

from __future__ import annotations

from services.settings import Level
from services.verdict import Verdict
from tests.apps.pulsecheck.conftest import Pulse


def test_the_missing_admin_is_found_without_writing(before: Pulse) -> None:
    score = before.score(levels=frozenset({Level.LOOK, Level.OBSERVE}))
    failed = {one.id for one in score.features if one.verdict is Verdict.FAIL}
    assert (failed, score.sentence) == ({"admin"}, "5 of 6 tested, 4 not tested.")
