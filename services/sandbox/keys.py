"""The sandbox's own secrets and people: made once a home, kept in one private file, the same after every restart."""

from __future__ import annotations

import json
import os
import secrets
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from pydantic import BaseModel, ConfigDict

from services.database.backup.encryption import new_key
from services.sandbox.accounts import Account, make_accounts
from services.sandbox.postgres import LOGIN_ROLES

_PROJECT_AGE = timedelta(days=200)
_KEY_LIFE = timedelta(days=3650)


class Keys(BaseModel):
    """Every secret of one sandbox. made: when the project "was created".

    The app and the dashboard have a service key and an OpenAI key each: a good one of ours proves nothing of theirs.
    The anon and service keys are HS256 JWTs; the two OpenAI keys belong to two accounts. Beside the keys that may do
    everything are those that somebody careful would make: a token with read permissions only (observe_token), a
    project's token beside the account's, a key for completions only beside one that pays for the bill to be seen.

    backup_key: the secret part of the key to which its backups are encrypted, so that they can be opened for practice
    name: what the world is called at its providers; a file that holds nothing else names a world before it is made
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = "sandbox"
    made: datetime
    project_ref: str
    passwords: dict[str, str]
    jwt_secret: str
    anon_key: str
    service_key: str
    ops_service_key: str
    management_token: str
    observe_token: str
    railway_token: str
    railway_account_token: str
    openai_key: str
    ops_openai_key: str
    completions_openai_key: str
    models_openai_key: str
    openai_admin_key: str
    control_token: str
    backup_key: str
    accounts: tuple[Account, ...]


def load_keys(path: Path, now: datetime) -> Keys:
    """The keys kept in the file (0600). What an older file lacks is added; without a readable file all are made."""
    try:
        kept = json.loads(path.read_bytes())
        keys = _complete(kept, now)
    except (OSError, ValueError, TypeError, KeyError):
        kept, keys = None, _complete({}, now)
    if (values := keys.model_dump(mode="json")) != kept:
        write_private(path, json.dumps(values, indent=1) + "\n")
    return keys


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step by one that only we can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def write_json(path: Path, values: object) -> None:
    """`write_private` for something JSON can say."""
    write_private(path, json.dumps(values, indent=1, sort_keys=True) + "\n")


def _complete(kept: dict[str, Any], now: datetime) -> Keys:
    """The kept values, and new ones for those that are missing. Raises ValueError where one cannot be understood."""
    values = dict(kept)
    values.setdefault("made", (now - _PROJECT_AGE).astimezone(UTC).replace(microsecond=0))
    values.setdefault("project_ref", "".join(secrets.choice(string.ascii_lowercase) for _ in range(20)))
    values.setdefault("passwords", {})
    values["passwords"] = {**{role: secrets.token_urlsafe(18) for role in LOGIN_ROLES}, **values["passwords"]}
    values.setdefault("jwt_secret", secrets.token_urlsafe(40))
    values.setdefault("anon_key", _api_key(values, "anon", 0))
    values.setdefault("service_key", _api_key(values, "service_role", 0))
    values.setdefault("ops_service_key", _api_key(values, "service_role", 1))
    values.setdefault("management_token", f"sbp_{secrets.token_hex(20)}")
    values.setdefault("observe_token", f"sbp_fc{secrets.token_hex(19)}")
    values.setdefault("railway_token", secrets.token_hex(16))
    values.setdefault("railway_account_token", secrets.token_hex(18))
    values.setdefault("openai_key", f"sk-proj-{secrets.token_urlsafe(36)}")
    values.setdefault("ops_openai_key", f"sk-proj-{secrets.token_urlsafe(36)}")
    values.setdefault("completions_openai_key", f"sk-proj-{secrets.token_urlsafe(36)}")
    values.setdefault("models_openai_key", f"sk-proj-{secrets.token_urlsafe(36)}")
    values.setdefault("openai_admin_key", f"sk-admin-{secrets.token_urlsafe(36)}")
    values.setdefault("control_token", secrets.token_urlsafe(24))
    values.setdefault("backup_key", new_key().secret)
    known = (Account.model_validate(one) for one in values.get("accounts", ()))
    values["accounts"] = make_accounts(known, domain=f"{values.get('name', 'sandbox')}.example")
    return Keys.model_validate(values)


def _api_key(values: dict[str, Any], role: str, number: int) -> str:
    """A key for the role. number: makes it another one than its sisters, by as many seconds."""
    made = datetime.fromisoformat(str(values["made"])) + timedelta(seconds=number)
    claims = {"iss": "supabase", "ref": values["project_ref"], "role": role, "iat": made, "exp": made + _KEY_LIFE}
    return jwt.encode(claims, str(values["jwt_secret"]), algorithm="HS256")
