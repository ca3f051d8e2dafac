"""Knows how to reach a Postgres database in bounded time, how to say why it cannot be reached, and what kind it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import conninfo
from psycopg.types.json import set_json_dumps

from services.errors import NotUnderstood, OpsError, Refused, Unavailable

APPLICATION_NAME = "release-cockpit"
_TRANSACTION_POOLER_PORT = "6543"
_DEADLINE_S = 2
_LONGEST_S = 60
_PATIENCE_S = 30
_KEEP_ALIVE: Mapping[str, str] = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What a connection leads to. `size_bytes` is the database's size on disk.

    transaction_pooler: our statements may run on different servers, so no lock and no setting lasts.
    may_create: the role may create objects in schema public; may_create_schema: schemas in the database.
    not_owned: tables and views in schema public that the role cannot alter (up to 5 names).
    """

    database: str
    user: str
    major: int
    superuser: bool
    may_create: bool
    may_create_schema: bool
    not_owned: tuple[str, ...]
    pooler: bool
    transaction_pooler: bool
    size_bytes: int
    schemas: tuple[str, ...]
    loopback: bool


def resolve_url(value: str, environ: Mapping[str, str]) -> str:
    """A database URL as it is, or the one in the environment variable that `env:NAME` names.

    Raises NotUnderstood for an unset variable; the URL itself is checked by `connect`.
    """
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    if not environ.get(name):
        raise NotUnderstood(
            f"The environment variable {name or '(none named)'} holds no database URL.",
            "Nothing was contacted.",
            "Set it, or name another with env:NAME.",
            place="--database",
        )
    return environ[name]


