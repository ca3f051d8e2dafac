"""A schema with one of everything that definitions are written for, and the roles that it names."""

from pathlib import Path

ROLES = ("def_anon", "def_member", "def_owner", '"Def Role"')
SCHEMA = Path(__file__).with_suffix(".sql").read_text()
