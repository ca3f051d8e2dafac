"""Targets and secrets: from the environment, secrets.toml and target files; one typed object; all problems at once."""

from services.settings.levels import LEVEL_MEANS, Level
from services.settings.loading import DEFAULT_HOME, load_settings
from services.settings.model import (
    COLOURS,
    PURPOSES,
    Oidc,
    Person,
    ProbeAccount,
    ProbeCap,
    QuickSignIn,
    Settings,
    Target,
    origin_of,
)
from services.settings.problems import Problem, SettingsNotUnderstood

__all__ = [
    "COLOURS",
    "DEFAULT_HOME",
    "LEVEL_MEANS",
    "PURPOSES",
    "Level",
    "Oidc",
    "Person",
    "ProbeAccount",
    "ProbeCap",
    "Problem",
    "QuickSignIn",
    "Settings",
    "SettingsNotUnderstood",
    "Target",
    "load_settings",
    "origin_of",
]
