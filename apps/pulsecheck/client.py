"""PulseCheck's HTTP API: every endpoint, in both shapes where its builds differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.clients.http import Answer, HttpClient, Kind, UpstreamError, message_in

API = "/api/v1"
ADMIN = f"{API}/admin/beta-metrics"
AI_CALL_S = 12.0
HEALTH_CALL_S = 7.0  # above the 5 s at which the team raises an alert, so that slow and silent stay apart
NOT_LOADED = (404, 405)  # an unknown path answers 404, in builds with a route for every OPTIONS 405
LOCKED = (401, 403)
NO_ENTRY = "00000000-0000-0000-0000-000000000000"
FeedbackShape = Literal["query", "json"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry to write; levels 1..10, content 10..2000 characters."""

    content: str
    mood_level: int
    energy_level: int
    stress_level: int
    tags: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        return {
            "content": self.content,
            "mood_level": self.mood_level,
            "energy_level": self.energy_level,
            "stress_level": self.stress_level,
            "tags": list(self.tags),
        }


@dataclass(frozen=True, slots=True)
class TooMany:
    """A 429, from either of its shapes. of_the_day: the tier's allowance is used up; else the app throttles callers.

    retry_after_s: seconds until it may be tried again, where that is told.
    """

    message: str
    of_the_day: bool
    retry_after_s: float | None


class PulseCheck:
    """Calls to one PulseCheck. Each returns the answer as it is; UpstreamError only where there is none.

    token: a Supabase access token, where the build wants one.
    """

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self._http = HttpClient("PulseCheck", base_url, headers={"authorization": f"Bearer {token}"} if token else None)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Answer:
        """Any path with GET; for route inventories."""
        return self._http.get(path, params=params or None)

    def root(self) -> Answer:
        return self._http.get("/")

    def health(self, nonce: str = "") -> Answer:
        return self._http.get("/health", params={"nonce": nonce} if nonce else None, call_s=HEALTH_CALL_S)

    def health_fast(self) -> Answer:
        return self._http.get("/health-fast")

    def ready(self) -> Answer:
        return self._http.get("/ready")

    def health_detailed(self) -> Answer:
        return self._http.get("/health-detailed")

    def docs(self) -> Answer:
        return self._http.get("/docs")

    def openapi(self) -> Answer:
        return self._http.get("/openapi.json")

    def create_entry(self, entry: Entry) -> Answer:
        """200 with the entry, its id and user_id (not 201)."""
        return self._http.request("POST", f"{API}/journal/entries", json=entry.body())

    def entries(self, page: int = 1, per_page: int = 20) -> Answer:
        return self._http.get(f"{API}/journal/entries", params={"page": page, "per_page": per_page})

    def entry(self, entry_id: str) -> Answer:
        return self._http.get(f"{API}/journal/entries/{entry_id}")

    def pulse(self, entry_id: str) -> Answer:
        return self._http.get(f"{API}/journal/entries/{entry_id}/pulse", call_s=AI_CALL_S)

    def analysis(self, entry_id: str) -> Answer:
        return self._http.get(f"{API}/journal/entries/{entry_id}/analysis", call_s=AI_CALL_S)

    def feedback(self, entry_id: str, feedback_type: str, text: str, shape: FeedbackShape) -> Answer:
        """Feedback as query parameters (older builds) or as a JSON body (the newest)."""
        said = {"feedback_type": feedback_type, "feedback_text": text}
        path = f"{API}/journal/entries/{entry_id}/feedback"
        if shape == "query":
            return self._http.request("POST", path, params=said)
        return self._http.request("POST", path, json=said)

    def feedback_as_understood(
        self, entry_id: str, feedback_type: str, text: str, first: FeedbackShape = "query"
    ) -> tuple[Answer, FeedbackShape]:
        """Feedback in the shape `first`; where that is answered 422, which stores nothing, in the other one.

        Returns the last answer and the shape it was given to.
        """
        answer = self.feedback(entry_id, feedback_type, text, first)
        if answer.status != 422:
            return answer, first
        other: FeedbackShape = "json" if first == "query" else "query"
        return self.feedback(entry_id, feedback_type, text, other), other

    def empty_feedback(self) -> Answer:
        """Feedback without a kind on no entry: 422 or 401 where the route is loaded, 404 or 405 where it is not."""
        return self._http.request("POST", f"{API}/journal/entries/{NO_ENTRY}/feedback")

    def stats(self) -> Answer:
        return self._http.get(f"{API}/journal/stats")

    def admin_daily(self, date: str | None = None) -> Answer:
        return self._http.get(f"{ADMIN}/daily", params={"date_filter": date} if date else None)

    def admin_weekly(self, weeks_back: int = 4) -> Answer:
        return self._http.get(f"{ADMIN}/weekly", params={"weeks_back": weeks_back})

    def admin_users(self, limit: int = 50, sort_by: str | None = None) -> Answer:
        """sort_by: a column of the build's own view; builds differ in the names."""
        sorting = {"sort_by": sort_by} if sort_by else {}
        return self._http.get(f"{ADMIN}/users", params={"limit": limit, **sorting})

    def admin_feedback(self, days_back: int = 7) -> Answer:
        return self._http.get(f"{ADMIN}/feedback", params={"days_back": days_back})

    def admin_costs(self, days_back: int = 30) -> Answer:
        return self._http.get(f"{ADMIN}/costs", params={"days_back": days_back})

    def admin_health(self) -> Answer:
        return self._http.get(f"{ADMIN}/health")

    def admin_export(self, days_back: int = 30, form: str = "json") -> Answer:
        """form "csv" is answered as JSON with a note."""
        return self._http.get(f"{ADMIN}/export", params={"format": form, "days_back": days_back})

    def reset_usage(self) -> Answer:
        """Answers 200 whether or not it did anything."""
        return self._http.request("POST", f"{ADMIN}/reset-usage")


def one_object(answer: Answer) -> Mapping[str, Any]:
    """The object in an answer that is an object or a list of one. Raises UpstreamError(not-understood) otherwise."""
    body = answer.json()
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        raise UpstreamError(
            "PulseCheck",
            Kind.NOT_UNDERSTOOD,
            f"PulseCheck answered {answer.status} with {type(body).__name__} where one object was expected.",
            status=answer.status,
        )
    return body


def paths_in(openapi: Answer) -> frozenset[str]:
    """The paths that an OpenAPI document lists. Raises UpstreamError(not-understood) where it is none."""
    paths = one_object(openapi).get("paths")
    if not isinstance(paths, dict):
        raise UpstreamError("PulseCheck", Kind.NOT_UNDERSTOOD, "The OpenAPI document lists no paths.")
    return frozenset(paths)


def too_many(answer: Answer) -> TooMany | None:
    """What a 429 says, in both shapes that the builds give it; None for any other answer."""
    if answer.status != 429:
        return None
    message = message_in(answer)
    wait: float | None = None
    kind = ""
    try:
        body = answer.json()
    except UpstreamError:
        body = None
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, dict):
        kind = str(detail.get("type") or "")
        given = detail.get("retry_after")
        wait = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None
    header = answer.headers.get("retry-after", "")
    if wait is None and header.isdigit():
        wait = float(header)
    return TooMany(message, kind == "rate_limit", wait)
