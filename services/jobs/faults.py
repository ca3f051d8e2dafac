"""Jobs that break and repair a disposable target through its fault control; other targets have none."""

from __future__ import annotations

from typing import Any

from services.clients.http import HttpClient
from services.errors import Refused
from services.jobs.queue import JobState
from services.jobs.worker import JobContext, Outcome
from services.settings import Target

# Breaking and repairing restart builds and wait for the effect, so they may take their time.
CALL_S = 60.0


def control_of(target: Target) -> HttpClient:
    """The fault control of a target. Raises Refused where it has none: only a disposable one can be broken."""
    if target.fault_control_url is None:
        raise Refused(f"Nothing can be broken on {target.name}.", "Nothing was done.", "Only a disposable target can.")
    return HttpClient("fault control", target.fault_control_url)


def known_faults(target: Target) -> list[dict[str, Any]]:
    """The faults that can be made on a target, each {"id", "what", "active"}; empty where it has no fault control."""
    if target.fault_control_url is None:
        return []
    body = control_of(target).get("/faults").expect().json()
    return [dict(fault) for fault in body["faults"]]


def break_fault(context: JobContext) -> Outcome:
    return _turn(context, "break", "is broken now; its effect has been seen")


def repair_fault(context: JobContext) -> Outcome:
    return _turn(context, "repair", "is repaired")


def _turn(context: JobContext, verb: str, said: str) -> Outcome:
    fault = str(context.job.payload["fault"])
    path = "/repair" if fault == "*" else f"/faults/{fault}/{verb}"
    answer = control_of(context.target).request("POST", path, call_s=CALL_S)
    if answer.ok:
        return Outcome(JobState.PASSED, f"{fault} {said}.", {"fault": fault})
    detail = answer.json()
    what = detail.get("error", {}).get("what", f"The fault control answered {answer.status}.")
    return Outcome(JobState.FAILED, str(what), {"fault": fault})
