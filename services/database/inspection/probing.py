"""Knows how to try a statement so that nothing of it stays: as which role, for how long, and what the server said."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from services.database.connect import connect, connection_parameters, patient
from services.database.execution import Cancelled, Stopped, never, run_sql
from services.database.names import identifier, literal

PROBE_S = 2.0
"""How long one try may take, in seconds."""

TOO_LONG = ("57014", "55P03", "40P01", "40001", "53300", "53400", "08006")
"""Answers that say nothing: cancelled by the clock, locked, out of resources, connection lost."""

# What a rollback does not take back, wherever it stands in a body.
REACHES_OUT = re.compile(
    r"\bdblink|\bhttp(?:_(?:get|post|put|delete|head|patch))?\s*\(|\bnet\.http|\bpg_(?:terminate|cancel)_backend"
    r"|\blo_(?:im|ex)port\b|\bpg_(?:read|write)_(?:binary_)?file|\bpg_file_|\bpg_(?:rotate_logfile|reload_conf|promote)\b"
    r"|\bpg_(?:create|drop)_\w*replication_slot|\b(?:to|from)\s+program\b|\bcopy\b[^;]*\b(?:to|from)\s+'",
    re.IGNORECASE,
)

_SAVEPOINT = "ops_probe"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to one try. sqlstate None: it went through; rows: the first rows, as the server's text."""

    sqlstate: str | None
    message: str = ""
    context: str = ""
    constraint: str = ""
    column: str = ""
    rows: tuple[tuple[str | None, ...], ...] = ()
    count: int = 0

    @property
    def good(self) -> bool:
        return self.sqlstate is None

    @property
    def says_nothing(self) -> bool:
        """True where neither yes nor no was said, such as after a time-out."""
        return self.sqlstate in TOO_LONG

    @property
    def first(self) -> str | None:
        return self.rows[0][0] if self.rows else None


NO_TIME = Answer("57014", "the time of the whole inspection was used up")
_LOST = Answer("08006", "the connection was lost")


@dataclass(slots=True)
class Budget:
    """The time of a whole inspection. until: monotonic seconds; cancelled: the person's wish to stop."""

    until: float
    cancelled: Cancelled = never
    not_tried: int = 0

    @classmethod
    def of(cls, seconds: float, cancelled: Cancelled = never) -> Budget:
        return cls(time.monotonic() + seconds, cancelled)

    def left_s(self) -> float:
        """Seconds left, never below zero. Raises Stopped once the person wishes it."""
        if self.cancelled():
            raise Stopped
        return max(0.0, self.until - time.monotonic())


