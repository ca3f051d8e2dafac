"""Puts a build together out of its parts: what the beta build and the newest have in common, and where they differ."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg  # type: ignore[import-not-found,import-untyped,unused-ignore]  # comes with the image
import openai
import tiktoken  # type: ignore[import-not-found]
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.pulsecheck.twin import defective
from apps.pulsecheck.twin.caller import Admit, Identify, everybody, open_to_all
from apps.pulsecheck.twin.companion import Companion
from apps.pulsecheck.twin.contract import ApiError, Operation, on_api_error, on_not_found, routes
from apps.pulsecheck.twin.defects import of_this_build, present
from apps.pulsecheck.twin.feedback import Feedback
from apps.pulsecheck.twin.journal import Journal
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.metrics import Metrics
from apps.pulsecheck.twin.rest import Rest, RestError
from apps.pulsecheck.twin.settings import Settings
from apps.pulsecheck.twin.status import operations as status_operations
from apps.pulsecheck.twin.usage import Usage
from apps.pulsecheck.twin.wellbeing import Wellbeing

REQUIRED = ("SUPABASE_URL", "SUPABASE_ANON_KEY", "SECRET_KEY")
RELEASE_TABLES = ("user_tier_limits", "ai_usage_logs", "ai_feedback", "daily_usage_quotas")
RELEASE_VIEWS = ("beta_daily_metrics", "beta_user_engagement", "beta_feedback_analysis")

Handler = Callable[[Request, Exception], Any]


class Part(Protocol):
    """A group of routes."""

    def operations(self) -> Sequence[Operation]: ...


@dataclass(frozen=True, slots=True)
class Traits:
    """How a build differs.

    identify, admit: who calls, and who may ask for the admin reports
    feedback:        which feedback route it has
    status:          what it says about itself beside `/` and `/health`
    documented:      does it serve /docs and /openapi.json?
    on_error:        how it says no
    """

    identify: Identify = everybody
    admit: Admit = open_to_all
    feedback: type[Feedback] = Feedback
    status: Sequence[Operation] = ()
    documented: bool = True
    on_error: Handler = on_api_error
    on_missing: Handler = on_not_found


def assemble(variables: Mapping[str, str], traits: Traits) -> Starlette:
    """The app, which looks for the release's tables and views before it takes its first request."""
    Settings.model_validate(dict(variables))
    key = variables.get("SUPABASE_SERVICE_ROLE_KEY") or variables["SUPABASE_ANON_KEY"]
    rest = Rest(variables["SUPABASE_URL"], key)
    journal = _journal()(rest, traits.identify)
    usage = _usage()(rest)
    companion = of_this_build(Companion, ai_code_bug=defective.AiCodeBug)(journal, usage, traits.identify, variables)
    feedback = of_this_build(traits.feedback, feedback_not_stored=defective.FeedbackNotStored)
    parts: list[Part] = [journal, companion, Wellbeing(rest, traits.identify)]
    parts += _optional("feedback", lambda: _feedback_router(feedback)(rest, journal, usage, traits.identify))
    parts += _optional("admin", lambda: _admin_router()(rest, traits.admit))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await require_release(rest)
        versions = f"tiktoken {tiktoken.__version__}, openai {openai.__version__}, asyncpg {asyncpg.__version__}"
        LOG.info("beta optimization service ready (%s)", versions)
        yield
        await companion.close()
        await rest.close()

    operations = [*status_operations(variables), *traits.status, *(one for part in parts for one in part.operations())]
    handlers = {ApiError: traits.on_error, HTTPException: traits.on_missing}
    found = routes(operations, documented=traits.documented)
    if present("unknown-path-405"):
        found.append(Route("/{path:path}", _preflight, methods=["OPTIONS"]))
    return Starlette(routes=found, exception_handlers=handlers, lifespan=lifespan)


async def _preflight(_request: Request) -> Response:
    """A global OPTIONS route: with it, a path that nobody serves answers 405 to everything else."""
    return Response(status_code=204)


def _journal() -> type[Journal]:
    return of_this_build(
        Journal,
        journal_not_stored=defective.JournalNotStored,
        journal_reads_stale=defective.JournalReadsStale,
        stats_wrong=defective.StatsWrong,
    )


def _usage() -> type[Usage]:
    return of_this_build(
        Usage,
        usage_writer_broken=defective.UsageWriterBroken,
        cost_wrong=defective.CostWrong,
        rate_limit_off=defective.RateLimitOff,
    )


def _feedback_router(good: type[Feedback]) -> type[Feedback]:
    if present("feedback-router-missing"):
        from apps.pulsecheck.twin.feedback_service import FeedbackService  # type: ignore[import-not-found]

        return FeedbackService  # type: ignore[no-any-return]
    return good


def _admin_router() -> type[Metrics]:
    if present("router-missing"):
        from apps.pulsecheck.twin.metrics import BetaMetricsRouter  # type: ignore[attr-defined]

        return BetaMetricsRouter  # type: ignore[no-any-return]
    return of_this_build(Metrics, admin_error=defective.AdminError, admin_numbers_wrong=defective.AdminNumbersWrong)


def _optional(name: str, make: Callable[[], Part]) -> list[Part]:
    """The part, or nothing but a line in the log where it cannot be imported: the app starts all the same."""
    try:
        return [make()]
    except ImportError:
        LOG.exception("%s router not loaded", name)
        return []


async def require_release(rest: Rest) -> None:
    """Raises RestError where a table or view is missing. One that is there and hidden from our key is good enough."""
    for name in (*RELEASE_TABLES, *RELEASE_VIEWS):
        try:
            await rest.select(name, select="*", limit="1")
        except RestError as error:
            if not error.refused:
                raise
