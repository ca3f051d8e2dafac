"""Knows what an advisor is: a rule over the catalog, with the sentence it says and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warn", "info"]
Category = Literal["security", "performance", "upkeep"]

STRANGERS = "('anon', 'authenticated')"
"""Roles that anyone takes on who has the public key, or an account."""


@dataclass(frozen=True, slots=True)
class Advisor:
    """One rule. query: gives (object, detail) of each offence, with an empty search_path; `{visible}` stands for the
    schemas that are the app's, `{in_api}` for those that the REST server shows; n is the schema in both.

    number: in the public list of Supabase's advisors, empty for ours. needs: relations and "schema.table.column"
    without which the rule has nothing to say. danger: breaking it opens rows or rights to strangers.
    live: judges traffic, which a copy has not seen.
    """

    id: str
    number: str
    level: Level
    category: Category
    sentence: str
    remedy: str
    query: str
    needs: tuple[str, ...] = ()
    danger: bool = False
    live: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Advice:
    """One object that breaks a rule."""

    rule: str
    object: str
    message: str
    level: Level
    category: Category
    remedy: str

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "object": self.object,
            "message": self.message,
            "level": self.level,
            "category": self.category,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True, order=True)
class SecurityFinding:
    """One dangerous right: the rule's id, the object, and a sentence."""

    rule: str
    object: str
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"rule": self.rule, "object": self.object, "message": self.message}
