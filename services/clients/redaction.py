"""What may not be read aloud: secrets, known or by their shape, and personal addresses; and how they are blanked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from services.clients import secret_shapes as shapes
from services.clients.known_secrets import blanked

HIDDEN = "[redacted]"
_MAIL_HIDDEN = "[e-mail]"
# Order matters: an address with a password may hold a token, so addresses go first.
_AFTER_A_HEAD = (
    shapes.DSN,
    shapes.ENCODED_DSN,
    shapes.AUTHORIZATION,
    shapes.IN_QUERY,
    shapes.NAMED,
    shapes.BEARER,
)


def redact(text: str, secrets: Iterable[str] = (), *, addresses: bool = True) -> str:
    """The text without anything that looks like a secret, without the given values, and without e-mail addresses.

    secrets: values known to be secret, looked for as they are, encoded for URLs, JSON or HTML, in base64 and hex, and
    across colour codes and line ends; those shorter than 6 characters are ignored, since blanking them would destroy
    ordinary words. addresses: False leaves e-mail addresses, for who may see them. Idempotent: redacting twice changes
    nothing more. Takes time in proportion to the text.
    """
    text = blanked(text, secrets, HIDDEN)
    for pattern in _AFTER_A_HEAD:
        text = pattern.sub(_keep_head, text)
    for token in shapes.TOKENS:
        text = token.sub(HIDDEN, text)
    if not addresses:
        return text
    text = shapes.MAIL_WITH_PERCENT.sub(_MAIL_HIDDEN, text)
    return shapes.MAIL.sub(_MAIL_HIDDEN, text)


def _keep_head(found: re.Match[str]) -> str:
    # An @ after the password belongs to the address and stays.
    tail = "@" if found[0].endswith("@") and found.re is shapes.DSN else ""
    return f"{found['head']}{HIDDEN}{tail}"


def redact_data(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same for JSON-able data: texts inside lists and mappings are redacted, and so are keys; numbers are kept."""
    known = tuple(secrets)
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, Mapping):
        return {redact(key, known) if isinstance(key, str) else key: redact_data(v, known) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact_data(item, known) for item in value]
    return value
