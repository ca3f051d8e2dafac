"""The banner of notices: on every page of the target while they hold, as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboard import nav
from services.access.notices import tell
from tests.pages.conftest import OpenPage
from tests.pages.world import TARGET, World

MINUTES = timedelta(minutes=60)


def put_up(world: World, text: str, *, target: str = TARGET, ago: timedelta = timedelta()) -> None:
    at = world.now - ago
    with world.store.write() as tx:
        tell(tx, target=target, kind="recovery", text=text, now=at, until=at + MINUTES)


@pytest.mark.parametrize("path", [nav.REGISTRY[0].path, "/history"])
def test_who_came_in_with_a_code_is_told_on_the_page(open_page: OpenPage, world: World, path: str) -> None:
    put_up(world, "Ada Example signed in with a recovery code at 22:41 UTC; operator until 23:41.")
    put_up(world, "This has ended.", ago=MINUTES)
    put_up(world, "This is elsewhere.", target="production")
    warnings = [warning.value for warning in open_page(path).warning]
    assert any("Ada Example signed in with a recovery code" in told for told in warnings)
    assert not any("has ended" in told or "elsewhere" in told for told in warnings)


def test_a_name_in_a_notice_is_text(open_page: OpenPage, world: World) -> None:
    put_up(world, "[Ada](https://evil.example) ![x](https://evil.example/x.png) signed in.")
    (told,) = [warning.value for warning in open_page("/history").warning if "signed in" in warning.value]
    assert "](" not in told
