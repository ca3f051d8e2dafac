"""Hundreds of attacks on the console: none is answered, and nothing in the database, its sessions or files moves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from services.access.permissions import Role
from services.console.asking import address_of
from services.database.connect import connect
from services.database.fingerprint import catalog_fingerprint, row_hashes
from services.errors import OpsError, Refused
from tests.campaign import sample
from tests.services.console.attacks import attacks, found
from tests.services.console.conftest import Console

FILE = Path("/tmp/ops-attack")
EVERY = attacks()
TOAST = "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'public.journal_entries'::regclass"
RAN = "SELECT funcname, calls FROM pg_stat_user_functions WHERE schemaname = 'public' ORDER BY 1"


def state(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    """All that an attack could have moved, and which functions ran: a session tells of them when it has ended."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%console'"
    until = time.monotonic() + 10
    while conn.execute(sessions).fetchone() != (0,) and time.monotonic() < until:
        time.sleep(0.02)
    ask = {
        "sequences": "SELECT last_value, is_called FROM public.counter",
        "large objects": "SELECT count(*) FROM pg_largeobject_metadata",
        "advisory locks": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711",
        "sessions of the console": sessions,
        "functions that ran": RAN,
        "snapshots": "SELECT count(*) FROM pg_prepared_xacts",
        "settings": "SELECT setrole, setconfig FROM pg_db_role_setting ORDER BY 1",
    }
    told: dict[str, Any] = {name: conn.execute(query).fetchall() for name, query in ask.items()}  # type: ignore[call-overload]
    return {**told, "rows": row_hashes(conn), "catalog": catalog_fingerprint(conn).digest, "file": FILE.exists()}


def test_there_are_at_least_300() -> None:
    assert len(EVERY) >= 300


def test_no_attack_is_answered_and_nothing_moves(console: Console) -> None:
    chosen = sample(EVERY, 120, seed=20260310)
    witness = connect(address_of(console.target))
    console.behind.execute("LISTEN ops_attack")
    before = state(console.behind)
    answered = []
    for attack in chosen:
        try:
            console.ask(attack, Role.ADMIN)
            answered.append(attack)
        except OpsError:
            continue
    assert answered == []
    assert state(console.behind) == before
    assert list(console.behind.notifies(timeout=0)) == []
    assert witness.execute("SELECT 1").fetchone() == (1,)
    witness.close()


def test_what_was_answered_once_is_refused_before_the_server_hears_of_it(console: Console) -> None:
    before = state(console.behind)
    toast = console.behind.execute(TOAST).fetchone()
    assert toast is not None
    heard = {}
    for attack in found():
        try:
            heard[attack] = str(console.ask(attack.replace("{toast}", toast[0]), Role.ADMIN).rows)
        except OpsError as error:
            refused = isinstance(error, Refused) and error.what.startswith("The console ")
            # An older server has not got every function that a newer one is attacked by.
            if not refused and not ("pg_input" in attack and "does not exist" in error.what):
                heard[attack] = error.what
    assert heard == {}
    assert state(console.behind) == before
