"""Changing a Postgres database: split, rehearse, deploy, verify, roll back, restore."""
