"""Migrations as files and as a target's own list of those that it has had."""
