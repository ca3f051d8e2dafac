"""One thing that was looked at while a level was proved: what, with which verdict, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from services.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Seen:
    """what: what was looked at; text: one sentence without a secret and without anybody's words."""

    what: str
    verdict: Verdict
    text: str
