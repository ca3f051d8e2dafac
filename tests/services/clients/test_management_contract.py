"""What is sent to the Management API, and what is read from it, keep the published OpenAPI description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from openapi_core.validation.request.exceptions import RequestValidationError
from openapi_core.validation.response.exceptions import InvalidData
from werkzeug.datastructures import ImmutableMultiDict

from tests.services.clients.calls import LINT, MANAGEMENT, REF, Call
from tests.services.clients.scripted_server import ScriptedServer, Seen, answers

DESCRIPTION = json.loads(Path(__file__).with_name("management-openapi.json").read_text())
HOST = "https://api.supabase.com"
# The published list of advisor names is behind the advisor itself; everything else about a finding is kept.
KNOWN_LINT = {**LINT, "name": "no_primary_key"}


@pytest.fixture(scope="module")
def contract() -> OpenAPI:
    return OpenAPI.from_dict(DESCRIPTION)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    one = ScriptedServer()
    yield one
    one.close()


def as_described(seen: Seen) -> MockRequest:
    place = urlsplit(seen.target)
    return MockRequest(
        HOST,
        seen.method.lower(),
        place.path,
        args=ImmutableMultiDict(parse_qsl(place.query, keep_blank_values=True)),
        headers={"authorization": seen.headers["authorization"]},
        data=seen.body or None,
        content_type=seen.headers.get("content-type", "application/json"),
    )


def status_of(call: Call) -> int:
    return 201 if call.name == "supabase.run_read_only" else 200


def good(call: Call) -> Any:
    return {"lints": [KNOWN_LINT]} if call.name.startswith("supabase.advisors") else call.good


@pytest.mark.parametrize("call", MANAGEMENT, ids=str)
def test_request_and_answer_keep_the_contract(server: ScriptedServer, contract: OpenAPI, call: Call) -> None:
    body = good(call)
    call.ask(server.does(answers(body, status_of(call))))
    request = as_described(server.seen[0])
    contract.validate_request(request)
    if call.name != "supabase.run_read_only":
        # The description gives the rows of a query no shape.
        response = MockResponse(json.dumps(body).encode(), status_of(call), content_type="application/json")
        contract.validate_response(request, response)
    assert len(server.seen) == 1
    assert "secret" not in server.seen[0].target


def test_every_described_operation_is_called_and_no_other(server: ScriptedServer) -> None:
    called = set()
    for call in MANAGEMENT:
        call.ask(server.does(answers(good(call))))
        called.add(urlsplit(server.seen[0].target).path.replace(REF, "{ref}"))
    assert called == set(DESCRIPTION["paths"])


def test_the_contract_would_notice_a_missing_parameter(server: ScriptedServer, contract: OpenAPI) -> None:
    health = next(call for call in MANAGEMENT if call.name == "supabase.health")
    health.ask(server.does(answers(health.good)))
    bare = server.seen[0]
    bare.target = bare.target.partition("?")[0]
    with pytest.raises(RequestValidationError):
        contract.validate_request(as_described(bare))


def test_the_contract_would_notice_a_body_of_another_name(server: ScriptedServer, contract: OpenAPI) -> None:
    query = next(call for call in MANAGEMENT if call.name == "supabase.run_read_only")
    query.ask(server.does(answers(query.good, 201)))
    query_sent = server.seen[0]
    query_sent.body = json.dumps({"sql": "select 1"}).encode()
    with pytest.raises(OpenAPIError):
        contract.validate_request(as_described(query_sent))


def test_a_name_of_a_finding_that_the_description_does_not_know_is_read(
    server: ScriptedServer, contract: OpenAPI
) -> None:
    call = next(one for one in MANAGEMENT if one.name == "supabase.advisors.performance")
    found = call.ask(server.does(answers({"lints": [LINT]})))
    assert [one.name for one in found] == ["auth_db_connections_absolute"]
    request = as_described(server.seen[0])
    with pytest.raises(InvalidData):
        contract.validate_response(request, MockResponse(json.dumps({"lints": [LINT]}).encode()))
