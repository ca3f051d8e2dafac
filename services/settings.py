"""Targets and secrets: from the environment, secrets.toml and target files; one typed object; all problems at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from services.errors import NotUnderstood, Refused

DEFAULT_HOME = ".ops"


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


class Person(BaseModel):
    """Someone to call: name, role, phone and the hours they can be reached."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    role: str
    phone: str = ""
    hours: str = ""


class QuickSignIn(BaseModel):
    """An account offered as a "Continue as ..." button; for disposable targets only."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    email: str
    password: SecretStr
    role: str


class ProbeAccount(BaseModel):
    """A test account of ours on the target. purpose: what it is for: "probe", "ai", "rate-limit", "admin"."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    purpose: str
    email: str
    password: SecretStr


class ProbeCap(BaseModel):
    """What our test accounts may spend on a target in one UTC day for one purpose: calls, and US cents."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    calls: int = Field(default=200, ge=0)
    cents: float = Field(default=20.0, ge=0)


class Oidc(BaseModel):
    """A provider of sign-in by OpenID Connect. role_claim: the claim with one role, or roles by target."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str = "single sign-on"
    metadata_url: str
    client_id: str
    client_secret: SecretStr
    role_claim: str = "ops_role"


class Target(BaseModel):
    """A place to release to: its addresses, keys, database, and the levels granted to us."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    app: str = "pulsecheck"
    production: bool = True
    colour: str = "orange"
    levels: frozenset[Level] = frozenset({Level.LOOK})
    app_url: str | None = None
    database_url: SecretStr | None = None
    deploy_url: SecretStr | None = None
    supabase_url: str | None = None
    supabase_anon_key: SecretStr | None = None
    supabase_service_key: SecretStr | None = None
    supabase_management_url: str | None = None
    supabase_access_token: SecretStr | None = None
    supabase_project_ref: str | None = None
    railway_url: str | None = None
    railway_token: SecretStr | None = None
    railway_service_id: str | None = None
    openai_url: str | None = None
    openai_key: SecretStr | None = None
    railway_status_url: str | None = None
    supabase_status_url: str | None = None
    openai_status_url: str | None = None
    openai_admin_key: SecretStr | None = None
    auth_url: str | None = None
    auth_anon_key: SecretStr | None = None
    probe_accounts: tuple[ProbeAccount, ...] = ()
    probe_caps: dict[str, ProbeCap] = Field(default_factory=dict)
    backup_recipient: str | None = None
    backup_folder: Path | None = None
    backup_keep_days: int = Field(default=30, ge=1)
    notify_urls: tuple[SecretStr, ...] = ()
    fault_control_url: str | None = None
    quick_sign_in: tuple[QuickSignIn, ...] = ()
    people: tuple[Person, ...] = ()

    @field_validator(
        "app_url",
        "supabase_url",
        "supabase_management_url",
        "railway_url",
        "openai_url",
        "railway_status_url",
        "supabase_status_url",
        "openai_status_url",
        "fault_control_url",
        "auth_url",
    )
    @classmethod
    def _is_http_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must be an address that begins with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("database_url", "deploy_url")
    @classmethod
    def _is_postgres_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be a Postgres address that begins with postgresql://")
        return value

    def allows(self, level: Level) -> bool:
        return level in self.levels

    def require(self, level: Level) -> None:
        """Raise Refused, naming the level and the way to it, where the level is not granted."""
        if not self.allows(level):
            raise Refused(
                f"{self.name} has not been granted the level '{level}'.",
                f"Nothing was done: '{level}' is what allows us to {LEVEL_MEANS[level]}.",
                f"Add '{level}' to the levels of {self.name} with the credential it needs; /settings shows the way.",
                place=f"targets.{self.name}.levels",
            )


class Settings(BaseModel):
    """All that is configured. home: our own files; store_url: our own store; targets by name.

    host:          the address to listen on; public_url: where browsers reach us, for anything but loopback
    heartbeat_url: called while the worker really works, so that our silence is noticed elsewhere
    arm_hours:     how long an owner's address may be held in memory
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    home: Path
    store_url: str
    targets: dict[str, Target] = Field(default_factory=dict)
    default_target: str = "sandbox"
    host: str = "127.0.0.1"
    public_url: str | None = None
    oidc: Oidc | None = None
    heartbeat_url: SecretStr | None = None
    heartbeat_every_s: float = Field(default=60.0, ge=5)
    arm_hours: float = Field(default=4.0, gt=0, le=24)

    def target(self, name: str | None = None) -> Target:
        wanted = name or self.default_target
        try:
            return self.targets[wanted]
        except KeyError:
            known = ", ".join(sorted(self.targets)) or "none; start the sandbox with `make run`"
            raise NotUnderstood(
                f"There is no target called '{wanted}'.",
                "Nothing was done.",
                f"Known targets: {known}.",
                place="OPS_TARGET",
            ) from None


