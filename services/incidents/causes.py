"""Causes as data: which evidence speaks for each, which rules it out, what it explains, and which playbook helps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from services.app_definition import AppDefinition
from services.errors import NotUnderstood
from services.verdict import Evidence, Verdict
from services.yaml_file import read_yaml

GROUP = "@"
_LISTS = ("symptoms", "suspicious", "vital", "causes")


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sign(_Frozen):
    """One thing to see in the evidence of a check. All conditions that are given must hold.

    check: the check, or several of which `of` must show it (a group of the file is written "@name");
    verdict: one of these; fact: a key of the facts ("serving.commit" goes deeper) to which the others apply;
    equals, one_of: the fact's value; contains: any of these texts in it; lacks: none of them; is_set: whether it is
    not empty; above, below: bounds of a number, themselves not reached; older_s: a time that lies further back;
    also: further signs without which this one is not seen; unless: signs with which it is not seen;
    weight: 1 fits, 2 speaks for it, 4 all but proves it;
    decides: without one such sign the cause is not named; excludes (against a cause): with it the cause is ruled out.
    """

    check: tuple[str, ...]
    of: int = 1
    says: str = ""
    verdict: tuple[Verdict, ...] = ()
    fact: str | None = None
    equals: Any = None
    one_of: tuple[Any, ...] = ()
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    is_set: bool | None = None
    above: float | None = None
    below: float | None = None
    older_s: float | None = None
    also: tuple[Sign, ...] = ()
    unless: tuple[Sign, ...] = ()
    weight: int = 2
    decides: bool = False
    excludes: bool = False

    @field_validator("check", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_a_condition(self) -> Sign:
        bounds = (self.equals, self.is_set, self.above, self.below, self.older_s)
        about_fact = bool(self.one_of or self.contains or self.lacks) or any(one is not None for one in bounds)
        if about_fact and self.fact is None:
            raise ValueError("conditions on a value need a fact")
        if not self.verdict and not about_fact:
            raise ValueError("a sign needs a condition")
        return self

    @property
    def checks(self) -> frozenset[str]:
        """Every check that this sign speaks of."""
        nested = [sign.checks for sign in (*self.also, *self.unless)]
        return frozenset(self.check).union(*nested)

    def shown_by(self, evidence: Mapping[str, Evidence]) -> tuple[Evidence, ...]:
        """The evidence that shows this sign; nothing where it is not seen."""
        shown = tuple(evidence[check] for check in self.check if check in evidence and self.fits(evidence[check]))
        if len(shown) < self.of or not all(sign.shown_by(evidence) for sign in self.also):
            return ()
        return () if any(sign.shown_by(evidence) for sign in self.unless) else shown

    def fits(self, evidence: Evidence) -> bool:
        """Whether the conditions hold for the evidence of one check."""
        if self.verdict and evidence.verdict not in self.verdict:
            return False
        if self.fact is None:
            return True
        value = value_at(evidence.facts, self.fact)
        if self.is_set is not None and bool(value) is not self.is_set:
            return False
        if (self.equals is not None and value != self.equals) or (self.one_of and value not in self.one_of):
            return False
        if self.older_s is not None and not _is_older(value, self.older_s, evidence.started):
            return False
        return self._text_fits(value) and self._number_fits(value)

    def _text_fits(self, value: object) -> bool:
        if not (self.contains or self.lacks):
            return True
        text = str(value).lower()
        if self.contains and not any(part.lower() in text for part in self.contains):
            return False
        return not any(part.lower() in text for part in self.lacks)

    def _number_fits(self, value: object) -> bool:
        if self.above is None and self.below is None:
            return True
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


def _is_older(value: object, seconds: float, now: datetime) -> bool:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return moment.tzinfo is not None and (now - moment).total_seconds() > seconds


def value_at(facts: Mapping[str, Any], path: str) -> Any:
    """The fact at a path with dots; None where there is none."""
    value: Any = facts
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


class Cause(_Frozen):
    """A cause.

    explains: the checks whose failing it accounts for, beside those that its signs speak of;
    instead_of: causes whose signs are only consequences where this one is likely;
    baseline: the ordinary state before a release, which any broken dependency outranks;
    notice: worth telling, and no illness: it is named last, and an app with notices only is healthy.
    """

    id: str
    title: str
    playbook: str
    signs: tuple[Sign, ...]
    against: tuple[Sign, ...] = ()
    explains: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    baseline: bool = False
    notice: bool = False

    @model_validator(mode="after")
    def _can_be_decided(self) -> Cause:
        if not self.deciding:
            raise ValueError(f"cause {self.id} has no sign that decides it")
        return self

    @cached_property
    def deciding(self) -> tuple[Sign, ...]:
        return tuple(sign for sign in self.signs if sign.decides)

    @cached_property
    def checks(self) -> frozenset[str]:
        """Every check that speaks for or against it."""
        return frozenset[str]().union(*(sign.checks for sign in (*self.signs, *self.against)))


class Causes(_Frozen):
    """An app's catalogue of causes.

    symptoms: checks whose failing is something to explain; suspicious: what else is, though its check did not fail;
    vital: the checks without whose pass nobody may call the app healthy.
    """

    symptoms: tuple[str, ...]
    suspicious: tuple[Sign, ...] = ()
    vital: tuple[str, ...]
    causes: tuple[Cause, ...]

    @model_validator(mode="after")
    def _no_two_alike(self) -> Causes:
        ids = [cause.id for cause in self.causes]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"two causes are called {', '.join(twice)}")
        return self

    def without(self, cause_id: str) -> Causes:
        """The same catalogue, not knowing one cause."""
        return self.model_copy(update={"causes": tuple(one for one in self.causes if one.id != cause_id)})


def load_causes(path: Path) -> Causes:
    """The catalogue in a YAML file, or in the files of a folder put together.

    `groups` names lists (of checks, words, signs), which are written "@name" wherever such things are listed.
    Raises NotUnderstood with its place where it is malformed.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    read = [read_yaml(file) for file in files]
    groups: dict[str, list[Any]] = {}
    for document in read:
        groups.update(document.pop("groups", {}))
    catalogue: dict[str, list[Any]] = {name: [] for name in _LISTS}
    for document, file in zip(read, files, strict=True):
        for name, listed in _spread(document, groups, file).items():
            catalogue.setdefault(name, []).extend(listed)
    try:
        return Causes.model_validate(catalogue)
    except ValidationError as error:
        problems = " ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}." for p in error.errors(include_url=False))
        raise NotUnderstood(f"The causes are malformed: {problems}", place=path.name) from None


def _spread(value: Any, groups: Mapping[str, list[Any]], file: Path) -> Any:
    """The same document with the checks of each group in the place of its name."""
    if isinstance(value, dict):
        return {key: _spread(one, groups, file) for key, one in value.items()}
    if isinstance(value, list):
        return [check for one in value for check in _listed(_spread(one, groups, file))]
    if isinstance(value, str) and value.startswith(GROUP):
        if value.removeprefix(GROUP) not in groups:
            raise NotUnderstood(f"The causes name no group '{value}'.", place=f"{file.parent.name}/{file.name}")
        return _spread(groups[value.removeprefix(GROUP)], groups, file)
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def causes_of(app: AppDefinition) -> Causes:
    """The causes by which the app's ills are explained: causes.yaml, or the files of the folder causes."""
    folder = app.folder / "causes"
    return load_causes(folder if folder.is_dir() else app.folder / "causes.yaml")
