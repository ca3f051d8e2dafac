"""Standard checks of what providers say of themselves on their status pages: it explains, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from services.checks.context import CheckContext, NotTried
from services.checks.registry import CheckSpec
from services.clients.statuspages import ProviderStatus, status_of
from services.verdict import Finding, Verdict

PROVIDERS = ("Railway", "Supabase", "OpenAI")


def judged(found: ProviderStatus) -> Finding:
    """An open incident is a fail, in the provider's words; a page that is not understood says nothing."""
    facts = {
        "provider": found.provider,
        "state": found.state,
        "incidents": list(found.incidents),
        "read_as": found.read_as,
    }
    if found.state == "incident":
        words = "; ".join(found.incidents[:2]) or "it does not say what"
        return Finding(Verdict.FAIL, f"{found.provider} reports an incident: {words}.", facts)
    if found.state == "maintenance":
        words = "; ".join(found.incidents[:2]) or "it does not say what"
        said = f"{found.provider} is under maintenance ({words}); whether it touches us is not known."
        return Finding(Verdict.UNKNOWN, said, facts)
    if found.state == "operational":
        return Finding(Verdict.PASS, f"{found.provider} reports no incident.", facts)
    said = found.why or "its shape is not known here."
    return Finding(Verdict.UNKNOWN, f"The status page of {found.provider} is not understood: {said}", facts)


def _check(provider: str) -> Callable[[CheckContext], Finding]:
    def look(context: CheckContext) -> Finding:
        url = getattr(context.target, f"{provider.lower()}_status_url")
        if url is None and not _hosted(context, provider):
            raise NotTried(f"This target runs on this machine, so {provider}'s public status page says nothing of it.")
        return judged(status_of(provider, url))

    look.__doc__ = f"What {provider} says about itself."
    return look


def _hosted(context: CheckContext, provider: str) -> bool:
    """Whether the provider's part of the target may be the provider's: nothing of a loopback target is."""
    own = getattr(context.target, f"{provider.lower()}_url") or context.target.app_url or ""
    host = urlsplit(own).hostname or ""
    return not (host in ("localhost", "::1") or host.startswith("127."))


SPECS = tuple(
    CheckSpec(
        f"{provider.lower()}-status",
        f"{provider} reports no incident",
        f"What {provider}'s status page says now.",
        _check(provider),
        ("before", "during", "after", "hour"),
        ("status pages", provider),
        blocking=False,
        expires_s=300,
    )
    for provider in PROVIDERS
)
