"""Playbooks: what to do, as data with slots that are filled with the facts of the moment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.app_definition import AppDefinition
from services.errors import NotUnderstood
from services.verdict import Evidence
from services.yaml_file import read_yaml

_SLOT = re.compile(r"\{([a-z0-9-]+)\.([a-z0-9_.]+)\}")
NOT_KNOWN = "(not known)"


class PlaybookStep(BaseModel):
    """One thing to do. check: the check that shows whether it helped; link: a key of the app's links;
    action: a job that does it; sql: a statement to read with, never one that changes anything."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    do: str
    why: str = ""
    check: str | None = None
    link: str | None = None
    action: str | None = None
    sql: str | None = None


class Playbook(BaseModel):
    """A procedure. Texts may hold {check-id.fact} and {check-id.summary}."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    title: str
    when: str
    guide_says: str = ""
    instead: str = ""
    steps: tuple[PlaybookStep, ...]

    def filled(self, evidence: Mapping[str, Evidence]) -> Playbook:
        """The same with the facts of the evidence in its texts; what is not known says so."""

        def fill(text: str) -> str:
            return _SLOT.sub(lambda m: _fact(evidence.get(m[1]), m[2]), text)

        steps = tuple(step.model_copy(update={"do": fill(step.do), "why": fill(step.why)}) for step in self.steps)
        return self.model_copy(update={"when": fill(self.when), "instead": fill(self.instead), "steps": steps})


def _fact(evidence: Evidence | None, name: str) -> str:
    if evidence is None:
        return NOT_KNOWN
    if name == "summary":
        return evidence.summary
    value: Any = evidence.facts
    for key in name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None or value == [] or value == "":
        return NOT_KNOWN
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@cache
def load_playbooks(folder: Path) -> dict[str, Playbook]:
    """Every playbook in a folder (*.yaml), by id, which is the file's stem. Raises NotUnderstood with its place."""
    found: dict[str, Playbook] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[path.stem] = Playbook.model_validate({"id": path.stem, **read_yaml(path)})
        except ValidationError as error:
            problems = " ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}." for p in error.errors(include_url=False))
            raise NotUnderstood(f"The playbook is malformed: {problems}", place=f"playbooks/{path.name}") from None
    return found


def playbooks_of(app: AppDefinition) -> dict[str, Playbook]:
    """The app's playbooks by id."""
    return load_playbooks(app.folder / "playbooks")
