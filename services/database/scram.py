"""Knows what Postgres keeps of a password: enough to check it, not enough to sign in with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

ITERATIONS = 4096
"""What a server takes itself; it makes guessing slow."""


def scram_verifier(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """The verifier of an ASCII password (RFC 5803, SCRAM-SHA-256), as ALTER ROLE takes it in place of the password.

    salt: default 16 random bytes. iterations: each sign-in takes them once more on the client; a password that nobody
    can guess, of a hundred random bits or more, is as safe with one.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server = _hmac(salted, b"Server Key")
    told = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{told[0]}${told[1]}:{told[2]}"


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha256").digest()
