"""Which settings belong to which level of a target: what to fill in, what is secret, and what goes with the level."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from services.settings import Level, Target

RAILWAY_API = "https://backboard.railway.com/graphql/v2"
_REF = re.compile(r"^[a-z]{20}$")


@dataclass(frozen=True, slots=True)
class KeyField:
    """A setting to fill in. key: its name in the settings; hint: what it looks like and where it comes from.

    needed: the level cannot be proved without it; what is not needed makes more checks possible
    """

    key: str
    title: str
    secret: bool
    hint: str
    needed: bool = False


_APP_URL = KeyField(
    "app_url", "Address of the app", False, "https://... as people open it, without a path behind it.", needed=True
)
_DATABASE = KeyField(
    "database_url",
    "Database, as a role that only reads",
    True,
    "postgresql://ops_reader.PROJECT:PASSWORD@aws-0-REGION.pooler.supabase.com:5432/postgres: the session pooler, port "
    "5432.",
)
_BY_HAND = KeyField(
    "read_only_url",
    "Database, for questions typed by hand",
    True,
    "Optional: the address of ops_reader once more. Without it such questions are off.",
)
_REF_FIELD = KeyField(
    "supabase_project_ref", "Supabase project", False, "The 20 letters in the address of the project's dashboard."
)
_SUPABASE_URL = KeyField("supabase_url", "Address of the Supabase project", False, "https://PROJECT.supabase.co")
_ANON = KeyField(
    "supabase_anon_key",
    "Publishable (anon) key",
    True,
    "sb_publishable_... or the anon key that begins with eyJ; never the secret one.",
)

KEYS: Mapping[Level, tuple[KeyField, ...]] = {
    Level.LOOK: (_APP_URL,),
    Level.OBSERVE: (
        _REF_FIELD,
        KeyField("supabase_access_token", "Supabase access token, read scopes only", True, "sbp_..."),
        _DATABASE,
        _BY_HAND,
        _SUPABASE_URL,
        _ANON,
    ),
    Level.PLATFORM: (
        KeyField("railway_token", "Railway project token", True, "As Railway shows it once, when it is made.", True),
        KeyField("railway_service_id", "Railway service", False, "Only where the environment has several services."),
    ),
    Level.PROBE: (
        KeyField(
            "probe_accounts",
            "Own test accounts, one a purpose",
            True,
            '[{"purpose": "probe", "email": ..., "password": ...}]; purposes: probe, ai, rate-limit, admin.',
        ),
        KeyField(
            "probe_caps",
            "What they may spend a day",
            False,
            '{"ai": {"calls": 200, "cents": 20}}; without, the same numbers hold for each purpose.',
        ),
        _SUPABASE_URL,
        _ANON,
        KeyField(
            "supabase_service_key",
            "Secret (service) key, to remove what was written",
            True,
            "sb_secret_...; one of our own, so that it can be withdrawn without touching the app.",
        ),
        KeyField("openai_key", "OpenAI key, restricted", True, "sk-proj-...; one of our own, never the app's."),
        KeyField("openai_admin_key", "OpenAI admin key, for the bill only", True, "sk-admin-..."),
    ),
    Level.DEPLOY: (
        KeyField(
            "deploy_url",
            "Database, as its owner (disposable targets only)",
            True,
            "On a production target nothing is kept: the address is armed for one run.",
        ),
    ),
}

# Addresses that go with a key and are asked for only where somebody runs a service of their own.
_WITH: Mapping[str, str] = {
    "railway_token": "railway_url",
    "supabase_access_token": "supabase_management_url",
    "openai_key": "openai_url",
}
ADDRESSES: frozenset[str] = frozenset(_WITH.values())
CREDENTIALS: frozenset[str] = frozenset(field.key for fields in KEYS.values() for field in fields) | ADDRESSES


def keys_of(level: Level) -> tuple[str, ...]:
    """Every setting that the level uses, the addresses that go with its keys included, in the order of the guide."""
    named = [field.key for field in KEYS[level]]
    return (*named, *(_WITH[key] for key in named if key in _WITH))


def used_by(key: str) -> frozenset[Level]:
    """The levels that use a setting. The app's address is what all of them are about."""
    if key == _APP_URL.key:
        return frozenset(Level)
    return frozenset(level for level in Level if key in keys_of(level))


def given(level: Level, target: Target) -> dict[str, Any]:
    """The settings of the level that the target has, as they are."""
    return {key: getattr(target, key) for key in keys_of(level) if getattr(target, key)}


def missing(level: Level, target: Target) -> tuple[str, ...]:
    """What has to be filled in before the level can be proved; of two ways the shorter one is named."""
    lacking = [field.key for field in KEYS[level] if field.needed and not getattr(target, field.key)]
    if level is Level.OBSERVE:
        if target.supabase_access_token is not None and target.supabase_project_ref is None:
            lacking.append("supabase_project_ref")
        if target.supabase_access_token is None and target.database_url is None:
            lacking.append("database_url")
    if level is Level.PROBE and target.app_url is None:
        lacking.append("app_url")
    return tuple(lacking)


def completed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with what follows from them: Railway's address, the project's address and its reference.

    What somebody gave is never changed.
    """
    known = {key: value for key, value in values.items() if value}
    if "railway_token" in known:
        known.setdefault("railway_url", RAILWAY_API)
    host = urlsplit(str(known.get("supabase_url", ""))).hostname or ""
    ref, _, rest = host.partition(".")
    if rest == "supabase.co" and _REF.match(ref):
        known.setdefault("supabase_project_ref", ref)
    named = str(known.get("supabase_project_ref", ""))
    if _REF.match(named) and not known.get("supabase_management_url"):
        known.setdefault("supabase_url", f"https://{named}.supabase.co")
    return known
