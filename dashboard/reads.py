"""The few things that pages read from outside themselves: each with a deadline, kept for seconds, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.context import PageContext
from services.access.permissions import Permission
from services.analytics.definition import AnalyticsDefinition
from services.analytics.metrics import Analytics, read_analytics
from services.clients.deadline import deadline
from services.errors import Unavailable
from services.jobs.faults import known_faults
from services.releases.bundle import Release
from services.settings import Level

READ_S = 2.5
"""What one of these reads may take where nobody answers, so that its page still opens within four seconds."""


def rollback_preview_now(context: PageContext, release: Release) -> Mapping[str, Any]:
    """What a rollback would take along now and run, asked at most every ten seconds. Raises Refused, Unavailable."""
    context.target.require(Level.OBSERVE)
    return _rollback_preview(context.target.name, release.content_hash, _context=context, _release=release)


@st.cache_data(ttl=10, max_entries=8, show_spinner=False)
def _rollback_preview(target: str, content_hash: str, *, _context: PageContext, _release: Release) -> Mapping[str, Any]:
    # Imported here: only this page needs the SQL parser.
    from services.database.rollback.blast_radius import rows_to_go_sentence
    from services.database.rollback.roll_back import preview_of

    del content_hash
    seen = preview_of(_database(_context, target), _release.id, _release.rollback)
    return {
        "losses": [loss.to_json() for loss in seen.radius],
        "sentence": rows_to_go_sentence(seen.radius),
        "derived": seen.sql,
        "not_restored": list(seen.not_restored),
        "as_of": _context.now,
    }


def kept_now(context: PageContext) -> Sequence[Mapping[str, Any]]:
    """What the target keeps of what changes took away, asked at most every 5 s. Raises Refused, Unavailable."""
    context.target.require(Level.OBSERVE)
    return _kept(context.target.name, _context=context)


@st.cache_data(ttl=5, max_entries=8, show_spinner=False)
def _kept(target: str, *, _context: PageContext) -> Sequence[Mapping[str, Any]]:
    from services.database.snapshots.kept import kept_in

    return [one.to_json() for one in kept_in(_database(_context, target), deadline_s=READ_S)]


def lint_now(release: Release) -> Sequence[Mapping[str, Any]]:
    """What linters say of the release's scripts; the same for the same content. Raises Unavailable."""
    return _lint(release.content_hash, _release=release)


@st.cache_data(ttl=3600, max_entries=8, show_spinner="Reading the scripts …")
def _lint(content_hash: str, *, _release: Release) -> Sequence[Mapping[str, Any]]:
    from services.database.dangers.lint import lint

    del content_hash
    return [finding.to_json() for finding in lint(_release.deploy)]


def analytics_now(context: PageContext, definition: AnalyticsDefinition) -> Analytics:
    """The app's own numbers as this person may see them, asked at most every 30 s. Raises Refused, Unavailable."""
    context.target.require(Level.OBSERVE)
    is_admin = context.actor.may(Permission.SEE_SMALL_GROUPS)
    return _analytics(context.target.name, is_admin, _context=context, _definition=definition)


@st.cache_data(ttl=30, max_entries=8, show_spinner="Reading the views …")
def _analytics(target: str, is_admin: bool, *, _context: PageContext, _definition: AnalyticsDefinition) -> Analytics:
    url = _database(_context, target)
    return read_analytics(url, _definition, _context.now, is_admin=is_admin, deadline_s=READ_S)


def _database(context: PageContext, target: str) -> str:
    """The address to read with: the read-only one where there is one."""
    secret = context.target.database_url or context.target.deploy_url
    if secret is None:
        raise Unavailable(
            f"{target} has no database_url.",
            "What its database holds is not known.",
            "Set it; /settings shows the way.",
            f"targets.{target}.database_url",
        )
    return secret.get_secret_value()


def faults_now(context: PageContext) -> Sequence[Mapping[str, Any]]:
    """The faults of a disposable target and which of them are on, asked at most every two seconds."""
    return _faults(context.target.name, _context=context)


@st.cache_data(ttl=2, max_entries=8, show_spinner=False)
def _faults(target: str, *, _context: PageContext) -> Sequence[Mapping[str, Any]]:
    del target
    with deadline(READ_S):
        return known_faults(_context.target)
