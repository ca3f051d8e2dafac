"""The address of a project's session pooler: told by the Management API, or tried out from the reference alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from psycopg import Error, conninfo

from services.clients.supabase import Pooler, SupabaseClient
from services.connecting.trial import Told, failed, passed, unknown
from services.database.connect import connect, connection_parameters, is_transaction_pooler, place_of
from services.errors import OpsError

SESSION_PORT = 5432
CLUSTERS = ("aws-0", "aws-1", "aws-2")
REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
)
_DIRECT_HOST = re.compile(r"^db\.([a-z]{20})\.supabase\.(?:co|red)$")
_AT_ONCE = 12


def role_and_ref(user: str) -> tuple[str, str | None]:
    """The role and the project in a pooler's user name, which is role.ref; the role alone anywhere else."""
    role, dot, ref = user.rpartition(".")
    return (role, ref) if dot else (user, None)


def ref_of(url: str) -> str | None:
    """The project that an address names, by its host or by its user; None where it names none."""
    parts = connection_parameters(url)
    direct = _DIRECT_HOST.match(parts.get("host", ""))
    return direct[1] if direct else role_and_ref(parts.get("user", ""))[1]


def speaks_ipv6_only(url: str) -> bool:
    """Whether the address is a project's direct host, which has no IPv4 address unless that was bought."""
    return _DIRECT_HOST.match(connection_parameters(url).get("host", "")) is not None


def at_pooler(url: str, host: str, ref: str, port: int = SESSION_PORT) -> str:
    """The same role, password and database by way of the session pooler. The address holds the password."""
    parts = connection_parameters(url)
    role, _ = role_and_ref(parts.get("user", "postgres"))
    changed = {"host": host, "port": str(port), "user": f"{role}.{ref}", "dbname": parts.get("dbname", "postgres")}
    kept = {name: value for name, value in parts.items() if name in ("password", "sslmode")}
    query = f"?sslmode={kept['sslmode']}" if "sslmode" in kept else ""
    secret = f":{_quoted(kept['password'])}" if "password" in kept else ""
    return (
        f"postgresql://{_quoted(changed['user'])}{secret}@{changed['host']}:{changed['port']}"
        f"/{_quoted(changed['dbname'])}{query}"
    )


def hosts_of(supabase: SupabaseClient | None, region: str | None = None) -> tuple[str, ...]:
    """The hosts to try, the one that the Management API names alone where it does. Raises nothing for its refusal.

    region: of the project, where it is known; None: all that Supabase has
    """
    if supabase is not None:
        named = _named(supabase)
        if named:
            return named
    regions = (region,) if region else REGIONS
    return tuple(f"{cluster}-{one}.pooler.supabase.com" for one in regions for cluster in CLUSTERS)


def _named(supabase: SupabaseClient) -> tuple[str, ...]:
    try:
        found: Sequence[Pooler] = supabase.poolers()
    except OpsError:
        return ()
    return tuple(dict.fromkeys(one.host for one in found if one.primary))


def find_session_pooler(
    url: str, hosts: Iterable[str], ref: str, *, port: int = SESSION_PORT, deadline_s: float = 4
) -> str | None:
    """The first of these hosts behind which a SELECT is answered, as an address with the password; None: behind none.

    Asks several at the same time; a host of another region knows no such project and says so before any password.
    """

    def answers(host: str) -> str | None:
        address = at_pooler(url, host, ref, port)
        try:
            with connect(address, deadline_s=deadline_s, application_name="ops connect") as conn:
                return address if conn.execute("SELECT 1").fetchone() == (1,) else None
        except (OpsError, Error):
            return None

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pooler") as pool:
        return next((found for found in pool.map(answers, hosts) if found), None)


def seen_of_address(url: str, better: str | None) -> Told | None:
    """What is wrong with an address by its looks; None where nothing is. better: host:port to use instead, if found."""
    instead = (
        f" Use {better} with the user role.project." if better else " Copy the session pooler's address, port 5432."
    )
    if is_transaction_pooler(url):
        said = f"{place_of(url)} is a transaction pooler: settings and locks do not last there.{instead}"
        return failed("Database: address", said)
    if speaks_ipv6_only(url):
        said = f"{place_of(url)} speaks IPv6 only, which Railway and many networks do not.{instead}"
        return unknown("Database: address", said, needed=False)
    return None


def shown(url: str) -> str:
    """An address without its password, for people: user, host, port and database."""
    parts = connection_parameters(url)
    return conninfo.make_conninfo(
        "", **{name: parts[name] for name in ("user", "host", "port", "dbname") if name in parts}
    )


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


__all__ = [
    "at_pooler",
    "find_session_pooler",
    "hosts_of",
    "passed",
    "ref_of",
    "role_and_ref",
    "seen_of_address",
    "shown",
    "speaks_ipv6_only",
]
