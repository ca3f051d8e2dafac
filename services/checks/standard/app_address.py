"""The app's own address, as any check may ask it: what answers there is the app, or it is not looked at."""

from __future__ import annotations

from services.checks.context import CheckContext
from services.checks.kinds import NOT_LET_IN
from services.clients.http import Answer, Kind, UpstreamError


def ask(context: CheckContext, path: str) -> Answer:
    """One GET of the app. Raises UpstreamError where there is no answer, and where we are not let in."""
    answer = context.api.get(path)
    return answer if answer.status not in NOT_LET_IN else answer.expect()


def require_json(context: CheckContext, answer: Answer) -> Answer:
    """The answer, where it is what the app's API gives: an app that serves API paths answers in JSON objects, and a
    web page in their place is somebody else's. Raises UpstreamError (not-understood)."""
    if len(context.app.builds) and any("/" in path[1:] for path in context.app.builds[0].adds):
        body = answer.json()
        if not isinstance(body, dict):
            said = f"{context.app.title} answered {answer.status} with another type than an object."
            raise UpstreamError(context.app.title, Kind.NOT_UNDERSTOOD, said, status=answer.status)
    return answer
