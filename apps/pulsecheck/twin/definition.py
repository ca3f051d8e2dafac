"""The sandbox's PulseCheck as the sandbox wants it: its three builds, its rows, its release and its variables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import psycopg

from apps.pulsecheck.twin.model import MODEL
from services.sandbox.twin_definition import Build, Twin, WorldAddresses

OLD = Build(
    commit="9f1c4e27b8d35a60c2e7f4918ab3d06e5c7a2b14",
    message="Journal statistics and tag counts",
    module="apps.pulsecheck.twin.old",
)
BETA = Build(
    commit="3b7ad2f5e90c4186d72fb3a5c8e1049d6f2ab873",
    message="Beta optimization: tiers, usage, feedback, admin metrics",
    module="apps.pulsecheck.twin.beta",
    requires=("tiktoken", "openai", "asyncpg"),
)
NEWEST = Build(
    commit="c51d08e7a94b2f3608e1d7754bf09ac2e86d3f10",
    message="Sign-in for the journal, the role admin for metrics, readiness endpoints",
    module="apps.pulsecheck.twin.newest",
    requires=("tiktoken", "openai", "asyncpg"),
)


def variables(addresses: WorldAddresses) -> Mapping[str, str]:
    """What the platform sets for the running app, as named in its code and its sample env file."""
    return {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "sandbox-secret-key-of-no-value",
        "SUPABASE_URL": addresses.supabase_url,
        "SUPABASE_ANON_KEY": addresses.supabase_anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": addresses.supabase_service_key,
        "SUPABASE_JWT_SECRET": addresses.supabase_jwt_secret,
        "OPENAI_API_KEY": addresses.openai_key,
        "OPENAI_BASE_URL": addresses.openai_url,
        "OPENAI_MODEL": MODEL,
    }


def seed(conn: psycopg.Connection, anchor: datetime, seed: int) -> None:
    """See `apps.pulsecheck.twin.seed.seed`."""
    from apps.pulsecheck.twin.seed import seed as fill

    fill(conn, anchor, seed)


def usage(conn: psycopg.Connection, anchor: datetime, seed: int) -> None:
    """See `apps.pulsecheck.twin.history.usage`."""
    from apps.pulsecheck.twin.history import usage as write

    write(conn, anchor, seed)


TWIN = Twin(
    app="pulsecheck",
    builds=(OLD, BETA, NEWEST),
    serving_before=OLD.commit,
    pushed=BETA.commit,
    seed=seed,
    release=Path(__file__).resolve().parent.parent / "releases" / "beta-optimization",
    variables=variables,
    usage=usage,
)
