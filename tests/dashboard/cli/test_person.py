"""Who the command line is: admin on the sandbox, elsewhere only what was set, and never a viewer by default."""

from __future__ import annotations

import os
import pwd

import pytest

from dashboard.cli.on_a_database import actor_here
from dashboard.cli.person import account, maker, person
from services.access.permissions import Role
from services.errors import NotUnderstood, Refused
from services.settings import Target

SANDBOX = Target(name="sandbox", production=False)
STAGING = Target(name="staging", production=False)


def test_on_the_sandbox_it_is_admin_under_the_accounts_name() -> None:
    actor = person(SANDBOX, {})
    assert (actor.id, actor.role, actor.target) == (f"cli:{pwd.getpwuid(os.getuid()).pw_name}", Role.ADMIN, "sandbox")


def test_a_production_database_called_sandbox_gives_no_rights() -> None:
    with pytest.raises(Refused):
        person(Target(name="sandbox", production=True), {})


def test_elsewhere_it_is_refused_until_a_role_is_set() -> None:
    with pytest.raises(Refused, match="OPS_CLI_ROLE__STAGING"):
        person(STAGING, {})
    assert person(STAGING, {"OPS_CLI_ROLE__STAGING": "operator"}).role is Role.OPERATOR


def test_a_role_that_is_none_is_not_understood() -> None:
    with pytest.raises(NotUnderstood, match="'root' is not a role"):
        person(STAGING, {"OPS_CLI_ROLE__STAGING": "root"})


def test_a_role_counts_on_its_own_target_only() -> None:
    with pytest.raises(Refused):
        person(Target(name="production"), {"OPS_CLI_ROLE__STAGING": "admin"})


def test_no_variable_makes_somebody_else_of_this_account(monkeypatch: pytest.MonkeyPatch) -> None:
    before = account()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody")
    assert account() == before
    assert {person(SANDBOX, {}).id, maker("new").id, actor_here()} == {f"cli:{before}"}


def test_an_account_without_a_name_goes_by_its_number_and_the_superuser_is_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123)
    assert account() == "uid-4000123"
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert account() == "root"