def connection_parameters(url: str) -> dict[str, str]:
    """The parts of a postgresql:// URL. Raises NotUnderstood, never repeating the URL: it may hold a password."""
    hint = "Write postgresql://user:password@host:5432/database, with @ : / # % in the password percent-encoded."
    if not re.match(r"postgres(?:ql)?://", url):
        raise NotUnderstood("The database URL does not begin with postgresql://.", "Nothing was contacted.", hint)
    try:
        parts = {key: str(value) for key, value in conninfo.conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError as error:
        raise NotUnderstood("The database URL is malformed.", "Nothing was contacted.", hint) from error
    port = parts.get("port", "5432")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise NotUnderstood("The database URL has no valid port.", "Nothing was contacted.", hint)
    return parts


def patient(url: str) -> str:
    """The address of a server that we started ourselves, with half a minute to get in: no network is in the way, and
    only a busy machine keeps it from answering."""
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={_PATIENCE_S}"


def place_of(url: str) -> str:
    """Where a URL leads, without user and password: "host:port/database"."""
    parts = connection_parameters(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"


def is_loopback(url: str) -> bool:
    """True if the URL leads to this machine: a loopback address or a local socket."""
    host = connection_parameters(url).get("host", "/")
    return host == "localhost" or host.startswith(("/", "127.")) or host == "::1"


def connect(
    url: str,
    *,
    deadline_s: float | None = None,
    read_only: bool = False,
    application_name: str = APPLICATION_NAME,
    statement_timeout_s: float | None = None,
) -> psycopg.Connection[Any]:
    """A connection in autocommit mode; transactions are opened by name where they are wanted.

    deadline_s: seconds to get in; by default what the address says (connect_timeout, at most a minute), else two.
    statement_timeout_s: seconds per statement, as a session setting. By the address of a transaction pooler nothing is
    set, since a session's settings there stay on servers that others are given: wrap what is read in
    `read_only_transaction`.
    Raises NotUnderstood (malformed URL), Refused (the server said no), Unavailable (no answer), each one sentence.
    """
    parts = connection_parameters(url)
    options = dict(parts) | dict(_KEEP_ALIVE)
    options["application_name"] = application_name
    # Scripts are read as UTF-8. By the database's own default a name in SQL_ASCII would come as bytes, and a letter
    # that LATIN1 lacks would not get out of the driver, instead of being refused by the server.
    options["client_encoding"] = "UTF8"
    options["connect_timeout"] = str(max(2, round(_deadline_of(parts) if deadline_s is None else deadline_s)))
    try:
        conn = psycopg.connect(conninfo.make_conninfo("", **options), autocommit=True, prepare_threshold=None)
    except (psycopg.Error, UnicodeError, OSError) as error:
        # The driver's text may repeat parts of the URL, so it is read here and not passed on.
        raise _explained(str(error), parts) from None
    # Escaped letters in JSON are turned back by the server, which SQL_ASCII cannot.
    set_json_dumps(partial(json.dumps, ensure_ascii=False), conn)
    if is_transaction_pooler(url):
        return conn
    try:
        settings = {"statement_timeout": f"{round((statement_timeout_s or 0) * 1000)}ms"} if statement_timeout_s else {}
        if read_only:
            settings["default_transaction_read_only"] = "on"
        _set(conn, settings)
        _notice_lost_client(conn)
    except psycopg.Error as error:
        conn.close()
        raise _explained(str(error), parts) from None
    return conn


def _deadline_of(parts: Mapping[str, str]) -> int:
    """Seconds to get in, as the address says. To libpq 0 is no end at all, which nobody here can wait for."""
    said = parts.get("connect_timeout", "")
    return min(int(said), _LONGEST_S) if said.isdecimal() and int(said) else _DEADLINE_S


def is_transaction_pooler(url: str) -> bool:
    """Whether the address alone says so: Supabase's transaction poolers listen on port 6543. One that somebody runs on
    another port is known by its behaviour only (`inspect_connection`)."""
    return connection_parameters(url).get("port") == _TRANSACTION_POOLER_PORT


@contextmanager
def read_only_transaction(conn: psycopg.Connection[Any], statement_timeout_s: float) -> Iterator[None]:
    """One transaction that cannot write and whose settings end with it; safe behind any pooler."""
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        conn.execute(
            "SELECT pg_catalog.set_config('statement_timeout', %s, true)", (f"{round(statement_timeout_s * 1000)}ms",)
        )
        yield


def _set(conn: psycopg.Connection[Any], settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))


def _notice_lost_client(conn: psycopg.Connection[Any]) -> None:
    # With this a server ends our statement soon after we die; not every platform can, and it is only a help. To ask
    # first would take the server longer than everything else of a connection's beginning.
    with suppress(psycopg.DataError, psycopg.ProgrammingError):
        conn.execute("SELECT pg_catalog.set_config('client_connection_check_interval', '200ms', false)")


def _explained(text: str, parts: Mapping[str, str]) -> OpsError:
    where = f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}"
    user, database = parts.get("user", ""), parts.get("dbname", "")
    nothing = "Nothing was read or changed."
    low = text.lower()
    if "tenant" in low and "not found" in low:
        return Refused(
            f"The pooler at {where} knows no such project or user.",
            nothing,
            "Copy the session pooler's URL anew: the user there is postgres.<project ref>, and the region must match.",
        ).because("tenant")
    if "password authentication failed" in low or "no password supplied" in low or "sasl" in low:
        said = f"The server at {where} refused the password of {user!r}."
        return Refused(said, nothing, "Set the right password.").because("login")
    if "does not exist" in low and "database" in low and "role" not in low:
        said = f"There is no database {database!r} at {where}."
        return Refused(said, nothing, "Name one that exists.").because("database")
    if "role" in low and ("does not exist" in low or "not permitted" in low):
        said = f"The server at {where} knows no role {user!r} that may log in."
        return Refused(said, nothing, "Name another user.").because("login")
    if "pg_hba.conf" in low or "ssl" in low:
        return Refused(
            f"The server at {where} does not accept a connection of this kind.",
            nothing,
            "Check its allowed addresses, and whether it wants sslmode=require.",
        ).because("not-allowed")
    if "permission denied" in low:
        said = f"{user!r} may not connect to {database!r} at {where}."
        return Refused(said, nothing, "Grant CONNECT to that role.").because("not-allowed")
    return _no_answer(low, where)


_NO_ANSWER: Sequence[tuple[str, tuple[str, ...], str, str]] = (
    (
        "dns",
        ("resolve", "translate host", "name or service", "idna", "no address associated"),
        "The host of {where} is not found.",
        "Check the host's spelling and your network.",
    ),
    (
        "no-route",
        ("network is unreachable", "no route to host"),
        "There is no way from here to {where}.",
        "Supabase's direct host speaks IPv6 only: use the session pooler's address where this machine has none.",
    ),
    ("refused", ("refused",), "Nothing listens at {where}.", "Check the port, and that the database is running."),
    (
        "timeout",
        ("timeout", "timed out"),
        "{where} did not answer in time.",
        "Check firewall and network, then try again.",
    ),
    (
        "starting",
        ("starting up", "shutting down", "recovery"),
        "The server at {where} is starting or stopping.",
        "Try again in a moment.",
    ),
    (
        "pooler-full",
        ("maxclientsinsessionmode", "max clients", "max_client_conn", "no more connections allowed"),
        "The pooler at {where} has no free connection.",
        "Close some, or raise the pool's size.",
    ),
    (
        "connections",
        ("too many", "remaining connection slots"),
        "The server at {where} has no free connection.",
        "Close some, then try again.",
    ),
)
"""Reason, words of the driver or the server, sentence, what to do; the first that fits."""


