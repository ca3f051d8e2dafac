"""Migrations of our own store, in order."""
