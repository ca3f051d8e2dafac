"""The old build: fifteen paths, no feedback, no admin, canned AI answers, and nothing to check before it starts."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from apps.pulsecheck.twin.canned import CannedCompanion
from apps.pulsecheck.twin.contract import ApiError, on_api_error, on_not_found, routes
from apps.pulsecheck.twin.journal import Journal
from apps.pulsecheck.twin.rest import Rest
from apps.pulsecheck.twin.serve import serve
from apps.pulsecheck.twin.status import operations as status_operations
from apps.pulsecheck.twin.wellbeing import Wellbeing

REQUIRED = ("SUPABASE_URL", "SUPABASE_ANON_KEY", "OPENAI_API_KEY", "SECRET_KEY")


def build(variables: Mapping[str, str]) -> Starlette:
    rest = Rest(variables["SUPABASE_URL"], variables["SUPABASE_ANON_KEY"])
    journal = Journal(rest)
    parts = (journal, CannedCompanion(journal), Wellbeing(rest))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await rest.close()

    operations = [*status_operations(variables), *(one for part in parts for one in part.operations())]
    handlers = {ApiError: on_api_error, HTTPException: on_not_found}
    return Starlette(routes=routes(operations), exception_handlers=handlers, lifespan=lifespan)


if __name__ == "__main__":
    sys.exit(serve(build, REQUIRED))
