"""The sandbox's own secrets and people: made once a home, kept in one private file, the same after every restart."""

from __future__ import annotations

import json
import os
import secrets
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from pydantic import BaseModel, ConfigDict

from services.sandbox.accounts import Account, make_accounts
from services.sandbox.postgres import LOGIN_ROLES

_PROJECT_AGE = timedelta(days=200)
_KEY_LIFE = timedelta(days=3650)


class Keys(BaseModel):
    """Every secret of one sandbox. made: when the project "was created"; anon_key and service_key are HS256 JWTs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    made: datetime
    project_ref: str
    passwords: dict[str, str]
    jwt_secret: str
    anon_key: str
    service_key: str
    management_token: str
    railway_token: str
    openai_key: str
    control_token: str
    accounts: tuple[Account, ...]


def load_keys(path: Path, now: datetime) -> Keys:
    """The keys kept in the file (0600); made and written there when it does not exist or cannot be read as keys."""
    try:
        return Keys.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        keys = _make(now)
    write_private(path, keys.model_dump_json(indent=1))
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


def _make(now: datetime) -> Keys:
    made = (now - _PROJECT_AGE).astimezone(UTC).replace(microsecond=0)
    ref = "".join(secrets.choice(string.ascii_lowercase) for _ in range(20))
    jwt_secret = secrets.token_urlsafe(40)

    def api_key(role: str) -> str:
        claims = {"iss": "supabase", "ref": ref, "role": role, "iat": made, "exp": made + _KEY_LIFE}
        return jwt.encode(claims, jwt_secret, algorithm="HS256")

    return Keys(
        made=made,
        project_ref=ref,
        passwords={role: secrets.token_urlsafe(18) for role in LOGIN_ROLES},
        jwt_secret=jwt_secret,
        anon_key=api_key("anon"),
        service_key=api_key("service_role"),
        management_token=f"sbp_{secrets.token_hex(20)}",
        railway_token=secrets.token_hex(16),
        openai_key=f"sk-proj-{secrets.token_urlsafe(36)}",
        control_token=secrets.token_urlsafe(24),
        accounts=make_accounts(),
    )
