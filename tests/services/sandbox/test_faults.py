"""Each fault has its real effect, returns when that can be seen, and leaves no trace once undone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from apps.pulsecheck.twin.definition import TWIN
from services.sandbox.faults import faults_of
from services.sandbox.hosting import AT_ONCE
from tests.services.sandbox.twin_world import TwinWorld, twin_world

FAULTS = faults_of(TWIN)
CANNED = "I can sense you're dealing with a lot right now"


@pytest.fixture(scope="module")
def after_world() -> Iterator[TwinWorld]:
    with twin_world("after") as world:
        world.world.hosting.pace = AT_ONCE
        yield world


@pytest.fixture(scope="module")
def before_world() -> Iterator[TwinWorld]:
    with twin_world("before") as world:
        world.world.hosting.pace = AT_ONCE
        yield world


def mended(world: TwinWorld) -> Iterator[TwinWorld]:
    yield world
    world.thread.run(world.world.repair(), timeout_s=60)


@pytest.fixture
def after(after_world: TwinWorld) -> Iterator[TwinWorld]:
    after_world.forget_usage()
    yield from mended(after_world)


@pytest.fixture
def before(before_world: TwinWorld) -> Iterator[TwinWorld]:
    yield from mended(before_world)


def apply(world: TwinWorld, fault: str) -> None:
    world.thread.run(world.world.break_fault(fault), timeout_s=60)


def undo(world: TwinWorld, fault: str) -> None:
    world.thread.run(world.world.repair(fault), timeout_s=60)


def openai(world: TwinWorld, path: str, body: dict[str, object] | None = None) -> httpx.Response:
    addresses = world.world.addresses
    headers = {"Authorization": f"Bearer {addresses.openai_key}"}
    url = f"{addresses.openai_url}/{path}"
    with httpx.Client(headers=headers, trust_env=False) as client:
        return client.post(url, json=body) if body else client.get(url)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("openai-no-quota", 429, "insufficient_quota"),
        ("openai-bad-key", 401, "invalid_api_key"),
        ("openai-model-retired", 404, "model_not_found"),
    ],
)
def test_an_openai_fault_makes_the_answers_canned_and_tells_its_code(
    after: TwinWorld, fault: str, status: int, code: str
) -> None:
    question = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hello"}]}
    assert CANNED not in after.pulse()["message"]
    apply(after, fault)
    assert CANNED in after.pulse()["message"]
    refused = openai(after, "chat/completions", question)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    undo(after, fault)
    assert CANNED not in after.pulse()["message"]
    assert openai(after, "chat/completions", question).status_code == 200


def test_without_quota_the_models_still_answer(after: TwinWorld) -> None:
    apply(after, "openai-no-quota")
    assert openai(after, "models").status_code == 200


def test_a_retired_model_has_a_date_in_the_past_and_gets_its_own_back(after: TwinWorld) -> None:
    def end() -> str | None:
        models = openai(after, "models").json()["data"]
        found: str | None = next(one["shutdown_date"] for one in models if one["id"] == "gpt-6-luna")
        return found

    assert end() is None
    apply(after, "openai-model-retired")
    ended = end()
    assert ended is not None
    assert ended < after.world.clock().date().isoformat()
    assert openai(after, "models/gpt-6-luna").status_code == 404
    undo(after, "openai-model-retired")
    assert end() is None


def test_a_missing_dependency_lets_the_old_build_serve_and_shows_the_import_error(after: TwinWorld) -> None:
    assert after.paths() == 24
    apply(after, "missing-dependency")
    assert after.paths() == 15
    assert after.history()[-2:] == [("old", "SUCCESS"), ("beta", "FAILED")]
    log = [line.message for line in after.world.hosting.deployments[-1].runtime_log]
    assert log[-1] == "ModuleNotFoundError: No module named 'tiktoken'"
    assert log[0] == "Traceback (most recent call last):"
    undo(after, "missing-dependency")
    assert after.paths() == 24
    assert after.history()[-1] == ("beta", "SUCCESS")


def test_before_the_release_a_missing_dependency_hides_the_missing_schema_until_it_is_mended(before: TwinWorld) -> None:
    def last_words() -> str:
        return before.world.hosting.deployments[-1].runtime_log[-1].message

    assert "user_tier_limits" in last_words()
    apply(before, "missing-dependency")
    assert last_words() == "ModuleNotFoundError: No module named 'tiktoken'"
    assert before.paths() == 15
    undo(before, "missing-dependency")
    assert "user_tier_limits" in last_words()
    assert before.paths() == 15


def test_breaking_twice_is_breaking_once(before: TwinWorld) -> None:
    apply(before, "missing-dependency")
    known = len(before.history())
    apply(before, "missing-dependency")
    assert len(before.history()) == known


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_undoing_what_is_not_broken_changes_nothing(before: TwinWorld, fault: str) -> None:
    known = before.history()
    undo(before, fault)
    assert before.history() == known
    assert before.paths() == 15


def test_without_the_service_key_the_admin_numbers_are_zero_and_usage_is_lost(after: TwinWorld) -> None:
    after.pulse()
    assert after.daily().json()["total_ai_interactions"] == 1
    apply(after, "rls-blocks-backend")
    blocked = after.daily()
    assert (blocked.status_code, blocked.json()["total_ai_interactions"]) == (200, 0)
    after.pulse()
    assert after.sql("select count(*) from ai_usage_logs") == [(1,)]
    undo(after, "rls-blocks-backend")
    assert after.daily().json()["total_ai_interactions"] == 1


def test_without_the_service_key_the_old_build_goes_on_and_the_variable_comes_back(before: TwinWorld) -> None:
    known = before.history()
    apply(before, "rls-blocks-backend")
    assert "SUPABASE_SERVICE_ROLE_KEY" not in before.world.hosting.variables
    assert before.history() == known
    undo(before, "rls-blocks-backend")
    assert before.world.hosting.variables["SUPABASE_SERVICE_ROLE_KEY"] == before.world.addresses.supabase_service_key


def test_a_hanging_address_accepts_and_does_not_answer(after: TwinWorld) -> None:
    apply(after, "api-timeout")
    with pytest.raises(httpx.ReadTimeout):
        after.app.get("/health", timeout=0.5)
    undo(after, "api-timeout")
    assert after.app.get("/health").status_code == 200


def test_without_the_database_health_still_lies_and_rows_are_gone_until_it_is_back(after: TwinWorld) -> None:
    apply(after, "database-down")
    assert after.app.get("/health").json()["status"] == "healthy"
    assert after.app.get("/api/v1/journal/stats").status_code == 500
    assert after.daily().status_code == 500
    undo(after, "database-down")
    began = time.monotonic()
    assert after.app.get("/api/v1/journal/stats").status_code == 200
    assert time.monotonic() - began < 2
