"""What Supabase tells of backups and advisors, and how a sign-in that must fail is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.app_definition import AppDefinition
from services.checks.context import CheckContext
from services.checks.standard.supabase import advised, auth_answers, backup
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import AuthHealth, Backups, Lint
from services.settings import Target
from services.verdict import Finding, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("age_h", "verdict"), [(23.9, Verdict.PASS), (24.1, Verdict.FAIL), (None, Verdict.FAIL)])
def test_a_backup_must_be_young(age_h: float | None, verdict: Verdict) -> None:
    newest = None if age_h is None else NOW - timedelta(hours=age_h)
    found = backup(Backups(1 if newest else 0, newest, False, "physical"), NOW, 24)
    assert (found.verdict, found.facts["newest"] is None) == (verdict, age_h is None)


@pytest.mark.parametrize(
    ("pitr", "kind", "said"),
    [
        (True, "physical", "any moment can be restored"),
        (False, "physical", "cannot be downloaded"),
        (False, "logical", "can be downloaded"),
    ],
)
def test_what_can_be_done_with_a_backup_is_told(pitr: bool, kind: str, said: str) -> None:
    found = backup(Backups(3, NOW - timedelta(hours=2), pitr, kind), NOW, 24)
    assert said in found.facts["restorable"]
    assert said in found.summary


def test_no_backup_is_a_sentence_that_names_the_free_plan() -> None:
    assert "free plan" in backup(Backups(0, None, False, "logical"), NOW, 24).summary


def lint(level: str) -> Lint:
    return Lint("rls_disabled_in_public", "RLS Disabled in Public", level, "", "", "public.t")


def test_only_errors_of_the_advisors_count() -> None:
    found = advised([lint("ERROR"), lint("WARN"), lint("INFO")])
    assert (found.verdict, found.facts["errors"], found.facts["warnings"], found.facts["notes"]) == (
        Verdict.FAIL,
        1,
        1,
        1,
    )
    assert "public.t" in found.summary
    assert advised([lint("WARN"), lint("SOMETHING NEW")]).verdict is Verdict.PASS


class Auth:
    """Stands for the client: a health, and what a sign-in comes to."""

    def __init__(self, answer: UpstreamError | None, health: UpstreamError | None = None) -> None:
        self._answer, self._health = answer, health

    def auth_health(self) -> AuthHealth:
        if self._health:
            raise self._health
        return AuthHealth("GoTrue", "v2")

    def sign_in(self, *_: str) -> Any:
        if self._answer:
            raise self._answer


def asked(client: Auth) -> Finding:
    context = CheckContext.create(Target(name="t"), AppDefinition(name="tiny", title="Tiny"), NOW)
    context.once("client:supabase", lambda: client)
    return auth_answers(context)


def error(kind: Kind, status: int | None, code: str | None = None) -> UpstreamError:
    return UpstreamError("Supabase", kind, "Refused.", status=status, code=code)


def test_a_stranger_is_refused() -> None:
    found = asked(Auth(error(Kind.UNAUTHORISED, 400, "invalid_credentials")))
    assert (found.verdict, found.facts["stranger"], found.facts["kind"]) == (Verdict.PASS, "refused", None)


def test_a_stranger_who_is_let_in() -> None:
    assert asked(Auth(None)).verdict is Verdict.FAIL


def test_an_auth_that_fails() -> None:
    found = asked(Auth(None, error(Kind.SERVER_ERROR, 503)))
    assert (found.verdict, found.facts["kind"]) == (Verdict.FAIL, "server-error")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (Kind.UNAUTHORISED, 401, None),
        (Kind.UNAUTHORISED, 400, "captcha_failed"),
        (Kind.RATE_LIMITED, 429, "over_request_rate_limit"),
        (Kind.TIMEOUT, None, None),
        (Kind.PAUSED, 540, None),
        (Kind.NOT_UNDERSTOOD, 200, None),
    ],
)
def test_a_refusal_that_is_not_about_the_stranger_proves_nothing(
    kind: Kind, status: int | None, code: str | None
) -> None:
    with pytest.raises(UpstreamError):
        asked(Auth(error(kind, status, code)))
