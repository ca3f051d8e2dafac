"""The checks that any app gets for what it uses: database, Supabase, Railway, OpenAI, releases; set up by app.yaml."""

from __future__ import annotations

from services.app_definition import AppDefinition
from services.checks.registry import CheckSpec


def standard_checks(app: AppDefinition) -> list[CheckSpec]:
    """The standard checks of an app, in the order in which they are shown."""
    del app
    return []
