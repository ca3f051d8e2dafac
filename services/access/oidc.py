"""Sign-in by OpenID Connect: the authorization code flow with PKCE, and what an ID token must prove to count."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from services.access.id_token import ID_TOKEN_ALGORITHMS, NotProved, proved_claims
from services.access.permissions import Actor, role_for
from services.access.provider import Provider, discover, exchange, key_set
from services.errors import Refused, Unavailable
from services.settings import Oidc

_ERROR_CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way. state, nonce, verifier: known to this browser alone; address: where it goes now."""

    address: str
    state: str
    nonce: SecretStr
    verifier: SecretStr


def begin(oidc: Oidc, redirect_uri: str) -> Begun:
    """Begin a sign-in. redirect_uri: exactly as it is registered with the provider.

    Raises UpstreamError where the provider does not answer or tells nothing of use.
    """
    provider = discover(oidc)
    state, nonce = secrets.token_urlsafe(32), SecretStr(secrets.token_urlsafe(32))
    # RFC 7636: 43 to 128 characters.
    verifier = SecretStr(secrets.token_urlsafe(48))
    return Begun(provider.sign_in_address(oidc, redirect_uri, state, nonce, verifier), state, nonce, verifier)


def finish(
    oidc: Oidc, target: str, redirect_uri: str, begun: Begun, came_back: Mapping[str, str], now: datetime
) -> Actor:
    """The actor on `target` whom the provider vouches for.

    begun: what this browser kept; came_back: the parameters it brought from the provider
    Raises Refused where anything does not fit or no role is given, UpstreamError where the provider fails.
    """
    if not hmac.compare_digest(begun.state, came_back.get("state", "")):
        raise _refused(oidc, "This answer does not belong to the sign-in that was begun here.")
    if "error" in came_back:
        code = came_back["error"]
        named = f" ({code})" if _ERROR_CODE.fullmatch(code) else ""
        raise _refused(oidc, f"{oidc.title} did not sign you in{named}.")
    provider = discover(oidc)
    if came_back.get("iss", provider.issuer) != provider.issuer:
        raise _refused(oidc, f"This answer comes from another provider than {oidc.title}.")
    if not came_back.get("code"):
        raise _refused(oidc, f"{oidc.title} sent no code.")
    token = exchange(oidc, provider, came_back["code"], redirect_uri, begun.verifier)
    return _vouched(oidc, provider, target, token, begun.nonce, now)


def _vouched(oidc: Oidc, provider: Provider, target: str, token: SecretStr, nonce: SecretStr, now: datetime) -> Actor:
    allowed = ID_TOKEN_ALGORITHMS & provider.algorithms
    if not allowed:
        raise Unavailable(
            f"{oidc.title} signs with no algorithm that is accepted here.",
            "Nobody was signed in.",
            f"Have it sign ID tokens with one of {', '.join(sorted(ID_TOKEN_ALGORITHMS))}.",
        )
    because = ""
    try:
        claims = proved_claims(
            token,
            key_set(oidc, provider),
            algorithms=allowed,
            issuer=provider.issuer,
            client_id=oidc.client_id,
            nonce=nonce,
            now=now,
        )
    except NotProved as error:
        because = str(error)
    # Raised apart from what was caught: its traceback holds the token.
    if because:
        raise _refused(oidc, f"What {oidc.title} sent does not prove who you are: {because}.")
    name = next((claims[key] for key in ("name", "preferred_username", "email") if _is_text(claims.get(key))), "")
    role = role_for(target, claims.get(oidc.role_claim))
    if role is None:
        raise Refused(
            f"{name or 'This account'} has no operations role on {target}.",
            f"You were not signed in, though {oidc.title} knows you.",
            f"Ask whoever runs {oidc.title} to set {oidc.role_claim} to viewer, operator or admin.",
        )
    # The subject alone is only unique at its issuer, and both may be longer than our records hold.
    subject = hashlib.sha256(f"{provider.issuer} {claims['sub']}".encode()).hexdigest()[:32]
    return Actor(f"{target}:oidc:{subject}", str(name or claims["sub"])[:120], role, target, way="oidc")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _refused(oidc: Oidc, sentence: str) -> Refused:
    return Refused(sentence, "Nobody was signed in.", f"Begin again with {oidc.title}.")
