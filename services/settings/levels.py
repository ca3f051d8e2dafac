"""The levels of a target: what its credentials allow, each granted by itself, and which credentials those are."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Level(StrEnum):
    """What a target's credentials allow; each is granted by itself."""

    LOOK = "look"
    OBSERVE = "observe"
    PLATFORM = "platform"
    PROBE = "probe"
    DEPLOY = "deploy"


LEVEL_MEANS: Mapping[Level, str] = {
    Level.LOOK: "see the app from outside, by its address alone",
    Level.OBSERVE: "read the database and the platform",
    Level.PLATFORM: "restart, redeploy and roll back the app",
    Level.PROBE: "write marked test data and remove it again",
    Level.DEPLOY: "change the database",
}

WORKS_WITH: Mapping[Level, tuple[tuple[str, ...], ...]] = {
    Level.LOOK: (),
    Level.OBSERVE: (("database_url",), ("supabase_access_token",), ("supabase_anon_key",), ("railway_token",)),
    Level.PLATFORM: (("railway_token",),),
    Level.PROBE: (("app_url",), ("supabase_anon_key",)),
    Level.DEPLOY: (),
}
"""Groups of settings, one of which a level cannot do without. Deploy needs none: the owner's address is armed."""
