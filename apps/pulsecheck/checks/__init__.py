"""PulseCheck's catalogue of checks: its own, and the standard ones set up for it."""

from __future__ import annotations

from apps.pulsecheck.checks import behind_the_app, through_the_app
from services.app_definition import AppDefinition
from services.checks.registry import Catalogue
from services.checks.standard import standard_checks


def catalogue(definition: AppDefinition) -> Catalogue:
    """Every check of PulseCheck, in the order in which they are shown."""
    return Catalogue([*through_the_app.specs(), *behind_the_app.specs(), *standard_checks(definition)])