@dataclass(slots=True)
class Prober:
    """A session that can take on every role that is no superuser, inside one transaction that is rolled back."""

    conn: psycopg.Connection[Any]
    budget: Budget
    search_paths: dict[str, str]
    roles: frozenset[str]

    def begin(self) -> None:
        self.conn.execute(
            "BEGIN; SET LOCAL lock_timeout = '500ms'; SET LOCAL client_min_messages = error;"
            f" SET LOCAL check_function_bodies = on; SAVEPOINT {_SAVEPOINT}"
        )

    def attempt(
        self, statement: str, *, role: str | None = None, claims: str | None = None, path: str | None = None,
        sample: int = 1,
    ) -> Answer:  # fmt: skip
        """Run the statements, then forget all they did (with the next try). role None: with the rights of all roles.

        claims: what the REST server leaves in the session of a caller; path: a search_path other than the role's own.
        """
        prefix = [f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", *self._as(role, claims, path)]
        return self._run("; ".join([*prefix, statement]), sample)

    def keep(self, statement: str, *, role: str | None = None) -> Answer:
        """Run the statements; what they did is there for all later tries, until the transaction ends."""
        prefix = [f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", *self._as(role, None, None)]
        done = self._run("; ".join([*prefix, statement]), 1)
        if done.good:
            self._run(f"RESET ROLE; SAVEPOINT {_SAVEPOINT}", 0)
        return done

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within: what is kept is forgotten when the block is left."""
        self._run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; SAVEPOINT ops_apart; SAVEPOINT {_SAVEPOINT}", 0)
        yield
        self._run("ROLLBACK TO SAVEPOINT ops_apart; RELEASE SAVEPOINT ops_apart", 0)

    def _as(self, role: str | None, claims: str | None, path: str | None) -> Iterator[str]:
        yield f"SET LOCAL statement_timeout = {round(1000 * max(0.02, min(PROBE_S, self.budget.left_s())))}"
        if claims is not None:
            yield f"SET LOCAL request.jwt.claims = {literal(claims)}"
        wanted = path if path is not None else self.search_paths.get(role or "")
        if wanted is not None:
            yield f"SET LOCAL search_path = {wanted or literal('')}"
        if role is not None and role in self.roles:
            yield f"SET LOCAL ROLE {identifier(role)}"

    def _run(self, text: str, sample: int) -> Answer:
        if self.conn.closed:
            return _LOST
        if not self.budget.left_s():
            self.budget.not_tried += 1
            return NO_TIME
        try:
            done = run_sql(self.conn, text, cancelled=self.budget.cancelled, sample=sample)
        except psycopg.Error as error:
            if error.sqlstate is None:
                self.conn.close()
                return _LOST
            said = error.diag
            return Answer(
                error.sqlstate,
                said.message_primary or "",
                said.context or "",
                said.constraint_name or "",
                said.column_name or "",
            )
        return Answer(None, rows=done.sample, count=done.count)


_PATHS = """
SELECT r.rolname, pg_catalog.substr(c, 13) FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) c
WHERE c LIKE 'search_path=%' AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database
                                                       WHERE datname = pg_catalog.current_database()))
ORDER BY s.setdatabase
"""


_TAKEN_ON = """
SELECT r.rolname FROM pg_catalog.pg_roles r
WHERE (r.rolname !~ '^pg_' OR r.rolname IN ('pg_read_all_data', 'pg_write_all_data'))
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_roles p WHERE pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER') AND (p.rolsuper
      OR p.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')))
"""


@contextmanager
def probers(urls: Sequence[str], budget: Budget) -> Iterator[list[Prober]]:
    """One prober for each of some databases of one scratch server, of which `urls` are the superuser's addresses.

    A role is made for it, which may act as every role but those that are superusers or reach the machine, since what
    is called is other people's code. It is gone when the block is left.
    """
    name, password = f"ops_inspector_{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    role = sql.Identifier(name)
    with ExitStack() as stack:
        admin = stack.enter_context(connect(urls[0]))
        databases = [sql.Identifier(connection_parameters(url)["dbname"]) for url in urls]
        rows = admin.execute(_TAKEN_ON).fetchall()
        roles = frozenset(str(row[0]) for row in rows)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN INHERIT BYPASSRLS PASSWORD {}").format(role, sql.Literal(password)))
        stack.callback(lambda: admin.execute(sql.SQL("DROP ROLE {}").format(role)))
        if roles:
            names = sql.SQL(", ").join(sql.Identifier(one) for one in sorted(roles))
            admin.execute(sql.SQL("GRANT {} TO {}").format(names, role))
        listed = sql.SQL(", ").join(databases)
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(listed, role))
        revoke = sql.SQL("REVOKE CONNECT ON DATABASE {} FROM {}").format(listed, role)
        stack.callback(lambda: admin.execute(revoke))
        made = []
        for url in urls:
            conn = stack.enter_context(connect(_as_other(url, name, password)))
            paths = {str(role): str(path) for role, path in conn.execute(_PATHS).fetchall()}
            prober = Prober(conn, budget, paths, roles)
            prober.begin()
            made.append(prober)
        yield made
        for prober in made:
            prober.conn.close()


def _as_other(url: str, user: str, password: str) -> str:
    parts = connection_parameters(url)
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", "5432")
    return patient(f"postgresql://{user}:{quote(password, safe='')}@{host}:{port}/{quote(parts['dbname'], safe='')}")
