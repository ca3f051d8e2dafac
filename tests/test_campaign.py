"""What `make test` leaves out or samples is run by `make campaign`, whatever folder it stands in."""

from __future__ import annotations

import pytest

from tests.campaign import only_in_full, sample

LETTERS = "abcdefghij"


@pytest.mark.parametrize("letter", sample(LETTERS, 2, seed=1))
def test_what_is_sampled_is_of_the_campaign(request: pytest.FixtureRequest, letter: str) -> None:
    assert letter in LETTERS
    assert request.node.get_closest_marker("campaign")


def test_what_is_left_out_is_of_the_campaign(request: pytest.FixtureRequest) -> None:
    reason = only_in_full.kwargs["reason"]
    left_out = [
        item
        for item in request.session.items
        if any(m.kwargs.get("reason") == reason for m in item.iter_markers("skipif"))
    ]
    assert [item.nodeid for item in left_out if not item.get_closest_marker("campaign")] == []
