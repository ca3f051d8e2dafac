"""What can be seen of an app from outside, by its address alone: no key, no store, no target needed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from services.app_definition import AppDefinition
from services.checks.context import MARK, CheckContext
from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.checks.runner import run_checks
from services.connecting.trial import Told, Trial, of_evidence, passed, unknown
from services.errors import NotUnderstood
from services.settings import Level, Target
from services.verdict import Evidence, Verdict

FROM_OUTSIDE = frozenset({"app_url"})


def from_outside(app: AppDefinition) -> list[CheckSpec]:
    """The checks that need the address and nothing else, and write nothing."""
    return [
        spec
        for spec in catalogue_of(app)
        if spec.level is Level.LOOK and spec.needs and set(spec.needs) <= FROM_OUTSIDE and not spec.mutates
    ]


def look_from_outside(url: str, app: AppDefinition, now: datetime) -> list[Evidence]:
    """Evidence of every check from outside. Raises NotUnderstood for what is no address."""
    place = _place(url)
    context = CheckContext(place, app, now, MARK + secrets.token_hex(4))
    return run_checks(catalogue_of(app), [spec.id for spec in from_outside(app)], context, now)


def seen_from_outside(trial: Trial) -> Iterator[Told]:
    """What an address shows. The level stands on an answer from there, not on the answers being good ones."""
    if trial.target.app_url is None:
        yield unknown("Address", "The settings have no app_url.")
        return
    titles = {spec.id: spec.title for spec in from_outside(trial.app)}
    seen = trial.run(titles)
    answered = [one for one in seen if one.verdict is not Verdict.UNKNOWN]
    if answered:
        yield passed("Address", f"The app answers: {answered[0].summary}", effect=True)
    else:
        yield unknown("Address", seen[0].summary if seen else "No check looks from outside.")
    for one in seen:
        yield of_evidence(one, titles[one.check_id], needed=False)
    if any(spec.level is Level.PROBE for spec in catalogue_of(trial.app)):
        said = "Whether answers are canned shows only on an entry of our own: that is the level 'probe'."
        yield unknown("Canned answers", said, needed=False)


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
