"""Railway and the status pages: the app goes on; what only they tell is not seen."""

from __future__ import annotations

from tests.matrix.claims import BY_RAILWAY, STATUS_PAGES, Argued, Row, claims
from tests.matrix.truth.app import nobody_serves
from tests.matrix.truth.argued import FALSE_OR_UNSEEN, HOLDS_OR_UNSEEN

KEY_WITHOUT_LOGS = Argued(
    claims("ai-app-key"), HOLDS_OR_UNSEEN, "the AI is real, which needs no log to be seen; a log would only explain"
)


def mute(fault: str, world: str, *, silent: bool) -> Row:
    """Railway says nothing that could be understood; nothing else is wrong."""
    return Row(fault, world, unseen=BY_RAILWAY, argued=(KEY_WITHOUT_LOGS,), silent=silent)


ROWS = (
    mute("railway-token-rejected", "Our token is not accepted.", silent=False),
    mute("railway-token-without-access", "Our token does not reach this project.", silent=False),
    mute("railway-unreachable", "Nothing listens at Railway's address.", silent=True),
    mute("railway-timeout", "Railway takes calls and never answers.", silent=True),
    Row(
        "railway-rate-limited",
        "Railway refuses every call with 429.",
        unseen=BY_RAILWAY - {"railway-calls-left"},
        argued=(
            KEY_WITHOUT_LOGS,
            Argued(
                claims("railway-calls-left"), FALSE_OR_UNSEEN, "no call is left to us; how many there were is not told"
            ),
        ),
    ),
    mute("railway-server-error", "Every call answers 500.", silent=False),
    mute("railway-web-page", "A web page is answered with 200.", silent=True),
    mute("railway-broken-json", "The answers are cut off.", silent=True),
    mute("railway-no-data", "The answers are JSON and hold no data.", silent=True),
    Row(
        "deployment-stuck",
        "A new deployment is under way and does not end; the one before serves.",
        argued=(
            Argued(claims("deployment-state"), FALSE_OR_UNSEEN, "the newest does not serve, and has not failed yet"),
            Argued(
                claims("startup-logs dependency-pins restart-loop"),
                HOLDS_OR_UNSEEN,
                "the newest deployment has no log yet; nothing says that it is bad",
            ),
        ),
    ),
    nobody_serves(
        "deployment-stopped",
        "Somebody has stopped the deployment; the platform answers 502 with a page of its own.",
    ),
    Row("calls-used-up", "Of the hour's calls to Railway hardly any is left.", false=claims("railway-calls-left")),
    Row("railway-incident", "Railway's status page tells of an incident.", false=claims("railway-status")),
    Row("supabase-incident", "Supabase's status page tells of an incident.", false=claims("supabase-status")),
    Row("openai-incident", "OpenAI's status page tells of an incident.", false=claims("openai-status")),
    Row("status-unreadable", "The status pages answer in a shape that nobody knows.", unseen=STATUS_PAGES, silent=True),
)
