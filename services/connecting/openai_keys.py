"""What our own OpenAI keys are: the restricted one lists models and completes once, the admin one reads the bill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import SecretStr

from services.checks.caps import Purse
from services.clients.http import HttpClient
from services.clients.openai import OpenAiError, Problem
from services.connecting.powers import is_admin_key
from services.connecting.trial import Told, Trial, asked, declined, failed, passed, unknown
from services.errors import OpsError

API = "https://api.openai.com"
BILL_OF = timedelta(days=1)
SPENT_AS = "ai"
COMPLETION_CENTS = 0.01
"""What one completion of a few tokens costs at most, counted under the same cap as the test account's."""


def seen_of_openai(trial: Trial) -> Iterator[Told]:
    """A key that is not set is not needed; one that is set must be what it is there for."""
    target = trial.target
    if target.openai_key is not None:
        if is_admin_key(target.openai_key.get_secret_value()):
            yield failed("OpenAI key", "An admin key stands where a restricted one belongs; it was not used.")
        else:
            yield from _restricted(trial)
    if target.openai_admin_key is not None:
        yield _bill(target.openai_url, target.openai_admin_key, trial.now)


def _restricted(trial: Trial) -> Iterator[Told]:
    openai = trial.context.openai
    try:
        models = openai.models()
        yield passed("OpenAI key: models", f"It lists {len(models)} models.", needed=False)
    except OpenAiError as error:
        yield _refused("OpenAI key: models", error)
    if not trial.app.model:
        return
    try:
        if trial.store is not None:
            Purse(trial.store, trial.target).reserve(SPENT_AS, 1, COMPLETION_CENTS, trial.now)
        openai.complete(trial.app.model)
        yield passed("OpenAI key: completion", f"It completes with {trial.app.model}; a few tokens were spent.")
    except OpenAiError as error:
        if error.problem is Problem.KEY_RESTRICTED:
            yield unknown("OpenAI key: completion", "Its permissions allow no completion.", needed=False)
        else:
            yield _refused("OpenAI key: completion", error)
    except OpsError as error:
        yield unknown("OpenAI key: completion", f"Not tried. {error.what}", needed=False)


def _refused(what: str, error: OpenAiError) -> Told:
    """A key that is not accepted is a fail of the level; everything else is told."""
    return declined(what, error, needed=error.problem in (Problem.KEY_REJECTED, Problem.KEY_MALFORMED))


def _bill(url: str | None, key: SecretStr, now: datetime) -> Told:
    what = "OpenAI admin key"
    if not is_admin_key(key.get_secret_value()):
        return failed(what, "This is no admin key: the bill is shown to one that begins with sk-admin- only.")
    http = HttpClient(
        "OpenAI",
        (url or API).rstrip("/").removesuffix("/v1"),
        headers={"authorization": SecretStr(f"Bearer {key.get_secret_value()}")},
    )
    asked_for = {"start_time": int((now - BILL_OF).timestamp()), "limit": 1}
    try:
        return asked(
            what,
            lambda: http.get("/v1/organization/costs", params=asked_for).expect().read(lambda body: body["data"]),
            lambda _: "It reads the bill, and is used for nothing else.",
            needed=False,
        ).told
    finally:
        http.close()
