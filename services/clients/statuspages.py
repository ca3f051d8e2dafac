"""The public status pages of the three providers: their shapes, and what each says; a shape not known is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.clients.deadline import deadline
from services.clients.http import HttpClient, Kind, UpstreamError
from services.clients.redaction import redact

State = Literal["operational", "incident", "maintenance", "unknown"]

OPENAI = "https://status.openai.com"
SUPABASE = "https://status.supabase.com"
RAILWAY = "https://api.railwaystatus.com/status"
RAILWAY_PAGE = "https://status.railway.com/api/status"
SUMMARY = "/api/v2/summary.json"
CALL_S = 4.0
TOTAL_S = 6.0
MAX_BYTES = 2_000_000

_WORST_FIRST: tuple[State, ...] = ("incident", "unknown", "maintenance", "operational")
_INDICATORS: Mapping[str, State] = {
    "none": "operational",
    "minor": "incident",
    "major": "incident",
    "critical": "incident",
    "maintenance": "maintenance",
}
_COMPONENTS: Mapping[str, State] = {
    "operational": "operational",
    "degraded_performance": "incident",
    "partial_outage": "incident",
    "major_outage": "incident",
    "full_outage": "incident",
    "under_maintenance": "maintenance",
}
_OVER = frozenset({"resolved", "postmortem", "completed", "complete", "maintenance_complete", "cancelled", "canceled"})
_NOT_BEGUN = frozenset({"scheduled", "maintenance_scheduled", "not_started_yet", "notstartedyet", "upcoming"})
_UNDER_WAY = frozenset({"in_progress", "inprogress", "verifying", "maintenance_in_progress", "active"})


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What a provider says of itself; it explains a failure of ours and never proves that something works.

    provider:  "Railway", "Supabase" or "OpenAI"
    state:     "unknown" wherever a part of the page was not understood and nothing worse was found
    incidents: one line each for what is wrong or under maintenance now, the worst first
    read_as:   the shape that was recognised: "statuspage-v2", "railway-api", "railway-page"; "" where none was
    why:       for "unknown": what was not understood
    """

    provider: str
    state: State
    incidents: tuple[str, ...]
    read_as: str
    why: str = ""


class _Strange(Exception):
    """The document is not of this shape."""


@dataclass(frozen=True, slots=True)
class _Sign:
    state: State
    line: str


_Adapter = Callable[[Mapping[str, Any]], Iterable[_Sign]]


def status_of(provider: str, url: str | None = None) -> ProviderStatus:
    """What the status page of "Railway", "Supabase" or "OpenAI" says now.

    url: the page's address (for Railway the address of the document itself); None for the provider's public one.
    Raises UpstreamError where the page gives no answer or a failing status. An answer of 200 that is not understood is
    the state "unknown". Railway publishes two documents: the second is read only where the first told nothing.
    """
    page = _PAGES[provider.lower()]
    failed: UpstreamError | None = None
    unclear: ProviderStatus | None = None
    with deadline(TOTAL_S):
        for place in (url,) if url else page.places:
            try:
                found = _read(page, place)
            except UpstreamError as error:
                if error.kind is not Kind.NOT_UNDERSTOOD or error.status is None or error.status >= 300:
                    failed = failed or error
                    continue
                found = ProviderStatus(page.name, "unknown", (), "", error.what)
            if found.read_as:
                return found
            unclear = unclear or found
    if unclear is None and failed is not None:
        raise failed
    return unclear or ProviderStatus(page.name, "unknown", (), "")


@dataclass(frozen=True, slots=True)
class _Page:
    name: str
    places: tuple[str, ...]
    adapters: Mapping[str, _Adapter]


def _read(page: _Page, place: str) -> ProviderStatus:
    if "statuspage-v2" in page.adapters and not place.endswith(".json"):
        place += SUMMARY
    client = HttpClient(f"{page.name} status page", place, call_s=CALL_S, max_bytes=MAX_BYTES)
    try:
        document = client.get("").expect().json()
    finally:
        client.close()
    for name, adapter in page.adapters.items():
        if not isinstance(document, dict):
            break
        try:
            signs = list(adapter(document))
        except _Strange:
            continue
        return _judged(page.name, name, signs)
    return ProviderStatus(page.name, "unknown", (), "", f"The status page of {page.name} has a shape not known here.")


