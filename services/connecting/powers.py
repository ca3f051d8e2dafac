"""What a key could do beyond what it is asked for: said before it is given, and again of the one that was given."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from services.connecting.keys import KEYS
from services.settings import Level, Target

_SCOPED = "sbp_fc"
_CLASSIC_TOKEN = re.compile(r"^sbp_(?:oauth_)?[a-f0-9]{40}$")

OF_KEY: Mapping[str, str] = {
    "app_url": "An address alone allows what every visitor of the app may do, and nothing more.",
    "supabase_access_token": "A scoped token with read scopes can neither write nor change settings; with a write "
    "scope it could, and a classic token can do everything that your account can do in every project.",
    "database_url": "A role such as ops_reader reads the columns granted to it and writes nothing; the owner "
    "(postgres) can do everything in the database, journal text included.",
    "read_only_url": "The same role, asked by hand: it still reads only the columns granted to it.",
    "supabase_anon_key": "The publishable key is in every copy of the app: it can do what row-level security leaves "
    "open to everybody.",
    "supabase_service_key": "A secret (service) key reads and writes everything past row-level security, journal text "
    "included.",
    "railway_token": "A Railway project token can deploy, stop and remove the service and read and write its "
    "variables, secrets included, in one environment; other environments and projects are out of its reach.",
    "probe_accounts": "A test account can do what any user of the app can do; the one for 'admin' can do what the "
    "app's admins can do, so that it should be no account of a person.",
    "openai_key": "A restricted key can spend the project's credit on what its permissions allow, up to the project's "
    "limit.",
    "openai_admin_key": "An admin key can make and delete keys, invite people and read the bill of the whole "
    "organisation; it completes nothing. It is used for the bill and for nothing else.",
    "deploy_url": "The database's owner can do everything: read all, change all, drop all.",
}
_ARMED = "Armed for one run, the owner's address is in the memory of one worker only and is forgotten at the end."


def could_also(level: Level, target: Target | None = None) -> tuple[str, ...]:
    """What the keys of a level could do beyond it: of those that the target has, else of all that could be given."""
    named = [field.key for field in KEYS[level] if field.key in OF_KEY]
    if target is not None:
        named = [key for key in named if getattr(target, key)]
    told = [_said(key, target) for key in named]
    if level is Level.DEPLOY and (target is None or target.production or target.deploy_url is None):
        told = [OF_KEY["deploy_url"], _ARMED]
    return tuple(dict.fromkeys(told))


def _said(key: str, target: Target | None) -> str:
    """What the key that was given could do, as far as its form tells; else what any such key could do."""
    value = getattr(target, key) if target is not None else None
    tell = _BY_FORM.get(key)
    found = tell(value.get_secret_value()) if tell is not None and isinstance(value, SecretStr) else None
    return found or OF_KEY[key]


def is_scoped(token: str) -> bool | None:
    """Whether a Supabase access token is a scoped one, as far as its form tells; None where it does not."""
    if token.startswith(_SCOPED):
        return True
    return False if _CLASSIC_TOKEN.match(token) else None


def is_secret_key(key: str) -> bool:
    """Whether a Supabase key is the secret one, which passes by row-level security: by its prefix or its role."""
    return key.startswith("sb_secret_") or role_of(key) == "service_role"


def role_of(key: str) -> str | None:
    """The role that a legacy key (a JWT) names; None for any other key. Nothing is verified."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None
    role = claims.get("role") if isinstance(claims, dict) else None
    return role if isinstance(role, str) else None


def is_admin_key(key: str) -> bool:
    """Whether an OpenAI key is an administrator's, by its prefix."""
    return key.startswith("sk-admin-")


def _of_token(token: str) -> str | None:
    scoped = is_scoped(token)
    if scoped is None:
        return None
    if scoped:
        return "This scoped token can do what its scopes say and nothing else."
    return (
        "This token is no scoped one by its form: it can do everything that your account can do, in every project of "
        "yours. A scoped one with read scopes is enough."
    )


def _of_anon_key(key: str) -> str | None:
    return OF_KEY["supabase_service_key"] if is_secret_key(key) else None


def _of_openai_key(key: str) -> str | None:
    return OF_KEY["openai_admin_key"] if is_admin_key(key) else None


_BY_FORM: Mapping[str, Callable[[str], str | None]] = {
    "supabase_access_token": _of_token,
    "supabase_anon_key": _of_anon_key,
    "openai_key": _of_openai_key,
}
