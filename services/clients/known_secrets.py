"""Secrets whose values are known: the forms in which they turn up in a text, and where in it."""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, urlsplit

SHORTEST = 6
"""Shorter values are not blanked: that would destroy ordinary words."""
_SHORTEST_CORE = 8
_PARTING = re.compile(
    r"(?:\x1b|\\u001[bB]|\\x1[bB]|\\033|\\e)\[[0-9;]{0,12}[A-Za-z]|[ \t]{0,8}(?:\r?\n|\\r?\\n|\\n)[ \t]{0,40}"
)


@lru_cache(maxsize=32)
def forms_of(secrets: frozenset[str]) -> tuple[str, ...]:
    """Every form of every secret, the longest first: as it is, in URLs, JSON, HTML, base64 and hexadecimal.

    A database address also stands for the password in it.
    """
    values = {value for secret in secrets for value in (secret, *_passwords(secret)) if len(value) >= SHORTEST}
    forms = {form for value in values for form in _forms(value)}
    return tuple(sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True))


def _passwords(secret: str) -> Iterable[str]:
    if "://" not in secret:
        return ()
    try:
        password = urlsplit(secret).password
    except ValueError:
        return ()
    return (password, unquote(password)) if password else ()


def _forms(value: str) -> Iterable[str]:
    raw = value.encode("utf-8", errors="surrogatepass")
    once = quote(value, safe="", errors="replace")
    yield from (value, once, quote(value, errors="replace"), quote_plus(value, errors="replace"), quote(once, safe=""))
    yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), once)
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (escaped, escaped.replace("/", "\\/"), json.dumps(escaped)[1:-1])
    yield from (repr(value)[1:-1], html.escape(value), raw.hex())
    yield from _in_base64(raw)


def _in_base64(raw: bytes) -> Iterable[str]:
    """What base64 makes of the bytes wherever they begin in a longer text: the characters that no neighbour changes."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode()
        begin = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        core = whole[begin:end]
        if len(core) >= _SHORTEST_CORE:
            yield from (core, core.replace("+", "-").replace("/", "_"), quote(core, safe=""))


def blanked(text: str, secrets: Iterable[str], hidden: str) -> str:
    """The text with every form of every secret replaced, those parted by colour codes or line ends included."""
    forms = [form for form in forms_of(frozenset(secrets)) if form not in hidden]
    if not forms:
        return text
    for form in forms:
        if form in text:
            text = text.replace(form, hidden)
    return _blanked_across_partings(text, forms, hidden)


def _blanked_across_partings(text: str, forms: list[str], hidden: str) -> str:
    """Found in the text without its partings, blanked in the text with them."""
    kept: list[str] = []
    begins: list[int] = []
    shifts: list[int] = []
    at = length = 0
    for parting in _PARTING.finditer(text):
        kept.append(text[at : parting.start()])
        begins.append(length)
        shifts.append(at - length)
        length += parting.start() - at
        at = parting.end()
    if not kept:
        return text
    begins.append(length)
    shifts.append(at - length)
    joined = "".join([*kept, text[at:]])

    def place(offset: int) -> int:
        return offset + shifts[bisect_right(begins, offset) - 1]

    spans = [(place(found), place(found + len(form) - 1) + 1) for form in forms for found in _all(joined, form)]
    return _replaced(text, spans, hidden)


def _all(text: str, form: str) -> Iterable[int]:
    found = text.find(form)
    while found >= 0:
        yield found
        found = text.find(form, found + len(form))


def _replaced(text: str, spans: list[tuple[int, int]], hidden: str) -> str:
    pieces: list[str] = []
    at = 0
    for begin, end in sorted(spans):
        if begin >= at:
            pieces.extend((text[at:begin], hidden))
        at = max(at, end)
    return "".join([*pieces, text[at:]])
