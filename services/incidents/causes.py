"""Causes as data: which evidence speaks for each, which against, how strongly, and which playbook helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from services.app_definition import AppDefinition
from services.errors import NotUnderstood
from services.verdict import Evidence, Verdict
from services.yaml_file import read_yaml


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sign(_Frozen):
    """One thing to see in the evidence of one check. All conditions that are given must hold.

    verdict: one of these; fact: a key of the facts ("serving.commit" goes deeper) to which the others apply;
    equals: the fact's value; contains: any of these texts in it; lacks: none of them; is_set: whether it is not empty;
    weight: 1 fits, 2 speaks for it, 4 all but proves it; decides: without one such sign the cause is not named.
    """

    check: str
    says: str = ""
    verdict: tuple[Verdict, ...] = ()
    fact: str | None = None
    equals: Any = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    is_set: bool | None = None
    weight: int = 2
    decides: bool = False

    @model_validator(mode="after")
    def _has_a_condition(self) -> Sign:
        about_fact = self.equals is not None or self.contains or self.lacks or self.is_set is not None
        if about_fact and self.fact is None:
            raise ValueError("equals, contains, lacks and is_set need a fact")
        if not self.verdict and not about_fact:
            raise ValueError("a sign needs a condition")
        return self

    def seen_in(self, evidence: Evidence) -> bool:
        if self.verdict and evidence.verdict not in self.verdict:
            return False
        if self.fact is None:
            return True
        value: Any = evidence.facts
        for key in self.fact.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        text = str(value).lower()
        return (
            (self.equals is None or value == self.equals)
            and (not self.contains or any(part.lower() in text for part in self.contains))
            and not any(part.lower() in text for part in self.lacks)
            and (self.is_set is None or bool(value) is self.is_set)
        )


class Cause(_Frozen):
    """A cause. baseline: the ordinary state before a release, which any broken dependency outranks.

    instead_of: causes whose signs are only consequences where this one is likely.
    """

    id: str
    title: str
    playbook: str
    signs: tuple[Sign, ...]
    against: tuple[Sign, ...] = ()
    instead_of: tuple[str, ...] = ()
    baseline: bool = False

    @model_validator(mode="after")
    def _can_be_decided(self) -> Cause:
        if not any(sign.decides for sign in self.signs):
            raise ValueError(f"cause {self.id} has no sign that decides it")
        return self


class Causes(_Frozen):
    """An app's catalogue of causes. symptoms: checks whose failing is something to explain; vital: those without
    whose pass nobody may call the app healthy."""

    symptoms: tuple[str, ...]
    vital: tuple[str, ...]
    causes: tuple[Cause, ...]


def load_causes(path: Path) -> Causes:
    """The catalogue in a YAML file. Raises NotUnderstood with its place where it is malformed."""
    try:
        return Causes.model_validate(read_yaml(path))
    except ValidationError as error:
        problems = " ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}." for p in error.errors(include_url=False))
        raise NotUnderstood(f"The causes are malformed: {problems}", place=path.name) from None


def causes_of(app: AppDefinition) -> Causes:
    """The causes by which the app's ills are explained."""
    return load_causes(app.folder / "causes.yaml")
