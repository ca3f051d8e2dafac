"""What can be seen of an app from outside, by its address alone: no key, no store, no target needed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from pydantic import ValidationError

from dashboard.cli.targets import target_of
from services.app_definition import load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import run_checks
from services.errors import NotUnderstood
from services.settings import Level, Target
from services.verdict import Evidence

DEFAULT_APP = "pulsecheck"
FROM_OUTSIDE = frozenset({"app_url"})


def look_at(url: str, *, like: str | None = None) -> list[Evidence]:
    """Evidence of every check that needs the address and nothing else.

    like: a target whose app this is; None: the one app we know. Raises NotUnderstood for what is no address.
    """
    app = load_app(target_of(like).app if like else DEFAULT_APP)
    place = _place(url)
    ids = [
        spec.id
        for spec in catalogue_of(app)
        if spec.level is Level.LOOK and spec.needs and set(spec.needs) <= FROM_OUTSIDE and not spec.mutates
    ]
    now = datetime.now(UTC)
    return run_checks(catalogue_of(app), ids, CheckContext(place, app, now, f"ops-look-{secrets.token_hex(4)}"), now)


def _place(url: str) -> Target:
    try:
        place = Target(name="address", app_url=url, levels=frozenset({Level.LOOK}))
    except ValidationError:
        place = Target(name="address")
    if not place.app_url or not place.app_url.partition("://")[2]:
        raise NotUnderstood(
            "This is not an address that a browser could open.",
            "Nothing was contacted.",
            "Give one that begins with http:// or https://.",
            place="URL",
        )
    return place
