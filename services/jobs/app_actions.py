"""Jobs that change which build of the app serves: restart, redeploy, back-out; judged by the route inventory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.checks.runner import run_checks
from services.clients.http import UpstreamError
from services.clients.railway import Deployment, RailwayClient, pushed_last
from services.errors import Refused, Unavailable
from services.jobs.checking import check_context, prove, summary_of
from services.jobs.queue import JobState
from services.jobs.worker import JobContext, Outcome
from services.verdict import Evidence, Verdict

ROUTES = "route-inventory"
IN_PROGRESS = frozenset({"QUEUED", "INITIALIZING", "BUILDING", "DEPLOYING", "WAITING", "NEEDS_APPROVAL", "REMOVING"})
WAIT_S = 330.0
POLL_S = 0.5


def inventory(context: JobContext) -> Evidence:
    """What the app's route list says now about which build serves."""
    app = load_app(context.target.app)
    now = context.clock()
    surroundings = check_context(context.store, context.target, app, now, run_id=context.job.run_id)
    return run_checks(catalogue_of(app), [ROUTES], surroundings, now)[0]


def active(client: RailwayClient) -> Deployment:
    """The deployment that serves: the newest successful one with a running instance. Raises Unavailable if none."""
    for deployment in client.deployments():
        if deployment.status == "SUCCESS" and deployment.running:
            return deployment
    raise Unavailable(
        "No deployment is running.",
        "Which build serves is not known.",
        "Look at the deployments in Railway; a redeploy starts one.",
    )


def serving_now(context: JobContext) -> Mapping[str, Any]:
    """What is pinned at GO: the serving deployment, its commit, and its route inventory."""
    deployment = active(RailwayClient.of(context.target))
    seen = inventory(context)
    if seen.verdict is Verdict.UNKNOWN:
        raise Unavailable(
            f"Which build serves cannot be seen: {seen.summary}",
            "Without that there would be no way back, so nothing was changed.",
            "Try again when the app answers.",
        )
    return {
        "deployment_id": deployment.id,
        "commit": deployment.commit,
        "message": deployment.message,
        "build": seen.facts.get("build"),
        "paths": seen.facts.get("paths"),
        "at": context.clock().isoformat(),
    }


def to_redeploy(deployments: Sequence[Deployment]) -> Deployment:
    """The deployment that a redeploy starts: the code pushed last. deployments: newest first.

    Raises Unavailable where nothing was ever pushed, Refused while a deployment is under way.
    """
    if deployments and deployments[0].status in IN_PROGRESS:
        raise Refused(
            f"Deployment {deployments[0].id} is {deployments[0].status} right now.",
            "Nothing was started.",
            "Wait for it to end.",
        )
    chosen = pushed_last(deployments)
    if chosen is None:
        raise Unavailable("Railway lists no push.", "Nothing was started.", "Push the commit first.")
    return chosen


def redeploy_app(context: JobContext) -> Outcome:
    """Start the build that was pushed last, once more; the effect is the new route inventory."""
    client = RailwayClient.of(context.target)
    deployments = client.deployments()
    chosen = to_redeploy(deployments)
    serving = next((one for one in deployments if one.status == "SUCCESS" and one.running), None)
    context.emit(
        "chosen",
        {
            "deployment_id": chosen.id,
            "commit": chosen.commit,
            "message": chosen.message,
            "status": chosen.status,
            "serving": serving.id if serving else None,
            "serving_commit": serving.commit if serving else None,
            "why": redeploy_sentence(
                {"id": chosen.id, "commit": chosen.commit, "status": chosen.status},
                {"commit": serving.commit} if serving else None,
            ),
        },
    )
    return _judged(context, client, client.redeploy(chosen.id))


def redeploy_sentence(pushed: Mapping[str, Any], serving: Mapping[str, Any] | None) -> str:
    """What a redeploy starts and why not a restart. pushed: id, commit, status; serving: commit, None if nothing is."""
    new = f"deployment {pushed['id']} (commit {_short(pushed['commit'])}, {pushed['status']})"
    if serving is None:
        return f"This starts {new} anew; nothing serves now."
    if serving["commit"] == pushed["commit"]:
        return f"This starts {new} anew, with the variables of now; its commit serves already."
    return (
        f"This starts {new} anew: the code that was pushed last. A restart would only start commit "
        f"{_short(serving['commit'])} again, the build that serves now."
    )


def _short(commit: object) -> str:
    return str(commit)[:10] if commit else "unknown"


def restart(context: JobContext) -> Outcome:
    """Start the serving image again. It brings no new code: the route inventory must be as before."""
    client = RailwayClient.of(context.target)
    serving = active(client)
    context.emit("chosen", {"deployment_id": serving.id, "commit": serving.commit, "message": serving.message})
    client.restart(serving.id)
    return _judged(context, client, serving.id)


