"""Why no answer came: what a failed connection says about names, ports, certificates and broken lines."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import httpx

from services.clients.first_contact import NotAskedAgain
from services.clients.transport import CONNECT_S, TooLarge
from services.clients.upstream_error import Kind, Reason

# OpenSSL's X509_V_ERR numbers.
_EXPIRED, _NOT_YET_VALID = 10, 9
_SELF_SIGNED = frozenset({18, 19})
_NO_ISSUER = frozenset({2, 20, 21})
_OTHER_HOST = frozenset({62, 64})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})
_CUT = ("disconnected", "incomplete", "closed connection")

LONGEST_CHAIN = 20

Found = tuple[Kind, Reason | None, str]


def read_failure(error: BaseException, seconds: float) -> Found:
    """Kind, reason and the end of a sentence about the upstream ("cannot be reached: ...").

    error: what httpx, or a package built on it, raised; its causes are looked at too
    seconds: how long the call was allowed to take
    """
    for one in _chain(error):
        found = _of(one, seconds)
        if found is not None:
            return found
    return Kind.UNREACHABLE, None, "cannot be reached"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, the nearest first."""
    one: BaseException | None = error
    for _ in range(LONGEST_CHAIN):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _of(error: BaseException, seconds: float) -> Found | None:
    if isinstance(error, TooLarge):
        return Kind.NOT_UNDERSTOOD, Reason.TOO_LARGE, f"sent more than {error.limit} bytes, which is not read on"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Kind.UNREACHABLE, Reason.CERTIFICATE, f"cannot be trusted: its certificate {_certificate(error)}"
    if isinstance(error, socket.gaierror):
        return Kind.UNREACHABLE, Reason.DNS, "cannot be reached: its host name has no address (DNS)"
    if isinstance(error, ConnectionRefusedError):
        return Kind.UNREACHABLE, Reason.REFUSED, "cannot be reached: nothing listens at its address"
    if isinstance(error, NotAskedAgain):
        return Kind.TIMEOUT, Reason.NOT_ASKED, "gave no answer a moment ago; not asked again"
    if isinstance(error, httpx.ConnectTimeout):
        allowed = min(seconds, CONNECT_S)
        return Kind.TIMEOUT, Reason.SLOW, f"accepted no connection within {allowed:.1f} s"
    if isinstance(error, httpx.TimeoutException):
        return Kind.TIMEOUT, Reason.SLOW, f"gave no answer within {seconds:.1f} s"
    if isinstance(error, httpx.DecodingError):
        return Kind.NOT_UNDERSTOOD, Reason.ENCODING, "sent a body that is not packed as its headers say"
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Kind.UNREACHABLE, Reason.ADDRESS, "cannot be asked: the address in the settings is none"
    return _of_line(error)


def _of_line(error: BaseException) -> Found | None:
    if isinstance(error, ssl.SSLError):
        return Kind.UNREACHABLE, Reason.TLS, "cannot be reached: no TLS connection could be agreed on"
    if isinstance(error, ConnectionResetError | BrokenPipeError | httpx.ReadError | httpx.WriteError):
        return Kind.UNREACHABLE, Reason.RESET, "broke the connection off"
    if isinstance(error, httpx.RemoteProtocolError):
        if any(word in str(error) for word in _CUT):
            return Kind.UNREACHABLE, Reason.RESET, "broke the connection off before its answer was whole"
        return Kind.NOT_UNDERSTOOD, Reason.NOT_HTTP, "answered something that is not HTTP"
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Kind.UNREACHABLE, Reason.NO_ROUTE, "cannot be reached: no way leads to its address from here"
    return None


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "has expired"
    if code == _NOT_YET_VALID:
        return "is not valid yet"
    if code in _SELF_SIGNED:
        return "is self-signed"
    if code in _NO_ISSUER:
        return "comes from an issuer that is not known here"
    if code in _OTHER_HOST:
        return "is made for another host"
    return f"is not accepted (OpenSSL {code})"