def _no_answer(low: str, where: str) -> Unavailable:
    means = "Its state is not known."
    for reason, marks, what, do in _NO_ANSWER:
        if any(mark in low for mark in marks):
            return Unavailable(what.format(where=where), means, do).because(reason)
    said = f"{where} did not speak as a Postgres server does."
    return Unavailable(said, means, "Check host and port.").because("not-understood")


_FACTS = """
SELECT pg_catalog.current_database() AS database, current_user::text AS "user",
       pg_catalog.current_setting('server_version_num')::int / 10000 AS major,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
       COALESCE((SELECT pg_catalog.has_schema_privilege(oid, 'CREATE')
                 FROM pg_catalog.pg_namespace WHERE nspname = 'public'), false) AS may_create,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create_schema,
       ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm')
               AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') ORDER BY 1 LIMIT 5) AS not_owned,
       pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.pg_database_size(pg_catalog.current_database()) AS size_bytes,
       ARRAY(SELECT nspname::text FROM pg_catalog.pg_namespace
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1) AS schemas
"""


def inspect_connection(conn: psycopg.Connection[Any], url: str) -> ConnectionFacts:
    """Facts about the database behind `conn`, which `url` opened. A pooler's mode is found by how it behaves.

    Raises Unavailable where the server does not answer the question.
    """
    try:
        cursor = conn.execute(_FACTS)
        row = cursor.fetchone()
        if row is None or cursor.description is None:
            raise Unavailable("The server told nothing about itself.", "Its state is not known.", "Try again.")
        facts = dict(zip([column.name for column in cursor.description], row, strict=True))
        pid = int(facts.pop("pid"))
        # A pooler hands out process ids of its own; a server tells its real one.
        pooler = pid != conn.info.backend_pid
        shared = pooler and _transactions_are_shared_out(conn, url, pid)
    except psycopg.Error as error:
        raise Unavailable(
            f"The database did not tell what it is ({error.sqlstate or 'connection lost'}).",
            "Its state is not known.",
            "Try again.",
        ) from error
    facts["not_owned"], facts["schemas"] = tuple(facts["not_owned"]), tuple(facts["schemas"])
    return ConnectionFacts(**facts, pooler=pooler, transaction_pooler=shared, loopback=is_loopback(url))


def _transactions_are_shared_out(conn: psycopg.Connection[Any], url: str, pid: int) -> bool:
    """True if a second client's transaction is given our server process, or makes us get another."""
    if is_transaction_pooler(url):
        return True
    with connect(url) as other, other.transaction():
        theirs = other.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
        if theirs is not None and theirs[0] == pid:
            return True
        ours = conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
        return ours is not None and ours[0] != pid


def refuse_transaction_pooler(facts: ConnectionFacts) -> None:
    """Raises Refused where a deploy's lock and settings would not last."""
    if facts.transaction_pooler:
        raise Refused(
            "This URL leads through a transaction pooler, where a deploy's lock and settings do not last.",
            "Nothing was changed.",
            "Use the direct connection or the session pooler (on Supabase: the pooler's host with port 5432).",
            place="database URL",
        )


def refuse_missing_rights(facts: ConnectionFacts) -> None:
    """Raises Refused where the role can neither create objects in schema public nor our own schema `ops`."""
    if facts.may_create and (facts.may_create_schema or "ops" in facts.schemas):
        return
    lacks = "create objects in schema public" if not facts.may_create else "create a schema for deploy receipts"
    raise Refused(
        f"The role {facts.user!r} may not {lacks}.",
        "Nothing was changed.",
        f"Connect as the owner of the database, or grant CREATE to {facts.user!r}.",
        place="database URL",
    )


def refuse_read_only(conn: psycopg.Connection[Any]) -> None:
    """Raises Refused where no change can be made by this connection, whatever the role's rights are."""
    row = conn.execute(
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')"
    ).fetchone()
    if row is not None and row[0]:
        raise Refused(
            "This server is a standby, which only follows another one.",
            "Nothing was changed.",
            "Use the address of the primary.",
            place="database URL",
        )
    if row is not None and row[1] == "on":
        raise Refused(
            "The database takes no changes: default_transaction_read_only is on for it, its server or this role.",
            "Nothing was changed.",
            "Find out who set it and why (Supabase does where a disk is nearly full), and have it lifted.",
            place="database URL",
        )
