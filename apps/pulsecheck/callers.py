"""As whom PulseCheck is called: as nobody, or as the test account of the target where the build asks for a token."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from apps.pulsecheck.client import LOCKED, PulseCheck
from services.checks.context import CheckContext, NotTried
from services.clients.http import Answer
from services.clients.supabase import SignedIn
from services.errors import Unavailable
from services.settings import ProbeAccount

Purpose = Literal["probe", "ai", "feedback", "rate-limit", "admin", "edited-metadata"]
# Whose place another account may take. Not the one whose allowance is used up, nor the one with an admin's rights.
STANDS_IN: dict[Purpose, tuple[Purpose, ...]] = {"probe": ("ai",), "ai": ("probe",), "feedback": ("probe", "ai")}


def anonymous(context: CheckContext) -> PulseCheck:
    """The run's client without a token. Raises Unavailable where the target has no address of the app."""
    return context.once("client:pulsecheck", lambda: _client(context, None))


def require_alive(context: CheckContext) -> Answer:
    """One cheap call before many dear ones: an app that hangs is found out once, not by every check."""
    return context.once("app-alive", lambda: anonymous(context).health(nonce=context.marker))


def asks_for_token(context: CheckContext) -> bool:
    """Whether the build wants a token for the journal. An app that refuses even /health does not count as such."""

    def ask() -> bool:
        # The statistics hold nobody's words, and no parameter that could be refused before the token is.
        return require_alive(context).ok and anonymous(context).stats().status in LOCKED

    return context.once("app-asks-for-token", ask)


def api_of(context: CheckContext, purpose: Purpose = "probe") -> PulseCheck:
    """The run's client for a purpose: signed in where the build asks for it.

    Raises NotTried where it asks and the target names no account for the purpose; UpstreamError where Supabase Auth
    does not sign the account in.
    """
    if not asks_for_token(context):
        return anonymous(context)
    account = account_for(context, purpose)
    return context.once(
        f"client:pulsecheck:{account.purpose}", lambda: _client(context, signed_in(context, account).access_token)
    )


def account_for(context: CheckContext, purpose: Purpose) -> ProbeAccount:
    """The target's test account for a purpose. Raises NotTried, naming what is missing."""
    named = {one.purpose: one for one in context.target.probe_accounts}
    for wanted in (purpose, *STANDS_IN.get(purpose, ())):
        if wanted in named:
            return named[wanted]
    raise NotTried(
        f"The app asks for a token, and the settings of {context.target.name} name no test account for '{purpose}'.",
        "Nothing was asked.",
        f"Add a test account with the purpose '{purpose}' under probe_accounts.",
        place=f"targets.{context.target.name}.probe_accounts",
    )


def signed_in(context: CheckContext, account: ProbeAccount) -> SignedIn:
    """The account signed in at Supabase Auth; once a run and account."""
    return context.once(
        f"signed-in:{account.purpose}",
        lambda: context.supabase.sign_in(account.email, account.password.get_secret_value()),
    )


def _client(context: CheckContext, token: SecretStr | None) -> PulseCheck:
    if context.target.app_url is None:
        raise Unavailable(f"{context.target.name} has no address of the app.", do="Set app_url.")
    return PulseCheck(context.target.app_url, token.get_secret_value() if token is not None else None)
