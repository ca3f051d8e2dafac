"""Railway's filter language for logs: phrases, @key:value, ranges, AND, OR, - and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

Attributes = Mapping[str, str | int]
Matches = Callable[[str, Attributes], bool]

_TOKEN = re.compile(r'\s*(?:(?P<phrase>"[^"]*")|(?P<mark>[()])|(?P<minus>-(?=[@"(\w]))|(?P<word>[^\s()"]+))')
_PAIR = re.compile(r"@?(?P<key>[A-Za-z]+):(?P<value>.+)", re.DOTALL)
_RANGE = re.compile(r"(?P<low>\d+)\.\.(?P<high>\d+)")
_COMPARISON = re.compile(r"(?P<sign>>=|<=|>|<)(?P<number>\d+)")


class InvalidFilter(ValueError):
    """The filter is not in the language; the text says where it stops making sense."""


def log_filter(text: str | None) -> Matches:
    """What tells whether a line (its message and attributes) passes. No filter: every line does.

    Neighbours without a word between them are joined by AND, which binds closer than OR. Raises InvalidFilter.
    """
    tokens = _tokens(text or "")
    if not tokens:
        return lambda _message, _attributes: True
    parser = _Parser(tokens)
    found = parser.either()
    if parser.left:
        raise InvalidFilter(f"Unexpected '{parser.left[0]}' in the filter")
    return found


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if token is None:
            raise InvalidFilter(f"Unexpected '{text[at:].strip()[0]}' in the filter")
        found.append(token[token.lastgroup or 0])
        at = token.end()
    return found


class _Parser:
    def __init__(self, tokens: Sequence[str]) -> None:
        self.left = list(tokens)

    def either(self) -> Matches:
        choices = [self.both()]
        while self.left and self.left[0] == "OR":
            self.left.pop(0)
            choices.append(self.both())
        return lambda message, attributes: any(one(message, attributes) for one in choices)

    def both(self) -> Matches:
        parts = [self.one()]
        while self.left and self.left[0] not in {"OR", ")"}:
            if self.left[0] == "AND":
                self.left.pop(0)
            parts.append(self.one())
        return lambda message, attributes: all(one(message, attributes) for one in parts)

    def one(self) -> Matches:
        if not self.left:
            raise InvalidFilter("The filter ends too early")
        token = self.left.pop(0)
        if token == "-":
            denied = self.one()
            return lambda message, attributes: not denied(message, attributes)
        if token == "(":
            inner = self.either()
            if not self.left or self.left.pop(0) != ")":
                raise InvalidFilter("A parenthesis is not closed in the filter")
            return inner
        if token in {")", "AND", "OR"}:
            raise InvalidFilter(f"Unexpected '{token}' in the filter")
        return _term(token)


def _term(token: str) -> Matches:
    if token.startswith('"'):
        return _contains(token[1:-1])
    pair = _PAIR.fullmatch(token)
    if pair is None:
        return _contains(token)
    key, wanted = pair["key"], pair["value"].strip('"')
    accepts = _accepts(wanted)
    return lambda _message, attributes: key in attributes and accepts(attributes[key])


def _contains(words: str) -> Matches:
    lowered = words.lower()
    return lambda message, _attributes: lowered in message.lower()


def _accepts(wanted: str) -> Callable[[str | int], bool]:
    if span := _RANGE.fullmatch(wanted):
        low, high = int(span["low"]), int(span["high"])
        return lambda value: isinstance(value, int) and low <= value <= high
    if comparison := _COMPARISON.fullmatch(wanted):
        sign, number = comparison["sign"], int(comparison["number"])
        return lambda value: isinstance(value, int) and _compare(value, sign, number)
    return lambda value: str(value).lower() == wanted.lower()


def _compare(value: int, sign: str, number: int) -> bool:
    if sign.startswith(">"):
        return value > number or (sign == ">=" and value == number)
    return value < number or (sign == "<=" and value == number)
