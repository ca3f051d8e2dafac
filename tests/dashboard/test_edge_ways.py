"""Every way of signing in through the edge: what it takes, what it refuses, and what the page says and offers."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from services.access.permissions import Role
from services.access.sessions import actor_on
from services.clients.http import Kind, UpstreamError
from services.releases.actions import back_out_app
from services.releases.ledger import pin, start_run
from services.settings import Level
from services.store import audit
from tests.dashboard.ways import AUTH, ORIGIN, QUICK, Edge, make_edge
from tests.oidc_provider import LittleProvider, little_provider
from tests.pages.world import small_release

PUBLIC = "https://ops.example.com"


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = make_edge(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def running() -> Iterator[LittleProvider]:
    with little_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: LittleProvider) -> LittleProvider:
    running.honest()
    return running


def who(client: TestClient, target: str) -> str:
    return client.get("/", params={"target": target}).text


def use_code(client: TestClient, code: str, target: str = "production", **more: str) -> Any:
    return client.post("/auth/recovery", data={"target": target, "code": code, **more})


# Recovery codes


def test_a_code_signs_in_without_asking_anybody_and_goes_on_to_where_one_was_headed(edge: Edge) -> None:
    edge.outage = UpstreamError("Supabase", Kind.UNREACHABLE, "Supabase Auth cannot be reached.")
    with edge.client() as client:
        answer = use_code(client, edge.code("production"), next="/rollback?losses=true")
        assert (answer.status_code, answer.headers["location"]) == (303, "/rollback?losses=true")
        assert who(client, "production") == "Ada Example, operator, recovery"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=3600" in cookie
    assert edge.asked == 0


def test_who_came_in_with_a_code_may_bring_the_app_back(edge: Edge) -> None:
    edge.target("production", levels=frozenset(Level), **AUTH)
    with edge.client() as client:
        use_code(client, edge.code("production"))
        token = client.cookies["ops_session_production"]
    actor = actor_on(edge.store, edge.settings, "production", token, edge.now)
    assert actor is not None
    run_id = start_run(edge.store, actor=actor, release=small_release(), target="production", now=edge.now)
    serving = {"commit": "0123456789", "build": "old", "deployment_id": "d1", "paths": ["/"]}
    pin(edge.store, run_id=run_id, actor=actor, serving=serving, now=edge.now, job_id="job-1")
    target = edge.settings.target("production")
    job = back_out_app(edge.store, actor=actor, target=target, run_id=run_id, seen=0, now=edge.now)
    assert (job.kind, job.actor.name, job.actor.way) == ("back_out_app", "Ada Example", "recovery")


def test_the_session_of_a_code_ends_after_an_hour_of_use(edge: Edge) -> None:
    with edge.client() as client:
        use_code(client, edge.code("production"))
        for _ in range(5):
            edge.later(minutes=11)
            assert who(client, "production").startswith("Ada Example")
        edge.later(minutes=6)
        assert client.get("/").status_code == 303


def test_a_used_a_wrong_an_expired_and_anothers_code_are_refused_with_a_sentence(edge: Edge) -> None:
    code, expired, other = edge.code("production"), edge.code("production", days=1), edge.code("sandbox")
    with edge.client() as client:
        use_code(client, code)
    edge.later(days=1)
    sentences = {
        code: "each is good once",
        "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA": "is not a recovery code of production",
        expired: "was good until",
        other: "is for sandbox, not for production",
        "short": "has 25 letters and digits",
    }
    for typed, sentence in sentences.items():
        with edge.client() as client:
            answer = use_code(client, typed)
            assert answer.status_code == 401
            assert sentence in unescape(answer.text)
            assert "set-cookie" not in answer.headers
            assert "<details open><summary>Use a recovery code" in answer.text
            assert typed not in answer.text or typed == "short"


def test_where_auth_is_dead_the_page_says_so_and_points_to_the_codes(edge: Edge) -> None:
    edge.outage = UpstreamError("Supabase", Kind.SERVER_ERROR, "Supabase Auth answered 503 (server-error).")
    form = {"target": "production", "email": "ada@example.com", "password": "right"}
    with edge.client() as client:
        without = client.post("/auth/sign-in", data=form)
        edge.code("production")
        answer = client.post("/auth/sign-in", data=form)
    assert answer.status_code == without.status_code == 503
    assert "Supabase Auth answered 503" in answer.text
    assert "A recovery code works" in answer.text
    assert "<details open><summary>Use a recovery code" in answer.text
    assert "A recovery code works" not in without.text
    assert "No recovery code is left for production" in without.text


def test_a_code_is_not_taken_from_another_sites_form_nor_by_get(edge: Edge) -> None:
    code = edge.code("production")
    with edge.client() as client:
        refused = client.post(
            "/auth/recovery", data={"target": "production", "code": code}, headers={"Origin": "https://evil.example"}
        )
        assert refused.status_code == 403
        assert client.get("/auth/recovery", params={"target": "production", "code": code}).status_code == 405
        assert use_code(client, code).status_code == 303


# Passwords and quick accounts


def test_who_fails_too_often_is_made_to_wait_and_others_are_not(edge: Edge) -> None:
    wrong = {"target": "production", "email": "ada@example.com", "password": "wrong"}
    right = {**wrong, "password": "right"}
    with edge.client() as client, edge.client("10.0.0.9") as other:
        for _ in range(10):
            assert client.post("/auth/sign-in", data=wrong).status_code == 401
        slowed = client.post("/auth/sign-in", data=right)
        assert slowed.status_code == 401
        assert "failed within a minute" in slowed.text
        assert edge.asked == 10
        assert other.post("/auth/sign-in", data=right).status_code == 303
        edge.later(minutes=1)
        assert client.post("/auth/sign-in", data=right).status_code == 303


@pytest.mark.parametrize("ours", [{"host": "0.0.0.0"}, {"public_url": PUBLIC}])
def test_accounts_without_a_password_are_neither_shown_nor_taken_beyond_loopback(
    edge: Edge, ours: dict[str, str]
) -> None:
    with edge.client() as client:
        assert "Continue as quick-admin" in client.get("/auth/sign-in?target=sandbox").text
        edge.configure(**ours)
        assert "Continue as quick-admin" not in client.get("/auth/sign-in?target=sandbox").text
        form = {"target": "sandbox", "account": "quick-admin"}
        origin = {"Origin": PUBLIC} if "public_url" in ours else {}
        assert client.post("/auth/sign-in", data=form, headers=origin).status_code == 401
    assert edge.asked == 0


def test_a_production_target_takes_no_quick_account_whatever_its_settings_say(edge: Edge) -> None:
    edge.target("production", quick_sign_in=(QUICK,), **AUTH)
    with edge.client() as client:
        assert client.post("/auth/sign-in", data={"account": "quick-admin"}).status_code == 401


@pytest.mark.parametrize("public", [PUBLIC, None])
def test_the_cookie_is_secure_where_browsers_use_https(edge: Edge, public: str | None) -> None:
    edge.configure(public_url=public)
    form = {"target": "production", "email": "ada@example.com", "password": "right"}
    with edge.client(base_url=public or ORIGIN) as client:
        cookie = client.post("/auth/sign-in", data=form).headers["set-cookie"].lower()
    assert ("; secure" in cookie) is (public is not None)


# The founder


def founder(edge: Edge, cookies: dict[str, str]) -> tuple[Any, str]:
    with edge.client() as client:
        client.cookies.update(cookies)
        page = client.get("/auth/sign-in?target=fresh").text
        answer = client.post("/auth/founder", data={"target": "fresh"})
        return answer, page + who(client, "fresh")


def test_who_made_a_target_goes_on_to_it_as_its_admin(edge: Edge) -> None:
    answer, shown = founder(edge, edge.session("sandbox", "sandbox:bo"))
    assert answer.status_code == 303
    assert "Continue as Bo Founder, who made this target" in shown
    assert shown.endswith("Bo Founder, admin, founder")
    newest = audit.entries(edge.store)[0]
    assert (newest.action, newest.target, newest.detail) == ("sign-in", "fresh", {"way": "founder"})


@pytest.mark.parametrize(
    ("actor", "way", "closed_by"),
    [
        ("sandbox:somebody-else", "auth", {}),
        ("sandbox:bo", "founder", {}),
        ("sandbox:bo", "recovery", {}),
        ("sandbox:bo", "auth", AUTH),
        ("sandbox:bo", "auth", {"supabase_url": "https://a.example", "supabase_anon_key": AUTH["auth_anon_key"]}),
    ],
)
def test_nobody_else_does_and_nobody_once_a_sign_in_is_configured(
    edge: Edge, actor: str, way: str, closed_by: dict[str, Any]
) -> None:
    edge.target("fresh", founder="sandbox:bo", **closed_by)
    answer, shown = founder(edge, edge.session("sandbox", actor, way))
    assert answer.status_code == 401
    assert "who made this target</button>" not in shown


def test_a_session_that_has_ended_makes_nobody_a_founder(edge: Edge) -> None:
    cookies = edge.session("sandbox", "sandbox:bo")
    edge.later(hours=12)
    answer, _ = founder(edge, cookies)
    assert answer.status_code == 401


@pytest.mark.parametrize("closed_by", ["auth", "oidc", "founder"])
def test_a_founders_session_ends_with_the_first_request_after_a_sign_in_is_configured(
    edge: Edge, provider: LittleProvider, closed_by: str
) -> None:
    with edge.client() as client:
        client.cookies.update(edge.session("sandbox", "sandbox:bo"))
        client.post("/auth/founder", data={"target": "fresh"})
        assert who(client, "fresh").startswith("Bo Founder")
        if closed_by == "oidc":
            edge.configure(oidc=provider.settings())
        elif closed_by == "auth":
            edge.target("fresh", founder="sandbox:bo", **AUTH)
        else:
            edge.target("fresh", founder="somebody:else")
        assert client.get("/?target=fresh").status_code == 303


def test_the_founder_is_not_taken_by_get_nor_from_another_site(edge: Edge) -> None:
    with edge.client() as client:
        client.cookies.update(edge.session("sandbox", "sandbox:bo"))
        assert client.get("/auth/founder?target=fresh").status_code == 405
        form = {"target": "fresh"}
        assert client.post("/auth/founder", data=form, headers={"Origin": "https://x.example"}).status_code == 403


def test_where_nothing_is_configured_the_page_says_so(edge: Edge) -> None:
    with edge.client() as client:
        text = unescape(client.get("/auth/sign-in?target=fresh").text)
    assert "No sign-in is configured for fresh" in text
    assert "Whoever made this target goes on from here" in text
    assert 'name="password"' not in text
    assert "Use a recovery code" in text


# OpenID Connect


def go(client: TestClient, provider: LittleProvider, **asked: str) -> dict[str, str]:
    """As far as the provider; what it sends the browser back with."""
    query = {"target": "production", "next": "/rollback?a=1&b=2", **asked}
    begun = client.get("/auth/oidc/start", params=query)
    assert begun.status_code == 303
    return provider.answer(begun.headers["location"])


def test_a_person_with_a_role_signs_in_and_a_page_of_ours_goes_on(edge: Edge, provider: LittleProvider) -> None:
    edge.configure(oidc=provider.settings())
    with edge.client() as client:
        page = client.get("/auth/sign-in?target=production").text
        assert "Continue with Example ID" in page
        answer = client.get("/auth/oidc/callback", params=go(client, provider))
        assert answer.status_code == 200
        assert '<meta http-equiv="refresh" content="0;url=/rollback?a=1&amp;b=2">' in answer.text
        assert "samesite=strict" in answer.headers["set-cookie"].lower()
        assert who(client, "production") == "Ada Example, operator, oidc"


def test_the_way_back_is_exactly_that_of_the_public_address(edge: Edge, provider: LittleProvider) -> None:
    edge.configure(oidc=provider.settings(), public_url=PUBLIC)
    with edge.client(base_url=PUBLIC) as client:
        begun = client.get("/auth/oidc/start", params={"target": "production"})
        assert parse_qs(urlsplit(begun.headers["location"]).query)["redirect_uri"] == [f"{PUBLIC}/auth/oidc/callback"]
        cookie = begun.headers["set-cookie"].lower()
        assert cookie.startswith("__host-ops_oidc=")
        assert all(part in cookie for part in ("; secure", "; httponly", "; samesite=lax"))
        back = provider.answer(begun.headers["location"])
        assert client.get("/auth/oidc/callback", params=back).status_code == 200
    with edge.client() as inside:
        moved = inside.get("/auth/oidc/start", params={"target": "production"})
        assert moved.headers["location"].startswith(f"{PUBLIC}/auth/oidc/start?")
        again = inside.get("/auth/oidc/start", params={"target": "production", "moved": "1"})
        assert again.headers["location"].startswith(provider.url)


def refused(answer: Any, sentence: str) -> None:
    assert answer.status_code == 401
    assert sentence in unescape(answer.text)
    assert not any("ops_session" in value for value in answer.headers.get_list("set-cookie"))


def test_a_second_visit_to_the_same_answer_signs_nobody_in(edge: Edge, provider: LittleProvider) -> None:
    provider.codes_twice = True
    edge.configure(oidc=provider.settings())
    with edge.client() as client:
        back = go(client, provider)
        client.get("/auth/oidc/callback", params=back)
        refused(client.get("/auth/oidc/callback", params=back), "was not begun in this browser")


def test_an_answer_for_another_browser_signs_nobody_in(edge: Edge, provider: LittleProvider) -> None:
    edge.configure(oidc=provider.settings())
    with edge.client() as attacker, edge.client() as victim:
        theirs = go(attacker, provider)
        refused(victim.get("/auth/oidc/callback", params=theirs), "was not begun in this browser")
        go(victim, provider)
        refused(victim.get("/auth/oidc/callback", params=theirs), "does not belong to the sign-in that was begun here")


def test_a_sign_in_that_takes_too_long_is_given_up(edge: Edge, provider: LittleProvider) -> None:
    edge.configure(oidc=provider.settings())
    with edge.client() as client:
        back = go(client, provider)
        edge.later(minutes=10)
        refused(client.get("/auth/oidc/callback", params=back), "within the last 10 minutes")


@pytest.mark.parametrize("cookie", ["x", "bnVsbA==", "e30=", "eyJzdGF0ZSI6IDF9"])
def test_a_forged_cookie_is_nothing(edge: Edge, provider: LittleProvider, cookie: str) -> None:
    edge.configure(oidc=provider.settings())
    with edge.client() as client:
        client.cookies.set("ops_oidc", cookie)
        refused(client.get("/auth/oidc/callback?code=a&state=b"), "was not begun in this browser")


def test_without_a_role_nobody_is_signed_in(edge: Edge, provider: LittleProvider) -> None:
    provider.claims = {"ops_role": {"sandbox": "admin"}}
    edge.configure(oidc=provider.settings())
    with edge.client() as client:
        answer = client.get("/auth/oidc/callback", params=go(client, provider))
        refused(answer, "Ada Example has no operations role on production")


def test_a_dead_provider_is_a_sentence_and_a_recovery_code_works(edge: Edge, provider: LittleProvider) -> None:
    with little_provider() as other:
        edge.configure(oidc=other.settings())
    code = edge.code("production")
    with edge.client() as client:
        answer = client.get("/auth/oidc/start?target=production")
        assert answer.status_code == 503
        assert "nothing listens at its address" in answer.text
        assert "A recovery code works" in answer.text
        assert use_code(client, code).status_code == 303


def test_where_it_is_not_configured_its_addresses_say_so(edge: Edge) -> None:
    with edge.client() as client:
        for path in ("/auth/oidc/start?target=production", "/auth/oidc/callback?code=a&state=b"):
            assert "No sign-in by OpenID Connect is configured" in client.get(path).text


@pytest.mark.parametrize("role", list(Role))
def test_sign_out_ends_every_kind_of_session(edge: Edge, role: Role) -> None:
    with edge.client() as client:
        client.cookies.update(edge.session("production", "production:ada", role=role))
        assert who(client, "production").startswith("Bo")
        client.post("/auth/sign-out", data={"target": "production"})
        assert client.get("/").status_code == 303
