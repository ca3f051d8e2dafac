"""The war room: every service as a tile with its verdict and age, diagnosis, the handles, and what can be broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard.actions import action_button
from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.evidence import evidence_line
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.context import PageContext
from dashboard.links import page_link
from dashboard.panels.guides import playbook_panel
from dashboard.panels.release_steps import enqueue_act, redeploy_plan, why_blocked
from dashboard.results import results_of
from services.app_definition import AppDefinition, Link, WatchedService
from services.checks.of_app import catalogue_of
from services.jobs.kinds import job_kind
from services.jobs.pace import intervals
from services.jobs.queue import Job
from services.jobs.watch import watched_checks
from services.verdict import Evidence, Verdict, worst

SLACK = timedelta(seconds=25)
"""How late the worker's next look may be: past its pause and this, a tile no longer speaks of now."""

LINGERS = timedelta(minutes=2)
"""How long a job that did not end well stays on the page."""

FIRST_SYMPTOMS = 4

HANDLES = {
    "restart": "Starts the image that serves now once more. It brings no new code.",
    "redeploy_app": "Starts the code that was pushed last once more, with the variables of now.",
}


def pauses(app: AppDefinition, seen: Mapping[str, Evidence]) -> dict[str, timedelta]:
    """How long the worker waits between two looks of each check that it repeats while somebody looks."""
    catalogue = catalogue_of(app)
    watched = [catalogue[check] for check in watched_checks(app) if check in catalogue]
    return intervals([spec for spec in watched if not spec.mutates], seen)


def still_speaks(evidence: Evidence, now: datetime, pause: timedelta | None) -> bool:
    """Whether evidence speaks of now. pause: between two looks; None for a check that writes, which watching does not
    repeat: it counts until it expires."""
    return now < evidence.expires if pause is None else now - evidence.started <= pause + SLACK


def service_tiles(app: AppDefinition, seen: Mapping[str, Evidence], now: datetime) -> None:
    """One tile a service. The tile says the worst of its checks, and nothing is green that is old."""
    repeated = pauses(app, seen)
    with st.grid(4, min_column_width=220, gap="small"):
        for service in app.watch:
            with st.container(border=True, height="stretch", gap="xsmall", key=f"tile-{service.id}"):
                _tile(service, seen, repeated, now)


@dataclass(frozen=True, slots=True)
class Tile:
    """What a tile says. state: a badge; told: its sentence; looks: when its evidence was seen, newest first."""

    state: str
    told: str
    looks: tuple[datetime, ...]


def tile_of(
    service: WatchedService, seen: Mapping[str, Evidence], repeated: Mapping[str, timedelta], now: datetime
) -> Tile:
    """never: nobody looked; stale: a repeated check is old; else the worst verdict, and green only where every check of
    the service speaks of now: a check that nobody has run lately leaves it unknown.

    repeated: the pauses of the checks that the worker repeats. The others, which write, count until they expire.
    """
    found = {check: seen[check] for check in service.checks if check in seen}
    looks = tuple(sorted((evidence.started for evidence in found.values()), reverse=True))
    if not found:
        return Tile("never", f"{len(service.checks)} checks speak for it.", ())
    speaking = {check: e for check, e in found.items() if still_speaks(e, now, repeated.get(check))}
    old = [check for check in found if check in repeated and check not in speaking]
    if old:
        return Tile("stale", f"Not seen since: {', '.join(old)}.", looks)
    verdict = worst(evidence.verdict for evidence in speaking.values())
    silent = [check for check in service.checks if check not in speaking]
    if verdict is Verdict.PASS and silent:
        passing = f"{len(speaking)} of {len(service.checks)} pass. " if speaking else ""
        return Tile("unknown", f"{passing}Not looked at lately: {', '.join(silent)}; the production test does.", looks)
    deciding = next((e for e in speaking.values() if e.verdict is verdict), None)
    return Tile(verdict.value, deciding.summary if deciding else "Nobody has looked lately.", looks)


def _tile(
    service: WatchedService, seen: Mapping[str, Evidence], repeated: Mapping[str, timedelta], now: datetime
) -> None:
    tile = tile_of(service, seen, repeated, now)
    st.markdown(f"{strong(service.title)}  \n{inline_badge(tile.state)}")
    st.markdown(plain(tile.told, limit=160))
    if tile.looks:
        newest, oldest = tile.looks[0], tile.looks[-1]
        span = times.age(newest, now)
        if newest - oldest > SLACK:
            span = f"{times.age(oldest, now)} to {span}"
        st.caption(f"Seen {span} · {plain(', '.join(service.checks))}")


