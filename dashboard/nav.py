"""The one registry of pages: a new page is a file in pages/ and a line here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

PAGES = Path(__file__).resolve().parent.parent / "pages"


@dataclass(frozen=True, slots=True)
class Entry:
    """One page: its place in the menu, its address and what it is for."""

    section: str
    path: str
    file: str
    title: str
    icon: str
    purpose: str

    @property
    def name(self) -> str:
        return self.path.removeprefix("/")


REGISTRY: Sequence[Entry] = (
    Entry("Release", "/", "overview.py", "Overview", "flag", "Where the release stands and what comes next."),
    Entry("Release", "/checklist", "checklist.py", "Checklist", "checklist", "Phases, steps, evidence and sign-offs."),
    Entry("Release", "/database", "database.py", "Database", "database", "Lint, rehearse and deploy the scripts."),
    Entry("Release", "/verification", "verification.py", "Verification", "fact_check", "Queries that must be empty."),
    Entry("Release", "/rollback", "rollback.py", "Rollback", "undo", "The ordered way back, and what it takes along."),
    Entry(
        "Watch", "/war-room", "war_room.py", "War room", "crisis_alert", "All services at a glance, and the handles."
    ),
    Entry(
        "Watch", "/analytics", "analytics.py", "Analytics", "monitoring", "Usage, cost and feedback after the release."
    ),
    Entry("Record", "/history", "history.py", "History", "history", "Runs, jobs and who did what."),
    Entry("Record", "/settings", "settings.py", "Settings", "settings", "Targets, credentials, people and links."),
)


def entry(path: str) -> Entry:
    """The entry with this path ("/checklist"). Raises KeyError."""
    for candidate in REGISTRY:
        if candidate.path == path:
            return candidate
    raise KeyError(path)


def build_pages() -> dict[str, list[StreamlitPage]]:
    """The pages by section for st.navigation; absolute files, since Streamlit resolves others by the entry script."""
    import streamlit as st

    sections: dict[str, list[StreamlitPage]] = {}
    for page in REGISTRY:
        sections.setdefault(page.section, []).append(
            st.Page(
                PAGES / page.file,
                title=page.title,
                icon=f":material/{page.icon}:",
                url_path=page.name or None,
                default=page.path == "/",
                help=page.purpose,
            )
        )
    return sections


def page_of(path: str) -> StreamlitPage:
    """The page object for links and switches; looked up by address, never by title."""
    for pages in build_pages().values():
        for page in pages:
            if page.url_path == path.removeprefix("/"):
                return page
    raise KeyError(path)
