"""The one family of errors for calls to an upstream: what kind of failure it was, and what exactly went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from services.clients.redaction import redact
from services.errors import Unavailable


class Kind(StrEnum):
    """The ways in which an upstream fails us; each means something else to the person who has to mend it."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    RATE_LIMITED = "rate-limited"
    PAUSED = "paused"
    QUOTA = "quota"
    SERVER_ERROR = "server-error"
    NOT_UNDERSTOOD = "not-understood"


class Reason(StrEnum):
    """What lies behind a kind, where the connection or the body tells it."""

    DNS = "dns"
    REFUSED = "refused"
    NO_ROUTE = "no-route"
    RESET = "reset"
    CERTIFICATE = "certificate"
    TLS = "tls"
    ADDRESS = "address"
    SLOW = "slow"
    NOT_ASKED = "not-asked"
    MALFORMED_KEY = "malformed-key"
    NOT_HTTP = "not-http"
    ENCODING = "encoding"
    TOO_LARGE = "too-large"
    REDIRECT = "redirect"
    WEB_PAGE = "web-page"
    EMPTY = "empty"
    BROKEN_JSON = "broken-json"
    WRONG_TYPE = "wrong-type"


_KIND_DOES: Mapping[Kind, str] = {
    Kind.UNREACHABLE: "Check the address in the settings and whether the service runs.",
    Kind.TIMEOUT: "Look at the service's load and its status page, then run the check again.",
    Kind.UNAUTHORISED: "Replace the key of this target in the settings.",
    Kind.FORBIDDEN: "Give the key of this target the missing right.",
    Kind.MISSING: "Check the address and the ids in the settings.",
    Kind.RATE_LIMITED: "Wait until the limit is lifted; nothing is retried in secret.",
    Kind.PAUSED: "Wake the project in its dashboard.",
    Kind.QUOTA: "Look at the billing page of the account.",
    Kind.SERVER_ERROR: "Look at the service's own logs and its status page.",
    Kind.NOT_UNDERSTOOD: "Open the address in a browser and see what answers there.",
}
_REASON_DOES: Mapping[Reason, str] = {
    Reason.DNS: "Check the host name in the settings, and the DNS record behind it.",
    Reason.CERTIFICATE: "Have the certificate mended; verification is never switched off here.",
    Reason.TLS: "Check whether the address in the settings should begin with http:// or https://.",
    Reason.ADDRESS: "Correct the address in the settings.",
    Reason.RESET: "Look whether the service, or a proxy before it, ends while it answers.",
    Reason.MALFORMED_KEY: "Copy the key into the settings anew, without line breaks or quotes around it.",
}


class UpstreamError(Unavailable):
    """A call to an upstream that gave no usable answer.

    upstream: "PulseCheck", "Railway", ...; kind: what went wrong; reason: what lies behind it, where that is known;
    status: the HTTP status where there was one; code: the other side's own code ("42501", "insufficient_quota");
    detail: its words, redacted and short; took_s: how long we waited; retry_after_s: how long it asks us to wait.
    """

    def __init__(
        self,
        upstream: str,
        kind: Kind,
        what: str,
        *,
        status: int | None = None,
        code: str | None = None,
        detail: str = "",
        took_s: float = 0.0,
        reason: Reason | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        does = _REASON_DOES.get(reason, _KIND_DOES[kind]) if reason else _KIND_DOES[kind]
        super().__init__(redact(what), "The state of this service is not known.", does)
        self.upstream = upstream
        self.kind = kind
        self.reason = reason
        self.status = status
        self.code = code
        self.detail = redact(detail)[:300]
        self.took_s = took_s
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> Any:
        """Pickled by what it says, not by its arguments."""
        return _revived, (type(self), self.args, dict(self.__dict__))


def _revived(family: type[UpstreamError], args: tuple[Any, ...], state: Mapping[str, Any]) -> UpstreamError:
    error = family.__new__(family, *args)
    error.__dict__.update(state)
    return error
