"""A run's record: what was demanded, seen, decided and done, as one document; as JSON, Markdown or PDF."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.errors import NotUnderstood
from services.jobs.queue import Job, recent_jobs
from services.releases.ledger import run_view
from services.releases.run import RunView, StepView
from services.store import audit
from services.store.database import Store

FORMATS = ("md", "json", "pdf")


def run_record(store: Store, run_id: str, now: datetime) -> dict[str, Any]:
    """The whole record of a run as a JSON-able document; times are UTC."""
    view = run_view(store, run_id, now)
    jobs = recent_jobs(store, view.run.target, run_id=run_id, limit=1000)
    broken = audit.first_broken(store)
    return {
        "run": view.run.id,
        "release": view.release.id,
        "title": view.release.title,
        "target": view.run.target,
        "content_hash": view.run.content_hash,
        "started": view.run.started.isoformat(),
        "started_by": view.run.started_by,
        "as_of": now.isoformat(),
        "pinned_at_go": dict(view.pin) if view.pin else None,
        "audit_chain": "unbroken" if broken is None else f"broken at entry {broken}",
        "phases": [
            {"id": phase.id, "title": phase.phase.title, "steps": [_step(step) for step in phase.steps]}
            for phase in view.phases
        ],
        "decisions": _decisions(view),
        "jobs": [_job(job) for job in reversed(jobs)],
    }


def _step(view: StepView) -> dict[str, Any]:
    return {
        "id": view.id,
        "title": view.step.title,
        "demand": view.step.demand,
        "proof": view.step.proof,
        "state": view.state.value,
        "because": view.because,
        "evidence": [check.evidence.to_json() for check in view.checks if check.evidence],
    }


def _decisions(view: RunView) -> list[dict[str, Any]]:
    return [
        {"step": event.step_id, "kind": event.kind, "by": event.actor, "at": event.at.isoformat(), **event.payload}
        for event in view.events
        if event.decision is not None
    ]


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "step": job.step_id,
        "asked_by": job.actor.name,
        "state": job.state.value,
        "created": job.created.isoformat(),
        "finished": job.finished.isoformat() if job.finished else None,
        "summary": (job.result or {}).get("summary"),
    }


def rendered(record: dict[str, Any], form: str) -> bytes:
    """The record as a file. form: md, json or pdf; NotUnderstood for anything else."""
    if form == "json":
        return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
    if form == "md":
        return markdown(record).encode()
    if form == "pdf":
        return _pdf(record)
    raise NotUnderstood(
        f"A record cannot be written as '{form}'.", "", f"Formats: {', '.join(FORMATS)}.", place="--format"
    )


def _lines(record: dict[str, Any]) -> Sequence[tuple[str, str]]:
    """The record as (kind, text) lines: title, head, item, text; what Markdown and PDF both draw."""
    lines: list[tuple[str, str]] = [
        ("title", f"{record['title']} on {record['target']}"),
        ("text", f"Run {record['run']}, started {record['started']} by {record['started_by']}."),
        ("text", f"As of {record['as_of']}. Release content {record['content_hash']}."),
        ("text", f"The audit chain is {record['audit_chain']}."),
    ]
    if record["pinned_at_go"]:
        pinned = record["pinned_at_go"]
        lines.append(("text", f"Pinned at GO: commit {pinned['commit']}, deployment {pinned['deployment_id']}."))
    for phase in record["phases"]:
        lines.append(("head", phase["title"]))
        for step in phase["steps"]:
            lines.append(("item", f"[{step['state']}] {step['id']} {step['title']}: {step['because']}"))
            for seen in step["evidence"]:
                told = f"{seen['check_id']} {seen['verdict']} at {seen['started']}: {seen['summary']}"
                lines.append(("seen", told))
    lines.append(("head", "Decisions"))
    for decision in record["decisions"] or []:
        said = decision.get("note") or decision.get("reason") or ""
        lines.append(
            ("item", f"{decision['at']} {decision['by']} {decision['kind']} {decision['step']} {said}".strip())
        )
    lines.append(("head", "Jobs"))
    for job in record["jobs"]:
        lines.append(
            ("item", f"{job['created']} {job['title']} by {job['asked_by']}: {job['state']}. {job['summary']}")
        )
    return lines


def markdown(record: dict[str, Any]) -> str:
    """The record as Markdown; whatever came from outside is shown as it is and cannot become markup."""
    marks = {"title": "# ", "head": "\n## ", "item": "- ", "seen": "    - ", "text": "\n"}
    return "\n".join(marks[kind] + _plain(text) for kind, text in _lines(record)) + "\n"


def _plain(text: str) -> str:
    flat = " ".join(text.split())
    for character in "\\`*_[]<>#|!":
        flat = flat.replace(character, "\\" + character)
    return flat


def _pdf(record: dict[str, Any]) -> bytes:
    from fpdf import FPDF

    page = FPDF(format="A4")
    page.set_title(f"{record['title']} on {record['target']}")
    page.set_auto_page_break(auto=True, margin=15)
    page.add_page()
    looks = {"title": ("B", 16, 0), "head": ("B", 12, 0), "item": ("", 9, 0), "seen": ("", 8, 6), "text": ("", 9, 0)}
    for kind, text in _lines(record):
        style, size, indent = looks[kind]
        page.set_font("Helvetica", style, size)
        page.set_x(page.l_margin + indent)
        # The built-in fonts know Latin-1 only; what they cannot draw is shown as "?" rather than lost silently.
        shown = " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")
        page.multi_cell(0, size * 0.5, shown, new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())
