"""What the OpenAI-compatible server believes: which keys are valid, what each account may do, when models end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.sandbox.keys import Keys

# How many days from the world's first moment each model has left; None = no end is known.
MODELS: Mapping[str, int | None] = {
    "gpt-3.5-turbo": -30,
    "gpt-4": -30,
    "gpt-4-turbo": -30,
    "gpt-4o": 53,
    "gpt-4o-mini": 53,
    "gpt-4.1-mini": 53,
    "gpt-5-mini": 45,
    "gpt-5.2": None,
    "gpt-5.4-mini": None,
    "gpt-5.6-terra": None,
    "gpt-6-luna": None,
    "gpt-6-sol": None,
}
ORDINARY = frozenset({"models", "completions"})
ADMIN = frozenset({"organization"})
USD_A_MILLION = (0.20, 1.20)
"""What a million tokens cost here, in and out, whatever the model."""

BILLING: Mapping[str, str] = {
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details. For more"
    " information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    "credit_balance_exhausted": "Your credit balance is exhausted. Please add credits to go on.",
    "organization_spend_limit_exceeded": "Your organization has reached its spend limit.",
    "project_spend_limit_exceeded": "Your project has reached its spend limit.",
    "organization_usage_limit_exceeded": "Your organization has reached its usage limit.",
}


@dataclass(frozen=True, slots=True)
class Restriction:
    """Something an account may not do, or cannot do any more.

    keys:        whose accounts; None = all of them
    revoked:     the keys are no longer valid
    billing:     completions are refused for money's sake, with this code of `BILLING`; None = they are not
    retired:     models that have been shut down, with a date in the past; for everybody, whatever `keys` says
    not_allowed: models that exist and that these accounts may not use
    endpoints:   what restricted keys have no permission for: "models", "completions"
    """

    keys: frozenset[str] | None = None
    revoked: bool = False
    billing: str | None = None
    retired: frozenset[str] = frozenset()
    not_allowed: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()


class OpenAIState:
    """What the server believes: which keys are valid, what each account may do, when models end.

    Restrictions are held by an id, so that several may be held at once and be taken away in any order.

    clock: the world's clock; the end dates count from its first reading
    keys: the valid ones, each of an account of its own
    rights: what a key was made for ("models", "completions", "organization"); one not named may do the first two
    latency_s: the least time a completion takes
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        keys: Iterable[str],
        *,
        rights: Mapping[str, frozenset[str]] | None = None,
        models: Mapping[str, int | None] = MODELS,
        latency_s: float = 0.08,
    ) -> None:
        self.clock = clock
        self.keys = frozenset(keys)
        self.latency_s = latency_s
        self.answered = 0
        self.spent_usd: dict[date, float] = {}
        self._rights = dict(rights or {})
        self._restrictions: dict[str, Restriction] = {}
        self._first_day = clock().astimezone(UTC).date()
        self._created = int(clock().timestamp()) - 86_400 * 400
        self._models = dict(models)

    def add(self, name: str, restriction: Restriction) -> None:
        """Hold a restriction under an id, in place of the one held under it before."""
        self._restrictions[name] = restriction

    def remove(self, name: str) -> None:
        """Let go what is held under an id; nothing held there is no error."""
        self._restrictions.pop(name, None)

    def clear(self) -> None:
        self._restrictions.clear()

    def accepts(self, key: str) -> bool:
        return key in self.keys and not any(one.revoked for one in self._on(key))

    def billing(self, key: str) -> str | None:
        """The code with which completions are refused for want of money; None where there is enough."""
        return next((one.billing for one in self._on(key) if one.billing), None)

    def allows(self, key: str, model: str) -> bool:
        return not any(model in one.not_allowed for one in self._on(key))

    def permits(self, key: str, endpoint: str) -> bool:
        may = self._rights.get(key, ORDINARY)
        return endpoint in may and not any(endpoint in one.endpoints for one in self._on(key))

    def note_cost(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Put a completion on the bill of the day."""
        day = self.clock().astimezone(UTC).date()
        cost = (prompt_tokens * USD_A_MILLION[0] + completion_tokens * USD_A_MILLION[1]) / 1_000_000
        self.spent_usd[day] = self.spent_usd.get(day, 0.0) + cost

    def models(self, key: str) -> list[str]:
        """The models that the key's account may use, ended ones too."""
        return [name for name in self._models if self.allows(key, name)]

    def knows(self, model: str) -> bool:
        return model in self._models

    def end(self, model: str) -> date | None:
        """The day from which the model answers no more."""
        if any(model in one.retired for one in self._restrictions.values()):
            return self._first_day - timedelta(days=1)
        days = self._models[model]
        return None if days is None else self._first_day + timedelta(days=days)

    def ended(self, model: str) -> bool:
        end = self.end(model)
        return end is not None and end <= self.clock().astimezone(UTC).date()

    def describe(self, model: str) -> dict[str, Any]:
        end = self.end(model)
        return {
            "id": model,
            "object": "model",
            "created": self._created,
            "owned_by": "system",
            "shutdown_date": end.isoformat() if end else None,
        }

    def _on(self, key: str) -> list[Restriction]:
        """What restricts this key, in the order of the ids."""
        return [one for _, one in sorted(self._restrictions.items()) if one.keys is None or key in one.keys]


def openai_state_of(keys: Keys, clock: Callable[[], datetime]) -> OpenAIState:
    """The state of a world: two ordinary keys, two restricted ones, and an administrator's."""
    rights = {
        keys.completions_openai_key: frozenset({"completions"}),
        keys.models_openai_key: frozenset({"models"}),
        keys.openai_admin_key: ADMIN,
    }
    return OpenAIState(clock, [keys.openai_key, keys.ops_openai_key, *rights], rights=rights)
