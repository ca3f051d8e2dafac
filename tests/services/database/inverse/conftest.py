"""Fixtures: databases for the rich schema."""

from tests.services.database.definitions.databases import databases

__all__ = ["databases"]
