"""Knows which columns hold something private by their name alone: keys, telephone numbers, addresses and the like."""

from __future__ import annotations

import re
from itertools import pairwise

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
"""The words of password_hash, passwordHash, PasswordHash and APIKey."""

_PRIVATE_WORDS = """
    password passwords passwd pwd passphrase passcode secret secrets token jwt otp cookie cookies credential
    credentials hash hashed hashes salt encrypted phone phones telephone mobile fax ssn iban passport cvv cvc address
    addresses street zip postcode zipcode
"""
PRIVATE = frozenset(_PRIVATE_WORDS.split())
TOKENS = "tokens"
KEYS = frozenset({"api", "access", "private", "secret", "service", "signing", "encryption", "auth", "master"})
"""What a key has before it where it opens something; other keys are names."""

WITHIN = re.compile(
    r"password|passwd|passphrase|secret(?!ar)|(api|access|private|service|signing|encryption)key|tokens?$|phonenumber"
    r"|mobilenumber|creditcard|cardnumber|identitydata|raw(user|app)metadata"
)
"""What is private in a name without any border between its words, to which passwordHash becomes without quotes."""

MAIL = frozenset({"mail", "mails", "email", "emails", "gmail"})
_COUNTING_WORDS = """
    count counts counted used usage total max min avg average mean sum limit limits quota budget cost costs
    price per rate remaining left spent prompt completion input output cached reasoning context
"""
COUNTING = frozenset(_COUNTING_WORDS.split())
_NUMBER = re.compile(r"(smallint|integer|bigint|numeric|real|double precision|money)\b")
_NO_VALUE = re.compile(r"(boolean|date|timestamp|time|interval)\b")


def is_address(column: str, kind: str) -> bool:
    """Whether a column holds e-mail addresses. kind: its type, as `format_type` writes it; a yes or no, or a time, is
    none."""
    words = _words(column)
    named = bool(MAIL & set(words)) or "email" in "".join(words)
    return named and not _NO_VALUE.match(kind) and not _is_count(words, kind)


def is_private(column: str, kind: str) -> bool:
    """Whether a column holds what nobody is shown. How many tokens an AI has used is no token."""
    words = _words(column)
    if _NO_VALUE.match(kind) or _is_count(words, kind):
        return False
    return (
        bool(PRIVATE & set(words))
        or TOKENS in words
        or any(first in KEYS and second in ("key", "keys") for first, second in pairwise(words))
        or WITHIN.search("".join(words)) is not None
    )


def _is_count(words: list[str], kind: str) -> bool:
    """Whether it is a number of such things: in its name, and of a type that holds no text."""
    of_numbers = _NUMBER.match(kind) is not None
    return (of_numbers and ("".join(words).endswith(TOKENS) or TOKENS in words or bool(COUNTING & set(words)))) or (
        kind.startswith("json") and TOKENS in words and bool(COUNTING & set(words))
    )


def _words(column: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(column)]
