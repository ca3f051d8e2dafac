"""The checks and the score rules of an app, found by its name: services import no app by themselves."""

from __future__ import annotations

from services.app_definition import AppDefinition, part_of
from services.checks.registry import Catalogue


def catalogue_of(app: AppDefinition) -> Catalogue:
    """The app's checks; those about what it does not use are in `not_used`."""
    found: Catalogue = part_of(app, "checks").catalogue(app)
    return found.used_by(app)
