"""The Management API's advisors: what the catalog really shows, under the names of Supabase's own lints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.database.inspection.advisors import security_findings
from services.sandbox.postgres import READ_ONLY
from services.sandbox.supabase_database import message
from services.sandbox.supabase_state import SupabaseState


@dataclass(frozen=True, slots=True)
class Lint:
    """One kind of finding. kind: of the objects it finds."""

    name: str
    title: str
    level: Literal["ERROR", "WARN", "INFO"]
    kind: Literal["table", "view", "function"]
    description: str
    remediation: str


SECURITY: Mapping[str, Lint] = {
    "rls-off": Lint(
        "rls_disabled_in_public",
        "RLS Disabled in Public",
        "ERROR",
        "table",
        "A table that strangers have rights on has row-level security off.",
        "Enable row-level security on the table.",
    ),
    "policies-without-rls": Lint(
        "policy_exists_rls_disabled",
        "Policy Exists RLS Disabled",
        "ERROR",
        "table",
        "A table has policies, and row-level security is off.",
        "Enable row-level security on the table.",
    ),
    "view-of-owner": Lint(
        "security_definer_view",
        "Security Definer View",
        "ERROR",
        "view",
        "A view runs with the rights of its owner.",
        "Set security_invoker on the view.",
    ),
    "definer-search-path": Lint(
        "function_search_path_mutable",
        "Function Search Path Mutable",
        "WARN",
        "function",
        "A function has no search_path of its own.",
        "Set a search_path on the function.",
    ),
}
_NO_POLICY = Lint(
    "rls_enabled_no_policy",
    "RLS Enabled No Policy",
    "INFO",
    "table",
    "A table has row-level security on, and no policy.",
    "Add a policy, or leave it: then only the service key sees rows.",
)
_TABLES_WITHOUT_POLICY = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relrowsecurity
      AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
"""
_PERFORMANCE: Mapping[str, Lint] = {
    """
    SELECT DISTINCT f.conrelid::regclass::text FROM pg_constraint f
    WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid
                      AND (i.indkey::smallint[])[0:cardinality(f.conkey) - 1] @> f.conkey)
    """: Lint(
        "unindexed_foreign_keys",
        "Unindexed foreign keys",
        "INFO",
        "table",
        "A foreign key has no index that covers it.",
        "Add an index on the columns of the foreign key.",
    ),
    """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
    """: Lint(
        "no_primary_key",
        "No Primary Key",
        "INFO",
        "table",
        "A table has no primary key.",
        "Add a primary key.",
    ),
    """
    SELECT DISTINCT i.indrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND EXISTS (
        SELECT FROM pg_index o WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid
        AND o.indkey = i.indkey AND o.indclass = i.indclass AND o.indcollation = i.indcollation
        AND o.indoption = i.indoption AND o.indpred IS NOT DISTINCT FROM i.indpred
        AND o.indexprs IS NOT DISTINCT FROM i.indexprs)
    """: Lint(
        "duplicate_index",
        "Duplicate Index",
        "WARN",
        "table",
        "A table has two indexes that are alike.",
        "Drop one of the two.",
    ),
}


async def security_lints(state: SupabaseState, _: Request) -> Response:
    return await _answer(state, _security)


async def performance_lints(state: SupabaseState, _: Request) -> Response:
    return await _answer(state, _performance)


async def _answer(state: SupabaseState, look: Any) -> Response:
    if state.paused:
        return message(400, "Project is paused")
    try:
        return JSONResponse({"lints": await asyncio.to_thread(_looked, state, look)})
    except psycopg.Error:
        return message(500, "Failed to run the advisor")


def _looked(state: SupabaseState, look: Any) -> list[dict[str, Any]]:
    with psycopg.connect(state.cluster().dsn(READ_ONLY), connect_timeout=2) as conn:
        conn.execute("SET search_path = ''")
        found: list[dict[str, Any]] = look(conn)
        return found


def _security(conn: psycopg.Connection) -> list[dict[str, Any]]:
    found = [
        _told(SECURITY[one.rule], one.object, f"{one.object}: {one.message}.")
        for one in security_findings(conn)
        if one.rule in SECURITY and one.object.startswith("public.")
    ]
    return [*found, *_each(conn, _TABLES_WITHOUT_POLICY, _NO_POLICY)]


def _performance(conn: psycopg.Connection) -> list[dict[str, Any]]:
    return [one for query, lint in _PERFORMANCE.items() for one in _each(conn, query, lint)]


def _each(conn: psycopg.Connection, query: str, lint: Lint) -> list[dict[str, Any]]:
    return [_told(lint, name, f"{name}: {lint.description}") for (name,) in sorted(conn.execute(query.encode()))]


def _told(lint: Lint, entity: str, detail: str) -> dict[str, Any]:
    schema, _, name = entity.partition(".")
    category = "PERFORMANCE" if lint in _PERFORMANCE.values() else "SECURITY"
    return {
        "name": lint.name,
        "title": lint.title,
        "level": lint.level,
        "facing": "EXTERNAL",
        "categories": [category],
        "description": lint.description,
        "detail": detail,
        "remediation": lint.remediation,
        "metadata": {"schema": schema, "name": name, "entity": entity, "type": lint.kind},
        "cache_key": sha256(f"{lint.name} {entity}".encode()).hexdigest()[:16],
    }
