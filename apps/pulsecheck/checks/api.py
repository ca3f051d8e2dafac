"""Checks of PulseCheck by its address alone: does a process answer, which build is it, is it documented."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from apps.pulsecheck.callers import anonymous, require_alive
from apps.pulsecheck.client import ADMIN, API, LOCKED, NOT_LOADED, one_object, paths_in
from services.app_definition import AppDefinition
from services.checks.context import CheckContext
from services.checks.kinds import NOT_LET_IN, RouteInventory, answered
from services.checks.side_by_side import side_by_side
from services.clients.http import Answer, UpstreamError, failure
from services.verdict import Finding, Verdict

# Asked for no entries, since those are somebody's words: 422 shows as well as 200 that the route is loaded.
NO_ENTRIES = {"per_page": 0}
CALLED: Mapping[str, Mapping[str, Any]] = {
    f"{API}/journal/entries": NO_ENTRIES,
    f"{API}/journal/stats": {},
    **{f"{ADMIN}/{part}": {} for part in ("daily", "weekly", "users", "feedback", "costs", "health", "export")},
}
FEEDBACK_PATH = f"{API}/journal/entries/{{entry_id}}/feedback"
# What the platform answers in place of an app that has ended.
NOBODY_HOME = (502, 503, 504)


def api_answers(context: CheckContext) -> Finding:
    """A process answers: /health is 200 JSON, and a path that nobody can have prepared gets the app's own 404 or 405.

    What /health says is ignored: it answers the same whatever is broken.
    """
    health, nowhere = side_by_side(
        [lambda: require_alive(context), lambda: anonymous(context).get(f"/{context.marker}")]
    )
    finding = answered(health, "/health")
    if finding.verdict is not Verdict.PASS:
        return finding
    one_object(health)
    facts = {"status": health.status, "unknown_path_status": nowhere.status, "took_ms": round(health.took_s * 1000)}
    if nowhere.status in NOT_LET_IN:
        return Finding(Verdict.UNKNOWN, f"Only /health lets us in; any other path answers {nowhere.status}.", facts)
    if nowhere.status not in NOT_LOADED:
        return Finding(
            Verdict.FAIL,
            f"A path that does not exist answered {nowhere.status}: something in front of the app answers for it.",
            facts,
        )
    one_object(nowhere)
    limit = context.app.thresholds.response_alert_s
    if health.took_s > limit:
        return Finding(Verdict.FAIL, f"The app took {health.took_s:.1f} s to answer; the limit is {limit:g} s.", facts)
    return Finding(Verdict.PASS, f"A live process answers, in {facts['took_ms']} ms; what it says is ignored.", facts)


def docs_served(context: CheckContext) -> Finding:
    """/docs is a page and /openapi.json lists paths; production of the newest build hides both, which is no fault."""
    require_alive(context)
    api = anonymous(context)
    docs, document = side_by_side([api.docs, api.openapi])
    if docs.status == 404 and document.status == 404 and _is_ready_route(api.ready()):
        return Finding(
            Verdict.PASS, "The newest build hides its documentation in production.", {"status": 404, "hidden": True}
        )
    finding = answered(docs, "/docs")
    if finding.verdict is not Verdict.PASS:
        return finding
    listing = answered(document, "/openapi.json")
    if listing.verdict is not Verdict.PASS:
        return Finding(listing.verdict, listing.summary, {**listing.facts, "status": docs.status}, document.body)
    paths = paths_in(document)
    facts = {"status": docs.status, "paths": len(paths)}
    if b"<html" not in docs.body[:2000].lower():
        return Finding(Verdict.FAIL, "/docs answered 200, but it is not a web page.", facts)
    return Finding(Verdict.PASS, f"/docs is a page and the API lists {len(paths)} paths.", facts)


def _is_ready_route(answer: Answer) -> bool:
    """Only the newest build has /ready; it answers 503 where it finds itself not ready."""
    return answer.status in (200, 503) and answer.body.lstrip()[:1] == b"{"


@dataclass(frozen=True, slots=True)
class ServedBuild:
    """Which build serves, judged by its paths; `id` is None for a mixture or something else altogether."""

    id: str | None
    inventory: RouteInventory
    statuses: dict[str, int]
    listed: bool

    @property
    def state(self) -> str:
        """ "complete", "old-build", "router-missing", "broken" (loaded, answers 5xx) or "dead" (nobody is there)."""
        codes = list(self.statuses.values())
        if codes and all(code in NOBODY_HOME for code in codes):
            return "dead"
        if self.inventory.missing:
            return "old-build" if self.id is not None else "router-missing"
        return "broken" if self.inventory.broken else "complete"


def served_build(context: CheckContext) -> ServedBuild:
    """The build that serves now; one answer a run."""
    return context.once("served-build", lambda: _look_at_routes(context))


def build_of(context: CheckContext) -> str | None:
    """The id of the serving build; None where it cannot be told."""
    try:
        return served_build(context).id
    except UpstreamError:
        return None


def _look_at_routes(context: CheckContext) -> ServedBuild:
    require_alive(context)
    api, app = anonymous(context), context.app
    calls: dict[str, Callable[[], Answer]] = {"/openapi.json": api.openapi, FEEDBACK_PATH: api.empty_feedback}
    calls |= {path: partial(api.get, path, **params) for path, params in CALLED.items()}
    asked = dict(zip(calls, side_by_side(list(calls.values()), at_once=len(calls)), strict=True))
    document = asked.pop("/openapi.json")
    statuses = {path: answer.status for path, answer in asked.items() if path != FEEDBACK_PATH}
    return judged_routes(app, document, statuses, asked[FEEDBACK_PATH].status)


def judged_routes(
    app: AppDefinition, document: Answer, statuses: Mapping[str, int], feedback_status: int
) -> ServedBuild:
    """The build behind a list of paths and the statuses of the routes that can be called.

    Raises UpstreamError where the list is neither given nor hidden, so that nothing is known of the routes.
    """
    expected = app.paths_of(app.release_build)
    if document.status in NOBODY_HOME and _nobody_home(statuses.values()):
        nothing = RouteInventory(expected, frozenset(), tuple(statuses), ())
        return ServedBuild(None, nothing, dict(statuses), listed=False)
    dead = tuple(path for path, status in statuses.items() if status in NOT_LOADED)
    broken = tuple(path for path, status in statuses.items() if status >= 500)
    listed = document.status == 200
    if listed:
        served = paths_in(document)
    elif document.status in NOT_LOADED:
        dead += (FEEDBACK_PATH,) if feedback_status in NOT_LOADED else ()
        served = frozenset(app.paths_of(app.builds[-1].id)) - set(dead)
    elif broken and document.status >= 500:
        return ServedBuild(None, RouteInventory(expected, frozenset(expected), (), broken), dict(statuses), False)
    else:
        raise failure(document)
    whole = [b.id for b in app.builds if set(app.paths_of(b.id)) <= served - set(dead)]
    # A build is a mixture where it has some, but not all, of what the next one adds.
    latest = whole[-1] if whole else None
    following = [b for b in app.builds if b.id not in whole]
    mixed = bool(following) and any(path in served and path not in dead for path in following[0].adds)
    inventory = RouteInventory(expected, served, dead, broken)
    return ServedBuild(None if mixed else latest, inventory, dict(statuses), listed)


def _nobody_home(statuses: Iterable[int]) -> bool:
    return all(status in NOBODY_HOME for status in statuses)


def route_inventory(context: CheckContext) -> Finding:
    """The routes of the release's build are served, and none of those we can call answers 404, 405 or 5xx."""
    served = served_build(context)
    inventory, app = served.inventory, context.app
    facts: dict[str, Any] = {
        "state": served.state,
        "build": served.id,
        "listed": served.listed,
        "expected": len(inventory.expected),
        "paths": sorted(inventory.served),
        "missing": list(inventory.missing),
        "broken": list(inventory.broken),
        "statuses": served.statuses,
        "asks_for_token": any(status in LOCKED for status in served.statuses.values()),
    }
    if served.state == "dead":
        status = max(served.statuses.values())
        said = f"No build serves: the platform answers {status} in the app's place."
        return Finding(Verdict.FAIL, said, facts, link="railway_service")
    if served.state == "router-missing":
        names = ", ".join(inventory.missing[:4])
        return Finding(Verdict.FAIL, f"A part of the new build is missing: {names}.", facts, link="railway_service")
    if served.state == "old-build":
        title = next(build.title for build in app.builds if build.id == served.id)
        count = len(inventory.missing)
        said = f"The routes are those of {title}: {count} of {len(inventory.expected)} paths of the release missing."
        return Finding(Verdict.FAIL, said, facts, link="railway_service")
    if served.state == "broken":
        names = ", ".join(inventory.broken[:4])
        return Finding(Verdict.FAIL, f"Loaded but broken: {names} answer 5xx.", facts, link="railway_logs")
    return Finding(Verdict.PASS, f"All {len(inventory.expected)} paths of the release are served.", facts)
