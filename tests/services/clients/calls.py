"""Every call that the clients make, each with an answer that is right: what the tests of all calls go through."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from pydantic import SecretStr

from services.clients.http import HttpClient
from services.clients.openai import OpenAiClient
from services.clients.railway import RailwayClient, Scope
from services.clients.statuspages import status_of
from services.clients.supabase import Key, SupabaseClient

REF = "abcdefghijklmnopqrst"
START = datetime(2026, 3, 1, 11, tzinfo=UTC)
END = START + timedelta(hours=1)
SERVICE_KEY = "sb_secret_Zq7pLm3nRt8vWx2yBc5dFg9hJk"
ANON_KEY = "sb_publishable_Hn4kTr8wQz2mVx6pLs9dYc3f"
USER_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGFhZGFhZGEifQ.Qm9va3dvcm1zQXJlUmVhZGluZ1F1aWV0bHk"
ACCESS_TOKEN = "sbp_fc0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b"
RAILWAY_TOKEN = "6f1c2b3a-4d5e-4f60-9a8b-7c6d5e4f3a2b"
OPENAI_KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7dEf0h"
PASSWORD = "correct-horse-battery-9"
EMAIL = "olof.palme@example.com"
SECRETS = (SERVICE_KEY, ANON_KEY, USER_TOKEN, ACCESS_TOKEN, RAILWAY_TOKEN, OPENAI_KEY, PASSWORD, EMAIL)


@dataclass(frozen=True)
class Call:
    """One call. ask: makes it at an address; good: the body of a right answer; any_json: any JSON is one."""

    name: str
    ask: Callable[[str], Any]
    good: Any
    any_json: bool = False

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return self.name


def supabase(url: str) -> SupabaseClient:
    return SupabaseClient(
        url=url,
        anon_key=ANON_KEY,
        service_key=SERVICE_KEY,
        management_url=url,
        access_token=ACCESS_TOKEN,
        ref=REF,
    )


def railway(url: str) -> RailwayClient:
    client = RailwayClient(url, RAILWAY_TOKEN, "s1")
    client._scope = Scope("p1", "e1", "pulse", "production")
    return client


def _on(make: Callable[[str], Any], ask: Callable[[Any], Any]) -> Callable[[str], Any]:
    def call(url: str) -> Any:
        client = make(url)
        try:
            return ask(client)
        finally:
            if hasattr(client, "close"):
                client.close()

    return call


def _supabase(name: str, ask: Callable[[SupabaseClient], Any], good: Any, any_json: bool = False) -> Call:
    return Call(f"supabase.{name}", _on(supabase, ask), good, any_json)


def _railway(name: str, ask: Callable[[RailwayClient], Any], good: Any) -> Call:
    return Call(f"railway.{name}", _on(railway, ask), {"data": good})


def _openai(name: str, ask: Callable[[OpenAiClient], Any], good: Any) -> Call:
    return Call(f"openai.{name}", _on(lambda url: OpenAiClient(url, OPENAI_KEY), ask), good)


DEPLOYMENT = {
    "id": "d1",
    "status": "SUCCESS",
    "createdAt": "2026-03-01T12:01:00.000Z",
    "statusUpdatedAt": None,
    "url": None,
    "staticUrl": "pulse.example.app",
    "serviceId": "s1",
    "environmentId": "e1",
    "canRedeploy": True,
    "canRollback": True,
    "deploymentStopped": False,
    "meta": {"commitHash": "abc", "commitMessage": "m", "reason": "deploy"},
    "instances": [{"id": "i", "status": "RUNNING"}],
}
SERVICE = {
    "serviceId": "s1",
    "serviceName": "api",
    "region": "eu",
    "numReplicas": 1,
    "startCommand": "python main.py",
    "healthcheckPath": "/health",
    "healthcheckTimeout": 300,
    "restartPolicyType": "ON_FAILURE",
    "restartPolicyMaxRetries": 10,
}
LINE = {"timestamp": "2026-03-01T12:01:00Z", "severity": "info", "message": "started"}
HTTP_LINE = {
    "timestamp": "2026-03-01T12:01:00Z",
    "requestId": "r",
    "method": "GET",
    "path": "/health",
    "httpStatus": 200,
    "totalDuration": 12,
    "upstreamRqDuration": 10,
    "responseDetails": "",
}
EVENT = {
    "id": "v",
    "step": "HEALTHCHECK",
    "createdAt": "2026-03-01T12:01:00Z",
    "completedAt": None,
    "payload": {
        "error": "no answer",
        "reason": None,
        "detail": "attempt 3",
        "attempt": 3,
        "maxAttempts": 8,
        "durationMs": 300_000,
        "skipped": False,
    },
}


def _page(field: str, *nodes: Any) -> Any:
    info = {"hasNextPage": False, "endCursor": "c"}
    return {"environment": {"id": "e1", field: {"edges": [{"node": one} for one in nodes], "pageInfo": info}}}


RAILWAY = (
    Call(
        "railway.scope",
        _on(lambda url: RailwayClient(url, RAILWAY_TOKEN, "s1"), lambda c: c.scope()),
        {
            "data": {
                "projectToken": {
                    "projectId": "p1",
                    "environmentId": "e1",
                    "project": {"id": "p1", "name": "pulse"},
                    "environment": {"id": "e1", "name": "production"},
                }
            }
        },
    ),
    _railway("services", lambda c: c.services(), _page("serviceInstances", SERVICE)),
    _railway("service", lambda c: c.service(), _page("serviceInstances", SERVICE)),
    _railway("deployments", lambda c: c.deployments(), {"deployments": {"edges": [{"node": DEPLOYMENT}]}}),
    _railway(
        "deployment", lambda c: c.deployment("d1"), {"deployment": {**DEPLOYMENT, "diagnosis": {"why": "it stopped"}}}
    ),
    _railway("events", lambda c: c.events("d1"), {"deploymentEvents": {"edges": [{"node": EVENT}]}}),
    _railway("build_logs", lambda c: c.build_logs("d1"), {"buildLogs": [LINE]}),
    _railway("deployment_logs", lambda c: c.deployment_logs("d1"), {"deploymentLogs": [LINE]}),
    _railway("http_logs", lambda c: c.http_logs("d1"), {"httpLogs": [HTTP_LINE]}),
    _railway(
        "variable_names",
        lambda c: c.variable_names(),
        _page("variables", {"name": "PORT", "serviceId": "s1", "isSealed": False}),
    ),
    _railway(
        "requests",
        lambda c: c.requests(START, END),
        {"httpMetricsGroupedByStatus": [{"statusCode": 200, "samples": [{"ts": 1, "value": 3}]}]},
    ),
    _railway(
        "durations",
        lambda c: c.durations(START, END),
        {"httpDurationMetrics": {"samples": [{"ts": 1, "p50": 1.5, "p90": 2, "p95": 3, "p99": 4}]}},
    ),
    _railway(
        "platform_status",
        lambda c: c.platform_status(),
        {"platformStatus": {"isStable": True, "incident": None, "maintenance": None}},
    ),
    _railway("restart", lambda c: c.restart("d1"), {"deploymentRestart": True}),
    _railway("redeploy", lambda c: c.redeploy("d1"), {"deploymentRedeploy": {"id": "d2", "status": "QUEUED"}}),
    _railway("deploy_commit", lambda c: c.deploy_commit("abc"), {"serviceInstanceDeployV2": "d2"}),
)

LINT = {
    "name": "auth_db_connections_absolute",
    "title": "A name newer than the list",
    "level": "INFO",
    "facing": "EXTERNAL",
    "categories": ["PERFORMANCE"],
    "description": "d",
    "detail": "Auth uses an absolute number of connections",
    "remediation": "https://example.com",
    "metadata": {"schema": "auth", "name": "users", "type": "auth"},
    "cache_key": "k",
}
PROJECT = {
    "id": REF,
    "ref": REF,
    "organization_id": "o",
    "organization_slug": "our-organisation",
    "name": "pulse",
    "region": "eu-central-1",
    "created_at": "2026-01-01T00:00:00Z",
    "status": "ACTIVE_HEALTHY",
    "database": {
        "host": f"db.{REF}.supabase.co",
        "version": "17.4",
        "postgres_engine": "17",
        "release_channel": "ga",
    },
}
POOLER = {
    "identifier": REF,
    "database_type": "PRIMARY",
    "is_using_scram_auth": True,
    "db_user": f"postgres.{REF}",
    "db_host": "aws-1-eu-central-1.pooler.supabase.com",
    "db_port": 6543,
    "db_name": "postgres",
    "connection_string": f"postgresql://postgres.{REF}:[YOUR-PASSWORD]@aws-1.pooler.supabase.com:6543/postgres",
    "connectionString": f"postgresql://postgres.{REF}:[YOUR-PASSWORD]@aws-1.pooler.supabase.com:6543/postgres",
    "default_pool_size": 15,
    "max_client_conn": None,
    "pool_mode": "transaction",
}
BACKUP = {"id": 1, "is_physical_backup": True, "status": "COMPLETED", "inserted_at": "2026-03-01T04:00:00Z"}
COUNTS = {
    "timestamp": "2026-03-01T11:00:00Z",
    "total_auth_requests": 1,
    "total_realtime_requests": 0,
    "total_rest_requests": 7,
    "total_storage_requests": 0,
}
LOG_ROW = {
    "id": "1",
    "timestamp": "2026-03-01T11:30:00.123",
    "event_message": 'relation "x" does not exist',
    "error_severity": "ERROR",
    "status_code": "",
    "path": "",
}

MANAGEMENT = (
    _supabase("project", lambda c: c.project(), PROJECT),
    _supabase("health", lambda c: c.health(), [{"name": "db", "status": "ACTIVE_HEALTHY", "healthy": True}]),
    _supabase(
        "backups",
        lambda c: c.backups(),
        {
            "region": "eu-central-1",
            "walg_enabled": True,
            "pitr_enabled": False,
            "backups": [BACKUP],
            "physical_backup_data": {},
        },
    ),
    _supabase("advisors.security", lambda c: c.advisors("security"), {"lints": [LINT]}),
    _supabase("advisors.performance", lambda c: c.advisors("performance"), {"lints": [LINT]}),
    _supabase("poolers", lambda c: c.poolers(), [POOLER]),
    _supabase(
        "disk",
        lambda c: c.disk(),
        {
            "timestamp": "2026-03-01T11:00:00Z",
            "metrics": {"fs_size_bytes": 8e9, "fs_avail_bytes": 6e9, "fs_used_bytes": 2e9},
        },
    ),
    _supabase(
        "read_only_state",
        lambda c: c.read_only_state(),
        {"enabled": False, "override_enabled": False, "override_active_until": ""},
    ),
    _supabase("api_counts", lambda c: c.api_counts("3hr"), {"result": [COUNTS]}),
    _supabase("log_lines", lambda c: c.log_lines("postgres_logs", START, END), {"result": [LOG_ROW]}),
    _supabase("run_read_only", lambda c: c.run_read_only("select 1 as one", [1]), [{"one": 1}]),
)


def session() -> dict[str, Any]:
    """A session as Auth gives it."""
    now = int(time.time())
    person = {
        "id": "6a1f8a2e-0d0a-4b8e-9a64-0f0a4b8e9a64",
        "aud": "authenticated",
        "role": "authenticated",
        "email": EMAIL,
        "app_metadata": {"ops_role": "operator"},
        "user_metadata": {"ops_role": "admin"},
        "created_at": "2026-01-01T00:00:00Z",
    }
    token = jwt.encode({"sub": person["id"], "exp": now + 3600}, "a-secret-that-is-long-enough-for-hs256", "HS256")
    return {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": 3600,
        "expires_at": now + 3600,
        "refresh_token": "r",
        "user": person,
    }


REST = (
    _supabase("rows", lambda c: c.rows("notes", key=Key.SERVICE), [{"id": 1}]),
    _supabase("rows.as_user", lambda c: c.rows("notes", as_user=SecretStr(USER_TOKEN)), [{"id": 1}]),
    _supabase("rpc", lambda c: c.rpc("add", {"a": 1}, key=Key.ANON), 3, any_json=True),
    _supabase(
        "auth_health", lambda c: c.auth_health(), {"name": "GoTrue", "version": "v2.180.0", "description": "Auth"}
    ),
    _supabase("sign_in", lambda c: c.sign_in(EMAIL, PASSWORD), session()),
)

MODEL = {"id": "gpt-6-luna", "object": "model", "created": 1, "owned_by": "system", "shutdown_date": None}
OPENAI = (
    _openai("models", lambda c: c.models(), {"object": "list", "data": [MODEL]}),
    _openai("model", lambda c: c.model("gpt-6-luna"), MODEL),
    _openai(
        "complete",
        lambda c: c.complete("gpt-6-luna"),
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-6-luna",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
        },
    ),
)

SUMMARY = {
    "page": {"id": "p", "name": "Thing"},
    "status": {"indicator": "none", "description": "All Systems Operational"},
    "components": [{"id": "1", "name": "API", "status": "operational"}],
    "incidents": [],
    "scheduled_maintenances": [],
}
STATUS = (
    Call("status.supabase", lambda url: status_of("Supabase", url), SUMMARY),
    Call("status.openai", lambda url: status_of("OpenAI", url), SUMMARY),
    Call(
        "status.railway",
        lambda url: status_of("Railway", f"{url}/railway"),
        {"components": [{"id": "1", "name": "B", "status": "OPERATIONAL"}], "incidents": [], "maintenances": []},
    ),
)

PLAIN = (
    Call(
        "plain.get",
        _on(
            lambda url: HttpClient("Thing", url, headers={"authorization": f"Bearer {OPENAI_KEY}"}),
            lambda c: c.get("/x").expect().read(lambda body: body["name"]),
        ),
        {"name": "x"},
    ),
)

ALL = (*RAILWAY, *MANAGEMENT, *REST, *OPENAI, *STATUS, *PLAIN)
