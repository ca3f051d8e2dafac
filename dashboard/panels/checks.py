"""The catalogue of checks on the screen: what each proves, what it last saw, what it costs, and a way to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.actions import action_button
from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.choice import choose_option
from dashboard.components.empty import nothing_now
from dashboard.components.evidence import evidence_facts
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.components.tables import csv_button
from dashboard.context import PageContext
from dashboard.panels.release_steps import enqueue_act, why_blocked
from dashboard.results import Results, results_of
from dashboard.runs import app_of
from services.app_definition import Link
from services.checks.of_app import catalogue_of
from services.checks.overview import CheckRow, areas, check_rows, cost_of, cost_sentence, tally
from services.checks.registry import CheckSpec
from services.releases.ledger import newest_evidence

ANY = "any"
AREAS = {"app": "The app", "database": "Database", "status pages": "Status pages", "": "Our own records"}
SHOWN = {ANY: "Everything", "wrong": "What needs a look", "pass": "What passed", "not used": "What is not used"}


def checks_part(context: PageContext) -> None:
    """Every check of the app, filtered by what the address says."""
    app = app_of(context)
    catalogue = catalogue_of(app)
    rows = check_rows(catalogue, newest_evidence(context.store, context.target.name, catalogue.ids), context.now)
    results = results_of(context, "check", run=False)
    st.caption("Each check looks at an effect. A time-out or an answer nobody understands is unknown, never a pass.")
    counted = " ".join(inline_badge(state, note=str(number)) for state, number in tally(rows))
    st.markdown(counted)
    shown = _chosen(rows)
    _run_these(context, [row.spec for row in shown if row.state != "not used"], results)
    if results.running:
        show_job(results.running.id, key="checks", compact=True, live=False)
    if not shown:
        nothing_now("No check is like that.", "Choose another state or area above.")
    links = app.links_for(context.target)
    for area in areas(shown):
        st.markdown(f"#### {plain(AREAS.get(area, area))}")
        with st.container(gap="xsmall"):
            for row in (one for one in shown if one.area == area):
                _row(context, row, results, links)
    csv_button([_exported(row) for row in rows], name="checks")


def _chosen(rows: Sequence[CheckRow]) -> list[CheckRow]:
    left, right = st.columns(2)
    with left:
        state = choose_option("show", "Show", SHOWN, default=ANY)
    with right:
        named = {ANY: "All", **{area: AREAS.get(area, area) for area in areas(rows)}}
        area = choose_option("area", "About", named, default=ANY)
    return [row for row in rows if _is_shown(row, state) and area in (None, ANY, row.area)]


def _is_shown(row: CheckRow, state: str | None) -> bool:
    if state == "wrong":
        return row.wrong
    return state in (None, ANY, row.state)


def _run_these(context: PageContext, specs: Sequence[CheckSpec], results: Results) -> None:
    """Two buttons: those that only look, and all of them; each says what it costs at most."""
    busy = why_blocked(context, "check", None, None) or ("It is running." if results.running else None)
    looking = [spec for spec in specs if not spec.mutates]
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, label, chosen in (("look", "Run those that only look", looking), ("all", "Run all shown", specs)):
            if chosen and (name == "look" or len(chosen) > len(looking)):
                ids = [spec.id for spec in chosen]
                action_button(
                    f"{label} ({len(ids)})",
                    enqueue_act("check", {"checks": ids}, results.seen, of_run=False),
                    key=f"checks-{name}-{results.seen}",
                    blocked=busy,
                )
                st.markdown(f":small[:gray[{cost_sentence(cost_of(chosen))}]]", width="content")


def _row(context: PageContext, row: CheckRow, results: Results, links: Mapping[str, Link]) -> None:
    spec, evidence = row.spec, row.evidence
    age = f" :small[:gray[{times.age(evidence.started, context.now)}]]" if evidence else ""
    told = plain(evidence.summary, limit=220) if evidence else f":gray[{plain(spec.proves)}]"
    label = f"{inline_badge(row.state)} {strong(spec.title)} {told}{age}"
    opened = st.expander(
        label, key=f"check-{spec.id}", on_change="rerun", expanded=st.query_params.get("check") == spec.id
    )
    if not opened.open:
        return
    with opened:
        st.markdown(plain(spec.proves))
        st.caption(plain(_about(spec)))
        if row.state == "not used":
            st.markdown(f"{plain(app_of(context).title)} does not use {plain(' and '.join(spec.touches))}.")
            return
        link = links.get(evidence.link or "") if evidence else None
        if link is not None:
            st.markdown(f"[{plain(link.title)}]({link.url})")
        action_button(
            "Run it",
            enqueue_act("check", {"checks": [spec.id]}, results.seen, of_run=False),
            key=f"check-{spec.id}-{results.seen}",
            blocked=why_blocked(context, "check", None, None) or ("A check is running." if results.running else None),
        )
        if evidence:
            evidence_facts(evidence, context.now)


def _about(spec: CheckSpec) -> str:
    """One line: id, what it touches, whether it writes, cost, how long its evidence counts."""
    writes = "writes marked test data and removes it" if spec.mutates else "only reads"
    return (
        f"{spec.id} · {', '.join(spec.touches) or 'our own records'} · {writes} · {cost_sentence(spec.cost)} · "
        f"level {spec.level.value} · counts for {times.span(spec.expires_s)}"
    )


def _exported(row: CheckRow) -> dict[str, object]:
    evidence = row.evidence
    return {
        "id": row.spec.id,
        "state": row.state,
        "title": row.spec.title,
        "summary": evidence.summary if evidence else "",
        "seen": evidence.started.isoformat() if evidence else "",
        "took_ms": round(evidence.took_ms) if evidence else "",
        "proves": row.spec.proves,
    }
