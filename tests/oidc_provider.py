"""A little provider of OpenID Connect on the loopback, which can be told to lie in every way that matters."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from services.settings import Oidc

ADA = {"sub": "u-1", "name": "Ada Example", "ops_role": "operator"}
CLIENT_ID, CLIENT_SECRET = "cockpit", "client-secret-4711"


@cache
def key(name: str) -> RSAKey:
    """An RSA key, made once in a session of tests."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@dataclass
class Asked:
    """What a browser brought to the provider's sign-in page, kept under the code it was given."""

    nonce: str
    challenge: str
    redirect_uri: str


@dataclass
class LittleProvider:
    """claims: put over those of an honest token (None: left out); the rest is how it lies.

    alg: "RS256", or "HS256" by the client's secret, or "none"; signed_by: the name of the key; token_answer: status
    and body instead of a token; metadata: put over what it publishes; codes_twice: takes a code again.
    """

    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "name": "Ada Example", "ops_role": "operator"}
    )
    claims: dict[str, Any] = field(default_factory=dict)
    alg: str = "RS256"
    signed_by: str = "good"
    token_answer: tuple[int, bytes] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    codes_twice: bool = False
    codes: dict[str, Asked] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def honest(self) -> None:
        """Forget all lies."""
        fresh = LittleProvider(url=self.url)
        for name in ("person", "claims", "alg", "signed_by", "token_answer", "metadata", "codes_twice"):
            setattr(self, name, getattr(fresh, name))

    def settings(self, **other: Any) -> Oidc:
        given = {
            "title": "Example ID",
            "metadata_url": f"{self.url}/.well-known/openid-configuration",
            "client_id": CLIENT_ID,
            "client_secret": SecretStr(CLIENT_SECRET),
            **other,
        }
        return Oidc(**given)

    def answer(self, address: str) -> dict[str, str]:
        """What a browser sent to `address` brings back after its person has signed in: code and state."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"]
        code = secrets.token_urlsafe(16)
        self.codes[code] = Asked(asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        return {"code": code, "state": asked["state"]}

    def published(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **self.metadata,
        }

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        basic = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if basic != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return 401, {"error": "invalid_client"}
        asked = self.codes.get(form["code"]) if self.codes_twice else self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if asked is None or asked.challenge != challenge.decode() or asked.redirect_uri != form["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": f"code {form['code']}"}
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token(asked.nonce)}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        honest = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        claims = {name: value for name, value in {**honest, **self.claims}.items() if value is not None}
        if self.alg == "none":
            parts = [{"alg": "none", "typ": "JWT"}, claims]
            return ".".join([*(_base64(json.dumps(part).encode()) for part in parts), ""])
        if self.alg == "HS256":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET * 2), algorithms=["HS256"])
        return jwt.encode({"alg": self.alg, "kid": "good"}, claims, key(self.signed_by), algorithms=[self.alg])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def little_provider() -> Iterator[LittleProvider]:
    """A provider that answers until the block ends."""
    provider = LittleProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            provider.calls.append(place.path)
            if place.path == "/authorize":
                self._browser_goes_back()
            elif place.path == "/keys":
                self._answer(200, {"keys": [key("good").as_dict(private=False)]})
            else:
                self._answer(200, provider.published())

        def do_POST(self) -> None:
            provider.calls.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if provider.token_answer is not None:
                self._send(*provider.token_answer)
                return
            self._answer(*provider.exchange(form, self.headers.get("authorization", "")))

        def _browser_goes_back(self) -> None:
            """By a press on a page of the provider, as people do: then the way back begins at another site."""
            back = provider.answer(self.path)
            place = f"{provider.codes[back['code']].redirect_uri}?{urlencode(back)}"
            page = f'<!DOCTYPE html><title>Example ID</title><a href="{escape(place)}">Sign in as Ada</a>'
            self._send(200, page.encode(), "text/html")

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            self._send(status, json.dumps(body).encode())

        def _send(self, status: int, data: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test's output is for the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
