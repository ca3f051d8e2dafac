"""OpenAI: the app's companion falls back to canned words without saying so; our own key proves nothing about it."""

from __future__ import annotations

from tests.matrix.claims import BY_OUR_OPENAI_KEY, Argued, Row, claims
from tests.matrix.truth.argued import FALSE_OR_UNSEEN, HOLDS_OR_FALSE, HOLDS_OR_UNSEEN, SAID_LATER, TAKES_LONG

CANNED = claims("ai-quality ai-app-key response-quality")
LIMIT_TAKES_LONG = Argued(claims("rate-limit"), TAKES_LONG.allowed, TAKES_LONG.reason)
NO_COMPLETION = Argued(
    claims("openai-key"), FALSE_OR_UNSEEN, "our key cannot complete; whether the key is to blame is not said"
)
NO_LIMITS = Argued(claims("openai-limits"), FALSE_OR_UNSEEN, "nothing is left to us, or no limit is told")
LIST_SAYS_NOTHING = Argued(
    claims("openai-model"), HOLDS_OR_FALSE, "the model is offered to others, and not to this account"
)


def canned(fault: str, world: str, *argued: Argued, **sets: frozenset[str] | bool) -> Row:
    """A fault that keeps the app from its AI: canned words in time, and a failed call in the log."""
    false = CANNED | frozenset(sets.pop("false", frozenset()) or ())  # type: ignore[arg-type]
    return Row(fault, world, false=false, argued=(SAID_LATER, LIMIT_TAKES_LONG, *argued), **sets)  # type: ignore[arg-type]


ROWS = (
    canned(
        "openai-no-quota",
        "Neither account has any quota left; the list of models still answers.",
        NO_LIMITS,
        false=claims("openai-key"),
    ),
    canned(
        "openai-bad-key",
        "Both keys are rejected.",
        false=claims("openai-key"),
        unseen=claims("openai-model openai-limits"),
    ),
    canned("openai-app-key-bad", "The app's key is rejected, ours is good."),
    Row(
        "openai-our-key-bad",
        "Our key is rejected, the app's is good.",
        false=claims("openai-key"),
        unseen=claims("openai-model openai-limits"),
    ),
    canned("openai-app-no-quota", "The app's account has no quota left, ours has."),
    canned("openai-key-missing", "The app's variable with the key is not set.", false=claims("env-names")),
    canned("openai-key-malformed", "The app's variable holds something that is no key."),
    canned(
        "openai-model-retired",
        "The model has been shut down; both keys are good.",
        Argued(
            claims("openai-key openai-limits"), HOLDS_OR_UNSEEN, "the key is good, and the model it asks for is gone"
        ),
        false=claims("openai-model"),
    ),
    canned(
        "openai-model-not-allowed",
        "The accounts may not use the model.",
        Argued(claims("openai-key openai-limits"), HOLDS_OR_UNSEEN, "the key is good, and may not use the model"),
        LIST_SAYS_NOTHING,
    ),
    Row(
        "openai-our-key-restricted",
        "Our key may not list the models, and still completes; the app's key is not concerned.",
        unseen=claims("openai-model"),
    ),
    canned(
        "openai-rate-limited",
        "Completions are refused with 429, too many for now; the list of models answers.",
        NO_COMPLETION,
        NO_LIMITS,
    ),
    canned("openai-server-error", "Every call answers 500.", unseen=BY_OUR_OPENAI_KEY),
    canned("openai-overloaded", "Every call answers 503: overloaded.", unseen=BY_OUR_OPENAI_KEY),
    canned(
        "openai-timeout",
        "OpenAI takes calls and never answers.",
        unseen=BY_OUR_OPENAI_KEY,
        silent=True,
    ),
    canned(
        "openai-unreachable",
        "Nothing listens at OpenAI's address.",
        unseen=BY_OUR_OPENAI_KEY,
        silent=True,
    ),
    canned(
        "openai-region-blocked",
        "OpenAI refuses the region with 403.",
        NO_COMPLETION,
        unseen=claims("openai-model openai-limits"),
    ),
    canned(
        "openai-web-page",
        "A web page is answered with 200 in OpenAI's place.",
        unseen=BY_OUR_OPENAI_KEY,
        silent=True,
    ),
    canned(
        "openai-broken-json",
        "OpenAI's answers are cut off.",
        unseen=BY_OUR_OPENAI_KEY,
        silent=True,
    ),
)
