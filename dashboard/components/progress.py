"""A job on the screen: its state, what it tells as it goes, how it ended, and the ways to stop or resume it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.components.problem import problems_shown
from dashboard.context import PageContext, current
from services.jobs.kinds import job_kind
from services.jobs.queue import RESUMABLE, Job, JobEvent, JobState, cancel, events, job, resume

REFRESH_S = 0.5
SHOWN_EVENTS = 40


def show_job(job_id: str, *, key: str, compact: bool = False, live: bool = True) -> None:
    """The job, live while it runs and still when it has ended; opening it again shows the same story.

    live: False where what is around it refreshes by itself.
    """
    context = current()
    if live and job(context.store, job_id).active:
        _live(job_id, key, compact)
    else:
        _draw(context, job_id, key, compact)


@st.fragment(run_every=REFRESH_S)
def _live(job_id: str, key: str, compact: bool) -> None:
    with problems_shown():
        context = current()
        if _draw(context, job_id, key, compact).active:
            return
    # It has ended: the rest of the page depends on it, and this timer must stop.
    st.rerun()


def _draw(context: PageContext, job_id: str, key: str, compact: bool) -> Job:
    shown = job(context.store, job_id)
    story = events(context.store, job_id)
    _headline(context, shown)
    summary = str((shown.result or {}).get("summary", ""))
    if summary:
        st.markdown(plain(summary))
    _problem_of(shown)
    _bar(shown, story)
    if story and not compact:
        _story(story, key)
    _handles(context, shown, key)
    return shown


def _headline(context: PageContext, shown: Job) -> None:
    by = f"asked for by {shown.actor.name} {times.age(shown.created, context.now)}"
    if shown.started and shown.finished:
        took = f", took {times.span((shown.finished - shown.started).total_seconds())}"
    elif shown.started:
        took = f", for {times.span((context.now - shown.started).total_seconds())}"
    else:
        took = ""
    state = inline_badge(str(shown.state), note=_note(shown))
    attempt = f", attempt {shown.attempt}" if shown.attempt > 1 else ""
    st.markdown(f"{state} {strong(shown.title)} :small[:gray[{plain(by + took + attempt)} · {plain(shown.id)}]]")


def _note(shown: Job) -> str:
    if shown.active:
        return "stopping" if shown.cancel_requested else ""
    return "but applied" if shown.in_effect and shown.state is not JobState.PASSED else ""


def _problem_of(shown: Job) -> None:
    error = (shown.result or {}).get("error")
    if isinstance(error, Mapping):
        parts = [str(error.get(name) or "") for name in ("what", "means", "do")]
        place = f" ({error['place']})" if error.get("place") else ""
        st.error(" ".join(plain(part) for part in parts if part) + plain(place))


def progress_of(story: Sequence[JobEvent]) -> tuple[int, int] | None:
    """(done, of) by the newest event that counts: any payload with `of` and one of `index`, `done`, `number`."""
    for event in reversed(story):
        total = event.payload.get("of")
        done = next((event.payload[name] for name in ("done", "index", "number") if name in event.payload), None)
        if isinstance(total, int) and isinstance(done, int) and total > 0:
            done -= event.payload.get("state") == "running"
            return min(done, total), total
    return None


def _bar(shown: Job, story: Sequence[JobEvent]) -> None:
    counted = progress_of(story)
    if shown.active and counted:
        done, total = counted
        st.progress(done / total, text=f"{done} of {total}")


def _story(story: Sequence[JobEvent], key: str) -> None:
    box = st.expander(f"Its story, {len(story)} lines", key=f"story-{key}", on_change="rerun")
    if not box.open:
        return
    lines = [event_line(event) for event in story[-SHOWN_EVENTS:]]
    left_out = len(story) - len(lines)
    if left_out > 0:
        lines.insert(0, f"… {left_out} earlier lines; /history has all of them")
    # Text as it is: notices and messages come from the target.
    box.code("\n".join(lines), language=None, wrap_lines=True, height=320 if len(lines) > 14 else "content")


def event_line(event: JobEvent) -> str:
    """One event as one line of text: time in UTC, kind, and what it tells."""
    told = _TOLD.get(event.kind, _brief)(event.payload)
    return f"{event.at:%H:%M:%S}Z  {event.kind:<14} {' '.join(told.split())}".rstrip()


def _statement(payload: Mapping[str, Any]) -> str:
    state = "runs" if payload.get("state") == "running" else f"{payload.get('ms')} ms"
    number = f"{payload.get('index')}/{payload['of']}" if payload.get("of") else str(payload.get("index"))
    return f"{number} {payload.get('file')}:{payload.get('line')} {state}"


def _judged(payload: Mapping[str, Any]) -> str:
    name = payload.get("id") or payload.get("check_id") or ""
    return f"{payload.get('verdict')} {name} {payload.get('message') or payload.get('summary') or ''}"


_TOLD: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "statement": _statement,
    "query": _judged,
    "check-finished": _judged,
    "feature": _judged,
    "routes": _judged,
    "notice": lambda payload: str(payload.get("message", "")),
    "phase": lambda payload: str(payload.get("name", "")),
    "check-started": lambda payload: str(payload.get("title") or payload.get("id", "")),
}


def _brief(payload: Mapping[str, Any]) -> str:
    told = payload.get("message") or payload.get("summary") or payload.get("why")
    if told:
        return str(told)
    return ", ".join(f"{key} {value}" for key, value in payload.items() if not isinstance(value, dict | list))


def _handles(context: PageContext, shown: Job, key: str) -> None:
    if not context.actor.may(job_kind(shown.kind).permission):
        return
    if shown.active and not shown.cancel_requested:
        action_button("Cancel", _cancel(shown.id), key=f"stop-{key}-{shown.id}", icon="stop")
    elif shown.state in RESUMABLE and shown.state is not JobState.CANCELLED and (label := _again(shown)):
        action_button(label, _resume(shown.id), key=f"resume-{key}-{shown.id}", icon="replay")


def _again(shown: Job) -> str:
    """What running it again is called; empty where there is nothing left to run."""
    if shown.in_effect:
        return "Look again" if shown.kind == "deploy" else ""
    return "Resume" if shown.state is JobState.INTERRUPTED else "Run it again"


def _cancel(job_id: str) -> Act:
    return lambda context: cancel(context.store, actor=context.actor, job_id=job_id, now=context.now)


def _resume(job_id: str) -> Act:
    return lambda context: resume(
        context.store, actor=context.actor, job_id=job_id, target=context.target, now=context.now
    )
