"""The release's SQL files as they are pinned."""

from __future__ import annotations

import streamlit as st

from dashboard.components.choice import choose_option
from dashboard.components.plain import plain
from services.releases.bundle import Release


def scripts_panel(release: Release) -> None:
    """One file at a time; the chosen one is in the address."""
    scripts = {script.file: script.sql for script in (*release.deploy, *release.rollback)}
    scripts |= {query.file: query.sql for query in release.verify}
    chosen = choose_option("file", "File", {name: name for name in scripts}, default=next(iter(scripts)))
    if chosen not in scripts:
        return
    st.caption(plain(f"As pinned, content {release.content_hash[:12]}."))
    st.code(scripts[chosen], language="sql", line_numbers=True, height=520)
