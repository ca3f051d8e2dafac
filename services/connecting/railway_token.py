"""What a Railway token is and where its service is reached: asked with documents of our own that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from services.clients.http import Answer, HttpClient, UpstreamError
from services.clients.railway import RailwayClient

ENDPOINT = "/graphql/v2"

DOMAINS = """
query ServiceDomains($environmentId: String!, $serviceId: String!) {
  serviceInstance(environmentId: $environmentId, serviceId: $serviceId) {
    serviceName
    domains { serviceDomains { domain } customDomains { domain } }
  }
}"""
WHO = "query TokenOwner { me { id } }"
WORKSPACES = "query TokenWorkspaces { apiToken { workspaces { id } } }"

ALL = {"domains": DOMAINS, "who": WHO, "workspaces": WORKSPACES}


def domains_of(url: str, token: SecretStr, railway: RailwayClient) -> tuple[str, ...]:
    """The public names of the service, Railway's own and one's own. Raises UpstreamError."""
    wanted = {"environmentId": railway.scope().environment_id, "serviceId": railway.service_id()}
    answer = _asked(url, {"project-access-token": token}, DOMAINS, wanted)
    found: tuple[str, ...] = answer.expect().read(_names)
    return found


def belongs_to_an_account(url: str, token: SecretStr) -> bool | None:
    """Whether a token that is no project token is one of an account or a workspace; None where that is not known."""
    bearer = {"authorization": SecretStr(f"Bearer {token.get_secret_value()}")}
    for document in (WHO, WORKSPACES):
        try:
            if _asked(url, bearer, document, {}).read(_is_answered):
                return True
        except UpstreamError:
            return None
    return False


def _asked(url: str, headers: Mapping[str, SecretStr], document: str, variables: Mapping[str, Any]) -> Answer:
    http = HttpClient("Railway", url.rstrip("/").removesuffix(ENDPOINT), headers=headers)
    try:
        return http.request("POST", ENDPOINT, json={"query": document, "variables": dict(variables)})
    finally:
        http.close()


def _names(body: Any) -> tuple[str, ...]:
    domains = body["data"]["serviceInstance"]["domains"]
    kinds = ("customDomains", "serviceDomains")
    return tuple(str(one["domain"]) for kind in kinds for one in domains[kind])


def _is_answered(body: Any) -> bool:
    data = body.get("data")
    return not body.get("errors") and isinstance(data, dict) and all(value is not None for value in data.values())
