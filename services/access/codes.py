"""What a recovery code looks like, and how it is kept: an id to find it by, a secret of which only a hash stays."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from pydantic import SecretStr

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as a digit."""
GROUP = 5
SECRET_GROUPS = 4
"""Twenty characters, 100 bits: what protects a stolen store is this, not only the slowness of the hash."""
_MISREAD = str.maketrans("OILU", "011V")
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Code:
    """id: not secret, the first group; secret: the rest."""

    id: str
    secret: SecretStr

    def text(self) -> SecretStr:
        """The code as it is written down: five groups of five."""
        whole = self.id + self.secret.get_secret_value()
        return SecretStr("-".join(whole[place : place + GROUP] for place in range(0, len(whole), GROUP)))


def new_code() -> Code:
    def draw(length: int) -> str:
        return "".join(secrets.choice(ALPHABET) for _ in range(length))

    return Code(draw(GROUP), SecretStr(draw(GROUP * SECRET_GROUPS)))


def read_code(typed: str) -> Code | None:
    """What somebody typed: case, blanks, dashes and misread letters do not matter. None where it cannot be a code."""
    bare = re.sub(r"[\s\-–—]+", "", typed[:200]).upper().translate(_MISREAD)
    if len(bare) != GROUP * (1 + SECRET_GROUPS) or any(character not in ALPHABET for character in bare):
        return None
    return Code(bare[:GROUP], SecretStr(bare[GROUP:]))


def new_salt() -> str:
    return secrets.token_hex(_SALT_BYTES)


def hash_of(code: Code, salt: str) -> str:
    """scrypt of id and secret, 16 MB and some 40 ms: as hexadecimal."""
    whole = (code.id + code.secret.get_secret_value()).encode()
    return hashlib.scrypt(whole, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()


def matches(code: Code, salt: str, expected: str) -> bool:
    """Whether this is the code that `expected` was made of; takes the same time either way."""
    return hmac.compare_digest(hash_of(code, salt), expected)
