"""Two running worlds for the tests of the sandbox's PulseCheck: the old build serves in one, the beta in the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.sandbox.hosting import AT_ONCE
from tests.apps.pulsecheck.twin.faulty_twin import FaultyTwin
from tests.services.sandbox.twin_world import TwinWorld, twin_world


@pytest.fixture(scope="session")
def old(twin_worlds: tuple[TwinWorld, TwinWorld]) -> TwinWorld:
    """The world before the release."""
    return twin_worlds[0]


@pytest.fixture
def beta(twin_worlds: tuple[TwinWorld, TwinWorld]) -> TwinWorld:
    """The world after the release, with no AI call logged yet."""
    twin_worlds[1].sql("delete from ai_feedback")
    twin_worlds[1].forget_usage()
    return twin_worlds[1]


@pytest.fixture(scope="session")
def twin_worlds() -> Iterator[tuple[TwinWorld, TwinWorld]]:
    with twin_world("before") as before, twin_world("after") as after:
        yield before, after


@pytest.fixture(scope="session")
def faulty() -> Iterator[FaultyTwin]:
    """A world after the release in which things are broken; each test mends what it has broken."""
    with twin_world("after") as one:
        one.world.hosting.pace = AT_ONCE
        yield FaultyTwin(one)


@pytest.fixture(params=["old", "beta"])
def either(request: pytest.FixtureRequest) -> TwinWorld:
    """Each world in turn: what both builds do alike."""
    found: TwinWorld = request.getfixturevalue(request.param)
    return found
