"""The levels of a target: what its credentials allow, each granted by itself."""

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
