"""The address of a project's session pooler: told by the Management API, or tried out from the reference alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from psycopg import Error

from services.clients.supabase import SupabaseClient
from services.connecting.reader_role import ROLE
from services.connecting.trial import Told, failed, unknown
from services.database.connect import connect, connection_parameters, is_transaction_pooler, place_of
from services.errors import OpsError
from services.settings import Target

SESSION_PORT = 5432
SHARED = ".pooler.supabase.com"
CLUSTERS = ("aws-0", "aws-1", "aws-2")
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-central-2", "eu-north-1"),
    *("ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2"),
)
_DIRECT_HOST = re.compile(r"^db\.([a-z]{20})\.supabase\.(?:co|red)$")
_AT_ONCE = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pooler that keeps sessions listens."""

    host: str
    port: int = SESSION_PORT

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def ref_of(url: str) -> str | None:
    """The project that an address names, by its host or by its user; None where it names none."""
    parts = connection_parameters(url)
    direct = _DIRECT_HOST.match(parts.get("host", ""))
    return direct[1] if direct else parts.get("user", "").partition(".")[2] or None


def by_way_of(url: str, place: Place, ref: str) -> str:
    """The same role, password and database by way of a pooler; the shared one wants the user as role.project.

    What comes back holds the password.
    """
    parts = connection_parameters(url)
    role = parts.get("user", "postgres").partition(".")[0]
    user = f"{role}.{ref}" if place.host.endswith(SHARED) else role
    secret = f":{quote(parts['password'], safe='')}" if "password" in parts else ""
    query = f"?{urlencode({'sslmode': parts['sslmode']})}" if "sslmode" in parts else ""
    return f"postgresql://{quote(user, safe='')}{secret}@{place}/{quote(parts.get('dbname', 'postgres'))}{query}"


def named_place(supabase: SupabaseClient) -> Place | None:
    """Where the Management API says that the pooler is; None where it does not say."""
    try:
        found = next((one for one in supabase.poolers() if one.primary), None)
    except OpsError:
        return None
    if found is None:
        return None
    # The shared pooler shares out transactions on one port and keeps sessions on the other, on the same host.
    return Place(found.host, found.port if found.mode == "session" else SESSION_PORT)


def possible_places(region: str | None) -> tuple[Place, ...]:
    """Every shared pooler of a region, or of all where it is not known."""
    regions = (region,) if region else REGIONS
    return tuple(Place(f"{cluster}-{one}{SHARED}") for one in regions for cluster in CLUSTERS)


def find_session_pooler(url: str, places: Iterable[Place], ref: str, *, deadline_s: float = 4) -> str | None:
    """The address by the first of these places behind which a SELECT is answered; None: behind none.

    Several are asked at the same time; one of another region knows no such project. What comes back holds the password.
    """

    def answers(place: Place) -> str | None:
        address = by_way_of(url, place, ref)
        try:
            with connect(address, deadline_s=deadline_s, application_name="ops connect") as conn:
                return address if conn.execute("SELECT 1").fetchone() == (1,) else None
        except (OpsError, Error):
            return None

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pooler") as pool:
        return next((found for found in pool.map(answers, places) if found), None)


def reader_address(target: Target, password: str, *, role: str = ROLE) -> str | None:
    """The address of the reading role, once its SQL was run, proved by a SELECT; None where none was answered.

    Needs supabase_project_ref; the access token makes the search short. What comes back holds the password.
    """
    ref = target.supabase_project_ref
    if ref is None:
        return None
    place, region = None, None
    if target.supabase_access_token is not None:
        supabase = SupabaseClient.of(target)
        try:
            place = named_place(supabase)
            region = None if place else supabase.project().region
        except OpsError:
            region = None
        finally:
            supabase.close()
    url = f"postgresql://{role}:{quote(password, safe='')}@localhost/postgres"
    return find_session_pooler(url, (place,) if place else possible_places(region), ref)


def seen_of_address(url: str, better: Place | None) -> Told | None:
    """What is wrong with an address by its looks; None where nothing is. better: what to use instead, where known."""
    if better is not None and better.host.endswith(SHARED):
        instead = f" Use {better}, with the user as role.project."
    else:
        instead = " Copy the session pooler's address: port 5432, and the user as role.project."
    if is_transaction_pooler(url):
        said = f"{place_of(url)} is a transaction pooler: settings and locks do not last there.{instead}"
        return failed("Database: address", said)
    if _DIRECT_HOST.match(connection_parameters(url).get("host", "")):
        said = f"{place_of(url)} speaks IPv6 only, which Railway and many networks do not.{instead}"
        return unknown("Database: address", said, needed=False)
    return None
