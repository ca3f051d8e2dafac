"""Whether two moments had the same credentials: a digest under a key of this home, so that it tells no value."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from services.connecting.keys import keys_of
from services.settings import Level, Target

_KEY_FILE = "proofs.key"
_KEY_BYTES = 32


def credential_digest(home: Path, level: Level, target: Target, salt: str) -> str:
    """A keyed digest of all that the level's proof was made with: its credentials, the app's address, the app.

    salt: of one proof, so that equal credentials cannot be told from two digests either
    """
    said = {key: plain(getattr(target, key)) for key in sorted({*keys_of(level), "app", "app_url", "production"})}
    body = json.dumps([salt, level.value, target.name, said], sort_keys=True, default=str)
    return hmac.new(_key(home), body.encode(), hashlib.sha256).hexdigest()


def new_salt() -> str:
    return secrets.token_hex(16)


def plain(value: object) -> object:
    """A setting as JSON can say it, its secrets included: for files and digests only."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    fields = getattr(type(value), "model_fields", None)
    if fields is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    return value


def _key(home: Path) -> bytes:
    """This home's key; made by whoever needs it first."""
    path = home / _KEY_FILE
    try:
        kept = path.read_bytes()
    except FileNotFoundError:
        return _made(path)
    return kept if len(kept) == _KEY_BYTES else _made(path)


def _made(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
    try:
        os.link(fresh, path)
    except FileExistsError:
        # Somebody else was first, or what stands there is no key of ours: only the latter is replaced.
        if len(path.read_bytes()) != _KEY_BYTES:
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path.read_bytes()
