"""Standard check of the app's certificate: who vouches for its address, and for how many days yet."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from services.checks.context import CheckContext
from services.checks.registry import DAY_S, CheckSpec
from services.clients.connection_failure import read_failure
from services.clients.deadline import remaining
from services.clients.http import Kind, Reason, UpstreamError
from services.errors import Unavailable
from services.settings import Level
from services.verdict import Finding, Verdict

SOON_DAYS = 14
CALL_S = 5.0
SILENT = "gave no answer in time"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an address showed. problem: why it is not trusted, in the words of TLS; '' where it is."""

    host: str
    ends: datetime | None
    issuer: str
    version: str
    problem: str = ""


@cache
def public_authorities() -> ssl.SSLContext:
    """The authorities that everybody trusts; read once, since that takes tens of milliseconds."""
    return ssl.create_default_context()


def shown_at(host: str, port: int, trust: ssl.SSLContext) -> Certificate:
    """The certificate at an address. Raises UpstreamError where there is no TLS to be seen."""
    try:
        with (
            socket.create_connection((host, port), timeout=remaining(CALL_S)) as plain,
            trust.wrap_socket(plain, server_hostname=host) as shown,
        ):
            told = shown.getpeercert() or {}
            version = shown.version() or ""
    except ssl.SSLCertVerificationError as error:
        return Certificate(host, None, "", "", error.verify_message)
    except OSError as error:
        timed_out = isinstance(error, TimeoutError)
        kind, reason, what = (Kind.TIMEOUT, Reason.SLOW, SILENT) if timed_out else read_failure(error, CALL_S)
        raise UpstreamError("the app", kind, f"{host} {what}.", reason=reason) from None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
    issuer: Any = told.get("issuer", ())
    names = {key: value for part in issuer for key, value in part}
    return Certificate(host, ends, str(names.get("organizationName") or names.get("commonName") or ""), version)


def judged(found: Certificate, now: datetime) -> Finding:
    """An untrusted or ended certificate is a fail; so is one that ends soon, for it should have been renewed."""
    days = None if found.ends is None else int((found.ends - now).total_seconds() // DAY_S)
    facts: dict[str, Any] = {
        "tls": True,
        "host": found.host,
        "days_left": days,
        "ends": found.ends.isoformat() if found.ends else None,
        "issuer": found.issuer,
        "problem": found.problem,
    }
    if found.problem or days is None:
        said = f"The certificate of {found.host} is not trusted: {found.problem or 'it names no end'}."
        return Finding(Verdict.FAIL, said, facts)
    if days < 0:
        return Finding(Verdict.FAIL, f"The certificate of {found.host} ended {-days} days ago.", facts)
    if days < SOON_DAYS:
        said = f"The certificate of {found.host} ends in {days} days and has not been renewed."
        return Finding(Verdict.FAIL, said, facts)
    return Finding(Verdict.PASS, f"The certificate of {found.host} is good for {days} days.", facts)


def certificate(context: CheckContext) -> Finding:
    """The certificate of the app's address; plain HTTP is right on this machine only."""
    address = urlsplit(context.target.app_url or "")
    host = address.hostname
    if not host:
        raise Unavailable(f"{context.target.name} has no address of the app.", do="Set app_url.")
    if address.scheme == "https":
        return judged(shown_at(host, address.port or 443, public_authorities()), context.now)
    # An address proves nothing: somebody has to answer there without TLS.
    context.api.get("/")
    facts: dict[str, Any] = {"tls": False, "host": host, "days_left": None, "ends": None, "issuer": "", "problem": ""}
    if host in ("localhost", "::1") or host.startswith("127."):
        return Finding(Verdict.PASS, "No TLS: the address leads to this machine.", facts)
    facts["problem"] = "no TLS"
    return Finding(Verdict.FAIL, f"{host} is asked over plain HTTP: everybody on the way can read along.", facts)


SPECS = (
    CheckSpec(
        "certificate",
        "The certificate is good",
        "The app's address is vouched for, and for two weeks at least.",
        certificate,
        ("before", "week"),
        ("app",),
        ("app_url",),
        Level.LOOK,
        blocking=False,
        expires_s=DAY_S,
        trend=("days_left",),
    ),
)
