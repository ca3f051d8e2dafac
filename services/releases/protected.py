"""Knows whose database an address leads to: what a target asks of a deploy, its bare address is to ask as well."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping

from services.database.connect import connection_parameters
from services.errors import NotUnderstood, Refused
from services.settings import Settings, Target

_HERE = "this machine"
_DIRECT = re.compile(r"db\.([a-z0-9]+)\.supabase\.(?:co|red)")
_POOLER = re.compile(r".+\.pooler\.supabase\.com")

Place = tuple[str, str, str]
"""Host, port and database; of a Supabase project its reference instead of the first two, by whatever door it is."""


def refuse_unapproved_way(settings: Settings, url: str, *, release_id: str) -> None:
    """Raise Refused where the address is that of a target on which a second person has to approve a deploy.

    Only the address is compared: an alias of the network for the same server is another one.
    """
    if any(target.second_approval for target in settings.targets.values()) and by_service(url):
        raise Refused(
            "This address is read from a service file, so it is not seen whose database it leads to.",
            "Nothing was changed: it may be a target's on which a second person has to approve a deploy.",
            "Write host, port and database into the address, and take PGSERVICE out of the environment.",
            place="--database",
        ).because("second-approval")
    target = asks_for_approval(settings, url)
    if target is None:
        return
    raise Refused(
        f"This address leads to the database of {target.name}, where a second person has to approve a deploy.",
        "Nothing was changed: by the bare address nobody would be asked.",
        f"Deploy {release_id} with --target {target.name}.",
        place="--database",
    ).because("second-approval")


def asks_for_approval(settings: Settings, url: str, environ: Mapping[str, str] = os.environ) -> Target | None:
    """The target with `second_approval` whose database the address leads to, by any of its addresses."""
    there = places_of(url, environ)
    for target in settings.targets.values():
        if target.second_approval and any(there & places_of(known, environ) for known in _addresses(target)):
            return target
    return None


def by_service(url: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether libpq takes what the address leaves out from a file that we do not read."""
    try:
        named = connection_parameters(url).get("service")
    except NotUnderstood:
        return False
    return bool(named or environ.get("PGSERVICE"))


def _addresses(target: Target) -> Iterator[str]:
    for secret in (target.database_url, target.deploy_url, target.read_only_url):
        if secret is not None:
            yield secret.get_secret_value()


def places_of(url: str, environ: Mapping[str, str] = os.environ) -> frozenset[Place]:
    """Where an address may lead, one place for each host that it names; none for an address that is malformed.

    environ: what libpq takes for that which the address leaves out.
    """
    try:
        parts = connection_parameters(url)
    except NotUnderstood:
        return frozenset()
    user = parts.get("user") or environ.get("PGUSER", "")
    database = parts.get("dbname") or environ.get("PGDATABASE") or user
    named = [parts.get("host") or "", parts.get("hostaddr") or ""]
    if not any(named):
        named = [environ.get("PGHOST", ""), environ.get("PGHOSTADDR", "")]
    hosts = {host.strip() for one in named if one for host in one.split(",")} or {""}
    port = parts.get("port") or environ.get("PGPORT") or "5432"
    return frozenset(_place(host, port, user, database) for host in hosts)


def _place(host: str, port: str, user: str, database: str) -> Place:
    name = host.lower().rstrip(".")
    if direct := _DIRECT.fullmatch(name):
        return f"Supabase {direct[1]}", "", database
    if _POOLER.fullmatch(name) and "." in user:
        return f"Supabase {user.rpartition('.')[2]}", "", database
    return _host(name), port, database


def _host(name: str) -> str:
    """One name for all that is this machine, and one way to write each address."""
    if not name or name.startswith(("/", "@", "127.")) or name == "localhost":
        return _HERE
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    found = mapped or address
    return _HERE if found.is_loopback or found.is_unspecified else str(found)
