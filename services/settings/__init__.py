"""Targets and secrets: from the environment, secrets.toml and target files; one typed object; all problems at once."""

from services.settings.levels import LEVEL_MEANS, Level
from services.settings.loading import DEFAULT_HOME, load_settings
from services.settings.model import Oidc, Person, ProbeAccount, ProbeCap, QuickSignIn, Settings, Target

__all__ = [
    "DEFAULT_HOME",
    "LEVEL_MEANS",
    "Level",
    "Oidc",
    "Person",
    "ProbeAccount",
    "ProbeCap",
    "QuickSignIn",
    "Settings",
    "Target",
    "load_settings",
]
