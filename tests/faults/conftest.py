"""One house for the kills of a file; each test leaves it as it found it."""

from tests.house import house

__all__ = ["house"]
