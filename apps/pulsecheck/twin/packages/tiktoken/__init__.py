"""What the beta image holds of tiktoken: token counts by a rule of thumb, without the vocabulary files."""

from __future__ import annotations

import re

__version__ = "0.5.1"

_PIECES = re.compile(r"\w{1,4}|[^\w\s]")


class Encoding:
    """Cuts text into pieces of at most four letters, which comes close to what the real encodings count in English."""

    def encode(self, text: str) -> list[str]:
        return _PIECES.findall(text)


def get_encoding(_name: str) -> Encoding:
    return Encoding()
