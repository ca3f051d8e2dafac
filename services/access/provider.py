"""A provider of OpenID Connect over the network: what it publishes, and a code exchanged for an ID token."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from pydantic import SecretStr

from services.access.ways import is_private_on_the_way
from services.clients.connection_failure import read_failure
from services.clients.http import CALL_S, USER_AGENT, Answer, HttpClient, Kind, Reason, UpstreamError
from services.clients.transport import CONNECT_S, DeadlineTransport, call_deadline
from services.errors import Refused
from services.settings import Oidc

SCOPE = "openid profile email"
MAX_BYTES = 300_000
_ERRORS = frozenset({"invalid_grant", "invalid_client", "invalid_request", "unauthorized_client"})


@dataclass(frozen=True, slots=True)
class Provider:
    """What its metadata says. algorithms: with which it signs ID tokens; basic: whether it takes our secret by Basic
    authentication, else in the form."""

    issuer: str
    authorize: str
    token: str
    keys: str
    algorithms: frozenset[str]
    basic: bool

    def sign_in_address(self, oidc: Oidc, redirect_uri: str, state: str, nonce: SecretStr, verifier: SecretStr) -> str:
        """Where a browser goes to sign in; of the verifier it carries only the hash (PKCE, S256)."""
        digest = hashlib.sha256(verifier.get_secret_value().encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": oidc.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce.get_secret_value(),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self.authorize}{'&' if urlsplit(self.authorize).query else '?'}{urlencode(asked)}"


def discover(oidc: Oidc) -> Provider:
    """Read the provider's metadata. Raises UpstreamError where there is none, or what it names is not private."""
    found = _get(oidc, oidc.metadata_url).read(_provider)
    for address in (oidc.metadata_url, found.authorize, found.token, found.keys):
        if not is_private_on_the_way(address):
            what = f"{oidc.title} names an address without https://, where others could read along."
            raise UpstreamError(oidc.title, Kind.NOT_UNDERSTOOD, what, reason=Reason.ADDRESS)
    return found


def key_set(oidc: Oidc, provider: Provider) -> dict[str, Any]:
    """The provider's public keys as a JWK set."""
    return _get(oidc, provider.keys).read(_keys)


def exchange(oidc: Oidc, provider: Provider, code: str, redirect_uri: str, verifier: SecretStr) -> SecretStr:
    """The ID token for a code, which is good once. Raises Refused where the provider does not take the code."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier.get_secret_value(),
    }
    answer = _posted(oidc, provider, form)
    if answer.status in (400, 401, 403):
        raise Refused(
            f"{oidc.title} did not take the code that it gave ({_error_of(answer)}).",
            "Nobody was signed in: a code is good once, and for a short time.",
            f"Begin again with {oidc.title}; if that goes on, check client_id and client_secret in the settings.",
        )
    return SecretStr(answer.expect().read(lambda body: _text(body["id_token"])))


def _posted(oidc: Oidc, provider: Provider, form: dict[str, str]) -> Answer:
    secret = oidc.client_secret.get_secret_value()
    # RFC 6749, 2.3.1: both parts are form-encoded before they are put together.
    basic = httpx.BasicAuth(quote_plus(oidc.client_id), quote_plus(secret)) if provider.basic else httpx.Auth()
    sent = form if provider.basic else {**form, "client_id": oidc.client_id, "client_secret": secret}
    started = time.monotonic()
    failed: Exception
    try:
        with (
            httpx.Client(
                transport=DeadlineTransport(MAX_BYTES, packed=False),
                timeout=httpx.Timeout(CALL_S, connect=CONNECT_S),
                headers={"user-agent": USER_AGENT, "accept": "application/json"},
                trust_env=False,
            ) as client,
            call_deadline(CALL_S),
        ):
            found = client.post(provider.token, data=sent, auth=basic)
        took_s = time.monotonic() - started
        secrets = tuple(SecretStr(value) for value in (secret, form["code"], form["code_verifier"]))
        return Answer(oidc.title, provider.token, found.status_code, found.headers, found.content, took_s, secrets)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        failed = error
    took_s = time.monotonic() - started
    kind, reason, what = read_failure(failed, took_s)
    del failed
    raise UpstreamError(oidc.title, kind, f"{oidc.title} {what}.", reason=reason, took_s=took_s)


def _error_of(answer: Answer) -> str:
    """The provider's own word for it, where it is one of those that the standard lists."""
    try:
        code = answer.json()["error"]
    except (UpstreamError, KeyError, TypeError):
        return f"status {answer.status}"
    return code if code in _ERRORS else f"status {answer.status}"


def _get(oidc: Oidc, address: str) -> Answer:
    client = HttpClient(oidc.title, address, max_bytes=MAX_BYTES)
    try:
        return client.get("").expect()
    finally:
        client.close()


def _provider(body: Any) -> Provider:
    methods = body.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer=_text(body["issuer"]),
        authorize=_text(body["authorization_endpoint"]),
        token=_text(body["token_endpoint"]),
        keys=_text(body["jwks_uri"]),
        algorithms=frozenset(map(_text, body.get("id_token_signing_alg_values_supported") or ["RS256"])),
        basic="client_secret_basic" in methods,
    )


def _keys(body: Any) -> dict[str, Any]:
    if not isinstance(body["keys"], list):
        raise TypeError
    return dict(body)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
