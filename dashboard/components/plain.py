"""Untrusted text in Markdown: Streamlit renders links, images and headings from any string it is given as Markdown."""

from __future__ import annotations

import re

# CommonMark lets ASCII punctuation be escaped; ":" and "$" are Streamlit's own (":red[..]", ":material/..:", "$..$").
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$^&/@\"'=])")
_BREAKS = re.compile(r"\s*[\r\n\u2028\u2029]+\s*")
# Addresses become links even where their punctuation is escaped; an invisible joiner in them prevents it.
_ADDRESS = re.compile(r"(@|://|www)(?=[\w.-])", re.IGNORECASE)
_JOINER = "\u2060"
_HIDDEN = re.compile(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def plain(text: object, *, limit: int = 500) -> str:
    """`text` as one line that Markdown shows as it is; longer than `limit` characters, it is cut and says so.

    Control characters and those that turn the direction of writing are dropped: they make text read as what it is not.
    """
    line = _BREAKS.sub(" ", _HIDDEN.sub("", str(text))).strip()
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return _SPECIAL.sub(r"\\\1", _ADDRESS.sub(rf"\1{_JOINER}", line))


def strong(text: object) -> str:
    """`text` in bold, shown as it is."""
    shown = plain(text)
    return f"**{shown}**" if shown else ""
