"""The release's SQL files as they are pinned."""

from __future__ import annotations

import streamlit as st

from dashboard.components.plain import plain
from services.database.script import Script
from services.releases.bundle import Release


def scripts_panel(release: Release) -> None:
    """One file at a time; the chosen one is in the address."""
    scripts: dict[str, Script] = {
        script.file: script for part in (release.deploy, release.verify, release.rollback) for script in part
    }
    chosen = st.selectbox("File", list(scripts), key="file", bind="query-params")
    if chosen is None:
        return
    st.caption(plain(f"As pinned, content {release.content_hash[:12]}."))
    st.code(scripts[chosen].sql, language="sql", line_numbers=True, height=520)
