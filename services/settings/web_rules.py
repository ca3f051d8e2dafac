"""What an http or https address in the settings may look like, by the setting that it is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult

from services.settings.addresses import is_loopback, web_address
from services.settings.problems import Collected, Path

NO_PATH: Mapping[str, str] = {
    "supabase_url": "end it after the host, as in https://REF.supabase.co",
    "auth_url": "end it after the host, as in https://REF.supabase.co",
    "supabase_management_url": "end it after the host, as in https://api.supabase.com",
    "public_url": "end it after the host and port",
}
"""Settings whose address ends after its host, and what to do where it does not."""

WITH_SECRETS = frozenset({"heartbeat_url"})
"""Settings whose address may hold a user, a password or a query, since it is kept as a secret."""

_CONSOLES = re.compile(r"(supabase\.(com|io)/dashboard|app\.supabase\.(com|io)|railway\.(com|app)/project)")
_PAGES = ("/docs", "/redoc", "/openapi.json", "/health")


def check_web(path: Path, text: str, collected: Collected) -> SplitResult | None:
    """Note what is wrong with one address; its parts where it can be read."""
    key = str(path[-1])
    parts = web_address(text)
    found = _malformed(text) if parts is None else _misplaced(key, parts)
    if found:
        collected.add(path, *found)
    return parts


def _malformed(text: str) -> tuple[str, str]:
    if not text.lower().startswith(("http://", "https://")):
        return "must begin with http:// or https://", "write the whole address"
    return "cannot be read as an address", "write https://host, with :port only where it is a number"


def _misplaced(key: str, parts: SplitResult) -> tuple[str, str] | None:
    if key not in WITH_SECRETS:
        if parts.username is not None or parts.password is not None:
            return "holds a user or a password", "take both out of the address: it is shown on the screen"
        if parts.query or parts.fragment:
            return "goes on after ? or #", "end it before that"
    if _CONSOLES.match(f"{parts.hostname}{parts.path}"):
        return "is a page of the provider's console", "write the address at which the service itself answers"
    if key in NO_PATH and parts.path.strip("/"):
        return "has a path where none belongs", NO_PATH[key]
    if key == "app_url" and parts.path.rstrip("/").endswith(_PAGES):
        return "is the address of one page of the app", "end it before that page"
    if key == "public_url" and parts.scheme == "http" and not is_loopback(parts.hostname):
        return "must begin with https:// beyond this machine", "put a proxy with a certificate in front"
    return None
