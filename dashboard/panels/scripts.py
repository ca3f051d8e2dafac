"""The release's SQL files as they are pinned, and what linters say of each."""

from __future__ import annotations

import streamlit as st

from dashboard.components.choice import choose_option
from dashboard.components.plain import plain
from dashboard.components.problem import problems_shown
from dashboard.components.tables import table
from dashboard.reads import lint_now
from services.releases.bundle import Release


def scripts_panel(release: Release) -> None:
    """One file at a time; the chosen one is in the address."""
    scripts = {script.file: script.sql for script in (*release.deploy, *release.rollback)}
    scripts |= {query.file: query.sql for query in release.verify}
    chosen = choose_option("file", "File", {name: name for name in scripts}, default=next(iter(scripts)))
    if chosen not in scripts:
        return
    st.caption(plain(f"As pinned, content {release.content_hash[:12]}."))
    st.code(
        scripts[chosen],
        language="sql",
        line_numbers=True,
        height=520 if scripts[chosen].count("\n") > 22 else "content",
    )
    if chosen in {script.file for script in release.deploy}:
        with problems_shown():
            _lint(release, chosen)


def _lint(release: Release, chosen: str) -> None:
    st.markdown("**What linters say**")
    st.caption("They read the text and run nothing; what really happens is what the rehearsal measures.")
    table(
        [finding for finding in lint_now(release) if finding["file"] == chosen],
        name=f"lint-{chosen.replace('/', '-')}",
        empty="Nothing was found in this file.",
        columns={"line": "Line", "rule": "Rule", "message": "What", "fix": "Instead"},
        config={"What": st.column_config.TextColumn(width="large")},
    )
