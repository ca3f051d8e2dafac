"""What a writing check declares as its cost is at least what it takes of the app, whoever removes its rows."""

from __future__ import annotations

from typing import Any

import pytest

from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.clients.metering import metered
from tests.apps.pulsecheck.conftest import Live
from tests.campaign import only_in_full

NEWEST, OLDEST = -1, 0


def declared_and_made(live: Live, spec: CheckSpec, **changes: Any) -> tuple[int, int]:
    """By itself, so that nothing which others would have asked for is left out."""
    context = live.context(**changes)
    with metered() as meter, context.contacts.in_use():
        spec.run(context)
    return spec.cost.calls, meter.calls(live.target.app_url)


@only_in_full
@pytest.mark.parametrize("build", [OLDEST, NEWEST])
@pytest.mark.parametrize("changes", [{}, {"deploy_url": None}], ids=["as-owner", "over-rest"])
def test_no_check_that_writes_calls_the_app_more_often_than_it_says(
    live: Live, build: int, changes: dict[str, Any]
) -> None:
    live.serve(live.world.world.twin.builds[build].commit)
    made = {spec.id: declared_and_made(live, spec, **changes) for spec in catalogue_of(live.app) if spec.mutates}
    assert {check: both for check, both in made.items() if both[1] > both[0]} == {}
    assert sum(calls for _, calls in made.values()) > 20
