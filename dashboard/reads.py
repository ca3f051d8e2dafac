"""The few things that pages read from outside themselves: each with a deadline, kept for seconds, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.context import PageContext
from services.errors import Unavailable
from services.jobs.faults import known_faults
from services.releases.bundle import Release
from services.settings import Level


def blast_radius_now(context: PageContext, release: Release) -> Sequence[Mapping[str, Any]]:
    """What a rollback would take along now, asked at most every ten seconds. Raises Refused, Unavailable."""
    context.target.require(Level.OBSERVE)
    return _blast_radius(context.target.name, release.content_hash, _context=context, _release=release)


@st.cache_data(ttl=10, max_entries=8, show_spinner=False)
def _blast_radius(
    target: str, content_hash: str, *, _context: PageContext, _release: Release
) -> Sequence[Mapping[str, Any]]:
    # Imported here: only this page needs the SQL parser.
    from services.database.blast_radius import blast_radius

    del content_hash
    secret = _context.target.deploy_url or _context.target.database_url
    if secret is None:
        raise Unavailable(
            f"{target} has no database_url.",
            "What would go is not known.",
            "Set it; /settings shows the way.",
            f"targets.{target}.database_url",
        )
    return [loss.to_json() for loss in blast_radius(secret.get_secret_value(), _release.rollback)]


def faults_now(context: PageContext) -> Sequence[Mapping[str, Any]]:
    """The faults of a disposable target and which of them are on, asked at most every two seconds."""
    return _faults(context.target.name, _context=context)


@st.cache_data(ttl=2, max_entries=8, show_spinner=False)
def _faults(target: str, *, _context: PageContext) -> Sequence[Mapping[str, Any]]:
    del target
    return known_faults(_context.target)
