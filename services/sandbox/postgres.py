"""Makes a Postgres cluster look like a Supabase project, and fills databases in it from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from services.database.server import Server
from services.sandbox.accounts import Account

OWNER = "postgres"
READ_ONLY = "supabase_read_only_user"
AUTHENTICATOR = "authenticator"
LOGIN_ROLES = (OWNER, READ_ONLY, AUTHENTICATOR)

APP_DATABASE = "postgres"
SKELETON = "supabase_skeleton"
_MAINTENANCE = "template1"

SANDBOX_OPTIONS: Mapping[str, str] = {
    # Supabase's limit for every role that has none of its own: two minutes.
    "statement_timeout": "120000",
    "log_timezone": "UTC",
    # People's rows and texts stay out of the server's log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

_HERE = Path(__file__).parent
_ROLES = (_HERE / "supabase_roles.sql").read_text(encoding="utf-8")
_SCHEMAS = (_HERE / "supabase_schemas.sql").read_text(encoding="utf-8")

Seed = Callable[[psycopg.Connection, datetime, int], None]


class Cluster:
    """A server with Supabase's roles. passwords: of the roles that log in, by role name; database: the app's."""

    def __init__(self, server: Server, passwords: Mapping[str, str], database: str = APP_DATABASE) -> None:
        self.server = server
        self.database = database
        self._passwords = dict(passwords)

    def dsn(self, role: str = OWNER, dbname: str | None = None) -> str:
        """The address of a database, by default the app's, for one of the roles that log in."""
        name = quote(dbname or self.database)
        return f"postgresql://{role}:{quote(self._passwords[role], safe='')}@127.0.0.1:{self.server.port}/{name}"

    def prepare(self) -> None:
        """Make the roles and the empty Supabase-like database `SKELETON`; a second call costs one query."""
        version = sha256((_ROLES + _SCHEMAS).encode()).hexdigest()[:16]
        with closing(self._admin()) as admin:
            if self._comment(admin, SKELETON) == version:
                return
            admin.execute(_ROLES.encode())
            for role in LOGIN_ROLES:
                admin.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(self._passwords[role])
                    )
                )
            self._replace(admin, SKELETON, "template0")
            with psycopg.connect(self.server.dsn(SKELETON)) as conn:
                conn.execute(_SCHEMAS.encode())
            self._set_comment(admin, SKELETON, version)

    def fill(self, seed: Seed, anchor: datetime, number: int) -> None:
        """Replace the app's database, ending every connection to it, by a Supabase-like one that `seed` has filled.

        seed runs as the owner; anchor and number are handed on to it. 200 ms for some thousand rows.
        """
        with closing(self._admin()) as admin:
            self._replace(admin, self.database, SKELETON)
        with psycopg.connect(self.dsn(OWNER)) as conn:
            seed(conn, anchor, number)

    def add_accounts(self, accounts: Iterable[Account], made: datetime) -> None:
        """Write the people who can sign in to auth.users, as Auth would have; without their passwords.

        Who is there already stays as they are.
        """
        with psycopg.connect(self.server.dsn(self.database)) as conn, conn.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO auth.users (id, aud, role, email, email_confirmed_at, raw_app_meta_data,"
                " raw_user_meta_data, created_at, updated_at)"
                " SELECT %(id)s, 'authenticated', 'authenticated', %(email)s, %(made)s, %(app)s, %(own)s, %(made)s,"
                " %(made)s WHERE NOT EXISTS (SELECT FROM auth.users WHERE id = %(id)s)",
                [
                    {
                        "id": one.id,
                        "email": one.email,
                        "made": made,
                        "app": Jsonb(one.app_metadata),
                        "own": Jsonb(one.user_metadata),
                    }
                    for one in accounts
                ],
            )

    def has_database(self) -> bool:
        """Is the app's database there?"""
        with closing(self._admin()) as admin:
            return admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database]).fetchone() is not None

    def answers(self, role: str = OWNER) -> bool:
        """Does the app's database take a connection of the role within two seconds?"""
        try:
            psycopg.connect(self.dsn(role), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def apply(self, scripts: Sequence[Path]) -> None:
        """Run SQL files as the owner, all in one transaction, as `psql -1 -v ON_ERROR_STOP=1` would."""
        with psycopg.connect(self.dsn(OWNER)) as conn:
            for script in scripts:
                conn.execute(script.read_bytes())

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.server.dsn(_MAINTENANCE), autocommit=True)

    def _replace(self, admin: psycopg.Connection, name: str, template: str) -> None:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER)
            )
        )

    @staticmethod
    def _comment(admin: psycopg.Connection, name: str) -> str | None:
        row = admin.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
        return None if row is None else row[0]

    @staticmethod
    def _set_comment(admin: psycopg.Connection, name: str, text: str) -> None:
        admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text)))