def _judged(provider: str, read_as: str, signs: Iterable[_Sign]) -> ProviderStatus:
    """The worst of all signs. Something not understood is never outvoted by what looks well, only by an incident."""
    ordered = sorted(signs, key=lambda sign: _WORST_FIRST.index(sign.state))
    state: State = ordered[0].state if ordered else "unknown"
    shown = (sign.line for sign in ordered if sign.state in ("incident", "maintenance") and sign.line)
    strange = next((sign.line for sign in ordered if sign.state == "unknown"), "")
    why = strange or "The status page lists nothing at all." if state == "unknown" else ""
    return ProviderStatus(provider, state, tuple(dict.fromkeys(shown)), read_as, why)


def _statuspage_v2(document: Mapping[str, Any]) -> Iterator[_Sign]:
    """Statuspage's summary, also as incident.io serves it: components of the same name many times, incidents without
    components, and the impact "none" for real damage."""
    status = _mapping(document, "status")
    indicator = _text(status, "indicator").lower()
    yield from _components(_list(document, "components"))
    yield from _incidents(_list(document, "incidents"), "name")
    yield from _maintenances(_list(document, "scheduled_maintenances", optional=True), "name")
    known = _INDICATORS.get(indicator)
    if known is None:
        yield _Sign("unknown", f"The page's indicator is '{_short(indicator)}', a word not known here.")
    elif known == "operational":
        yield _Sign(known, "")
    else:
        yield _Sign(known, _short(status.get("description")) or f"The page's indicator is {indicator}.")


def _railway_api(document: Mapping[str, Any]) -> Iterator[_Sign]:
    components = _list(document, "components")
    if "status" in document or "page" in document:
        raise _Strange
    yield from _components(components)
    yield from _incidents(_list(document, "incidents"), "title")
    yield from _maintenances(_list(document, "maintenances"), "title")


def _railway_page(document: Mapping[str, Any]) -> Iterator[_Sign]:
    if "page" in document:
        raise _Strange
    yield from _incidents(_list(document, "activeIncidents"), "title")
    yield from _maintenances(_list(document, "maintenances"), "title")
    yield _Sign("operational", "")


def _components(components: Iterable[Mapping[str, Any]]) -> Iterator[_Sign]:
    """One sign a component, those inside groups as well."""
    for component in components:
        name, word = _short(component.get("name")), _text(component, "status").lower()
        state = _COMPONENTS.get(word)
        if state is None:
            yield _Sign("unknown", f"'{name}' has the status '{_short(word)}', a word not known here.")
        else:
            yield _Sign(state, f"{name}: {word.replace('_', ' ')}")
        if component.get("components"):
            yield from _components(_list(component, "components"))


def _incidents(incidents: Iterable[Mapping[str, Any]], title: str) -> Iterator[_Sign]:
    """What is listed and not over is an incident, whatever impact it is said to have."""
    for incident in incidents:
        word = _text(incident, "status").lower()
        if word not in _OVER:
            yield _Sign("incident", f"{_short(incident.get(title)) or 'An incident'} ({_short(word)})")


def _maintenances(maintenances: Iterable[Mapping[str, Any]], title: str) -> Iterator[_Sign]:
    for maintenance in maintenances:
        word = _text(maintenance, "status").lower()
        name = _short(maintenance.get(title)) or "Maintenance"
        if word in _UNDER_WAY:
            yield _Sign("maintenance", f"{name} (maintenance)")
        elif word not in _OVER | _NOT_BEGUN:
            yield _Sign("unknown", f"The maintenance '{name}' is '{_short(word)}', a word not known here.")


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise _Strange
    return value


def _list(document: Mapping[str, Any], key: str, *, optional: bool = False) -> list[Mapping[str, Any]]:
    value = document.get(key)
    if value is None and optional:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _Strange
    return value


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise _Strange
    return value


def _short(value: object) -> str:
    """Text from outside as one short line without anything secret."""
    return redact(" ".join(value.split()))[:160] if isinstance(value, str) else ""


_PAGES: Mapping[str, _Page] = {
    "openai": _Page("OpenAI", (OPENAI,), {"statuspage-v2": _statuspage_v2}),
    "supabase": _Page("Supabase", (SUPABASE,), {"statuspage-v2": _statuspage_v2}),
    "railway": _Page("Railway", (RAILWAY, RAILWAY_PAGE), {"railway-api": _railway_api, "railway-page": _railway_page}),
}
