"""The edge under its real server: headers, policy, hosts, origins, sign-in, compression, probes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from html import escape

import httpx
import pytest

from dashboard import nav
from services.access.permissions import Role
from tests.dashboard.serving import ROOT, Served

PAGES = [page.path for page in nav.REGISTRY]


def test_the_probes_answer_without_a_session(served: Served) -> None:
    with served.client() as client:
        assert client.get("/livez").json() == {"alive": True}
        assert client.get("/readyz").json() == {"ready": True}


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_served_to_somebody_who_is_not_signed_in(served: Served, path: str) -> None:
    with served.client() as client:
        answer = client.get(f"{path}?step=before-1")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/auth/sign-in?target=sandbox&next=")
    assert "step%3Dbefore-1" in answer.headers["location"]


def test_a_quick_account_signs_in_with_a_cookie_that_no_script_and_no_other_site_can_use(served: Served) -> None:
    with served.client() as client:
        answer = client.post(
            "/auth/sign-in",
            data={"target": "sandbox", "account": "operator", "next": "/checklist?step=before-1"},
            headers=served.origin,
        )
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert answer.headers["location"] == "/checklist?step=before-1"
    assert cookie.startswith("ops_session_sandbox=")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_served_under_the_strict_policy_with_the_staleness_clock(served: Served, path: str) -> None:
    with served.signed_in() as client:
        answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    script_rule = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
    assert answer.status_code == 200
    assert '<script src="/ops/assets/stale.js" defer></script>' in answer.text
    assert "'unsafe-inline'" not in script_rule
    assert "'unsafe-eval'" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_an_unknown_path_has_the_clock_too(served: Served) -> None:
    with served.signed_in() as client:
        assert "stale.js" in client.get("/no-such-page").text


def test_the_typed_password_signs_in_and_the_role_is_that_of_app_metadata(served: Served) -> None:
    form = {"target": "sandbox", "email": "viewer@example.com", "password": "viewer-pw"}
    with served.client() as client:
        assert client.post("/auth/sign-in", data=form, headers=served.origin).status_code == 303
        assert client.get("/auth/session").json() == {"signed_in": True}


def test_a_wrong_password_gets_a_sentence_and_no_session(served: Served) -> None:
    form = {"target": "sandbox", "email": "viewer@example.com", "password": "wrong"}
    with served.client() as client:
        answer = client.post("/auth/sign-in", data=form, headers=served.origin)
        assert client.get("/auth/session").json() == {"signed_in": False}
    assert answer.status_code == 401
    assert "does not know this e-mail address and password" in answer.text
    assert 'role="alert"' in answer.text


def test_somebody_without_an_operations_role_is_refused_and_not_made_a_viewer(served: Served) -> None:
    form = {"target": "sandbox", "email": "ada@example.com", "password": "ada-pw"}
    with served.client() as client:
        answer = client.post("/auth/sign-in", data=form, headers=served.origin)
        assert client.get("/auth/session").json() == {"signed_in": False}
    assert answer.status_code == 401
    assert "has no operations role on sandbox" in answer.text


def test_sign_out_ends_the_session_on_the_server(served: Served) -> None:
    with served.signed_in() as client:
        kept = dict(client.cookies)
        client.post("/auth/sign-out", data={"target": "sandbox"}, headers=served.origin)
    with served.client() as other:
        answer = other.get("/auth/session", headers={"Cookie": "; ".join(f"{k}={v}" for k, v in kept.items())})
    assert answer.json() == {"signed_in": False}


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}])
def test_a_form_from_elsewhere_does_nothing(served: Served, headers: dict[str, str]) -> None:
    with served.client() as client:
        answer = client.post("/auth/sign-in", data={"target": "sandbox", "account": "admin"}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "after", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere", "/auth/sign-out"]
)
def test_sign_in_never_leads_to_another_site(served: Served, after: str) -> None:
    form = {"target": "sandbox", "account": "viewer", "next": after}
    with served.client() as client:
        assert client.post("/auth/sign-in", data=form, headers=served.origin).headers["location"] == "/"


def test_a_foreign_host_name_is_refused(served: Served) -> None:
    with served.client() as client:
        assert client.get("/livez", headers={"Host": "elsewhere.example"}).status_code == 421


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/openapi.json", "/_stcore/script-health-check"])
def test_what_streamlit_offers_without_a_session_is_closed(served: Served, path: str) -> None:
    with served.signed_in() as client:
        assert client.get(path).status_code == 404


def test_scripts_are_served_compressed_once_and_for_good(served: Served) -> None:
    with served.signed_in() as client:
        page = client.get("/").text
        script = page.split('type="module" crossorigin src=".')[1].split('"')[0]
        answer = client.get(script, headers={"Accept-Encoding": "gzip"})
        plain = client.get(script, headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.text == plain.text
    assert int(answer.headers["content-length"]) < len(plain.content) / 2


def test_the_page_is_compressed_only_for_those_who_take_it(served: Served) -> None:
    with served.signed_in() as client:
        plain = client.get("/", headers={"Accept-Encoding": "identity"})
        with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as answer:
            raw = b"".join(answer.iter_raw())
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content


def test_what_was_typed_comes_back_as_text(served: Served) -> None:
    typed = '"><script>alert(1)</script>@example.com'
    form = {"target": "sandbox", "email": typed, "password": "wrong"}
    with served.client() as client:
        answer = client.post("/auth/sign-in", data=form, headers=served.origin)
    assert escape(typed) in answer.text
    assert "<script>alert" not in answer.text


def test_the_passwords_of_quick_accounts_are_not_on_the_page(served: Served) -> None:
    with served.client() as client:
        text = client.get("/auth/sign-in").text
    assert "Continue as operator" in text
    assert not any(f"{role.value}-pw" in text for role in Role)


def test_a_form_that_is_too_large_is_not_read(served: Served) -> None:
    with served.client() as client:
        answer = client.post("/auth/sign-in", data={"target": "sandbox", "email": "x" * 20_000}, headers=served.origin)
    assert answer.status_code == 401


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "http://127.0.0.1:9"])
def test_a_websocket_from_another_site_or_port_is_closed(served: Served, origin: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": origin,
    }
    with served.client() as client:
        assert client.get("/_stcore/stream", headers=headers).status_code == 403


def test_security_settings_hold_as_uvicorn_loads_them() -> None:
    """They come from config.toml of the project's folder, and a stray variable does not weaken them."""
    code = (
        "import json; from dashboard.app import app; from streamlit import config; "
        "names = ['client.showErrorDetails', 'browser.gatherUsageStats', 'server.allowedHosts', 'runner.magicEnabled', "
        "'server.enableXsrfProtection', 'server.enableCORS', 'server.enableAgentApi', 'server.enableStaticServing']; "
        "print(json.dumps({name: config.get_option(name) for name in names}))"
    )
    environ = {**os.environ, "STREAMLIT_CLIENT_SHOW_ERROR_DETAILS": "full"}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(told.stdout.splitlines()[-1]) == {
        "client.showErrorDetails": "none",
        "browser.gatherUsageStats": False,
        "server.allowedHosts": ["localhost", "127.0.0.1"],
        "runner.magicEnabled": False,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
    }


def test_an_unknown_target_gets_a_sentence(served: Served) -> None:
    with served.client() as client:
        answer = client.get("/?target=nowhere")
    assert answer.status_code == 503
    assert escape("There is no target called 'nowhere'.") in answer.text


def test_httpx_is_not_followed_out_of_the_loopback(served: Served) -> None:
    with served.client() as client:
        answers = [client.get(path) for path in ("/", "/auth/sign-in", "/livez")]
    assert all(httpx.URL(answer.headers.get("location", "/")).host == "" for answer in answers)
