"""The checks that any app gets for what it uses: database, Supabase, Railway, OpenAI, releases; set up by app.yaml."""

from __future__ import annotations

from services.app_definition import AppDefinition
from services.checks.registry import CheckSpec
from services.checks.standard.database import SPECS as DATABASE
from services.checks.standard.openai import SPECS as OPENAI
from services.checks.standard.railway import SPECS as RAILWAY
from services.checks.standard.release import SPECS as RELEASE
from services.checks.standard.startup import SPECS as STARTUP
from services.checks.standard.supabase import SPECS as SUPABASE

_NEEDS_WORD = {"dependency-pins": "dependency_pins", "openai-model": "model"}


def standard_checks(app: AppDefinition) -> list[CheckSpec]:
    """The standard checks of an app, in the order in which they are shown.

    What an app does not use is told by `touches`, not here; left out is only what it has declared nothing for.
    """
    every = [*DATABASE, *RELEASE, *SUPABASE, *RAILWAY, *STARTUP, *OPENAI]
    return [spec for spec in every if spec.id not in _NEEDS_WORD or getattr(app, _NEEDS_WORD[spec.id])]
