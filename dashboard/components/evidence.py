"""Evidence on the screen: what was seen, when, how long it still counts, and the facts behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain
from services.app_definition import Link
from services.releases.run import CheckView
from services.verdict import Evidence, Freshness


def evidence_line(evidence: Evidence, now: datetime, *, fresh: bool = True, link: Link | None = None) -> None:
    """One line: verdict, summary, age; a pass that is too old is shown as expired and never as green."""
    shown = evidence.verdict.value if fresh or evidence.verdict.value != "pass" else "expired"
    seen = f"seen {times.age(evidence.started, now)}"
    fix = f" [{plain(link.title)}]({link.url})" if link is not None and evidence.verdict.value != "pass" else ""
    st.markdown(
        f"{inline_badge(shown)} `{_code(evidence.check_id)}` {plain(evidence.summary)} :small[:gray[{seen}]]{fix}"
    )


def check_line(check: CheckView, now: datetime, *, links: Mapping[str, Link] | None = None) -> None:
    """The line of one check of a step: its evidence, or that nobody has looked yet."""
    if check.evidence is None:
        st.markdown(f"{inline_badge('todo', note='not checked yet')} `{_code(check.check_id)}`")
        return
    link = (links or {}).get(check.evidence.link) if check.evidence.link else None
    evidence_line(check.evidence, now, fresh=check.freshness is Freshness.FRESH, link=link)


def evidence_facts(evidence: Evidence, now: datetime) -> None:
    """All of it: times, version, input, digest and facts; as text, since the facts come from outside."""
    st.caption(
        f"Taken {plain(times.exact(evidence.started, now=now))} in {times.duration_ms(evidence.took_ms)}, "
        f"check version {evidence.check_version}, {times.expiry(evidence.expires, now)}. "
        f"Digest of the raw answer: {evidence.digest[:16]}…"
    )
    if evidence.input:
        st.caption("Input")
        st.code(as_json(evidence.input), language="json")
    if evidence.facts:
        st.caption("Facts")
        st.code(as_json(evidence.facts), language="json")


def as_json(value: object) -> str:
    """A document as indented JSON text, for st.code."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str)


def _code(text: str) -> str:
    return text.replace("`", "'")
