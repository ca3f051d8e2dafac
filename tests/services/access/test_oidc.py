"""OpenID Connect against a real provider on the loopback: what fits signs in, whatever does not is a sentence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.access.oidc import Begun, begin, finish
from services.access.permissions import Actor, Role
from services.clients.http import UpstreamError
from services.errors import OpsError, Refused, Unavailable
from services.settings import Oidc
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, LittleProvider, little_provider

REDIRECT = "https://ops.example.com/auth/oidc/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[LittleProvider]:
    with little_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: LittleProvider) -> LittleProvider:
    running.honest()
    return running


def sign_in(provider: LittleProvider, oidc: Oidc | None = None, target: str = "staging", **now: Any) -> Actor:
    chosen = oidc or provider.settings()
    begun = begin(chosen, REDIRECT)
    return end(chosen, begun, provider.answer(begun.address), target, **now)


def end(oidc: Oidc, begun: Begun, back: dict[str, str], target: str = "staging", later: float = 0) -> Actor:
    return finish(oidc, target, REDIRECT, begun, back, datetime.now(UTC) + timedelta(seconds=later))


def test_somebody_with_a_role_signs_in(provider: LittleProvider) -> None:
    actor = sign_in(provider)
    assert (actor.name, actor.role, actor.target, actor.way) == ("Ada Example", Role.OPERATOR, "staging", "oidc")
    assert actor.id.startswith("staging:oidc:")


def test_the_same_person_is_the_same_actor_and_another_is_not(provider: LittleProvider) -> None:
    first, again = sign_in(provider), sign_in(provider)
    provider.claims = {"sub": "u-2"}
    other = sign_in(provider)
    assert first.id == again.id != other.id


def test_the_browser_is_sent_with_state_nonce_challenge_and_the_exact_way_back(provider: LittleProvider) -> None:
    begun = begin(provider.settings(), REDIRECT)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.address).query).items()}
    assert asked["redirect_uri"] == REDIRECT
    assert asked["state"] == begun.state
    assert asked["nonce"] == begun.nonce.get_secret_value()
    assert begun.verifier.get_secret_value() not in begun.address
    assert CLIENT_SECRET not in begun.address
    assert begin(provider.settings(), REDIRECT).state != begun.state


@pytest.mark.parametrize(
    ("given", "expected"),
    [("viewer", Role.VIEWER), ({"staging": "admin", "production": "viewer"}, Role.ADMIN)],
)
def test_the_role_is_one_for_all_or_one_a_target(provider: LittleProvider, given: Any, expected: Role) -> None:
    provider.claims = {"roles": given}
    assert sign_in(provider, provider.settings(role_claim="roles")).role is expected


@pytest.mark.parametrize("given", [None, "", "owner", ["admin"], {"production": "admin"}, True])
def test_without_a_role_nobody_is_signed_in_and_nobody_becomes_a_viewer(provider: LittleProvider, given: Any) -> None:
    provider.claims = {"ops_role": given}
    with pytest.raises(Refused, match="Ada Example has no operations role on staging"):
        sign_in(provider)


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        ({"signed_by": "other"}, "its signature is not by a key of the provider"),
        ({"alg": "none"}, "its signature is of a kind that is not accepted"),
        ({"alg": "HS256"}, "its signature is of a kind that is not accepted"),
        ({"claims": {"nonce": "another"}}, "its nonce is not the right one"),
        ({"claims": {"nonce": None}}, "its nonce is missing"),
        ({"claims": {"aud": "another-client"}}, "its audience is not the right one"),
        ({"claims": {"aud": ["another-client", CLIENT_ID]}}, "its audience is not the right one"),
        ({"claims": {"aud": "another-client", "azp": CLIENT_ID}}, "its audience is not the right one"),
        ({"claims": {"aud": None}}, "its audience is missing"),
        ({"claims": {"iss": "https://elsewhere.example"}}, "its issuer is not the right one"),
        ({"claims": {"exp": int(time.time()) - 120}}, "it has expired"),
        ({"claims": {"exp": None}}, "its expiry is missing"),
        ({"claims": {"sub": None}}, "its subject is missing"),
        ({"claims": {"iat": int(time.time()) + 3600}}, "its time"),
    ],
)
def test_a_token_that_proves_nothing_signs_nobody_in(
    provider: LittleProvider, lie: dict[str, Any], sentence: str
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    with pytest.raises(Refused, match="does not prove who you are") as caught:
        sign_in(provider)
    assert sentence in caught.value.what


def test_an_old_token_has_expired_by_our_clock(provider: LittleProvider) -> None:
    with pytest.raises(Refused, match="it has expired"):
        sign_in(provider, later=3600)


def test_another_state_is_refused_before_the_provider_is_asked(provider: LittleProvider) -> None:
    begun = begin(provider.settings(), REDIRECT)
    back = {**provider.answer(begun.address), "state": "another"}
    asked = len(provider.calls)
    with pytest.raises(Refused, match="does not belong to the sign-in that was begun here"):
        end(provider.settings(), begun, back)
    assert len(provider.calls) == asked


def test_a_code_is_good_once(provider: LittleProvider) -> None:
    oidc = provider.settings()
    begun = begin(oidc, REDIRECT)
    back = provider.answer(begun.address)
    end(oidc, begun, back)
    with pytest.raises(Refused, match="did not take the code"):
        end(oidc, begun, back)


def test_a_code_that_was_stolen_is_of_no_use_in_another_browser(provider: LittleProvider) -> None:
    oidc = provider.settings()
    victim, thief = begin(oidc, REDIRECT), begin(oidc, REDIRECT)
    stolen = provider.answer(victim.address)["code"]
    with pytest.raises(Refused, match="did not take the code"):
        end(oidc, thief, {"code": stolen, "state": thief.state})


def test_an_answer_by_another_provider_is_refused(provider: LittleProvider) -> None:
    begun = begin(provider.settings(), REDIRECT)
    back = {**provider.answer(begun.address), "iss": "https://elsewhere.example"}
    with pytest.raises(Refused, match="comes from another provider"):
        end(provider.settings(), begun, back)


def test_a_person_who_said_no_gets_a_sentence_without_what_the_address_says(provider: LittleProvider) -> None:
    begun = begin(provider.settings(), REDIRECT)
    for code, shown in (("access_denied", True), ("<script>", False)):
        with pytest.raises(Refused, match="did not sign you in") as caught:
            end(provider.settings(), begun, {"error": code, "error_description": "<b>", "state": begun.state})
        assert (code in str(caught.value)) is shown


@pytest.mark.parametrize(
    "answer", [(503, b"{}"), (200, b"<html>"), (200, b"{}"), (200, b'{"id_token": 7}'), (200, b"[]")]
)
def test_a_provider_that_answers_nonsense_is_unknown_and_no_traceback(
    provider: LittleProvider, answer: tuple[int, bytes]
) -> None:
    provider.token_answer = answer
    with pytest.raises(UpstreamError, match="Example ID"):
        sign_in(provider)


@pytest.mark.parametrize(
    "lie",
    [
        {"token_endpoint": "http://elsewhere.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"issuer": 7},
    ],
)
def test_metadata_that_cannot_be_relied_on_begins_nothing(provider: LittleProvider, lie: dict[str, Any]) -> None:
    provider.metadata = lie
    with pytest.raises(UpstreamError, match="Example ID"):
        begin(provider.settings(), REDIRECT)


def test_a_provider_that_offers_only_weak_signatures_is_told_so(provider: LittleProvider) -> None:
    provider.metadata = {"id_token_signing_alg_values_supported": ["HS256", "none"]}
    with pytest.raises(Unavailable, match="signs with no algorithm that is accepted"):
        sign_in(provider)


def test_a_dead_provider_is_a_sentence() -> None:
    with little_provider() as provider:
        oidc = provider.settings()
        begun = begin(oidc, REDIRECT)
        back = provider.answer(begun.address)
    for attempt in (lambda: begin(oidc, REDIRECT), lambda: end(oidc, begun, back)):
        with pytest.raises(UpstreamError, match="nothing listens at its address"):
            attempt()


def test_no_error_holds_code_token_secret_or_verifier(provider: LittleProvider) -> None:
    oidc = provider.settings()
    for lie in ({"signed_by": "other"}, {"token_answer": (400, b'{"error": "invalid_grant"}')}):
        provider.honest()
        for name, value in lie.items():
            setattr(provider, name, value)
        begun = begin(oidc, REDIRECT)
        back = provider.answer(begun.address)
        with pytest.raises(OpsError) as caught:
            end(oidc, begun, back)
        told = f"{caught.value!r} {caught.value} {caught.value.to_json()} {begun!r}"
        for secret in (back["code"], CLIENT_SECRET, begun.verifier.get_secret_value(), begun.nonce.get_secret_value()):
            if secret is not begun.nonce.get_secret_value():
                assert secret not in str(caught.value)
        assert begun.verifier.get_secret_value() not in told
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
