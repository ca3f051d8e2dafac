"""Knows what an inspection tells: one finding for each object that was tried, and the kinds of trying there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.verdict import Verdict

KINDS = {
    "function": "A function or procedure, checked by the server and called with made-up arguments.",
    "overload": "A function name whose calls the server can no longer tell apart.",
    "view": "A view that is read, and a materialized view that is refreshed.",
    "insert": "A row inserted into a table, so that its triggers fire.",
    "update": "A row of a table updated, so that its triggers fire.",
    "delete": "A row of a table deleted, so that its triggers fire.",
    "sign-up": "A person inserted into auth.users as the Auth service does it.",
    "view-total": "A sum or count in a view, held against its base table.",
    "dropped": "An object that a CASCADE took along and that no statement names.",
    "access": "What anon, authenticated and service_role can do with an object, by doing it.",
    "advisor": "A rule over the catalog that a new object breaks.",
    "inspection": "The inspection itself: what it had no time for, or could not do.",
}
"""Every kind of finding, with what is tried."""


@dataclass(frozen=True, slots=True, order=True)
class InspectionFinding:
    """What trying one object showed. `fail`: it is broken or more open than before, and was not before the change.

    object: the name that a statement of the script may have made or changed ("public.users", "public.f(text)").
    rule: one word more about what was found, where a kind knows several ("42703", "anon-select", "rls-off").
    """

    kind: str
    object: str
    verdict: Verdict
    message: str
    rule: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object,
            "verdict": self.verdict.value,
            "message": self.message,
            "rule": self.rule,
        }


def passed(kind: str, name: str, message: str, rule: str = "") -> InspectionFinding:
    return InspectionFinding(kind, name, Verdict.PASS, message, rule)


def broken(kind: str, name: str, message: str, rule: str = "") -> InspectionFinding:
    return InspectionFinding(kind, name, Verdict.FAIL, message, rule)


def unclear(kind: str, name: str, message: str, rule: str = "") -> InspectionFinding:
    return InspectionFinding(kind, name, Verdict.UNKNOWN, message, rule)
