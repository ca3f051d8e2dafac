"""Knows by which regular expressions a server finds a private key in the text of a JSON value, whatever its depth."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.console.private_names import COUNTING, KEYS, MAIL, PRIVATE, TOKENS, WITHIN, is_address
from services.database.names import literal

_C = r'[^"\\]'
"""A character of a key. Keys with a backslash may hide any character, so all of them are private."""

_GAP = r'[^A-Za-z"\\]*'
_CLOSE = r'\\*"\s*:\s*\\*'
"""The end of a key, up to its value; a backslash before the quotes where JSON is kept as a text within JSON."""

_AFTER_LOWER = rf'(?:[^a-z"\\]{_C}*)?'
_AFTER_UPPER = rf'(?:[^A-Za-z"\\]{_C}*|[A-Z][a-z]{_C}*)?'

_ROOTS = frozenset({"pass", "secret", "key", "token", "card", "identity", "raw"})
"""One of them, or of the private words, stands in whatever KEYS and WITHIN find."""


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """Expressions for JSON as `to_json` writes it. Several small ones are much faster than one.

    hidden: keys that may hide any character; hints: whether a closer look is needed, in any case of letters; sure: a
    private key; unsure: one unless it is found with the text that `harmless` finds alone.
    """

    hidden: str
    hints: str
    sure: tuple[str, ...]
    harmless: str
    unsure: tuple[str, ...]


@lru_cache(maxsize=16)
def private_keys(declared: frozenset[str], *, addresses: bool) -> PrivateKeys:
    """What finds a private key; it errs to finding more than there is.

    declared: names of private columns, each of which is a private key; addresses: whether e-mails are shown. Others
    are judged by their words as a column of that name would be, by a type as the value has it.
    """
    address = _any(_word(MAIL), rf"{_C}*{_spread('email')}{_C}*")
    keys = [
        _word([*PRIVATE, TOKENS]),
        rf"{_first(KEYS)}{_GAP}(?:[kK]eys?{_AFTER_LOWER}|KEYS?{_AFTER_UPPER})",
        rf"{_C}*{_spread(WITHIN.pattern)}{_C}*",
        *([] if addresses else [address]),
    ]
    counted = _any(_word([*COUNTING, TOKENS]), rf"{_C}*{_spread(TOKENS)}{_GAP}")
    tokens, counting, border = _word([TOKENS]), _word(COUNTING), r'(?:[^A-Za-z"\\]|(?=[A-Z]))'
    by_kind = rf"(?:{tokens}{border}{counting}|{counting}{border}{tokens}){_CLOSE}[\[{{]"
    harmless = [rf"{counted}{_CLOSE}[-0-9]", by_kind, *([f"{address}{_CLOSE}"] if addresses else [])]
    names = [_spelt(name) for name in sorted(declared) if not is_address(name, "text")]
    sure = [f'"{_any(*names)}{_CLOSE}[^n\\s]'] if names else []
    sure += [] if addresses else [f'"{key}{_CLOSE}"' for key in keys]
    return PrivateKeys(
        hidden=rf'"{_C}*\\.(?:{_C}|\\.)*"\s*:',
        hints=f'"{_C}*{_any(*sorted(PRIVATE | MAIL | _ROOTS), *names)}{_C}*{_CLOSE}',
        sure=tuple(sure),
        harmless=f'"{_any(*harmless)}',
        unsure=tuple(f'"{key}{_CLOSE}[^tfn\\s]' for key in keys),
    )


def _any(*patterns: str) -> str:
    return f"(?:{'|'.join(patterns)})"


def _word(words: Collection[str]) -> str:
    """A key one of whose words is one of these: my_phone, myPhone, PHONENumber, but neither phoney nor Xphone."""
    return _any(rf"{_first_lower(words)}{_AFTER_LOWER}", rf"{_first_upper(words)}{_AFTER_UPPER}")


def _first(words: Collection[str]) -> str:
    return _any(_first_lower(words), _first_upper(words))


def _first_lower(words: Collection[str]) -> str:
    lower, capital = _any(*sorted(words)), _any(*sorted(word.capitalize() for word in words))
    return _any(rf'(?:{_C}*[^A-Za-z"\\])?{lower}', f"{_C}*{capital}")


def _first_upper(words: Collection[str]) -> str:
    return rf'(?:{_C}*[^A-Z"\\])?{_any(*sorted(word.upper() for word in words))}'


def _spread(pattern: str) -> str:
    """The same in any case and with anything but letters in between; $ is the end of the key."""
    spread = re.sub("[a-z]", lambda found: f"(?:{_GAP}[{found[0]}{found[0].upper()}])", pattern)
    return _any(spread.replace("$", rf'(?={_GAP}\\*")'))


def _spelt(name: str) -> str:
    """error_message, errorMessage, ERROR-MESSAGE."""
    return "[_-]?".join(_letters(part) for part in name.split("_"))


def _letters(part: Iterable[str]) -> str:
    return "".join(
        f"[{one.lower()}{one.upper()}]" if one.isalpha() and one.isascii() else one if one.isalnum() else f"\\{one}"
        for one in part
    )


def has_private_key(value: str, keys: PrivateKeys) -> str:
    """An SQL condition on a value that has keys: JSON, a row, an array of such. NULL where the value is."""
    text = f"pg_catalog.to_json({value})::pg_catalog.text"
    left = f"pg_catalog.regexp_replace({text}, {literal(keys.harmless)}, '', 'g')"
    return (
        f"({_finds(text, [keys.hidden])} OR ({text} OPERATOR(pg_catalog.~*) {literal(keys.hints)}"
        f" AND ({_finds(text, keys.sure)} OR ({_finds(text, keys.unsure)} AND {_finds(left, keys.unsure)}))))"
    )


def _finds(text: str, patterns: Sequence[str]) -> str:
    found = ", ".join(map(literal, patterns))
    return f"{text} OPERATOR(pg_catalog.~) ANY (ARRAY[{found}]::pg_catalog.text[])"
