"""Knows how the SQL texts of this folder are filled: nothing filled in can end a comment, a string or a block."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from services.database.fingerprint import Fingerprint

_TEXTS = Path(__file__).parent


def filled(name: str, /, **values: str) -> str:
    """A text of this folder with its `{{places}}` filled; what is filled in is never searched for further places.

    `{{tag}}` is a dollar-quote tag that none of the values contains.
    """
    raw = (_TEXTS / name).read_text(encoding="utf-8")
    given = {"tag": free_tag(" ".join(values.values())), **values}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: given[found[1]], raw)


def free_tag(text: str) -> str:
    """A dollar-quote tag that the text does not contain."""
    number = 0
    while f"$ops{number}" in text:
        number += 1
    return f"ops{number}"


def quoted(text: str) -> str:
    """A text between dollar quotes of its own; a line break keeps a comment at its end from swallowing the quote."""
    tag = free_tag(text)
    return f"${tag}${text}\n${tag}$"


def one_line(text: str) -> str:
    """A text for a comment: whatever could end the line, or is not seen, is replaced."""
    return "".join(character if character.isprintable() else "?" for character in text)


def packed(fingerprint: Fingerprint) -> str:
    """A catalog as the bytea that a receipt keeps."""
    return f"pg_catalog.decode('{base64.b64encode(fingerprint.packed()).decode()}', 'base64')"
