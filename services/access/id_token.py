"""Whether an ID token proves who somebody is: signature, issuer, audience, time and nonce, each of which must hold."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from datetime import datetime
from typing import Any

from pydantic import SecretStr

ID_TOKEN_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
"""Signatures by a key that only the provider has; "none" and those by a shared secret are never accepted."""
LEEWAY_S = 60
"""How far the provider's clock may differ from ours."""
_WHY = {
    "bad_signature": "its signature is not by a key of the provider",
    "invalid_key_id": "it is signed by a key that the provider does not list",
    "expired_token": "it has expired",
    "invalid_token": "its time is not now",
    "unsupported_algorithm": "its signature is of a kind that is not accepted",
}
_WHAT = {
    "iss": "issuer",
    "aud": "audience",
    "nonce": "nonce",
    "sub": "subject",
    "exp": "expiry",
    "iat": "time of issue",
}


class NotProved(Exception):
    """The token proves nothing; its text is the end of a sentence and holds nothing of the token."""


def proved_claims(
    token: SecretStr,
    keys: dict[str, Any],
    *,
    algorithms: Collection[str],
    issuer: str,
    client_id: str,
    nonce: SecretStr,
    now: datetime,
) -> dict[str, Any]:
    """The claims of a token for which all holds. keys: the provider's JWK set. Raises NotProved."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet
    from joserfc.jws import JWSRegistry

    try:
        registry = JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
        found = jwt.decode(token.get_secret_value(), KeySet.import_key_set(_usable(keys)), registry=registry)
        claims = dict(found.claims)
        _check(claims, issuer, client_id, nonce, now)
        return claims
    except JoseError as error:
        because = _reason(error)
    except (ValueError, TypeError, KeyError, AttributeError):
        because = "it cannot be read"
    raise NotProved(because)


def _check(claims: dict[str, Any], issuer: str, client_id: str, nonce: SecretStr, now: datetime) -> None:
    from joserfc.errors import InvalidClaimError
    from joserfc.jwt import JWTClaimsRegistry

    JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True},
    ).validate(claims)
    given = claims["nonce"]
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.get_secret_value().encode()):
        raise InvalidClaimError("nonce")
    many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    # Issued for several: then it must say that it was issued to us.
    if (many or "azp" in claims) and claims.get("azp") != client_id:
        raise InvalidClaimError("aud")


def _usable(keys: dict[str, Any]) -> Any:
    """The keys for signatures; one kind that is not known must not make the others useless."""
    usable = [
        key
        for key in keys["keys"]
        if isinstance(key, dict) and key.get("kty") in {"RSA", "EC"} and key.get("use", "sig") == "sig"
    ]
    return {"keys": usable}


def _reason(error: Exception) -> str:
    code = str(getattr(error, "error", ""))
    claim = str(getattr(error, "claim", ""))
    if code in {"invalid_claim", "missing_claim"}:
        named = next((text for key, text in _WHAT.items() if key in claim.split(",")), "content")
        return f"its {named} is {'missing' if code == 'missing_claim' else 'not the right one'}"
    return _WHY.get(code, "it cannot be read")
