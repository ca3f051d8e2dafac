"""The status pages: each shape is read, the worst counts, and what is not understood is never operational."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from services.clients import statuspages
from services.clients.http import Kind, UpstreamError
from services.clients.statuspages import ProviderStatus, status_of
from tests.services.clients.conftest import StartServer, silence

Document = dict[str, Any]
Ask = Callable[[str, Document], ProviderStatus]


def summary(indicator: str = "none", **more: Any) -> Document:
    return {
        "page": {"id": "p", "name": "Thing", "url": "https://status.example.com"},
        "status": {"indicator": indicator, "description": "All Systems Operational"},
        "components": [{"id": "1", "name": "API", "status": "operational"}],
        "incidents": [],
        "scheduled_maintenances": [],
        **more,
    }


def railway_api(**more: Any) -> Document:
    components = [
        {"id": "1", "name": "Builds", "status": "OPERATIONAL", "position": 1},
        {"id": "2", "name": "Network", "status": "OPERATIONAL", "type": "group", "components": []},
    ]
    return {"components": components, "incidents": [], "maintenances": [], **more}


def railway_page(**more: Any) -> Document:
    return {"activeIncidents": [], "recentIncidents": [{"title": "Old"}], "maintenances": [], **more}


def component(name: str, status: str) -> Document:
    return {"id": "x", "name": name, "status": status}


@pytest.fixture
def ask(httpserver: HTTPServer) -> Ask:
    def of(provider: str, document: Document) -> ProviderStatus:
        path = "/page" if provider == "Railway" else "/page/api/v2/summary.json"
        httpserver.expect_request(path).respond_with_json(document)
        return status_of(provider, httpserver.url_for("/page"))

    return of


@pytest.mark.parametrize(
    ("provider", "document", "read_as"),
    [
        ("OpenAI", summary(), "statuspage-v2"),
        ("Supabase", summary(), "statuspage-v2"),
        ("Railway", railway_api(), "railway-api"),
        ("Railway", railway_page(), "railway-page"),
    ],
)
def test_a_page_on_which_all_is_well_is_operational(ask: Ask, provider: str, document: Document, read_as: str) -> None:
    assert ask(provider, document) == ProviderStatus(provider, "operational", (), read_as)


@pytest.mark.parametrize(
    ("provider", "document"),
    [
        ("OpenAI", summary(indicator="major")),
        ("OpenAI", summary(indicator="critical")),
        ("Supabase", summary(components=[component("DB", "operational"), component("DB", "major_outage")])),
        ("Supabase", summary(components=[component("DB", "full_outage")])),
        ("Supabase", summary(incidents=[{"name": "Trouble", "status": "monitoring", "impact": "none"}])),
        ("OpenAI", summary(incidents=[{"name": "Trouble", "status": "a-new-word", "impact": "none"}])),
        ("Railway", railway_api(components=[component("Builds", "DEGRADED_PERFORMANCE")])),
        ("Railway", railway_api(incidents=[{"title": "Trouble", "status": "INVESTIGATING", "worstImpact": "X"}])),
        ("Railway", railway_page(activeIncidents=[{"title": "Trouble", "status": "identified", "components": []}])),
    ],
)
def test_an_incident_is_seen_wherever_the_page_tells_of_it(ask: Ask, provider: str, document: Document) -> None:
    found = ask(provider, document)
    assert found.state == "incident"
    assert found.incidents


def test_a_component_inside_a_group_counts(ask: Ask) -> None:
    group = {**component("Regions", "OPERATIONAL"), "components": [component("EU West", "PARTIAL_OUTAGE")]}
    found = ask("Railway", railway_api(components=[group]))
    assert (found.state, found.incidents) == ("incident", ("EU West: partial outage",))


def test_a_name_that_stands_for_many_regions_is_as_bad_as_its_worst_and_told_once(ask: Ask) -> None:
    many = [component("EU", "operational"), *[component("EU", "major_outage")] * 3, component("EU", "operational")]
    found = ask("Supabase", summary(components=many))
    assert (found.state, found.incidents) == ("incident", ("EU: major outage",))


@pytest.mark.parametrize("over", ["resolved", "postmortem", "RESOLVED"])
def test_an_incident_that_is_over_counts_no_more(ask: Ask, over: str) -> None:
    assert ask("Supabase", summary(incidents=[{"name": "Old", "status": over}])).state == "operational"


@pytest.mark.parametrize(
    ("word", "state"),
    [("in_progress", "maintenance"), ("scheduled", "operational"), ("completed", "operational"), ("odd", "unknown")],
)
def test_a_maintenance_counts_while_it_runs(ask: Ask, word: str, state: str) -> None:
    assert ask("OpenAI", summary(scheduled_maintenances=[{"name": "M", "status": word}])).state == state


def test_an_incident_outweighs_a_maintenance_and_a_strange_word(ask: Ask) -> None:
    components = [component("A", "under_maintenance"), component("B", "sideways"), component("C", "major_outage")]
    found = ask("OpenAI", summary(components=components))
    assert (found.state, found.incidents) == ("incident", ("C: major outage", "A: under maintenance"))


@pytest.mark.parametrize(
    ("provider", "document"),
    [
        ("OpenAI", {}),
        ("OpenAI", summary(indicator="splendid")),
        ("OpenAI", summary(components=[component("API", "sideways")])),
        ("OpenAI", summary(components=None)),
        ("OpenAI", summary(components=["API"])),
        ("OpenAI", summary(incidents={"none": True})),
        ("OpenAI", summary(incidents=[{"name": "no status"}])),
        ("OpenAI", summary(status="operational")),
        ("OpenAI", {"ongoing_incidents": [], "in_progress_maintenances": [], "scheduled_maintenances": []}),
        ("Supabase", {"page": {}, "status": {"indicator": "none"}}),
        ("Railway", {"page": {"status": "UP"}, "activeIncidents": [], "maintenances": []}),
        ("Railway", {"data": {"platformStatus": {"isStable": True}}}),
        ("Railway", railway_api(components=[])),
        ("Railway", railway_api(components=[component("Builds", "MOSTLY_FINE")])),
        ("Railway", railway_api(incidents=None)),
        ("Railway", railway_page(maintenances=None)),
        ("Railway", summary()),
    ],
)
def test_a_shape_or_word_that_is_not_known_is_unknown(ask: Ask, provider: str, document: Document) -> None:
    found = ask(provider, document)
    assert found.state == "unknown"
    assert found.why


@pytest.mark.parametrize("body", ["<html>All Systems Operational</html>", '{"status": {"indi', "[]", "null", "", "1"])
@pytest.mark.parametrize("provider", ["Railway", "OpenAI"])
def test_a_200_that_is_no_document_is_unknown(httpserver: HTTPServer, provider: str, body: str) -> None:
    httpserver.expect_request("/page").respond_with_data(body)
    httpserver.expect_request("/page/api/v2/summary.json").respond_with_data(body)
    assert status_of(provider, httpserver.url_for("/page")).state == "unknown"


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Kind.FORBIDDEN), (429, Kind.RATE_LIMITED), (502, Kind.SERVER_ERROR)]
)
def test_a_failing_status_is_an_error(httpserver: HTTPServer, status: int, kind: Kind) -> None:
    httpserver.expect_request("/page").respond_with_data("no", status=status)
    with pytest.raises(UpstreamError) as raised:
        status_of("Railway", httpserver.url_for("/page"))
    assert raised.value.kind is kind


def test_a_page_that_hangs_times_out(misbehaving: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuspages, "TOTAL_S", 0.2)
    with pytest.raises(UpstreamError) as raised:
        status_of("OpenAI", misbehaving(silence))
    assert raised.value.kind is Kind.TIMEOUT


def test_railways_second_page_is_read_where_the_first_tells_nothing(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/first").respond_with_json({"gone": True})
    httpserver.expect_request("/second").respond_with_json(railway_page())
    places = (httpserver.url_for("/first"), httpserver.url_for("/second"))
    page = statuspages._Page("Railway", places, statuspages._PAGES["railway"].adapters)
    monkeypatch.setitem(statuspages._PAGES, "railway", page)
    assert status_of("Railway").read_as == "railway-page"


def test_the_default_places_are_the_providers_own() -> None:
    assert {name: page.places for name, page in statuspages._PAGES.items()} == {
        "openai": ("https://status.openai.com",),
        "supabase": ("https://status.supabase.com",),
        "railway": ("https://api.railwaystatus.com/status", "https://status.railway.com/api/status"),
    }


def test_what_a_page_says_is_short_and_holds_no_secret(ask: Ask) -> None:
    name = "Key sk-abcdefghijklmnopqrstuvwx of ada@example.com\n" + "x" * 5_000
    found = ask("OpenAI", summary(incidents=[{"name": name, "status": "identified"}]))
    text = json.dumps(found.incidents)
    assert "abcdefgh" not in text
    assert "ada@" not in text
    assert len(text) < 300
