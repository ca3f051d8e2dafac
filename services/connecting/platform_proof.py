"""Proving the level platform: what the Railway token reaches, and that the app's address is really served there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from services.clients.http import Kind, UpstreamError
from services.clients.railway import Deployment, RailwayClient
from services.connecting.railway_token import belongs_to_an_account, domains_of
from services.connecting.trial import Told, Trial, asked, declined, failed, passed, unknown
from services.errors import OpsError
from services.settings import Target


def seen_of_platform(trial: Trial) -> Iterator[Told]:
    """The level stands on the token's scope, the service in it, its deployments, and its address being the app's."""
    target = trial.target
    lacking = [name for name in ("railway_url", "railway_token") if getattr(target, name) is None]
    if lacking:
        yield unknown("Railway", f"The settings have no {' and no '.join(lacking)}.")
        return
    railway = trial.context.railway
    try:
        scope = railway.scope()
    except OpsError as error:
        yield _no_project_token(target, error)
        return
    said = f"It reaches the environment {scope.environment} of the project {scope.project}, only."
    yield passed("Token", said, effect=True)
    service = asked("Service", railway.service, lambda found: f"The service {found.name} is in that environment.")
    yield service.told
    if service.answer is None:
        return
    yield from _deployments(railway)
    yield _same_address(target, railway)
    yield from _variables(railway)
    said = "Railway tells of no right by itself; whether it starts a build shows when one is asked for."
    yield unknown("Right to start builds", said, needed=False)


def _no_project_token(target: Target, error: OpsError) -> Told:
    assert target.railway_url is not None
    assert target.railway_token is not None
    refused = isinstance(error, UpstreamError) and error.kind is Kind.UNAUTHORISED
    if refused and belongs_to_an_account(target.railway_url, target.railway_token):
        said = (
            "This is a token of an account or a workspace: it reaches every project of it, which is more than is "
            "needed. Make a project token for this one environment, and delete this one."
        )
        return failed("Token", said)
    return declined("Token", error)


def _deployments(railway: RailwayClient) -> Iterator[Told]:
    asked_for = asked("Deployments", railway.deployments, _told_deployments)
    found = asked_for.answer
    if found == []:
        yield unknown("Deployments", "Railway lists no deployment; whether it would start one is not known.")
        return
    yield asked_for.told
    if found:
        yield _ways_back(found)


def _told_deployments(found: Sequence[Deployment]) -> str:
    return f"Railway lists {len(found)}; the newest is {found[0].id} ({found[0].status})." if found else "None."


def _ways_back(found: Sequence[Deployment]) -> Told:
    earlier = sum(one.can_rollback for one in found[1:])
    newest = "can be redeployed" if found[0].can_redeploy else "cannot be redeployed"
    said = f"The newest {newest}; {earlier} earlier ones can be brought back."
    if earlier:
        return passed("Way back", said, needed=False)
    return unknown("Way back", f"{said} Images are kept for hours or days, as the plan says.", needed=False)


def _same_address(target: Target, railway: RailwayClient) -> Told:
    what = "Same app"
    assert target.railway_url is not None
    assert target.railway_token is not None
    if target.app_url is None:
        return unknown(what, "The settings have no app_url to compare with.")
    try:
        domains = domains_of(target.railway_url, target.railway_token, railway)
    except OpsError as error:
        return declined(what, error)
    place = urlsplit(target.app_url)
    if not domains:
        return unknown(what, "The service has no public name; whether it serves the app's address is not known.")
    if {place.netloc.lower(), (place.hostname or "").lower()} & {name.lower() for name in domains}:
        return passed(what, f"The service is reached at {place.netloc}, which is the app's address.", effect=True)
    said = f"The service is reached at {', '.join(domains)}, and the app's address is {place.netloc}: another service."
    return failed(what, said)


def _variables(railway: RailwayClient) -> Iterator[Told]:
    yield asked(
        "Names of variables",
        railway.variable_names,
        lambda found: f"{len(found)} are read by name; their values are not asked for.",
        needed=False,
    ).told
