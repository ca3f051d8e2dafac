"""The newest build: who may do what with which token, its own way of saying no, and what it hides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from apps.pulsecheck.twin.contract import ApiError
from apps.pulsecheck.twin.definition import NEWEST
from apps.pulsecheck.twin.minute_limit import MinuteLimit
from services.app_definition import load_app
from services.sandbox.hosting import AT_ONCE
from tests.apps.pulsecheck.twin.faulty_twin import FaultyTwin
from tests.services.sandbox.twin_world import ADMIN, HAPPY, JOURNAL, TIRED, twin_world

SOMEBODY = "11111111-1111-4111-8111-111111111111"
ADMIN_ID = "22222222-2222-4222-8222-222222222222"
SHAPE = {"error", "message", "status_code", "timestamp"}


class Newest:
    def __init__(self, faulty: FaultyTwin) -> None:
        self.faulty = faulty
        self.app = faulty.app

    def token(self, user_id: str = SOMEBODY, *, secret: str | None = None, life_s: int = 600, **metadata: Any) -> str:
        claims = {"sub": user_id, "aud": "authenticated", "role": "authenticated", "exp": int(time.time()) + life_s}
        return jwt.encode({**claims, **metadata}, secret or self.faulty.world.keys.jwt_secret, algorithm="HS256")

    def headers(self, *arguments: Any, **metadata: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(*arguments, **metadata)}"}

    def entry(self, body: dict[str, Any] = TIRED, user_id: str = SOMEBODY) -> dict[str, Any]:
        answer = self.app.post(f"{JOURNAL}/entries", json=body, headers=self.headers(user_id))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def newest() -> Iterator[Newest]:
    with twin_world("after") as one:
        one.world.hosting.pace = AT_ONCE
        one.do(_deploy, one)
        yield Newest(FaultyTwin(one))


async def _deploy(one: Any) -> None:
    one.world.hosting.deploy_commit(NEWEST.commit)
    await one.world.hosting.rest()


@pytest.fixture
def admin(newest: Newest) -> dict[str, str]:
    return newest.headers(ADMIN_ID, app_metadata={"role": "admin"})


def refused(answer: httpx.Response, status: int) -> bool:
    return answer.status_code == status and set(answer.json()) == SHAPE and answer.json()["status_code"] == status


def test_it_serves_and_was_not_pushed_at_first(newest: Newest) -> None:
    serving = newest.faulty.world.hosting.active
    assert serving is not None
    assert serving.build is NEWEST
    assert newest.faulty.world.hosting.deployments[-2].build is not NEWEST


def test_every_path_of_its_inventory_is_loaded_and_no_other(newest: Newest) -> None:
    paths = load_app("pulsecheck").paths_of("newest")
    assert {"/health-fast", "/ready", "/health-detailed"} < set(paths)
    for path in paths:
        answer = newest.app.request("GET", path.replace("{entry_id}", SOMEBODY))
        unknown = answer.status_code == 404 and answer.json()["message"] == "Not Found"
        assert not unknown, path
    assert refused(newest.app.get("/api/v1/nothing"), 404)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_in_production_it_describes_nothing(newest: Newest, path: str) -> None:
    assert refused(newest.app.get(path), 404)


def test_elsewhere_it_has_twenty_seven_paths(newest: Newest) -> None:
    hosting = newest.faulty.world.hosting
    hosting.variables["ENVIRONMENT"] = "staging"
    newest.faulty.twin.do(_deploy, newest.faulty.twin)
    try:
        assert newest.faulty.twin.paths() == 27
    finally:
        hosting.variables["ENVIRONMENT"] = "production"
        newest.faulty.twin.do(_deploy, newest.faulty.twin)


@pytest.mark.parametrize("method_path", [("POST", "entries"), ("GET", "entries"), ("GET", "stats")])
def test_the_journal_wants_a_token(newest: Newest, method_path: tuple[str, str]) -> None:
    method, path = method_path
    for headers in (
        {},
        {"authorization": "Basic x"},
        {"authorization": "Bearer nonsense"},
        newest.headers(secret="another-secret-of-the-same-length-as-ours"),
        newest.headers(life_s=-5),
        {"authorization": f"Bearer {newest.faulty.world.keys.anon_key}"},
    ):
        assert refused(newest.app.request(method, f"{JOURNAL}/{path}", json=TIRED, headers=headers), 401)


def test_everybody_sees_only_their_own_entries(newest: Newest) -> None:
    mine = newest.entry()
    assert mine["user_id"] == SOMEBODY
    path = f"{JOURNAL}/entries/{mine['id']}"
    assert newest.app.get(path, headers=newest.headers()).json()["id"] == mine["id"]
    assert refused(newest.app.get(path, headers=newest.headers(ADMIN_ID)), 404)
    assert newest.app.get(f"{JOURNAL}/entries", headers=newest.headers(ADMIN_ID)).json()["total"] == 0


def test_a_token_of_the_projects_own_auth_is_taken(newest: Newest) -> None:
    world = newest.faulty.world
    account = next(one for one in world.keys.accounts if one.purpose == "probe")
    signed_in = httpx.post(
        f"{world.addresses.supabase_url}/auth/v1/token",
        params={"grant_type": "password"},
        json={"email": account.email, "password": account.password},
        headers={"apikey": world.keys.anon_key},
        trust_env=False,
    ).json()
    answer = newest.app.get(f"{JOURNAL}/stats", headers={"authorization": f"Bearer {signed_in['access_token']}"})
    assert answer.status_code == 200


def test_an_entry_that_is_wrong_is_refused_in_the_newest_shape(newest: Newest) -> None:
    answer = newest.app.post(f"{JOURNAL}/entries", json={"content": "short"}, headers=newest.headers())
    assert refused(answer, 422)


def test_feedback_is_read_from_the_body_and_stored_for_its_author(newest: Newest) -> None:
    entry = newest.entry()
    path = f"{JOURNAL}/entries/{entry['id']}/feedback"
    said = {"feedback_type": "thumbs_up", "feedback_text": "kind"}
    assert refused(newest.app.post(path, params=said, headers=newest.headers()), 422)
    assert newest.app.post(path, json=said, headers=newest.headers()).status_code == 200
    stored = newest.faulty.sql(
        "select user_id, feedback_text from ai_feedback where journal_entry_id = %s", entry["id"]
    )
    assert stored == [(SOMEBODY, "kind")]


def test_the_ai_is_asked_and_logged_for_the_person(newest: Newest) -> None:
    entry = newest.entry(HAPPY)
    pulse = newest.app.get(f"{JOURNAL}/entries/{entry['id']}/pulse", headers=newest.headers()).json()
    assert pulse["confidence_score"] >= 0.7
    ((calls,),) = newest.faulty.sql("select requests_used from daily_usage_quotas where user_id = %s", SOMEBODY)
    assert calls == 1


def test_the_quota_is_the_persons_own(newest: Newest) -> None:
    other = "33333333-3333-4333-8333-333333333333"
    newest.faulty.sql("insert into ai_usage_logs (user_id, cost_usd) select %s, 0 from generate_series(1, 5)", other)
    entry = newest.entry(user_id=other)
    answer = newest.app.get(f"{JOURNAL}/entries/{entry['id']}/pulse", headers=newest.headers(other))
    assert answer.status_code == 429
    assert answer.json()["detail"]["type"] == "rate_limit"
    mine = newest.entry()
    assert newest.app.get(f"{JOURNAL}/entries/{mine['id']}/pulse", headers=newest.headers()).status_code == 200


def test_admin_reports_want_the_role_wherever_it_was_written(newest: Newest, admin: dict[str, str]) -> None:
    path = f"{ADMIN}/daily"
    assert refused(newest.app.get(path), 401)
    assert refused(newest.app.get(path, headers=newest.headers()), 403)
    assert refused(newest.app.get(path, headers=newest.headers(app_metadata={"role": "editor"})), 403)
    assert newest.app.get(path, headers=admin).status_code == 200
    assert newest.app.get(path, headers=newest.headers(user_metadata={"role": "admin"})).status_code == 200


def test_resets_are_limited_by_the_minute(newest: Newest, admin: dict[str, str]) -> None:
    path = f"{ADMIN}/reset-usage"
    answers = [newest.app.post(path, headers=admin) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].json() == {"error": "Rate limit exceeded: 5 per 1 minute"}


def test_a_minute_limit_is_each_persons_own() -> None:
    limit = MinuteLimit(1)
    limit.count("one")
    limit.count("other")
    with pytest.raises(ApiError):
        limit.count("one")


def test_health_says_unhealthy_when_all_is_well(newest: Newest) -> None:
    detailed = newest.app.get("/health-detailed").json()
    assert (detailed["status"], set(detailed)) == ("unhealthy", {"status", "checks", "summary"})
    assert newest.app.get("/ready").json()["status"] == "ready"


def test_a_defect_goes_into_the_newest_build_where_that_was_pushed(newest: Newest) -> None:
    newest.faulty.broken("feedback-not-stored")
    path = f"{JOURNAL}/entries/{newest.entry()['id']}/feedback"
    before = newest.faulty.sql("select count(*) from ai_feedback")
    assert newest.app.post(path, json={"feedback_type": "report"}, headers=newest.headers()).status_code == 200
    assert newest.faulty.sql("select count(*) from ai_feedback") == before
    newest.faulty.mended("feedback-not-stored")
    serving = newest.faulty.world.hosting.active
    assert serving is not None
    assert serving.build is NEWEST


def test_with_a_global_options_route_unknown_paths_answer_405(newest: Newest) -> None:
    hosting = newest.faulty.world.hosting
    hosting.images.spoil(NEWEST.commit, "unknown-path-405")
    newest.faulty.twin.do(_deploy, newest.faulty.twin)
    try:
        assert refused(newest.app.get("/api/v1/nothing"), 405)
        assert newest.app.get("/health").status_code == 200
    finally:
        hosting.images.mend("unknown-path-405")
        newest.faulty.twin.do(_deploy, newest.faulty.twin)