def load_settings(environ: Mapping[str, str], root: Path) -> Settings:
    """Read settings; later sources win: target files in <home>/targets, .streamlit/secrets.toml, the environment.

    environ: OPS_HOME, OPS_STORE_URL, OPS_TARGET, OPS_TARGETS__<NAME>__<KEY>
    root:    the folder that holds .streamlit/ and a relative OPS_HOME
    Raises NotUnderstood with every problem at once, each with its place and without its value.
    """
    home = (root / environ.get("OPS_HOME", DEFAULT_HOME)).resolve()
    found: dict[str, dict[str, Any]] = {}
    origin: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    for place, name, values in [
        *_target_files(home, problems),
        *_secrets_file(root, problems),
        *_environment(environ, problems),
    ]:
        found.setdefault(name, {"name": name}).update(values)
        origin.update({(name, key): place for key in values})
    targets: dict[str, Target] = {}
    for name, values in found.items():
        try:
            targets[name] = Target.model_validate(values)
        except ValidationError as error:
            problems.extend(
                _sentence(name, origin, problem) for problem in error.errors(include_input=False, include_url=False)
            )
    store_url = environ.get("OPS_STORE_URL") or f"sqlite:///{home / 'store.sqlite3'}"
    problems.extend(_store_problems(store_url, targets))
    if problems:
        raise NotUnderstood(
            f"The settings hold {len(problems)} problem{'s' if len(problems) > 1 else ''}: " + " ".join(problems),
            "Nothing was started.",
            "Mend the named keys and try again.",
            place=problems[0].split(":", 1)[0],
        )
    return Settings(
        home=home, store_url=store_url, targets=targets, default_target=environ.get("OPS_TARGET") or "sandbox"
    )


Source = tuple[str, str, dict[str, Any]]


def _target_files(home: Path, problems: list[str]) -> list[Source]:
    sources: list[Source] = []
    for path in sorted((home / "targets").glob("*.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"{path.name}: cannot be read as JSON ({type(error).__name__}).")
            continue
        if isinstance(values, dict):
            sources.append((path.name, path.stem, values))
        else:
            problems.append(f"{path.name}: must hold one JSON object.")
    return sources


def _secrets_file(root: Path, problems: list[str]) -> list[Source]:
    path = root / ".streamlit" / "secrets.toml"
    if not path.exists():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"secrets.toml: cannot be read as TOML ({type(error).__name__}).")
        return []
    sections = document.get("targets", {})
    if not isinstance(sections, dict):
        problems.append("secrets.toml: [targets] must hold one section a target.")
        return []
    sources: list[Source] = []
    for name, values in sections.items():
        if isinstance(values, dict):
            sources.append((f"secrets.toml [targets.{name}]", name, values))
        else:
            problems.append(f"secrets.toml: targets.{name} must be a section.")
    return sources


def _environment(environ: Mapping[str, str], problems: list[str]) -> list[Source]:
    sources: list[Source] = []
    for key, text in sorted(environ.items()):
        if not key.startswith("OPS_TARGETS__"):
            continue
        parts = key.split("__")
        if len(parts) != 3 or not all(parts):
            problems.append(f"{key}: must have the form OPS_TARGETS__NAME__KEY.")
            continue
        name, field = parts[1].lower(), parts[2].lower()
        value: Any = text
        if field in {"levels", "people", "quick_sign_in"}:
            try:
                value = (
                    json.loads(text)
                    if text.lstrip().startswith("[")
                    else [part.strip() for part in text.split(",") if part.strip()]
                )
            except ValueError:
                problems.append(f"{key}: cannot be read as a JSON list.")
                continue
        sources.append((key, name, {field: value}))
    return sources


def _sentence(name: str, origin: Mapping[tuple[str, str], str], problem: Mapping[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    key = path[0] if path else "?"
    place = origin.get((name, key), f"targets.{name}")
    reason = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        reason = "is not a setting we know"
    shown = place if place.startswith("OPS_TARGETS__") else f"{place} {'.'.join(path)}"
    return f"{shown}: {reason}."


def _store_problems(store_url: str, targets: Mapping[str, Target]) -> list[str]:
    if not store_url.startswith(("sqlite:///", "postgresql")):
        return ["OPS_STORE_URL: must begin with sqlite:/// or postgresql://."]

    def bare(url: str) -> str:
        return url.split("://", 1)[-1].split("?", 1)[0]

    taken = {
        bare(secret.get_secret_value()) for t in targets.values() for secret in (t.database_url, t.deploy_url) if secret
    }
    if bare(store_url) in taken:
        return ["OPS_STORE_URL: is the database of a target; our own records must not live in what we change."]
    return []
