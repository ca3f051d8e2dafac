"""What an app tells us about itself: its app.yaml as one frozen object; where apps live, and the way to their parts."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.analytics.definition import AnalyticsDefinition
from services.errors import NotUnderstood
from services.yaml_file import read_yaml

if TYPE_CHECKING:
    from services.settings import Target

Used = Literal["app", "database", "Supabase", "Railway", "OpenAI", "status pages"]
"""What an app may be made of: the words in which a check says what it touches."""

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "apps"
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_SLOT = re.compile(r"\{([a-z_]+)\}")


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Build(_Frozen):
    """One build of the app, told apart from outside by the paths that it serves and its forerunner does not.

    adds: paths that appear with this build; env: variables its code reads in addition to those of the builds before.
    """

    id: str
    title: str
    adds: tuple[str, ...]
    env: tuple[str, ...] = ()


class Feature(_Frozen):
    """A feature of the production test, and the checks whose evidence decides it.

    stages: where a check reports stages, the ones that decide this feature; empty: the whole check.
    """

    id: str
    title: str
    checks: tuple[str, ...]
    stages: tuple[str, ...] = ()


class LinkTemplate(_Frozen):
    """An address with {slots} for ids; `home` is used where an id is not known."""

    title: str
    template: str
    home: str


class Link(_Frozen):
    title: str
    url: str


class WatchedService(_Frozen):
    """What the war room shows as one tile: a service and the checks that speak for it."""

    id: str
    title: str
    checks: tuple[str, ...]


class DeclaredTable(_Frozen):
    """What the code expects of a table: column to accepted types. build: since which build; empty: always."""

    name: str
    build: str = ""
    columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Thresholds(_Frozen):
    """The numbers the team set; seconds, shares 0..1, US dollars, hours."""

    score_percent: float = 90
    response_warn_s: float = 2
    response_alert_s: float = 5
    error_rate_alert: float = 0.05
    cost_per_day_alert_usd: float = 10
    confidence_low: float = 0.6
    positive_feedback: float = 0.7
    backup_max_age_h: float = 24
    model_end_warn_days: int = 60


class AppDefinition(_Frozen):
    """All that is said about one app in its app.yaml; only a title has to be.

    uses: what the app is made of; a check that touches something else is "not used"
    release_build, default_release: the build and the release folder of the release under way; empty: there is none
    model: the OpenAI model that the app asks for; dependency_pins: packages that must be installed, with versions
    private: columns, by table, that hold what people wrote: only their writers read them, not our reading role
    also_read: columns, by table, that checks and verification read although no build's code does
    own: what only this app's own modules understand, and check for themselves
    """

    name: str
    title: str
    what: str = ""
    uses: tuple[Used, ...] = get_args(Used)
    builds: tuple[Build, ...] = ()
    release_build: str = ""
    default_release: str = ""
    dependency_pins: dict[str, str] = Field(default_factory=dict)
    model: str = ""
    features: tuple[Feature, ...] = ()
    thresholds: Thresholds = Thresholds()
    tables: tuple[DeclaredTable, ...] = ()
    private: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    also_read: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    links: dict[str, LinkTemplate] = Field(default_factory=dict)
    watch: tuple[WatchedService, ...] = ()
    analytics: AnalyticsDefinition = AnalyticsDefinition()
    own: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_a_build(self) -> AppDefinition:
        if self.release_build and self.release_build not in {build.id for build in self.builds}:
            raise ValueError(f"release_build '{self.release_build}' is none of the builds")
        return self

    @property
    def folder(self) -> Path:
        """Where its app.yaml, its releases, causes and playbooks are."""
        return _folder_of(self.name)

    def paths_of(self, build_id: str) -> tuple[str, ...]:
        """Every path that the build serves, those of its forerunners included."""
        paths: list[str] = []
        for build in self.builds:
            paths.extend(build.adds)
            if build.id == build_id:
                return tuple(paths)
        raise NotUnderstood(f"{self.title} has no build called '{build_id}'.", place=f"apps/{self.name}/app.yaml")

    def includes(self, build_id: str, part: str) -> bool:
        """Whether the build has what came with the build `part`, being it or a later one; "" came with none."""
        if not part:
            return True
        order = [build.id for build in self.builds]
        return build_id in order and part in order and order.index(part) <= order.index(build_id)

    def env_of(self, build_id: str) -> tuple[str, ...]:
        """Every environment variable that the build's code reads."""
        names: list[str] = []
        for build in self.builds:
            names.extend(build.env)
            if build.id == build_id:
                break
        return tuple(dict.fromkeys(names))

    def links_for(self, target: Target, ids: Mapping[str, str] | None = None) -> dict[str, Link]:
        """The links with the target's ids filled in; where an id is not known, the service's front page.

        ids: further ids that checks have found, such as railway_project_id.
        """
        known = {key: value for key, value in target.model_dump().items() if isinstance(value, str)} | dict(ids or {})
        return {
            key: Link(
                title=link.title,
                url=link.template.format_map(known) if set(_SLOT.findall(link.template)) <= set(known) else link.home,
            )
            for key, link in self.links.items()
        }


def part_of(app: AppDefinition, part: str) -> ModuleType | None:
    """The module of the app that knows one part of it ("checks", "score"): the only way from services to an app.

    None where the app has no such part.
    """
    packages = importlib.import_module("apps").__path__
    packages.extend(str(folder) for folder in app_folders() if str(folder) not in packages)
    name = f"apps.{app.name}.{part}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def app_folders() -> list[Path]:
    """The folders that hold apps: our own, then those of OPS_APPS, separated as in PATH.

    A relative one is read from the project's folder. Raises NotUnderstood for one that is not there.
    """
    named = [ROOT / folder for folder in os.environ.get("OPS_APPS", "").split(os.pathsep) if folder]
    for folder in named:
        if not folder.is_dir():
            raise NotUnderstood(
                f"OPS_APPS names {folder}, which is not a folder.", "No app was loaded.", place="OPS_APPS"
            )
    return [APPS, *named]


def app_names() -> list[str]:
    """The apps there are, in name order."""
    return sorted({path.parent.name for folder in app_folders() for path in folder.glob("*/app.yaml")})


def load_app(name: str) -> AppDefinition:
    """The definition of the app. Raises NotUnderstood for an unknown app or a malformed app.yaml."""
    return _read(name, _folder_of(name))


def _folder_of(name: str) -> Path:
    """The app's folder; where two have the same name, the one that is nearer to us."""
    found = [folder / name for folder in app_folders() if (folder / name / "app.yaml").exists()]
    if not _NAME.match(name) or not found:
        known = ", ".join(app_names())
        raise NotUnderstood(
            f"There is no app called '{name}'.", "Nothing was done.", f"Known apps: {known}.", "target.app"
        )
    return found[0]


@cache
def _read(name: str, folder: Path) -> AppDefinition:
    try:
        return AppDefinition.model_validate({"name": name, **read_yaml(folder / "app.yaml")})
    except ValidationError as error:
        problems = " ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}." for p in error.errors(include_url=False))
        place = f"{folder.parent.name}/{name}/app.yaml"
        raise NotUnderstood(f"The app's definition is malformed: {problems}", place=place) from None
