"""What may not be read aloud: the shapes of secrets and personal addresses, and how they are blanked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[redacted]"
_MAIL_HIDDEN = "[e-mail]"

# Order matters: an address with a password may hold a token, so addresses go first.
_DSN_PASSWORD = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)(?P<password>[^\s]+)@", re.IGNORECASE)
_KEY_VALUE = re.compile(
    r"(?P<head>\b(?:password|passwd|secret|api[_-]?key|apikey|access[_-]?token|project-access-token|service_role_key)"
    r"[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])(?P<value>[^\s\"',;&}]+)",
    re.IGNORECASE,
)
_SHAPES = (
    re.compile(r"\bsk-[A-Za-z0-9_*-]{4,}"),
    re.compile(r"\bsbp_[A-Za-z0-9_]{6,}"),
    re.compile(r"\bsb_(?:secret|publishable)_[A-Za-z0-9_-]{4,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}"),
    re.compile(r"(?P<head>\bBearer\s+)(?!\[redacted\])[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE),
)
_MAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without anything that looks like a secret, without the given values, and without e-mail addresses.

    secrets: values known to be secret; those shorter than 6 characters are ignored, since blanking them would
    destroy ordinary words. Idempotent: redacting twice changes nothing more.
    """
    for value in sorted({s for s in secrets if len(s) >= 6}, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = _DSN_PASSWORD.sub(lambda m: f"{m['head']}{HIDDEN}@", text)
    text = _KEY_VALUE.sub(lambda m: f"{m['head']}{HIDDEN}", text)
    for shape in _SHAPES:
        text = shape.sub(lambda m: (m.groupdict().get("head") or "") + HIDDEN, text)
    return _MAIL.sub(_MAIL_HIDDEN, text)


def redact_data(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same for JSON-able data: texts inside lists and mappings are redacted, keys and numbers are kept."""
    known = tuple(secrets)
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, Mapping):
        return {key: redact_data(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_data(item, known) for item in value]
    return value
