"""What a release.yaml may say: its models, and the JSON Schema that is published for editors."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Sentence = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[smhd]$")]
ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+\.sql$")]

_SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """One item of the checklist: what is demanded, what is looked at instead, and what decides it."""

    id: Slug = Field(description="Unique in the release; evidence and sign-offs are filed under it.")
    title: Sentence = Field(description="The step in a few words, as an order.")
    demand: str = Field(default="", description="What the team's guide demands here, in short.")
    proof: str = Field(default="", description="What we look at instead: an effect, not a claim.")
    why: str = Field(default="", description="Why that and not the demand; says so where the demand proves nothing.")
    checks: tuple[Slug, ...] = Field(default=(), description="Ids of the checks whose verdicts decide this step.")
    action: ActionName | None = Field(
        default=None, description="What the step does, as a job: rehearse, deploy, verify ..."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters of the action.")
    signoff: bool = Field(default=False, description="True: a person signs it off, after its checks if it has any.")
    look_at: str = Field(default="", description="What the person who signs has to look at.")
    required: bool = Field(default=True, description="False: the gate to the next phase does not wait for it.")
    expires: Duration | None = Field(
        default=None, description="How long its evidence counts: 15m, 24h, 7d. Default: as long as the check says."
    )
    needs: tuple[Slug, ...] = Field(default=(), description="Ids of steps that must be settled before this one.")
    playbook: Slug | None = Field(default=None, description="What to do when it fails: the id of a playbook.")
    links: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")], ...] = Field(
        default=(), description="Keys of the app's links to the places where this is seen or mended."
    )

    @property
    def expires_s(self) -> float | None:
        """How long the evidence counts, in seconds; None: as long as each check says."""
        if self.expires is None:
            return None
        return float(int(self.expires[:-1]) * _SECONDS[self.expires[-1]])

    @model_validator(mode="after")
    def _can_be_decided(self) -> Step:
        if not (self.checks or self.action or self.signoff):
            raise ValueError("nothing decides this step: it needs checks, an action, or signoff: true")
        return self


class Phase(_Part):
    """A stretch of the release; it opens when every required step of the phases before it is settled."""

    id: Slug
    title: Sentence
    why: str = Field(default="", description="What this phase is for.")
    steps: tuple[Step, ...] = Field(min_length=1)


class Manifest(_Part):
    """The SQL files that must be there, so that a lost one is noticed. Files that are not listed are used as well."""

    deploy: tuple[FileName, ...] = ()
    verify: tuple[FileName, ...] = ()
    rollback: tuple[FileName, ...] = ()


class ReleaseDocument(_Part):
    """A release.yaml."""

    id: Slug = Field(description="Also the name of the release's folder.")
    title: Sentence
    risk: Literal["low", "medium", "high"] = Field(description="The team's own estimate, before anything is measured.")
    expected_minutes: int = Field(gt=0, description="From the first step to the end of the phase 'after'.")
    summary: str = ""
    files: Manifest = Field(default_factory=Manifest)
    phases: tuple[Phase, ...] = Field(min_length=1)


def known_keys(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that are allowed in the mapping at `location`, a path such as ("phases", 0, "steps", 2)."""
    names = [part for part in location if isinstance(part, str)]
    models: Mapping[tuple[str, ...], type[_Part]] = {
        ("files",): Manifest,
        ("phases",): Phase,
        ("phases", "steps"): Step,
    }
    return tuple(models.get(tuple(names), ReleaseDocument).model_fields)


def json_schema() -> str:
    """The JSON Schema of a release.yaml, as the text of docs/release.schema.json."""
    schema = ReleaseDocument.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "release.yaml"
    step = schema["$defs"]["Step"]
    step["anyOf"] = [
        {"required": ["checks"], "properties": {"checks": {"minItems": 1}}},
        {"required": ["action"], "properties": {"action": {"type": "string"}}},
        {"required": ["signoff"], "properties": {"signoff": {"const": True}}},
    ]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def is_slug(text: str) -> bool:
    """True if `text` may be an id: lower-case words and digits with hyphens between."""
    return re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) is not None


if __name__ == "__main__":
    sys.stdout.write(json_schema())
