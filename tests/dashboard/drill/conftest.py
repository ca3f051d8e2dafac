"""Fixtures of the drill's tests."""

from tests.dashboard.cli.conftest import logs_as_before

__all__ = ["logs_as_before"]
