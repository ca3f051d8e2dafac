"""Secrets and e-mail addresses of every shape, made up from a seed, to be planted and looked for everywhere."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

WORDS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Planted:
    """What is planted, and what must be found nowhere: of an address with a password that is the password alone."""

    text: str
    secret: str

    @property
    def forms(self) -> tuple[str, ...]:
        """The secret as it is, and as it looks encoded for an address."""
        return tuple(dict.fromkeys((self.secret, quote(self.secret, safe=""))))


def plant(count: int, seed: int) -> list[Planted]:
    """So many of them, every shape about equally often."""
    rng = random.Random(seed)
    return [SHAPES[number % len(SHAPES)](rng) for number in range(count)]


def _letters(rng: random.Random, length: int, alphabet: str = WORDS) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _whole(text: str) -> Planted:
    return Planted(text, text)


def _jwt(rng: random.Random) -> Planted:
    def part(length: int) -> str:
        return base64.urlsafe_b64encode(rng.randbytes(length)).decode().rstrip("=")

    return _whole(f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{part(60)}.{part(32)}")


def _dsn(rng: random.Random) -> Planted:
    password = _letters(rng, 20, WORDS + "-_.~!")
    return Planted(f"postgresql://postgres.abcdefghij:{password}@db.example.test:5432/postgres", password)


def _mail(rng: random.Random) -> Planted:
    return _whole(f"{_letters(rng, 9, string.ascii_lowercase)}.{_letters(rng, 7, string.ascii_lowercase)}@example.test")


SHAPES: tuple[Callable[[random.Random], Planted], ...] = (
    lambda rng: _whole(f"sk-{_letters(rng, 48)}"),
    lambda rng: _whole(f"sk-proj-{_letters(rng, 120, WORDS + '-_')}x"),
    lambda rng: _whole(f"sk-svcacct-{_letters(rng, 60, WORDS + '-_')}x"),
    lambda rng: _whole(f"sbp_{_letters(rng, 40, '0123456789abcdef')}"),
    lambda rng: _whole(f"sbp_fc{_letters(rng, 44, '0123456789abcdef')}"),
    lambda rng: _whole(f"sb_secret_{_letters(rng, 22)}_{_letters(rng, 8)}"),
    _jwt,
    _dsn,
    _mail,
    _mail,
)
