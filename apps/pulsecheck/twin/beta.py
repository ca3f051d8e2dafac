"""The beta build: what it needs before it starts, and its twenty-four paths."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg  # type: ignore[import-not-found,import-untyped,unused-ignore]  # comes with the image
import openai
import tiktoken  # type: ignore[import-not-found]
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from apps.pulsecheck.twin.companion import Companion
from apps.pulsecheck.twin.contract import ApiError, on_api_error, on_not_found, routes
from apps.pulsecheck.twin.feedback import Feedback
from apps.pulsecheck.twin.journal import Journal
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.metrics import Metrics
from apps.pulsecheck.twin.rest import Rest, RestError
from apps.pulsecheck.twin.serve import serve
from apps.pulsecheck.twin.status import operations as status_operations
from apps.pulsecheck.twin.usage import Usage
from apps.pulsecheck.twin.wellbeing import Wellbeing

REQUIRED = ("SUPABASE_URL", "SUPABASE_ANON_KEY", "OPENAI_API_KEY", "SECRET_KEY")
RELEASE_TABLES = ("user_tier_limits", "ai_usage_logs", "ai_feedback", "daily_usage_quotas")
RELEASE_VIEWS = ("beta_daily_metrics", "beta_user_engagement", "beta_feedback_analysis")


def build(variables: Mapping[str, str]) -> Starlette:
    """The app, which looks for the release's tables and views before it takes its first request."""
    key = variables.get("SUPABASE_SERVICE_ROLE_KEY") or variables["SUPABASE_ANON_KEY"]
    rest = Rest(variables["SUPABASE_URL"], key)
    journal, usage = Journal(rest), Usage(rest)
    companion = Companion(journal, usage, variables)
    parts = (journal, companion, Feedback(rest, journal, usage), Metrics(rest), Wellbeing(rest))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await require_release(rest)
        versions = f"tiktoken {tiktoken.__version__}, openai {openai.__version__}, asyncpg {asyncpg.__version__}"
        LOG.info("beta optimization service ready (%s)", versions)
        yield
        await companion.close()
        await rest.close()

    operations = [*status_operations(variables), *(one for part in parts for one in part.operations())]
    handlers = {ApiError: on_api_error, HTTPException: on_not_found}
    return Starlette(routes=routes(operations), exception_handlers=handlers, lifespan=lifespan)


async def require_release(rest: Rest) -> None:
    """Raises RestError where a table or view is missing. One that is there and hidden from our key is good enough."""
    for name in (*RELEASE_TABLES, *RELEASE_VIEWS):
        try:
            await rest.select(name, select="*", limit="1")
        except RestError as error:
            if not error.refused:
                raise


if __name__ == "__main__":
    sys.exit(serve(build, REQUIRED))
