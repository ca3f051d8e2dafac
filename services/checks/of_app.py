"""The checks of an app, found by its name: services import no app by themselves."""

from __future__ import annotations

from services.app_definition import AppDefinition, part_of
from services.checks.registry import Catalogue
from services.checks.standard import standard_checks


def catalogue_of(app: AppDefinition) -> Catalogue:
    """The app's checks: those of its module `checks`, and only the standard ones where it has none.

    Those about what it does not use are in `not_used`.
    """
    checks = part_of(app, "checks")
    found: Catalogue = checks.catalogue(app) if checks else Catalogue(standard_checks(app))
    return found.used_by(app)
