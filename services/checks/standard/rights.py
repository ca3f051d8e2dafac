"""Standard check of the service key: it reads as many rows of each table as there are, and is not cut off."""

from __future__ import annotations

from functools import partial
from typing import Any

from services.app_definition import DeclaredTable
from services.checks.context import CheckContext
from services.checks.registry import EVERYTHING, CheckSpec, Cost
from services.checks.standard.database import count_rows
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key
from services.errors import Unavailable
from services.verdict import Finding, Verdict

USUAL_CAP = 1000
"""Supabase gives no more rows than this for one question unless it is told to."""


def service_reads_all(context: CheckContext) -> Finding:
    """Really read with the service key: every declared table that is there shows all its rows, and in full pages."""
    with context.database() as conn:
        tables = [one for one in _declared(context) if _is_there(conn, one.name)]
        looks = context.side_by_side([partial(_looked, context, conn, table) for table in tables])
    refused = next((one for one in looks if isinstance(one, Finding)), None)
    if refused is not None:
        return refused
    seen = {table.name: one for table, one in zip(tables, looks, strict=True) if not isinstance(one, Finding)}
    if not tables:
        raise Unavailable("None of the app's tables is there, so there is nothing to read.")
    largest = max(tables, key=lambda one: seen[one.name][0])
    wanted = min(seen[largest.name][0], USUAL_CAP)
    return judged(seen, wanted, _read(context, largest, limit=USUAL_CAP)[0] if wanted else 0)


def _looked(context: CheckContext, conn: Any, table: DeclaredTable) -> tuple[int, int | None] | Finding:
    """(rows we count, rows the key is shown) of a table; a finding where the key is refused."""
    counted = count_rows(conn, table.name)
    try:
        shown = _read(context, table, limit=0)[1]
    except UpstreamError as error:
        return _refused(error, table.name)
    again = count_rows(conn, table.name)
    # A row that came or went while we looked is hidden from nobody.
    agreed = shown is not None and min(counted, again) <= shown <= max(counted, again)
    return again, again if agreed else shown


def _declared(context: CheckContext) -> list[DeclaredTable]:
    """Each declared table once, as its first declaration has it."""
    return list({one.name: one for one in reversed(context.app.tables)}.values())[::-1]


def _is_there(conn: Any, table: str) -> bool:
    row = conn.execute("select to_regclass(%s) is not null", (f'public."{table}"',)).fetchone()
    return bool(row and row[0])


def _read(context: CheckContext, table: DeclaredTable, limit: int) -> tuple[int, int | None]:
    """(rows that came, rows that there are to the key); one column only, and never one of people's words."""
    found = context.supabase.rows(table.name, key=Key.SERVICE, select=next(iter(table.columns)), limit=limit)
    return len(found.rows), found.total


def _refused(error: UpstreamError, table: str) -> Finding:
    """Being let in is what is claimed here: a refusal by the key or the rights is a fail, any other error is none."""
    told = error.code is not None and error.kind in (Kind.FORBIDDEN, Kind.MISSING)
    if not told and error.kind is not Kind.UNAUTHORISED:
        raise error
    facts: dict[str, Any] = {
        "as": Key.SERVICE.value,
        "told": {},
        "hidden": [],
        "refused": [table],
        "capped": None,
        "kind": error.kind.value,
        "status": error.status,
        "code": error.code,
    }
    return Finding(Verdict.FAIL, f"The service key cannot read {table}: {error.what}", facts, link="supabase_policies")


def judged(seen: dict[str, tuple[int, int | None]], wanted: int, came: int) -> Finding:
    """seen: (rows we count, rows shown) by table; wanted, came: rows of one page, as asked for and as given."""
    hidden = [name for name, (counted, shown) in seen.items() if shown is not None and shown != counted]
    silent = [name for name, (_, shown) in seen.items() if shown is None]
    capped = came if came < wanted else None
    facts: dict[str, Any] = {
        "as": Key.SERVICE.value,
        "told": {name: f"{shown} of {counted} rows" for name, (counted, shown) in seen.items()},
        "hidden": hidden,
        "refused": [],
        "capped": capped,
        "kind": None,
        "status": 200,
        "code": None,
    }
    if hidden:
        said = f"The service key is shown {facts['told'][hidden[0]]} of {hidden[0]}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    if capped is not None:
        said = f"Supabase REST cuts answers off at {capped} rows; who counts rows of a page counts too few."
        return Finding(Verdict.FAIL, said, facts, link="supabase_dashboard")
    if silent:
        return Finding(Verdict.UNKNOWN, f"Supabase REST gave no count of {silent[0]}.", facts)
    return Finding(Verdict.PASS, f"The service key is shown every row of {len(seen)} tables.", facts)


SPECS = (
    CheckSpec(
        "service-reads-all",
        "The service key sees every row",
        "Really read with the service key: all rows of each table, in full pages.",
        service_reads_all,
        ("during", "after"),
        ("database", "Supabase"),
        ("database_url", "supabase_url", "supabase_service_key"),
        counts=(EVERYTHING,),
        cost=Cost(8),
    ),
)
