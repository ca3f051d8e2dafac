"""Which ways of signing in a target offers, and what forbids listening beyond loopback: one sentence each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.access.ways import (
    auth_project,
    beyond_loopback,
    exposure_problems,
    founder_may_sign_in,
    has_sign_in,
    quick_accounts_count,
    require_safe_exposure,
)
from services.errors import NotUnderstood
from services.settings import Oidc, QuickSignIn, Settings, Target

KEY = SecretStr("anon-key")
OWN = {"auth_url": "https://own.example", "auth_anon_key": KEY}
APPS = {"supabase_url": "https://app.example", "supabase_anon_key": KEY}
QUICK = QuickSignIn(name="Ada", email="a@example.com", password=SecretStr("password"), role="admin")
OIDC = Oidc(metadata_url="https://id.example/x", client_id="c", client_secret=SecretStr("secret"))


def settings(*targets: Target, **ours: Any) -> Settings:
    named = {target.name: target for target in targets}
    given = {"home": Path(), "store_url": "sqlite:///x", "default_target": "t", **ours}
    return Settings(targets=named, **given)


def target(**values: Any) -> Target:
    return Target(name="t", **values)


def test_the_project_of_ones_choosing_comes_before_the_apps_own() -> None:
    own, apps = auth_project(target(**OWN, **APPS)), auth_project(target(**APPS))
    assert own is not None
    assert apps is not None
    assert (own.url, own.own) == ("https://own.example", True)
    assert (apps.url, apps.own) == ("https://app.example", False)


def test_a_chosen_project_without_its_key_never_falls_back_to_the_apps_own() -> None:
    assert auth_project(target(auth_url="https://own.example", **APPS)) is None
    assert auth_project(target()) is None


def test_a_founder_counts_until_somebody_can_prove_who_they_are() -> None:
    founded = target(founder="sandbox:u1")
    assert founder_may_sign_in(settings(founded), founded)
    for other in (target(founder="sandbox:u1", **OWN), target(founder="sandbox:u1", **APPS), target()):
        assert not founder_may_sign_in(settings(other), other)
    assert not founder_may_sign_in(settings(founded, oidc=OIDC), founded)
    assert has_sign_in(settings(founded, oidc=OIDC), founded)


@pytest.mark.parametrize(
    ("ours", "beyond"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "10.0.0.5"}, True),
        ({"public_url": "https://ops.example.com"}, True),
        ({"public_url": "http://127.0.0.1:9000"}, False),
    ],
)
def test_who_can_reach_us(ours: dict[str, Any], beyond: bool) -> None:
    assert beyond_loopback(settings(target(), **ours)) is beyond


def test_accounts_without_a_password_count_on_a_disposable_target_of_this_machine_only() -> None:
    quick = target(production=False, quick_sign_in=(QUICK,))
    assert quick_accounts_count(settings(quick), quick)
    assert not quick_accounts_count(settings(quick, host="0.0.0.0"), quick)
    assert not quick_accounts_count(settings(target()), target())


PUBLIC = {"host": "0.0.0.0", "public_url": "https://ops.example.com"}


@pytest.mark.parametrize(
    ("place", "ours", "sentence"),
    [
        (target(**OWN), {"host": "0.0.0.0"}, "OPS_PUBLIC_URL is not set"),
        (target(**OWN), {"host": "0.0.0.0", "public_url": "http://ops.example.com"}, "does not begin with https://"),
        (target(), PUBLIC, "t has no sign-in"),
        (target(founder="sandbox:u1"), PUBLIC, "t has no sign-in"),
        (target(auth_url="https://own.example"), PUBLIC, "t has no sign-in"),
        (target(production=False, quick_sign_in=(QUICK,), **OWN), PUBLIC, "t has accounts that need no password"),
        (target(**OWN), {**PUBLIC, "default_target": "sandbox"}, "would be the sandbox"),
    ],
)
def test_what_forbids_listening_beyond_loopback(place: Target, ours: dict[str, Any], sentence: str) -> None:
    chosen = settings(place, **ours)
    (problem,) = exposure_problems(chosen)
    assert sentence in problem
    with pytest.raises(NotUnderstood, match="is refused") as caught:
        require_safe_exposure(chosen)
    assert sentence in caught.value.what


def test_every_problem_is_told_at_once_and_each_target_by_name() -> None:
    other = Target(name="other", quick_sign_in=(QUICK,))
    assert len(exposure_problems(settings(target(), other, host="::"))) == 3


@pytest.mark.parametrize("place", [target(**OWN), target(**APPS)])
def test_with_a_sign_in_and_tls_in_front_it_may_listen(place: Target) -> None:
    require_safe_exposure(settings(place, **PUBLIC))
    require_safe_exposure(settings(target(), **PUBLIC, oidc=OIDC))


def test_on_loopback_nothing_is_asked_for() -> None:
    require_safe_exposure(settings(default_target="sandbox"))