def _judged(context: JobContext, client: RailwayClient, deployment_id: str) -> Outcome:
    ended = wait_for(context, client, deployment_id)
    facts = {"deployment_id": deployment_id, "status": ended.status, "commit": ended.commit}
    if ended.status != "SUCCESS":
        quoted = startup_error(client, deployment_id)
        still = serving_sentence(context)
        summary = f"Deployment {deployment_id} is {ended.status}: {quoted or 'its log names no error'}. {still}"
        return Outcome(JobState.FAILED, summary, {**facts, "startup_error": quoted})
    seen = wait_for_inventory(context, lambda one: one.verdict is not Verdict.UNKNOWN)
    evidence = prove(context) or [seen]
    verdict, summary = summary_of(evidence)
    state = {Verdict.PASS: JobState.PASSED, Verdict.FAIL: JobState.FAILED}.get(verdict, JobState.UNKNOWN)
    return Outcome(state, summary, {**facts, "routes": seen.to_json()})


def back_out_app(context: JobContext) -> Outcome:
    """Bring the app back to the build pinned at GO, then wait for that build's own route inventory."""
    pinned = context.job.payload["pin"]
    client = RailwayClient.of(context.target)
    before = inventory(context)
    if before.verdict is not Verdict.UNKNOWN and before.facts.get("paths") == pinned["paths"]:
        return Outcome(JobState.PASSED, "The pinned build serves already.", {"routes": before.to_json()})
    context.emit("chosen", {"deployment_id": pinned["deployment_id"], "commit": pinned["commit"]})
    fresh = client.rollback(pinned["deployment_id"])
    ended = wait_for(context, client, fresh.id)
    facts = {"deployment_id": fresh.id, "status": ended.status, "commit": ended.commit}
    if ended.status != "SUCCESS":
        return Outcome(JobState.FAILED, f"The pinned build did not start: {ended.status}.", facts)
    seen = wait_for_inventory(context, lambda one: one.facts.get("paths") == pinned["paths"])
    if seen.facts.get("paths") != pinned["paths"]:
        return Outcome(JobState.FAILED, f"The app is not back on the pinned build: {seen.summary}", facts)
    summary = f"The app is back on commit {pinned['commit']}: its route list is the one pinned at GO."
    return Outcome(JobState.PASSED, summary, {**facts, "routes": seen.to_json()})


def wait_for(context: JobContext, client: RailwayClient, deployment_id: str) -> Deployment:
    """Follow a deployment until Railway says that it ended; tells each new status. Raises Unavailable after WAIT_S."""
    until = time.monotonic() + WAIT_S
    told = ""
    while time.monotonic() < until and not context.cancelled():
        deployment = client.deployment(deployment_id)
        if deployment.status != told:
            told = deployment.status
            context.emit("deployment", {"id": deployment_id, "status": told, "commit": deployment.commit})
        if deployment.status not in IN_PROGRESS and (deployment.status != "SUCCESS" or deployment.running):
            return deployment
        time.sleep(POLL_S)
    raise Unavailable(
        f"Deployment {deployment_id} did not end while we watched (last status {told}).",
        "What will serve is not known.",
        "Look at it in Railway, then run the checks.",
    )


def wait_for_inventory(context: JobContext, wanted: Callable[[Evidence], bool], wait_s: float = 30.0) -> Evidence:
    """Look at the routes until they are as wanted, or the time is over; the last look is returned either way."""
    until = time.monotonic() + wait_s
    while True:
        seen = inventory(context)
        context.emit("routes", {"verdict": seen.verdict.value, "summary": seen.summary})
        if wanted(seen) or time.monotonic() >= until or context.cancelled():
            return seen
        time.sleep(POLL_S)


def startup_error(client: RailwayClient, deployment_id: str) -> str | None:
    """The last line of a deployment's log that names an error, quoted."""
    try:
        lines = client.deployment_logs(deployment_id)
    except UpstreamError:
        return None
    named = [line.message.strip() for line in lines if "Error" in line.message or "error" in line.severity]
    return named[-1] if named else None


def serving_sentence(context: JobContext) -> str:
    seen = inventory(context)
    return f"What serves now: {seen.summary}"


def refuse_while_needed(context: JobContext) -> None:
    """Raise Refused while a build serves that needs what a database rollback would take away, or while that is
    not known."""
    app = load_app(context.target.app)
    seen = inventory(context)
    if seen.verdict is Verdict.UNKNOWN:
        raise Refused(
            f"Which build serves cannot be seen: {seen.summary}",
            "Nothing was changed: a build that needs the schema may be serving.",
            "Make the app answer first.",
        )
    if seen.facts.get("build") == app.release_build:
        raise Refused(
            "The build that needs this schema is serving.",
            "Nothing was changed: rolling back now would break it.",
            "Bring the app back to the pinned build first.",
        )
