"""Proving the level observe: what the role and the token really read, and that both belong to the same project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from services.connecting.powers import is_secret_key
from services.connecting.reader_proof import prove_reader
from services.connecting.session_pooler import Place, named_place, ref_of, seen_of_address
from services.connecting.token_scopes import seen_of_token
from services.connecting.trial import Told, Trial, asked, declined, failed, passed, unknown
from services.database.connect import ConnectionFacts, connect, inspect_connection
from services.errors import OpsError
from services.settings import Target

ROWS, A_WRITE, THE_ROLE = "rows", "a write", "the role"
MUST_HOLD = frozenset({ROWS, A_WRITE, THE_ROLE})
EFFECTS = frozenset({ROWS, A_WRITE})
COUNTS = """
select c.relname::text as name,
       (pg_catalog.xpath('/row/n/text()', pg_catalog.query_to_xml(
          pg_catalog.format('select count(*) as n from public.%I', c.relname), false, true, '')))[1]::text as count
from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname = any($1)
"""


def seen_of_observe(trial: Trial) -> Iterator[Told]:
    """The two ways, each where it is set up; the level stands on every way that is."""
    target = trial.target
    has_token = target.supabase_access_token is not None and target.supabase_project_ref is not None
    if target.database_url is None and not has_token:
        yield unknown("Ways to read", "The settings have no database_url and no supabase_access_token.")
        return
    if target.database_url is not None:
        yield from _database(trial, target.database_url.get_secret_value())
    if target.read_only_url is not None and target.read_only_url != target.database_url:
        yield from _database(trial, target.read_only_url.get_secret_value())
    if has_token:
        yield from seen_of_token(trial)
    yield from _keys(trial)
    yield from _one_project(target)


def _database(trial: Trial, url: str) -> Iterator[Told]:
    try:
        told = seen_of_address(url, _better(trial, url))
        if told is not None:
            yield told
            if told.needed:
                return
        facts = _facts(url)
    except OpsError as error:
        yield declined("Database", error)
        return
    yield passed("Database", f"Reads {facts.database} on Postgres {facts.major} as {facts.user}.")
    if facts.transaction_pooler:
        yield failed("Database: address", "A transaction pooler answers there: settings and locks do not last.")
        return
    yield from _reader(trial, url)


def _reader(trial: Trial, url: str) -> Iterator[Told]:
    """What the role reads and what it is refused. It must see rows and be no role that could write."""
    try:
        found = prove_reader(url, trial.app, trial.now, counted=_counted(trial))
    except OpsError as error:
        yield declined("Database: role", error)
        return
    for one in found:
        needed = one.what in MUST_HOLD and (one.what != ROWS or bool(trial.app.tables))
        yield Told(replace(one, what=f"Database: {one.what}"), needed, effect=one.what in EFFECTS)


def _counted(trial: Trial) -> dict[str, int]:
    """Rows by table as the token's read-only SQL counts them, which sees all; empty where that is not to be had."""
    target, names = trial.target, [table.name for table in trial.app.tables]
    if target.supabase_access_token is None or target.supabase_project_ref is None or not names:
        return {}
    try:
        rows = trial.context.supabase.run_read_only(COUNTS, [list(dict.fromkeys(names))])
        return {str(row["name"]): int(row["count"]) for row in rows}
    except (OpsError, KeyError, TypeError, ValueError):
        return {}


def _facts(url: str) -> ConnectionFacts:
    with connect(url, read_only=True, application_name=f"ops connect {os.getpid()}") as conn:
        return inspect_connection(conn, url)


def _better(trial: Trial, url: str) -> Place | None:
    """The session pooler, where this is an address of Supabase and the Management API names it."""
    target = trial.target
    if target.supabase_access_token is None or target.supabase_project_ref is None or ref_of(url) is None:
        return None
    return named_place(trial.context.supabase)


def _keys(trial: Trial) -> Iterator[Told]:
    target = trial.target
    if target.supabase_anon_key is None or target.supabase_url is None:
        return
    if is_secret_key(target.supabase_anon_key.get_secret_value()):
        yield failed("Publishable key", "This is the secret (service) key: it reads everything past the policies.")
        return
    yield asked(
        "Publishable key",
        trial.context.supabase.auth_health,
        lambda found: f"Supabase Auth answers to it ({found.name} {found.version}).",
        needed=False,
    ).told


def _one_project(target: Target) -> Iterator[Told]:
    """Whether everything that names a project names the same one."""
    named: dict[str, str] = {}
    if target.supabase_project_ref:
        named["supabase_project_ref"] = target.supabase_project_ref
    host, _, rest = (urlsplit(target.supabase_url or "").hostname or "").partition(".")
    if rest == "supabase.co":
        named["supabase_url"] = host
    if target.database_url is not None:
        ref = ref_of(target.database_url.get_secret_value())
        if ref:
            named["database_url"] = ref
    if len(named) > 1 and len(set(named.values())) > 1:
        yield failed("One project", f"{' and '.join(named)} name different projects.")
    elif len(named) > 1:
        yield passed("One project", f"{' and '.join(named)} name the same project.", needed=False)
