"""Knows the place where the statements run: a server of its own, with Supabase's roles and two sizes of one app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg import sql

from services.database.server import Binaries, Server, scratch_server
from services.sandbox.postgres import LOGIN_ROLES, OWNER, SKELETON, Cluster
from tests.dangers.cases import HERE, Case

SMALL, LARGE = 100, 1500
"""Rows of the largest table: work that grows from one to the other grows with production."""

_ROLES = """
CREATE ROLE app_reader NOLOGIN; CREATE ROLE app_keeper NOLOGIN; CREATE ROLE nobody_known NOLOGIN;
GRANT app_keeper TO postgres; GRANT app_reader TO postgres;
"""
_ATTRIBUTES = ("SUPERUSER", "CREATEROLE", "CREATEDB", "LOGIN", "REPLICATION", "BYPASSRLS")


class World:
    """`clone(rows)` gives a fresh database of that size; roles are put back by `roles_back`."""

    def __init__(self, server: Server, sizes: tuple[int, ...]) -> None:
        self.server = server
        self.cluster = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES})
        self.cluster.prepare()
        self._numbers = count(1)
        self.admin = psycopg.connect(server.dsn(), autocommit=True)
        self.admin.execute(_ROLES)
        self._roles, self._members = self._who(), self._memberships()
        for rows in sizes:
            self._make(rows)

    def _make(self, rows: int) -> None:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        self.admin.execute(made.format(*(sql.Identifier(one) for one in (f"base_{rows}", SKELETON, OWNER))))
        text = (HERE / "base.sql").read_text(encoding="utf-8").replace("{rows}", str(rows))
        with psycopg.connect(self.cluster.dsn(OWNER, f"base_{rows}"), autocommit=True) as owner:
            owner.execute(text.encode())
            owner.execute("ANALYZE")

    @contextmanager
    def clone(self, rows: int) -> Iterator[str]:
        """The name of a fresh database, which is dropped afterwards."""
        name = f"clone_{next(self._numbers)}"
        template = sql.Identifier(f"base_{rows}")
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        self.admin.execute(made.format(sql.Identifier(name), template, sql.Identifier(OWNER)))
        try:
            yield name
        finally:
            self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def runner(self, case: Case, name: str) -> psycopg.Connection[Any]:
        """A connection of whoever runs the case: the owner, as a deploy does, or the superuser."""
        address = self.server.dsn(name) if case.superuser else self.cluster.dsn(OWNER, name)
        return psycopg.connect(address, autocommit=True, prepare_threshold=None)

    def superuser(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.dsn(name), autocommit=True, prepare_threshold=None)

    def roles_back(self) -> None:
        """Roles belong to the whole server: take back what a case did to them."""
        for member, role in self._memberships() - self._members:
            self.admin.execute(
                sql.SQL("REVOKE {} FROM {} CASCADE").format(sql.Identifier(role), sql.Identifier(member))
            )
        now = self._who()
        for name in now.keys() - self._roles.keys():
            self.admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
        for name, had in self._roles.items():
            if now[name] != had:
                words = " ".join(word if held else f"NO{word}" for word, held in zip(_ATTRIBUTES, had, strict=True))
                self.admin.execute(sql.SQL("ALTER ROLE {} ").format(sql.Identifier(name)) + sql.SQL(words))

    def _who(self) -> dict[str, tuple[bool, ...]]:
        rows = self.admin.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname !~ '^pg_'"
        )
        return {row[0]: tuple(row[1:]) for row in rows.fetchall()}

    def _memberships(self) -> set[tuple[str, str]]:
        rows = self.admin.execute("SELECT pg_get_userbyid(member), pg_get_userbyid(roleid) FROM pg_auth_members")
        return {(str(member), str(role)) for member, role in rows.fetchall()}


@contextmanager
def danger_world(binaries: Binaries | None = None, *, sizes: tuple[int, ...] = (SMALL, LARGE)) -> Iterator[World]:
    """A server of its own, since cases change roles, which other tests would see."""
    # An autovacuum in the midst of it would change plans, and so what is work.
    with scratch_server(binaries=binaries, options={"autovacuum": "off"}) as server:
        world = World(server, sizes)
        yield world
        world.admin.close()
