"""Railway's API: every documented operation is executed, wrong requests fail as they do live, tokens are looked at."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import parse
from graphql.language import OperationDefinitionNode

from services.sandbox.hosting import AT_ONCE, Hosting
from services.sandbox.railway import PATH, RailwayState, railway_app, railway_schema
from services.sandbox.railway_view import Ids
from services.sandbox.twin_definition import Build
from tests.services.sandbox.loop_thread import LoopThread

MODULE = "tests.services.sandbox.stand_in.app"
OLD, NEW = "a" * 40, "b" * 40
DOCUMENTS: dict[str, str] = json.loads(Path(__file__).with_name("railway_documents.json").read_text())
REFUSED = {"ApiTokenScope", "Me"}
MUTATIONS = {name for name, text in DOCUMENTS.items() if text.startswith("mutation")}
IDS = Ids()
TOKEN = "project-token"
SECRET = "value-that-is-secret"


class Railway:
    """The platform with its API: an old commit serves, the newer one has failed."""

    def __init__(self, thread: LoopThread, home: Path) -> None:
        self.thread = thread
        builds = (Build(OLD, "First", MODULE), Build(NEW, "Second", MODULE, requires=("greeting",)))
        self.hosting = Hosting(builds, {"WORD": SECRET}, home, lambda: datetime.now(UTC), pace=AT_ONCE)
        self.hosting.images.forget(NEW, "greeting")
        self.app = httpx.Client(base_url=thread.serve(self.hosting.edge_app), trust_env=False)
        self.state = RailwayState.new(self.hosting.clock, 1000)
        self.api = thread.serve(railway_app(self.hosting, TOKEN, state=self.state, domain="app.example"))
        self.http = httpx.Client(base_url=self.api, headers={"Project-Access-Token": TOKEN}, trust_env=False)
        thread.run(self.hosting.start([OLD, NEW]))

    def close(self) -> None:
        self.app.close()
        self.http.close()
        self.thread.run(self.hosting.close())

    def post(self, query: str, **variables: Any) -> httpx.Response:
        return self.http.post(PATH, json={"query": query, "variables": variables})

    def ask(self, name: str, **variables: Any) -> Any:
        answer = self.post(DOCUMENTS[name], **variables).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def rest(self) -> None:
        self.thread.run(self.hosting.rest())

    def variables(self, name: str) -> dict[str, Any]:
        """What the document asks for, filled in."""
        now = datetime.now(UTC)
        newest = self.hosting.deployments[-1].id
        known: dict[str, Any] = {
            "projectId": IDS.project,
            "environmentId": IDS.environment,
            "serviceId": IDS.service,
            "deploymentId": newest,
            "id": {"ProjectInventory": IDS.project}.get(name, newest),
            "startDate": (now - timedelta(hours=1)).isoformat(),
            "endDate": (now + timedelta(minutes=1)).isoformat(),
            "measurements": ["MEMORY_USAGE_GB", "CPU_USAGE"],
            "input": {},
        }
        if name == "VariableUpsert":
            known["input"] = {"projectId": IDS.project, "environmentId": IDS.environment, "name": "N", "value": "v"}
        if name == "HealthcheckUpdate":
            known["input"] = {"healthcheckPath": "/health", "healthcheckTimeout": 7}
        (operation,) = parse(DOCUMENTS[name]).definitions
        assert isinstance(operation, OperationDefinitionNode)
        names = [one.variable.name.value for one in operation.variable_definitions or ()]
        return {one: known[one] for one in names if one in known}


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.close()


@pytest.fixture(scope="module")
def shared(thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Railway]:
    """For tests that only read."""
    railway = Railway(thread, tmp_path_factory.mktemp("hosting"))
    yield railway
    railway.close()


@pytest.fixture
def railway(thread: LoopThread, tmp_path: Path) -> Iterator[Railway]:
    """For tests that change something."""
    fresh = Railway(thread, tmp_path)
    yield fresh
    fresh.close()


@pytest.mark.parametrize("name", sorted(set(DOCUMENTS) - MUTATIONS - REFUSED))
def test_every_documented_query_is_answered(shared: Railway, name: str) -> None:
    assert shared.ask(name, **shared.variables(name))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_account_queries_are_refused_to_a_project_token(shared: Railway, name: str) -> None:
    assert shared.post(DOCUMENTS[name]).json()["errors"][0]["message"] == "Not Authorized"


def test_the_token_tells_its_project_and_environment(shared: Railway) -> None:
    token = shared.ask("ProjectTokenScope")["projectToken"]
    assert (token["projectId"], token["environmentId"]) == (IDS.project, IDS.environment)


def test_deployments_come_newest_first_with_their_commits(shared: Railway) -> None:
    edges = shared.ask("Deployments", input={"serviceId": IDS.service})["deployments"]["edges"]
    found = [(edge["node"]["status"], edge["node"]["meta"]["commitHash"]) for edge in edges]
    assert found == [("FAILED", NEW), ("SUCCESS", OLD)]


@pytest.mark.parametrize(
    ("status", "expected"), [({"in": ["FAILED"]}, ["FAILED"]), ({"notIn": ["FAILED"]}, ["SUCCESS"])]
)
def test_deployments_are_filtered_by_status(shared: Railway, status: dict[str, Any], expected: list[str]) -> None:
    edges = shared.ask("Deployments", input={"status": status})["deployments"]["edges"]
    assert [edge["node"]["status"] for edge in edges] == expected


def test_deployments_are_paged(shared: Railway) -> None:
    first = shared.ask("Deployments", input={}, first=1)["deployments"]
    assert (len(first["edges"]), first["pageInfo"]["hasNextPage"]) == (1, True)
    second = shared.ask("Deployments", input={}, first=1, after=first["pageInfo"]["endCursor"])["deployments"]
    assert second["edges"][0]["node"]["status"] == "SUCCESS"
    assert not second["pageInfo"]["hasNextPage"]


def test_the_serving_deployment_is_the_active_one_and_not_the_latest(shared: Railway) -> None:
    environment = shared.ask("EnvironmentServices", environmentId=IDS.environment)["environment"]
    instance = environment["serviceInstances"]["edges"][0]["node"]
    assert instance["latestDeployment"]["status"] == "FAILED"
    assert [one["status"] for one in instance["activeDeployments"]] == ["SUCCESS"]
    assert instance["domains"]["serviceDomains"][0]["domain"] == "app.example"


def test_the_failed_deployment_tells_where_and_why(shared: Railway) -> None:
    failed = shared.hosting.deployments[1].id
    events = shared.ask("DeploymentEvents", id=failed)["deploymentEvents"]["edges"]
    last = events[-1]["node"]
    assert last["step"] == "HEALTHCHECK"
    assert "exited with code 1" in last["payload"]["error"]
    log = shared.ask("DeploymentLogs", deploymentId=failed, filter="@level:error")["deploymentLogs"]
    assert log[-1]["message"] == "ModuleNotFoundError: No module named 'greeting'"
    assert log[-1]["tags"]["deploymentId"] == failed


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ('"no module named"', ["ModuleNotFoundError: No module named 'greeting'"]),
        ("@level:info", []),
        ("ModuleNotFoundError AND @level:error", ["ModuleNotFoundError: No module named 'greeting'"]),
        ('@level:error -File -"import " -Traceback', ["ModuleNotFoundError: No module named 'greeting'"]),
        ('("Traceback" OR nothing) @level:error', ["Traceback (most recent call last):"]),
    ],
)
def test_logs_are_filtered_in_railways_language(shared: Railway, wanted: str, expected: list[str]) -> None:
    failed = shared.hosting.deployments[1].id
    log = shared.ask("DeploymentLogs", deploymentId=failed, filter=wanted)["deploymentLogs"]
    assert [line["message"] for line in log if "^^^" not in line["message"]] == expected


def test_a_malformed_log_filter_is_refused_with_its_reason(shared: Railway) -> None:
    answer = shared.post(DOCUMENTS["DeploymentLogs"], deploymentId=shared.hosting.deployments[1].id, filter="(a")
    assert "parenthesis" in answer.json()["errors"][0]["message"]


def test_logs_are_cut_to_the_newest_lines_and_to_a_time(shared: Railway) -> None:
    one = shared.hosting.deployments[1]
    lines = shared.ask("DeploymentLogs", deploymentId=one.id, limit=2)["deploymentLogs"]
    assert [line["message"] for line in lines] == [line.message for line in one.runtime_log[-2:]]
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert shared.ask("DeploymentLogs", deploymentId=one.id, startDate=later)["deploymentLogs"] == []


def test_environment_logs_hold_all_runtime_lines_and_page_back_from_an_anchor(shared: Railway) -> None:
    every = shared.ask("EnvironmentLogs", environmentId=IDS.environment)["environmentLogs"]
    assert len(every) == sum(len(one.runtime_log) for one in shared.hosting.deployments)
    before = shared.ask(
        "EnvironmentLogs", environmentId=IDS.environment, beforeDate=every[-1]["timestamp"], beforeLimit=1, afterLimit=0
    )["environmentLogs"]
    assert [line["timestamp"] for line in before] < [every[-1]["timestamp"]]
    assert len(before) == 1


def test_requests_are_logged_filtered_and_counted(shared: Railway) -> None:
    shared.app.get("/who")
    serving = shared.hosting.deployments[0].id
    logs = shared.ask("HttpLogs", deploymentId=serving, filter="@path:/who @httpStatus:200..299")["httpLogs"]
    assert {line["path"] for line in logs} == {"/who"}
    assert shared.ask("HttpLogs", deploymentId=serving, filter="@httpStatus:>=500")["httpLogs"] == []
    counted = shared.ask("HttpMetricsByStatus", **shared.variables("HttpMetricsByStatus"))
    (group,) = counted["httpMetricsGroupedByStatus"]
    assert (group["statusCode"], sum(s["value"] for s in group["samples"])) == (200, len(shared.hosting.edge.requests))


def test_variables_are_read_by_name_without_their_values(shared: Railway) -> None:
    answer = shared.post(DOCUMENTS["VariableNames"], environmentId=IDS.environment)
    edges = answer.json()["data"]["environment"]["variables"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["WORD"]
    assert SECRET not in answer.text


@pytest.mark.parametrize("variable", ["projectId", "environmentId", "serviceId"])
def test_other_peoples_ids_are_refused(shared: Railway, variable: str) -> None:
    answer = shared.post(DOCUMENTS["Deployments"], input={variable: "11111111-1111-1111-1111-111111111111"})
    assert answer.json()["errors"][0]["message"] == "Not Authorized"


@pytest.mark.parametrize(
    "wrong",
    [
        'mutation { deploymentRollback(id: "x") { id status } }',
        "query { deployments(input: {status: {successfulOnly: true}}) { edges { node { id } } } }",
        "query { deployment { id } }",
        "query { noSuchThing }",
        "query {",
    ],
)
def test_requests_that_the_schema_does_not_allow_are_errors(shared: Railway, wrong: str) -> None:
    answer = shared.post(wrong)
    assert answer.json()["errors"]
    assert "data" not in answer.json()


def test_a_body_that_is_no_request_is_an_error(shared: Railway) -> None:
    assert shared.http.post(PATH, content=b"not json").json()["errors"]
    assert shared.http.post(PATH, json=["query"]).json()["errors"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Not Authorized"),
        ({"Authorization": f"Bearer {TOKEN}"}, "Not Authorized"),
        ({"Project-Access-Token": "wrong"}, "Project Token not found"),
    ],
)
def test_without_the_project_token_nothing_is_answered(shared: Railway, headers: dict[str, str], message: str) -> None:
    answer = httpx.post(shared.api + PATH, json={"query": DOCUMENTS["PlatformStatus"]}, headers=headers).json()
    assert answer["errors"][0]["message"] == message
    assert answer["data"] is None


def test_every_answer_tells_what_is_left_of_the_hour(shared: Railway) -> None:
    first, second = (shared.post(DOCUMENTS["PlatformStatus"]).headers for _ in range(2))
    assert first["x-ratelimit-limit"] == "1000"
    assert int(first["x-ratelimit-remaining"]) - int(second["x-ratelimit-remaining"]) == 1


def test_beyond_the_hourly_limit_it_answers_429_with_a_time_to_wait(shared: Railway) -> None:
    moments = [datetime(2026, 3, 1, 12, 59, 30, tzinfo=UTC)]
    state = RailwayState.new(lambda: moments[0], 1)
    url = shared.thread.serve(railway_app(shared.hosting, TOKEN, state=state)) + PATH
    body, headers = {"query": DOCUMENTS["PlatformStatus"]}, {"Project-Access-Token": TOKEN}
    assert httpx.post(url, json=body, headers=headers).status_code == 200
    refused = httpx.post(url, json=body, headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    moments[0] += timedelta(seconds=31)
    assert httpx.post(url, json=body, headers=headers).status_code == 200


def test_an_accounts_token_knows_whose_it_is_and_is_no_project_token(shared: Railway) -> None:
    url = shared.thread.serve(railway_app(shared.hosting, TOKEN, account_token="account", state=shared.state)) + PATH
    by_account, by_mistake = {"Authorization": "Bearer account"}, {"Project-Access-Token": "account"}

    def answer(query: str, headers: dict[str, str]) -> Any:
        return httpx.post(url, json={"query": query}, headers=headers).json()

    assert answer("{ me { email } }", by_account)["data"]["me"]["email"] == "account@sandbox.example"
    assert "Project Token not found" in str(answer("{ projectToken { projectId } }", by_account)["errors"])
    assert "Project Token not found" in str(answer("{ me { email } }", by_mistake)["errors"])
    assert "Not Authorized" in str(answer("{ me { email } }", {"Authorization": "Bearer somebody's"})["errors"])


def test_it_remembers_which_operations_were_carried_out(railway: Railway) -> None:
    railway.state.asked.clear()
    railway.ask("PlatformStatus")
    railway.ask("DeploymentRestart", id=railway.hosting.deployments[0].id)
    assert list(railway.state.asked) == ["query platformStatus", "mutation deploymentRestart"]


def test_restart_keeps_the_deployment_and_the_build(railway: Railway) -> None:
    serving = railway.hosting.deployments[0]
    before = railway.app.get("/who").json()
    assert railway.ask("DeploymentRestart", id=serving.id) == {"deploymentRestart": True}
    assert railway.ask("Deployment", id=serving.id)["deployment"]["status"] == "DEPLOYING"
    railway.rest()
    after = railway.app.get("/who").json()
    assert (after["commit"], after["pid"] != before["pid"]) == ("a", True)
    assert len(railway.hosting.deployments) == 2


def test_restart_of_the_failed_deployment_is_refused(railway: Railway) -> None:
    answer = railway.post(DOCUMENTS["DeploymentRestart"], id=railway.hosting.deployments[1].id).json()
    assert "not active" in answer["errors"][0]["message"]


def test_redeploy_of_the_failed_one_serves_once_its_cause_is_gone(railway: Railway) -> None:
    failed = railway.hosting.deployments[1].id
    railway.hosting.images.recall(NEW, "greeting")
    begun = railway.ask("DeploymentRedeploy", id=failed)["deploymentRedeploy"]
    assert begun["id"] != failed
    railway.rest()
    assert railway.ask("Deployment", id=begun["id"])["deployment"]["status"] == "SUCCESS"
    assert railway.app.get("/who").json()["commit"] == "b"


def test_redeploy_of_the_service_means_its_latest_deployment(railway: Railway) -> None:
    railway.hosting.images.recall(NEW, "greeting")
    railway.ask("ServiceInstanceRedeploy", environmentId=IDS.environment, serviceId=IDS.service)
    railway.rest()
    assert railway.app.get("/who").json()["commit"] == "b"


def test_a_commit_can_be_deployed_by_its_hash(railway: Railway) -> None:
    place = {"environmentId": IDS.environment, "serviceId": IDS.service}
    new_id = railway.ask("ServiceInstanceDeployV2", **place, commitSha=OLD)["serviceInstanceDeployV2"]
    railway.rest()
    found = railway.ask("Deployment", id=new_id)["deployment"]
    assert (found["status"], found["meta"]["commitHash"]) == ("SUCCESS", OLD)


def test_rollback_answers_true_and_its_deployment_is_found_in_the_list(railway: Railway) -> None:
    railway.hosting.images.recall(NEW, "greeting")
    railway.ask("DeploymentRedeploy", id=railway.hosting.deployments[1].id)
    railway.rest()
    old = railway.hosting.deployments[0].id
    assert railway.ask("Deployment", id=old)["deployment"]["canRollback"]
    assert railway.ask("DeploymentRollback", id=old) == {"deploymentRollback": True}
    railway.rest()
    newest = railway.ask("Deployments", input={}, first=1)["deployments"]["edges"][0]["node"]
    assert (newest["meta"]["reason"], newest["meta"]["commitHash"], newest["status"]) == ("rollback", OLD, "SUCCESS")
    assert railway.app.get("/who").json()["commit"] == "a"


def test_rollback_to_what_was_never_healthy_is_refused(railway: Railway) -> None:
    failed = railway.hosting.deployments[1].id
    assert not railway.ask("Deployment", id=failed)["deployment"]["canRollback"]
    assert railway.post(DOCUMENTS["DeploymentRollback"], id=failed).json()["errors"]


def test_a_variable_that_is_set_deploys_the_serving_commit_with_it(railway: Railway) -> None:
    place = {"projectId": IDS.project, "environmentId": IDS.environment}
    assert railway.ask("VariableUpsert", input={**place, "name": "WORD", "value": "two", "skipDeploys": True})
    assert len(railway.hosting.deployments) == 2
    assert railway.ask("VariableUpsert", input={**place, "name": "OTHER", "value": "three"})
    railway.rest()
    assert railway.app.get("/who").json()["word"] == "two"


def test_the_health_check_can_be_changed_and_nothing_else(railway: Railway) -> None:
    place = {"environmentId": IDS.environment, "serviceId": IDS.service}
    railway.ask("HealthcheckUpdate", **place, input={"healthcheckTimeout": 7})
    assert railway.ask("ServiceInstanceConfig", **place)["serviceInstance"]["healthcheckTimeout"] == 7
    assert railway.post(DOCUMENTS["HealthcheckUpdate"], **place, input={"numReplicas": 2}).json()["errors"]


def test_cancel_stop_and_remove(railway: Railway) -> None:
    old, failed = (one.id for one in railway.hosting.deployments)
    assert railway.post(DOCUMENTS["DeploymentCancel"], id=failed).json()["errors"]
    assert railway.ask("DeploymentStop", id=old) == {"deploymentStop": True}
    railway.rest()
    assert railway.app.get("/who").status_code == 502
    assert railway.ask("DeploymentRemove", id=old) == {"deploymentRemove": True}
    assert [one.id for one in railway.hosting.deployments] == [failed]


def test_an_unknown_deployment_is_an_error(railway: Railway) -> None:
    assert railway.post(DOCUMENTS["Deployment"], id="nothing").json()["errors"][0]["message"] == "Deployment not found"


def test_every_documented_mutation_is_known(shared: Railway) -> None:
    covered = Path(__file__).read_text(encoding="utf-8")
    assert MUTATIONS
    assert [name for name in MUTATIONS if f'"{name}"' not in covered] == []


def test_the_schema_is_read_in_well_under_a_second() -> None:
    railway_schema.cache_clear()
    started = time.perf_counter()
    railway_schema()
    assert time.perf_counter() - started < 1.0
