"""History: runs with their record, jobs with their story, and the audit chain with its proof."""

from __future__ import annotations

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.choice import choose_option
from dashboard.components.empty import not_yet
from dashboard.components.evidence import as_json
from dashboard.components.plain import plain, strong
from dashboard.components.progress import event_line, show_job
from dashboard.components.tables import table
from dashboard.context import PageContext, choose_run
from dashboard.panels.standing import start_panel
from dashboard.runs import releases_of
from services.jobs.kinds import KINDS
from services.jobs.queue import Job, events, job, recent_jobs
from services.releases.ledger import list_runs
from services.releases.record import FORMATS, rendered, run_record
from services.releases.run import Run
from services.store import audit

MIME = {"md": "text/markdown", "json": "application/json", "pdf": "application/pdf"}


def runs_part(context: PageContext) -> None:
    """The runs of this target; the chosen one is the run of every page, and can be downloaded as a record."""
    runs = list_runs(context.store, context.target.name)
    if not runs:
        not_yet("No run has been started on this target.", "Start one on the overview.")
        return
    for run in runs:
        _run(context, run)
    if context.run_id is not None:
        _record(context, context.run_id)
    another = st.expander("Start another run", key="another-run", on_change="rerun")
    if another.open:
        with another:
            start_panel(context, releases_of(context))


def _run(context: PageContext, run: Run) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        shown = " :blue-badge[:material/visibility: shown]" if run.id == context.run_id else ""
        st.markdown(
            f"{strong(run.release_id)} :small[{plain(run.id)} · started {plain(times.exact(run.started))} by "
            f"{plain(run.started_by)} · content {plain(run.content_hash[:12])}]{shown}",
            width="stretch",
        )
        if run.id != context.run_id and st.button("Show", key=f"show-{run.id}", icon=":material/visibility:"):
            choose_run(context, run.id)
            st.rerun()


def _record(context: PageContext, run_id: str) -> None:
    """The record is made when it is asked for: a run of a week has a long one."""
    if not st.toggle("Prepare the record of the shown run", key=f"record-{run_id}"):
        return
    record = run_record(context.store, run_id, context.now)
    with st.container(horizontal=True):
        for name in FORMATS:
            st.download_button(
                name.upper(),
                rendered(record, name),
                file_name=f"{run_id}.{name}",
                mime=MIME[name],
                key=f"record-{name}",
                on_click="ignore",
                icon=":material/download:",
            )


def jobs_part(context: PageContext) -> None:
    """The jobs of this target, and the story of the one in the address."""
    left, right = st.columns(2)
    with left:
        kinds = {"all": "All kinds"} | {kind: spec.title for kind, spec in KINDS.items()}
        kind = choose_option("kind", "Kind", kinds, default="all")
    found = recent_jobs(context.store, context.target.name, kind=kind if kind in KINDS else None, limit=200)
    with right:
        stories = {one.id: f"{one.title} · {one.id}" for one in found}
        named = choose_option("job", "Story of a job", stories)
    if named:
        _story(context, job(context.store, named))
    table(
        [_row(one) for one in found],
        name="jobs",
        empty="No job of this kind has been asked for.",
        columns={
            "created": "Asked",
            "title": "Job",
            "state": "State",
            "took": "Took",
            "by": "By",
            "summary": "Came to",
            "id": "Id",
        },
        config={"Came to": st.column_config.TextColumn(width="large")},
    )


def _row(one: Job) -> dict[str, object]:
    took = (one.finished - one.started).total_seconds() if one.started and one.finished else None
    return {
        "created": times.exact(one.created),
        "title": one.title,
        "state": one.state.value,
        "took": None if took is None else times.span(took),
        "by": one.actor.name,
        "summary": str((one.result or {}).get("summary", "")),
        "id": one.id,
    }


def _story(context: PageContext, shown: Job) -> None:
    with st.container(border=True):
        show_job(shown.id, key="history")
        text = "\n".join(event_line(event) for event in events(context.store, shown.id, limit=100_000))
        with st.container(horizontal=True):
            st.download_button(
                "Story",
                text,
                file_name=f"{shown.id}.txt",
                key="story-text",
                on_click="ignore",
                icon=":material/download:",
                type="tertiary",
            )
            st.download_button(
                "Result",
                as_json(dict(shown.result or {})),
                file_name=f"{shown.id}.json",
                key="story-json",
                on_click="ignore",
                icon=":material/download:",
                type="tertiary",
            )


def audit_part(context: PageContext) -> None:
    """Who did what, newest first; and whether every entry still follows from the one before."""
    broken = audit.first_broken(context.store)
    if broken is None:
        st.markdown(f"{inline_badge('passed')} Every entry follows from the one before: none was changed or taken out.")
    else:
        st.markdown(f"{inline_badge('failed')} The chain is broken at entry {strong(broken)}: the record was changed.")
    names = {one.actor.id: one.actor.name for one in recent_jobs(context.store, context.target.name, limit=500)}
    names[context.actor.id] = context.actor.name
    rows = [
        {
            "seq": entry.seq,
            "at": times.exact(entry.at),
            "actor": names.get(entry.actor, entry.actor),
            "action": entry.action,
            "subject": entry.subject,
            "detail": ", ".join(f"{key} {value}" for key, value in entry.detail.items()),
            "hash": entry.hash[:12],
        }
        for entry in audit.entries(context.store, target=context.target.name, limit=500)
    ]
    table(
        rows,
        name="audit",
        empty="Nothing has been done on this target.",
        columns={
            "seq": "No.",
            "at": "When",
            "actor": "Who",
            "action": "What",
            "subject": "On",
            "detail": "Detail",
            "hash": "Hash",
        },
        config={"Detail": st.column_config.TextColumn(width="large")},
    )
