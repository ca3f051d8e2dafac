"""The names of all our variables, so that a mistyped one is told and not passed over."""

from __future__ import annotations

from collections.abc import Mapping

from services.settings.model import Settings
from services.settings.problems import Problem, meant

_PREFIX = "OPS_"
_OF_SETTINGS = tuple(
    f"{_PREFIX}{'target' if name == 'default_target' else name}".upper()
    for name in Settings.model_fields
    if name not in {"targets", "oidc", "origins"}
)
_READ_WHERE_NEEDED = (
    *("APPS", "POSTGRES_BIN", "POSTGREST_BIN", "CHROMIUM"),
    *("CAMPAIGN", "RECORD", "MATRIX_SEED", "SEEN", "WITHIN_S"),
)
"""Programs, folders, and what tests are told: no settings, and no mistakes either."""

_GROUPS = tuple(_PREFIX + name for name in ("TARGETS", "OIDC", "CLI_ROLE"))
"""What stands before __ in the names of several variables."""

KNOWN = (*_OF_SETTINGS, *(_PREFIX + name for name in _READ_WHERE_NEEDED))


def mistyped(environ: Mapping[str, str]) -> list[Problem]:
    """A problem for each variable that is none of ours and looks like one."""
    found = []
    for name in sorted(environ):
        group, parted, rest = name.partition("__")
        if name in KNOWN or (parted and group in _GROUPS) or name in _GROUPS:
            continue
        if not name.upper().startswith(_PREFIX):
            continue
        close = meant(group, _GROUPS, 0.8) if parted else meant(name, KNOWN, 0.8)
        if close:
            right = f"{close}__{rest}" if parted else close
            found.append(Problem(name, "", "is not a variable of ours", f"write {right} if that is meant"))
    return found