def handles(context: PageContext) -> None:
    """Restart, redeploy, back out; each says what it will do before it does it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for kind, effect in HANDLES.items():
            results = results_of(context, kind, run=False)
            title = job_kind(kind).title
            with st.popover(f"{title} …", key=f"handle-{kind}", icon=":material/restart_alt:"):
                st.markdown(plain(effect))
                if kind == "redeploy_app":
                    redeploy_plan(context)
                action_button(
                    f"{title} on {context.target.name}",
                    enqueue_act(kind, {}, results.seen, of_run=False),
                    key=f"handle-{kind}-{results.seen}",
                    primary=True,
                    blocked=why_blocked(context, kind, None, None) or ("It is running." if results.running else None),
                )
        for kind, label, icon in (("score", "Production test", "fact_check"), ("diagnose", "Diagnose", "troubleshoot")):
            results = results_of(context, kind, run=False)
            action_button(
                label,
                enqueue_act(kind, {}, results.seen, of_run=False),
                key=f"handle-{kind}-{results.seen}",
                icon=icon,
                blocked=why_blocked(context, kind, None, None) or ("It is running." if results.running else None),
            )
        page_link(context, "/rollback", "Back out")


def running_jobs(context: PageContext) -> None:
    """What the handles have set going."""
    for kind in (*HANDLES, "score", "diagnose", "break_fault", "repair_fault"):
        newest = results_of(context, kind, run=False).newest
        if newest is not None and (newest.active or _needs_a_look(newest, context.now)):
            with st.container(border=True):
                show_job(newest.id, key=f"war-{kind}", compact=True, live=False)


def _needs_a_look(ended: Job, now: datetime) -> bool:
    """Whether a job that has ended is still to be seen here: it did not come to what was wanted, a moment ago."""
    if ended.finished is None or now - ended.finished > LINGERS:
        return False
    # What the production test and the diagnosis came to stands on the page anyhow.
    return ended.state.value in ("interrupted", "unknown") or (
        ended.state.value == "failed" and ended.kind not in ("score", "diagnose")
    )


def diagnosis(context: PageContext, found: Mapping[str, Any], age: str, links: Mapping[str, Link]) -> None:
    """Ranked causes with what speaks for and against each, and the next cheapest check; or that it is unknown."""
    shown = str(found.get("state") or "unknown")
    st.markdown(f"{inline_badge(shown)} {plain(found.get('summary', ''), limit=600)} :small[:gray[{plain(age)}]]")
    _symptoms([_told(symptom) for symptom in found.get("symptoms") or ()])
    for number, cause in enumerate(found.get("causes") or (), start=1):
        _cause(context, number, cause, links)
    _left_over(found)


def _symptoms(told: Sequence[str]) -> None:
    """What is wrong; where that is much, the first few, and the rest behind a fold: what is looked for is the cause."""
    shown = FIRST_SYMPTOMS if len(told) > FIRST_SYMPTOMS + 1 else len(told)
    if told:
        st.markdown("\n".join(f"- {plain(symptom, limit=400)}" for symptom in told[:shown]))
    if told[shown:]:
        with st.expander(f"{len(told) - shown} more symptoms", key="more-symptoms"):
            st.markdown("\n".join(f"- {plain(symptom, limit=400)}" for symptom in told[shown:]))


def _left_over(found: Mapping[str, Any]) -> None:
    """What no named cause explains, and what was ruled out, each with the evidence that did it."""
    unexplained = found.get("not_explained") or ()
    if unexplained and found.get("causes"):
        st.markdown(":material/help: Not explained by these causes:")
        st.markdown("\n".join(f"- {plain(_told(symptom), limit=400)}" for symptom in unexplained))
    ruled_out = found.get("ruled_out") or ()
    if not ruled_out:
        return
    because = found.get("ruled_out_because") or {}
    with st.expander(f"Ruled out ({len(ruled_out)})", key="ruled-out"):
        st.markdown(
            "\n".join(
                f"- {strong(_told(cause))} {plain(because.get(_told(cause), ''), limit=300)}" for cause in ruled_out
            )
        )


def _cause(context: PageContext, number: int, cause: Mapping[str, Any], links: Mapping[str, Link]) -> None:
    confidence = cause.get("confidence")
    sure = f"{confidence:.0%}" if isinstance(confidence, float) else str(confidence or "")
    aside = f":small[:gray[{plain(cause.get('id'))} · {plain(sure)}]]"
    label = f"{number}. {strong(cause.get('title') or cause.get('id'))} {aside}"
    with st.expander(label, expanded=number == 1, key=f"cause-{number}-{cause.get('id')}"):
        for heading, icon, key in (("For", "add_circle", "for"), ("Against", "do_not_disturb_on", "against")):
            for told in cause.get(key) or ():
                st.markdown(f":material/{icon}: :gray[{heading}:] {plain(_told(told), limit=400)}")
        if cause.get("next_check"):
            st.markdown(f":material/search: :gray[Next cheapest check:] {plain(_told(cause['next_check']))}")
        if cause.get("playbook"):
            playbook_panel(context, str(cause["playbook"]), links)


def _told(item: object) -> str:
    if isinstance(item, Mapping):
        return str(item.get("summary") or item.get("title") or item.get("text") or item.get("id") or "")
    return str(item)


def check_lines(app: AppDefinition, seen: Mapping[str, Evidence], now: datetime, links: Mapping[str, Link]) -> None:
    """Every check that is watched, with its evidence."""
    repeated = pauses(app, seen)
    for check in watched_checks(app):
        if check in seen:
            evidence = seen[check]
            fresh = still_speaks(evidence, now, repeated.get(check))
            evidence_line(evidence, now, fresh=fresh, link=links.get(evidence.link or ""))
