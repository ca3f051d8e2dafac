"""The production test: our verdict by effects, beside what a test by status codes would have said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.components.badges import inline_badge
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain, strong
from services.app_definition import Link


def score_panel(score: Mapping[str, Any], age: str, links: Mapping[str, Link]) -> None:
    """The last result of the production test; features first, findings after."""
    st.subheader("Production test", anchor=False)
    if not score:
        not_yet("The production test has not been run on this target.", "The checklist runs it in the phase “after”.")
        return
    old = score.get("old") or {}
    claimed = f"{old.get('passed')} of {old.get('of')}" if old else "not known"
    judged = "which it would call ready to launch" if old.get("ready") else "not ready"
    st.markdown(
        f"{strong(score.get('sentence', ''))} {plain(age)}  \n"
        f"By status codes alone: {strong(claimed)}, {plain(judged)}."
    )
    said = old.get("said") or {}
    for feature in score.get("features", ()):
        _feature(feature, said)
    _never_looked(old)
    _findings(score, links)


def _feature(feature: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    before = said.get(str(feature.get("id")))
    passed = feature.get("verdict") == "pass"
    disagrees = before is not None and bool(before) is not passed
    claim = f" :orange-badge[status codes alone said {'yes' if before else 'no'}]" if disagrees else ""
    st.markdown(
        f"{inline_badge(str(feature.get('verdict')))} {strong(feature.get('title') or feature.get('id'))} "
        f"{plain(feature.get('summary', ''))}{claim}"
    )


def _never_looked(old: Mapping[str, Any]) -> None:
    missed = old.get("never_looked") or ()
    if missed:
        with st.expander(f"What a test by status codes never looked for ({len(missed)})", key="never-looked"):
            st.markdown("\n".join(f"- {plain(item)}" for item in missed))


def _findings(score: Mapping[str, Any], links: Mapping[str, Link]) -> None:
    findings = score.get("findings") or ()
    if not findings:
        return
    with st.expander(f"Findings beside the score ({len(findings)})", key="score-findings"):
        st.caption("They never change the score.")
        for finding in findings:
            link = links.get(str(finding.get("link")))
            fix = f" [{plain(link.title)}]({link.url})" if link else ""
            st.markdown(f"{inline_badge(str(finding.get('verdict')))} {plain(finding.get('summary', ''))}{fix}")
