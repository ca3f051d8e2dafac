"""What kind of secret a text is, by its shape alone, so that one in the wrong place is told; nothing is guessed."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

ANON = "a legacy anon key"
SERVICE = "a legacy service_role key"
PERSON = "the token of a signed-in person"
PUBLISHABLE = "a publishable key of Supabase"
SECRET = "a secret key of Supabase"
ACCESS = "an access token of a Supabase account"
OPENAI = "an OpenAI key"
OPENAI_ADMIN = "an OpenAI admin key"
POSTGRES = "a Postgres address"
WEB = "a web address"
AGE_IDENTITY = "a private age key"
AGE_RECIPIENT = "an age recipient"
PRIVATE_KEY = "a private key"

_BEGINNINGS: Mapping[str, str] = {
    "sb_publishable_": PUBLISHABLE,
    "sb_secret_": SECRET,
    "sbp_": ACCESS,
    "sk-admin-": OPENAI_ADMIN,
    "sk-": OPENAI,
    "postgres://": POSTGRES,
    "postgresql://": POSTGRES,
    "http://": WEB,
    "https://": WEB,
    "age-secret-key-": AGE_IDENTITY,
    "age1": AGE_RECIPIENT,
    "-----begin": PRIVATE_KEY,
}
_ROLES: Mapping[str, str] = {"anon": ANON, "service_role": SERVICE, "authenticated": PERSON}
_AGE = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_SSH = re.compile(r"ssh-(?:ed25519|rsa) [A-Za-z0-9+/]{60,}={0,2}(?: .*)?")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def kind_of(text: str) -> str | None:
    """The kind, as words to put in a sentence; None where the shape says nothing."""
    low = text.lower()
    for beginning, kind in _BEGINNINGS.items():
        if low.startswith(beginning):
            return kind
    role = claims_of(text).get("role")
    return _ROLES.get(role) if isinstance(role, str) else None


def claims_of(token: str) -> Mapping[str, Any]:
    """What a JSON web token says, unproved; empty where it is none."""
    parts = token.split(".")
    if len(parts) != 3 or not token.startswith("eyJ"):
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def is_age_recipient(text: str) -> bool:
    """Whether backups can be made for this: a public age key whose check sum (Bech32, BIP 173) is right, or one of
    SSH."""
    if _SSH.fullmatch(text):
        return True
    if not _AGE.fullmatch(text):
        return False
    prefix = [ord(c) >> 5 for c in "age"] + [0] + [ord(c) & 31 for c in "age"]
    checksum = 1
    for value in [*prefix, *(_BECH32.index(c) for c in text[4:])]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            checksum ^= generator if (top >> bit) & 1 else 0
    return checksum == 1
