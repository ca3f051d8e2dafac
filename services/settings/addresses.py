"""What an address of the web or of a Postgres database says about itself, read without contacting anything."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)
_OF_PROJECT = re.compile(r"([a-z]{20})\.supabase\.co")
_DIRECT = re.compile(r"db\.([a-z]{20})\.supabase\.(?:co|red)")
_POOLER = re.compile(r"[a-z0-9-]+\.pooler\.supabase\.com")
TRANSACTION_POOLER = 6543


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine."""
    if host in {"localhost", None} or host is None:
        return host == "localhost"
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def web_address(text: str) -> SplitResult | None:
    """The parts of an http or https address; None where it is none."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where the port is no number
    except ValueError:
        return None
    host = parts.hostname or ""
    known = bool(_HOST.fullmatch(host)) or ":" in host
    return parts if parts.scheme in {"http", "https"} and known else None


def project_of(host: str | None) -> str | None:
    """The project whose own host this is (REF.supabase.co), else None."""
    found = _OF_PROJECT.fullmatch(host or "")
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A Postgres address without its password. ref: the Supabase project that host or user name; None: not said."""

    host: str
    port: int
    user: str
    database: str
    has_password: bool
    sslmode: str | None
    options: bool

    @property
    def is_direct(self) -> bool:
        return _DIRECT.fullmatch(self.host) is not None

    @property
    def is_pooler(self) -> bool:
        return _POOLER.fullmatch(self.host) is not None

    @property
    def is_transaction_pooler(self) -> bool:
        return self.port == TRANSACTION_POOLER

    @property
    def ref(self) -> str | None:
        direct = _DIRECT.fullmatch(self.host)
        if direct:
            return direct[1]
        after = self.user.rpartition(".")[2]
        return after if self.is_pooler and re.fullmatch(r"[a-z]{20}", after) else None

    @property
    def is_here(self) -> bool:
        """Whether it leads to this machine, through a socket of its own or a loopback address."""
        return not self.host or self.host.startswith("/") or is_loopback(self.host)

    @property
    def place(self) -> tuple[str, int, str]:
        return self.host.lower(), self.port, self.database


def postgres_address(text: str) -> PostgresAddress | None:
    """The parts of a postgresql:// address; None where it cannot be read, most often for a password that is not
    percent-encoded."""
    scheme, parted, rest = text.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme not in {"postgres", "postgresql"} or not parted or "#" in rest or _NOT_ENCODED.search(rest):
        return None
    if authority.count("@") > 1 or ("@" in rest.partition("?")[0] and "@" not in authority):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port or 5432
    except ValueError:
        return None
    query = parse_qs(parts.query)
    return PostgresAddress(
        host=unquote(parts.hostname or "") or query.get("host", [""])[0],
        port=port,
        user=unquote(parts.username or "") or query.get("user", [""])[0],
        database=unquote(parts.path.lstrip("/")),
        has_password=bool(parts.password),
        sslmode=query.get("sslmode", [None])[0],
        options="options" in query,
    )
