"""The checks that any app gets for what it uses: database, Supabase, Railway, OpenAI, releases; set up by app.yaml."""

from __future__ import annotations

from collections.abc import Mapping

from services.app_definition import AppDefinition
from services.checks.registry import CheckSpec
from services.checks.standard.backup import SPECS as BACKUP
from services.checks.standard.certificate import SPECS as CERTIFICATE
from services.checks.standard.clocks import SPECS as CLOCKS
from services.checks.standard.database import SPECS as DATABASE
from services.checks.standard.database_load import SPECS as DATABASE_LOAD
from services.checks.standard.functions import SPECS as FUNCTIONS
from services.checks.standard.openai import SPECS as OPENAI
from services.checks.standard.platform_use import SPECS as PLATFORM_USE
from services.checks.standard.pooling import SPECS as POOLING
from services.checks.standard.railway import SPECS as RAILWAY
from services.checks.standard.release import SPECS as RELEASE
from services.checks.standard.rights import SPECS as RIGHTS
from services.checks.standard.startup import SPECS as STARTUP
from services.checks.standard.status import SPECS as STATUS
from services.checks.standard.supabase import SPECS as SUPABASE
from services.checks.standard.triggers import SPECS as TRIGGERS

_DATABASE = (*DATABASE, *POOLING, *DATABASE_LOAD, *RELEASE, *FUNCTIONS, *TRIGGERS, *RIGHTS, *BACKUP)
_PLATFORM = (*RAILWAY, *STARTUP, *PLATFORM_USE)
_EVERY = (*_DATABASE, *SUPABASE, *_PLATFORM, *OPENAI, *STATUS, *CERTIFICATE, *CLOCKS)

# What an app has to declare for a check to have anything to look at.
_DECLARED: Mapping[str, str] = {
    "database-rest": "tables",
    "service-reads-all": "tables",
    "locks-held": "tables",
    "dependency-pins": "dependency_pins",
    "env-names": "release_build",
    "release-receipt": "default_release",
    "rehearsal-fresh": "default_release",
    "verification-clean": "default_release",
    "function-probe": "default_release",
    "openai-key": "model",
    "openai-model": "model",
    "openai-limits": "model",
}


def standard_checks(app: AppDefinition) -> list[CheckSpec]:
    """The standard checks of an app, in the order in which they are shown.

    What an app does not use is told by `touches`; left out is what it uses and has declared nothing for.
    """
    return [spec for spec in _EVERY if not _nothing_declared(spec, app)]


def _nothing_declared(spec: CheckSpec, app: AppDefinition) -> bool:
    wanted = _DECLARED.get(spec.id)
    return wanted is not None and not getattr(app, wanted) and set(spec.touches) <= set(app.uses)
