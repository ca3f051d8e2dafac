"""Fixtures of the web process."""

from tests.dashboard.serving import auth_url, served

__all__ = ["auth_url", "served"]
