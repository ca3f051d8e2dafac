"""A Supabase-like server of a chosen major with PulseCheck in it, and the reading role as its owner makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from apps.pulsecheck.twin.history import usage
from apps.pulsecheck.twin.seed import seed
from services.app_definition import AppDefinition, load_app
from services.connecting.reader_role import reader_role_sql, take_back_sql
from services.database.connect import connect
from services.database.deployment.receipts import make_schema
from services.database.server import Binaries, Server, scratch_server
from services.sandbox.postgres import LOGIN_ROLES, OWNER, Cluster

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RELEASE = Path(__file__).resolve().parents[3] / "apps/pulsecheck/releases/beta-optimization"
PASSWORD = "a-password-of-the-tests"

# Everything that grants leave in the catalog, with whom they name: what the fingerprint leaves out included.
TRACES = """
select 'relation', oid::regclass::text, coalesce(relacl, acldefault(
         case relkind when 'S' then 's'::"char" else 'r'::"char" end, relowner))::text from pg_class
  where relkind in ('r', 'p', 'v', 'm', 'S')
union all select 'column', attrelid::regclass::text || '.' || attname, attacl::text from pg_attribute
  where attacl is not null
union all select 'schema', nspname, coalesce(nspacl, acldefault('n', nspowner))::text from pg_namespace
  where nspname !~ '^pg_(toast_)?temp'
union all select 'function', oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner))::text from pg_proc
union all select 'database', datname, coalesce(datacl, acldefault('d', datdba))::text from pg_database
union all select 'policy', polrelid::regclass::text || '.' || polname, polroles::text from pg_policy
union all select 'role', rolname, rolconfig::text from pg_roles
union all select 'member', roleid::regrole::text, member::regrole::text from pg_auth_members
union all select 'setting', setrole::regrole::text, setconfig::text from pg_db_role_setting
"""


@dataclass
class World:
    """owner: a session of the non-superuser owner; admin: one of the superuser; reader: the address of ops_reader."""

    server: Server
    cluster: Cluster
    app: AppDefinition
    owner: psycopg.Connection[Any]
    admin: psycopg.Connection[Any]
    reader: str
    _session: psycopg.Connection[Any] | None = None

    def run(self, text: str) -> list[Any]:
        """Run a script as the owner, as an SQL editor does: all statements at once; the rows of the last."""
        cursor = self.owner.execute(text.encode())
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []

    def make_reader(self, *, password: str | None = PASSWORD) -> list[Any]:
        return self.run(reader_role_sql(self.app, password=password))

    def take_back(self) -> None:
        self.run(take_back_sql())

    def traces(self) -> set[tuple[Any, ...]]:
        """Rights, policies, roles, memberships and settings, each ACL in an order of its own."""
        found = self.admin.execute(TRACES.encode()).fetchall()
        return {(kind, name, ",".join(sorted((told or "").strip("{}").split(",")))) for kind, name, told in found}

    def release(self) -> None:
        self.cluster.apply(sorted((RELEASE / "deploy").glob("*.sql")))
        with psycopg.connect(self.cluster.dsn(OWNER)) as conn:
            usage(conn, NOW, 1)
        make_schema(self.owner)

    def session(self) -> psycopg.Connection[Any]:
        """A session of the reader that is allowed to write as far as settings go, as fresh as a new one."""
        if self._session is None or self._session.closed:
            self._session = connect(self.reader)
        self._session.rollback()
        self._session.execute("discard all")
        self._session.execute("set default_transaction_read_only = off")
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def state_of(self, statement: str) -> tuple[str | None, str]:
        """Try a statement as the reader: the SQLSTATE of its refusal, None where it went through, and all it showed."""
        shown: list[Any] = []
        conn = self.session()

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            shown.append(diagnostic.message_primary)

        conn.add_notice_handler(note)
        try:
            if statement.startswith("copy") and "to stdout" in statement:
                with conn.cursor().copy(statement.encode()) as copy:
                    shown.extend(bytes(block) for block in copy)
            else:
                cursor = conn.execute(statement.encode())
                while True:
                    shown.extend(cursor.fetchall() if cursor.description else [])
                    if not cursor.nextset():
                        break
        except psycopg.Error as error:
            shown.append(str(error))
            return error.sqlstate or type(error).__name__, str(shown)
        finally:
            conn.remove_notice_handler(note)
        return None, str(shown)

    def let_through(self, statements: Sequence[str]) -> dict[str, str | None]:
        """Those that were not refused for want of rights, with what they were answered."""
        answers = {statement: self.state_of(statement)[0] for statement in statements}
        return {statement: state for statement, state in answers.items() if state != "42501"}


@contextmanager
def reader_world(binaries: Binaries) -> Iterator[World]:
    """The world before the release, with its server; gone when the block is left."""
    with scratch_server(binaries=binaries) as server:
        cluster = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES})
        cluster.prepare()
        cluster.fill(seed, NOW, 1)
        with connect(cluster.dsn(OWNER)) as owner, connect(server.dsn(cluster.database)) as admin:
            reader = server.dsn(cluster.database, "ops_reader", PASSWORD)
            world = World(server, cluster, load_app("pulsecheck"), owner, admin, reader)
            try:
                yield world
            finally:
                world.close()
