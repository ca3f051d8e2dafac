"""What goes wrong when texts are copied: blanks, quotes, line breaks, placeholders, a secret in the wrong place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from services.settings.problems import Collected, Path
from services.settings.secret_kinds import (
    ACCESS,
    AGE_IDENTITY,
    AGE_RECIPIENT,
    ANON,
    OPENAI,
    OPENAI_ADMIN,
    PERSON,
    POSTGRES,
    PRIVATE_KEY,
    PUBLISHABLE,
    SECRET,
    SERVICE,
    WEB,
    kind_of,
)

FREE_TEXT = frozenset({"name", "role", "phone", "hours", "title"})
"""Names of people and the like, in which most of what follows is no mistake."""

_PLACEHOLDER = re.compile(r"(?i:\[your[-_ ]?\w+\]|\A<[a-z _-]+>\Z|\byour[-_](?:password|token|key)\b)|:PASSWORD@")

_SUPABASE = frozenset({ANON, SERVICE, PUBLISHABLE, SECRET, ACCESS, PERSON})
_OPENAI = frozenset({OPENAI, OPENAI_ADMIN})
_NO_KEYS = frozenset({POSTGRES, WEB, AGE_IDENTITY, AGE_RECIPIENT, PRIVATE_KEY})
_EVERY = _SUPABASE | _OPENAI | _NO_KEYS

_MEANT: Mapping[str, tuple[str, frozenset[str]]] = {
    "supabase_anon_key": ("the anon or publishable key", frozenset({ANON, PUBLISHABLE})),
    "auth_anon_key": ("the anon or publishable key", frozenset({ANON, PUBLISHABLE})),
    "supabase_service_key": ("the service_role or secret key", frozenset({SERVICE, SECRET})),
    "supabase_access_token": ("a scoped access token, which begins with sbp_", frozenset({ACCESS})),
    "openai_key": ("a key of a project, best a restricted one", frozenset({OPENAI})),
    "openai_admin_key": ("an admin key, which begins with sk-admin-", frozenset({OPENAI_ADMIN})),
    "railway_token": ("the project token that Railway shows once", frozenset()),
    "railway_service_id": ("the service's id", frozenset()),
    "supabase_project_ref": ("the project's ref of 20 letters", frozenset()),
    "database_url": ("an address that begins with postgresql://", frozenset({POSTGRES})),
    "read_only_url": ("an address that begins with postgresql://", frozenset({POSTGRES})),
    "deploy_url": ("an address that begins with postgresql://", frozenset({POSTGRES})),
    "client_secret": ("the secret that the provider shows for this client", frozenset()),
}
"""What belongs where, and the kinds that may stand there; a shape that says nothing may stand anywhere."""


def texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text of a value, however deep, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from texts(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from texts(part, (*path, index))


def check_text(path: Path, text: str, collected: Collected) -> None:
    """Note what is wrong with one text, whatever it is for."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    found = _copied_badly(text, key in FREE_TEXT) or _private_age_key(text) or of_another_kind(key, text)
    if found:
        collected.add(path, *found)


def _copied_badly(text: str, free: bool) -> tuple[str, str] | None:
    if "\n" in text or "\r" in text:
        return (
            "holds a line break",
            "write it in one line; a file saved with Windows line ends adds one to each variable",
        )
    if "\t" in text or any(unicodedata.category(c) == "Cc" for c in text):
        return "holds a tab or another character that cannot be seen", "copy it anew, or type it"
    if text != text.strip():
        return "begins or ends with a blank", "remove it"
    if not free and any(unicodedata.category(c) in {"Cf", "Zs"} and c != " " for c in text):
        return "holds a character that cannot be seen", "copy it anew, or type it"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return "stands in quotes that are part of it", "remove one pair of quotes"
    if not free and _PLACEHOLDER.search(text):
        return "still holds a placeholder", "put the real value in its place, percent-encoded where it is in an address"
    return None


def _private_age_key(text: str) -> tuple[str, str] | None:
    if kind_of(text) in {AGE_IDENTITY, PRIVATE_KEY}:
        return (
            "HOLDS A PRIVATE KEY, which must not lie on this machine",
            "take it out, consider it as seen by others, and write the public recipient, which begins with age1",
        )
    return None


def of_another_kind(key: str, text: str) -> tuple[str, str] | None:
    """What is wrong and what to do where a text has the shape of something that belongs under another key."""
    if key not in _MEANT:
        return None
    wanted, allowed = _MEANT[key]
    kind = kind_of(text)
    if kind is None or kind in allowed or kind not in _EVERY:
        return None
    return f"holds {kind}", f"write {wanted}"
