"""A thousand kills at random moments: nothing between before and after, ended by one action, nothing left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.campaign import only_in_full
from tests.conftest import open_folder
from tests.kills.drawing import WORKER, Drawn, draw
from tests.kills.ground import Ground
from tests.kills.queued import play_queued
from tests.kills.rounds import Told, play, table_of

SEED = int(os.environ.get("OPS_KILLS_SEED", "20260306"))
ROUNDS = int(os.environ.get("OPS_KILLS", "1000"))
_ROUND = Drawn(0, "checked", "deploy", "client kill -9", 0.5, False, 0.0, False, True, False, 1)
SAMPLE = (
    replace(_ROUND, kind="client kill -9", at=0.6),
    replace(_ROUND, kind="backend terminated", at=0.7, at_step=True),
    replace(_ROUND, kind="cut after COMMIT"),
    replace(_ROUND, kind="cut within COMMIT"),
    replace(_ROUND, kind="backend kill -9 (crash)", at=0.5),
    replace(_ROUND, action="rollback", kind="client kill -9", at=0.8, at_step=True),
    replace(_ROUND, action="restore", kind="server stopped at once", at=0.6),
)
"""One kill of each part there is, on the change that is soonest made; the full campaign draws from all."""


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with open_folder() as folder:
        made = Ground(folder)
        yield made
        made.close()


def one(ground: Ground, drawn: Drawn) -> Told:
    return (play_queued if drawn.kind in WORKER else play)(ground, drawn)


@pytest.mark.campaign
@only_in_full
@pytest.mark.parametrize("drawn", SAMPLE, ids=lambda drawn: drawn.label)
def test_a_kill_leaves_nothing_that_one_action_does_not_end(ground: Ground, drawn: Drawn) -> None:
    told = one(ground, drawn)
    assert not told.wrong, told
    assert told.actions <= 1


@pytest.mark.campaign
@only_in_full
@pytest.mark.timeout(7200)
def test_a_thousand_kills(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    rounds = [one(ground, draw(SEED, number)) for number in range(ROUNDS)]
    told = table_of(rounds)
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert not any(one.wrong for one in rounds), told
    assert all(one.actions <= 1 for one in rounds)
    assert sum(one.hit for one in rounds) > 0.75 * len(rounds), told
