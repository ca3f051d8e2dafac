"""A playbook on the screen: when it applies, what the guide says, what to do instead, step by step with its links."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.components.plain import plain, strong
from dashboard.context import PageContext
from dashboard.runs import app_of
from services.app_definition import Link
from services.checks.of_app import catalogue_of
from services.incidents.playbooks import Playbook, playbooks_of
from services.releases.ledger import newest_evidence


def playbook_panel(context: PageContext, playbook_id: str, links: Mapping[str, Link]) -> None:
    """The playbook with the facts of the moment in its texts."""
    known = playbooks_of(app_of(context))
    if playbook_id not in known:
        st.caption(plain(f"There is no playbook called {playbook_id}."))
        return
    checks = [check.id for check in catalogue_of(app_of(context))]
    playbook = known[playbook_id].filled(newest_evidence(context.store, context.target.name, checks))
    st.markdown(f":material/menu_book: {strong(playbook.title)} {plain(playbook.when, limit=900)}")
    if playbook.guide_says:
        st.markdown(f":gray[The guide says:] {plain(playbook.guide_says, limit=900)}")
    if playbook.instead:
        st.markdown(f":gray[Instead:] {plain(playbook.instead, limit=900)}")
    _steps(playbook, links)


def _steps(playbook: Playbook, links: Mapping[str, Link]) -> None:
    lines = []
    for step in playbook.steps:
        link = links.get(step.link or "")
        place = f" [{plain(link.title)}]({link.url})" if link else ""
        proof = f" :gray[Seen by] `{step.check}`" if step.check else ""
        lines.append(f"1. {plain(step.do, limit=900)} :gray[{plain(step.why, limit=900)}]{place}{proof}")
    st.markdown("\n".join(lines))
    for step in playbook.steps:
        if step.sql:
            st.code(step.sql, language="sql")
