"""The one error family: what happened, what it means, what to do next, and where."""

from __future__ import annotations

from typing import ClassVar, Self


class OpsError(Exception):
    """An error that is shown to a person as sentences.

    what:  what happened, one sentence, no secret in it
    means: what that means for the person ("nothing was changed")
    do:    the next thing to do
    place: where, if there is a where: "release.yaml:12", "OPS_STORE_URL", "deploy/010.sql:7"
    reason: one word for code that tells causes apart ("dns", "login"), where the raiser knows it
    """

    exit_code: ClassVar[int] = 1
    reason: str | None = None

    def __init__(self, what: str, means: str = "", do: str = "", place: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.means = means
        self.do = do
        self.place = place

    def because(self, reason: str) -> Self:
        """This error with its reason."""
        self.reason = reason
        return self

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return where + " ".join(part for part in (self.what, self.means, self.do) if part)

    def to_json(self) -> dict[str, str | None]:
        return {"what": self.what, "means": self.means, "do": self.do, "place": self.place}


class Refused(OpsError):
    """Understood, and not done: a right, a level, a gate or the state of the world forbids it (exit 1)."""

    exit_code = 1


class Unavailable(OpsError):
    """The answer is not known: unreachable, timed out, not understood (exit 2)."""

    exit_code = 2


class NotUnderstood(OpsError):
    """The request itself is malformed: arguments, settings, release.yaml, a wrong phrase (exit 64)."""

    exit_code = 64
