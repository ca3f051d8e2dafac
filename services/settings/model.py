"""What can be configured, as types: a target with its parts, and all settings together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.errors import NotUnderstood, Refused
from services.settings.levels import LEVEL_MEANS, Level

COLOURS = ("red", "orange", "yellow", "blue", "green", "violet", "gray")
"""The colours in which a target can be shown."""

PURPOSES = ("probe", "ai", "feedback", "rate-limit", "admin", "edited-metadata")
"""What a test account of ours can be for, and what its use of a target is counted under."""

Origins = Mapping[tuple[str, str], str]
"""By target and key, which source a value comes from; the target is "" for settings that belong to none."""


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
    """A test account of ours on the target. purpose: what it is for, one of PURPOSES."""

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
    """A place to release to: its addresses, keys, database, and the levels granted to us.

    founder: id of the actor who made it, its admin for as long as no sign-in is configured
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    app: str = "pulsecheck"
    production: bool = True
    colour: str = "orange"
    levels: frozenset[Level] = frozenset({Level.LOOK})
    app_url: str | None = None
    database_url: SecretStr | None = None
    read_only_url: SecretStr | None = None
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
    second_approval: bool = False
    approval_hours: float = Field(default=24, gt=0)
    notify_urls: tuple[SecretStr, ...] = ()
    founder: str | None = None
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

    @field_validator("database_url", "read_only_url", "deploy_url")
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


class Settings(BaseSettings):
    """All that is configured. home: our own files; store_url: our own store; targets by name.

    host:          the address to listen on; public_url: where browsers reach us, for anything but loopback
    heartbeat_url: called while the worker really works, so that our silence is noticed elsewhere
    arm_hours:     how long an owner's address may be held in memory
    origins:       which source each value comes from, see `origin_of`

    Made by hand it takes what it is given and asks no source; `load_settings` asks them all.
    """

    model_config = SettingsConfigDict(env_prefix="OPS_", env_nested_delimiter="__", extra="forbid", frozen=True)
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
    origins: Origins = Field(default_factory=dict, repr=False, exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

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


def origin_of(settings: Settings, target: str, key: str) -> str | None:
    """Which source a value comes from: "targets/NAME.json", "secrets.toml" or the name of a variable; None: a default.

    target: "" for a setting that belongs to no target
    """
    return settings.origins.get((target, key))
