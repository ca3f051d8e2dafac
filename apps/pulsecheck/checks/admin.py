"""Checks of who may read the admin numbers: somebody without a token, somebody who called himself an admin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apps.pulsecheck.callers import account_for, anonymous, asks_for_token, require_alive, signed_in
from apps.pulsecheck.client import LOCKED, NOT_LOADED, PulseCheck, one_object
from services.checks.context import CheckContext
from services.checks.kinds import answered, missing_keys
from services.clients.http import Answer, HttpClient, Kind, UpstreamError
from services.clients.supabase import SignedIn
from services.errors import Unavailable
from services.settings import ProbeAccount
from services.verdict import Finding, Verdict

DAILY_KEYS = ("daily_active_users", "total_ai_interactions", "total_daily_cost")
ROLE = "admin"


def admin_public(context: CheckContext) -> Finding:
    """Admin numbers are refused to a caller without a token."""
    require_alive(context)
    answer = anonymous(context).admin_daily()
    facts = {"status": answer.status}
    if answer.status in LOCKED:
        if not asks_for_token(context) and require_alive(context).status in LOCKED:
            return Finding(Verdict.UNKNOWN, f"Every path answers {answer.status}, so this one tells nothing.", facts)
        return Finding(Verdict.PASS, f"Admin endpoints refuse a caller without a token ({answer.status}).", facts)
    if answer.status in NOT_LOADED:
        return Finding(Verdict.UNKNOWN, "This build has no admin endpoints, so there is nothing to protect yet.", facts)
    if answer.status == 200:
        _require_numbers(answer)
        return Finding(
            Verdict.FAIL, "Anybody who knows the address can read the admin numbers, without a token.", facts
        )
    return Finding(
        Verdict.UNKNOWN, f"The admin endpoint answered {answer.status}: who may read it is not known.", facts
    )


def admin_role(context: CheckContext) -> Finding:
    """A test account that has "admin" in its user_metadata, and nowhere else, is refused by the admin endpoints.

    Where the target names no account with such metadata ("edited-metadata"), the one for probes writes the role into
    its own, and puts back what was there; what a run that died has left, the next one puts back.
    """
    require_alive(context)
    if not asks_for_token(context):
        said = "Not looked at: this build asks for no token, so no role is ever read."
        return Finding(Verdict.UNKNOWN, said, {"asks_for_token": False})
    edited = next((one for one in context.target.probe_accounts if one.purpose == "edited-metadata"), None)
    account = edited or account_for(context, "probe")
    person = signed_in(context, account)
    if person.app_metadata.get("role") == ROLE:
        said = "Not looked at: the test account is an admin by app_metadata, so it proves nothing about others."
        return Finding(Verdict.UNKNOWN, said, {"asks_for_token": True})
    if edited is not None:
        answer = _as(context, person, lambda api: api.admin_daily())
    else:
        with _calling_itself_admin(context, account, person) as again:
            answer = _as(context, again, lambda api: api.admin_daily())
    return judged_role(answer)


def judged_role(answer: Answer) -> Finding:
    """What the admin endpoint's answer to a self-made admin says."""
    facts = {"status": answer.status, "asks_for_token": True, "removed": True}
    if answer.status in LOCKED:
        return Finding(Verdict.PASS, f"A role that users give themselves is refused ({answer.status}).", facts)
    if answer.status == 200:
        _require_numbers(answer)
        said = "Any user can become an admin: the role is read from user_metadata, which users edit themselves."
        return Finding(Verdict.FAIL, said, facts)
    if answer.status in NOT_LOADED:
        return Finding(Verdict.UNKNOWN, "This build has no admin endpoints, so there is no role to be had.", facts)
    finding = answered(answer, "The admin endpoint")
    return Finding(Verdict.UNKNOWN, finding.summary, {**finding.facts, **facts})


def _as(context: CheckContext, person: SignedIn, call: Callable[[PulseCheck], Answer]) -> Answer:
    if context.target.app_url is None:
        raise Unavailable("The settings have no address of the app.")
    api = PulseCheck(context.target.app_url, person.access_token.get_secret_value())
    try:
        return call(api)
    finally:
        api.close()


@contextmanager
def _calling_itself_admin(context: CheckContext, account: ProbeAccount, person: SignedIn) -> Iterator[SignedIn]:
    """The account signed in again, with a user_metadata that says admin."""
    target = context.target
    if target.supabase_url is None or target.supabase_anon_key is None:
        raise Unavailable("The settings have no address or key of Supabase Auth.")
    headers = {"apikey": target.supabase_anon_key.get_secret_value()}
    headers["authorization"] = f"Bearer {person.access_token.get_secret_value()}"
    auth = HttpClient("Supabase", target.supabase_url, headers=headers)
    try:
        before = _metadata(auth.get("/auth/v1/user"))
        # A role that is there already was left by a run that died: it is not what the account had.
        was = None if before.get("role") == ROLE else before.get("role")
        _write_role(auth, ROLE)
        try:
            yield context.supabase.sign_in(account.email, account.password.get_secret_value())
        finally:
            _write_role(auth, was)
    finally:
        auth.close()


def _metadata(answer: Answer) -> dict[str, Any]:
    found = one_object(answer.expect()).get("user_metadata")
    return dict(found) if isinstance(found, dict) else {}


def _write_role(auth: HttpClient, role: object) -> None:
    auth.request("PUT", "/auth/v1/user", json={"data": {"role": role}}).expect()


def _require_numbers(answer: Answer) -> None:
    """Raises UpstreamError(not-understood) where a 200 does not hold the day's numbers."""
    if missing_keys(one_object(answer), DAILY_KEYS):
        raise UpstreamError(
            answer.upstream,
            Kind.NOT_UNDERSTOOD,
            "The admin endpoint answered 200 with something else than the day's numbers.",
            status=answer.status,
        )
