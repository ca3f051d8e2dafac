"""Checks of PulseCheck by its address alone: does a process answer, and which build is it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.pulsecheck.client import ADMIN, API, paths_in
from apps.pulsecheck.probe import api_of, require_alive
from services.checks.context import CheckContext
from services.checks.kinds import RouteInventory, answered
from services.clients.http import Kind, UpstreamError
from services.verdict import Finding, Verdict

# Asked for no entries, since those are somebody's words: 422 shows as well as 200 that the route is loaded.
NO_ENTRIES = {"per_page": 0}
CALLED: Mapping[str, Mapping[str, Any]] = {
    f"{API}/journal/entries": NO_ENTRIES,
    f"{API}/journal/stats": {},
    **{f"{ADMIN}/{part}": {} for part in ("daily", "weekly", "users", "feedback", "costs", "health", "export")},
}
NOT_LOADED = (404, 405)


def api_answers(context: CheckContext) -> Finding:
    """A process answers: /health is 200 JSON, and a path that nobody can have prepared gets the app's own 404 or 405.

    What /health says is ignored: it answers the same whatever is broken.
    """
    health = require_alive(context)
    finding = answered(health, "/health")
    if finding.verdict is not Verdict.PASS:
        return finding
    health.json()
    nowhere = api_of(context).get(f"/{context.marker}")
    facts = {"status": health.status, "unknown_path_status": nowhere.status, "took_ms": round(health.took_s * 1000)}
    if nowhere.status not in NOT_LOADED:
        return Finding(
            Verdict.FAIL,
            f"A path that does not exist answered {nowhere.status}: something in front of the app answers for it.",
            facts,
        )
    nowhere.json()
    limit = context.app.thresholds.response_alert_s
    if health.took_s > limit:
        return Finding(Verdict.FAIL, f"The app took {health.took_s:.1f} s to answer; the limit is {limit:g} s.", facts)
    return Finding(Verdict.PASS, f"A live process answers, in {facts['took_ms']} ms; what it says is ignored.", facts)


def docs_served(context: CheckContext) -> Finding:
    """/docs is a page and /openapi.json lists paths; production of the newest build hides both, which is no fault."""
    require_alive(context)
    api = api_of(context)
    docs = api.docs()
    if docs.status == 404 and api.ready().status == 200:
        return Finding(Verdict.PASS, "The newest build hides its documentation in production.", {"status": 404})
    finding = answered(docs, "/docs")
    if finding.verdict is not Verdict.PASS:
        return finding
    paths = paths_in(api.openapi().expect())
    facts = {"status": docs.status, "paths": len(paths)}
    if b"<html" not in docs.body[:2000].lower():
        return Finding(Verdict.FAIL, "/docs answered 200, but it is not a web page.", facts)
    return Finding(Verdict.PASS, f"/docs is a page and the API lists {len(paths)} paths.", facts)


@dataclass(frozen=True, slots=True)
class ServedBuild:
    """Which build serves, judged by its paths; `id` is None for a mixture or something else altogether."""

    id: str | None
    inventory: RouteInventory
    statuses: dict[str, int]
    listed: bool


def served_build(context: CheckContext) -> ServedBuild:
    """The build that serves now; one answer a run."""
    return context.once("served-build", lambda: _look_at_routes(context))


def _look_at_routes(context: CheckContext) -> ServedBuild:
    require_alive(context)
    api, app = api_of(context), context.app
    document = api.openapi()
    listed = document.status == 200
    statuses = {path: api.get(path, **params).status for path, params in CALLED.items()}
    dead = tuple(path for path, status in statuses.items() if status in NOT_LOADED)
    broken = tuple(path for path, status in statuses.items() if status >= 500)
    if listed:
        served = paths_in(document)
    elif document.status in NOT_LOADED:
        served = frozenset(app.paths_of(app.builds[-1].id)) - set(dead)
    else:
        raise UpstreamError("PulseCheck", Kind.SERVER_ERROR, "The list of routes is not given.", status=document.status)
    whole = [b.id for b in app.builds if set(app.paths_of(b.id)) <= served - set(dead)]
    # A build is a mixture where it has some, but not all, of what the next one adds.
    latest = whole[-1] if whole else None
    following = [b for b in app.builds if b.id not in whole]
    mixed = bool(following) and any(path in served and path not in dead for path in following[0].adds)
    inventory = RouteInventory(app.paths_of(app.release_build), served, dead, broken)
    return ServedBuild(None if mixed else latest, inventory, statuses, listed)


def route_inventory(context: CheckContext) -> Finding:
    """The routes of the release's build are served, and none of those we can call answers 404, 405 or 5xx."""
    served = served_build(context)
    inventory, app = served.inventory, context.app
    facts: dict[str, Any] = {
        "build": served.id,
        "expected": len(inventory.expected),
        "paths": sorted(inventory.served),
        "missing": list(inventory.missing),
        "broken": list(inventory.broken),
        "statuses": served.statuses,
    }
    if inventory.missing:
        if served.id is None:
            names = ", ".join(inventory.missing[:4])
            said = f"A part of the new build is missing: {names}."
        else:
            title = next(build.title for build in app.builds if build.id == served.id)
            count = len(inventory.missing)
            said = (
                f"The routes are those of {title}: {count} of {len(inventory.expected)} paths of the release missing."
            )
        return Finding(Verdict.FAIL, said, facts, link="railway_service")
    if inventory.broken:
        names = ", ".join(inventory.broken[:4])
        return Finding(Verdict.FAIL, f"Loaded but broken: {names} answer 5xx.", facts, link="railway_logs")
    return Finding(Verdict.PASS, f"All {len(inventory.expected)} paths of the release are served.", facts)


def admin_public(context: CheckContext) -> Finding:
    """Admin numbers are refused to a caller without a token."""
    require_alive(context)
    answer = api_of(context).admin_daily()
    facts = {"status": answer.status}
    if answer.status in (401, 403):
        return Finding(Verdict.PASS, f"Admin endpoints refuse a caller without a token ({answer.status}).", facts)
    if answer.status in NOT_LOADED:
        return Finding(Verdict.UNKNOWN, "This build has no admin endpoints, so there is nothing to protect yet.", facts)
    if answer.status == 200:
        return Finding(
            Verdict.FAIL, "Anybody who knows the address can read the admin numbers, without a token.", facts
        )
    return Finding(
        Verdict.UNKNOWN, f"The admin endpoint answered {answer.status}: who may read it is not known.", facts
    )
