"""While a target is rehearsed nobody waits for us, and all that reaches its write-ahead log comes from reading."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, get_args

import psycopg
import pytest

from services.database.rehearsal.rehearse import rehearse
from services.database.rehearsal.shadow import RowPolicy, shadow
from services.database.server import Binaries, find_binaries, scratch_server
from services.sandbox.postgres import LOGIN_ROLES, Cluster
from tests.campaign import only_in_full
from tests.conftest import open_folder
from tests.corpus.bases import BASES
from tests.corpus.script_files import CorpusScript, corpus
from tests.corpus.servers import MAJORS, complete_binaries
from tests.corpus.twin import Twins
from tests.corpus.watching import (
    BY_ITSELF,
    BY_READING,
    Seen,
    all_but_reading_barred,
    locks_watched,
    wal_kinds,
    wal_position,
)
from tests.services.connecting.other_servers import NoServer

SEED = 20260324
LARGE = 20
WRITES_WAL = {"autovacuum": "off", "full_page_writes": "on", "wal_log_hints": "on", "wal_level": "replica"}
DEAD_ROWS = """
UPDATE shop.orders SET note = 'once'; UPDATE shop.orders SET note = 'twice';
UPDATE shop.customers SET label = 'x' || id; DELETE FROM shop.lines WHERE line_no = 2;
UPDATE shop.events SET kind = 'k' WHERE kind = 'k1';
"""
PROBES = "one-row-is-not-a-number"
"""Needs a look at all rows of the target, where the shadow has none."""


@dataclass
class Target:
    """One base as a target: its server, and a session of the superuser in it."""

    twins: Twins
    base: str
    admin: psycopg.Connection[Any]

    @property
    def url(self) -> str:
        return self.twins.url(self.base)


@contextmanager
def target(binaries: Binaries, base: str) -> Iterator[Target]:
    """A server that logs every hint and has no background jobs of its own, with the base in it, some rows dead."""
    with (
        open_folder() as folder,
        pytest.MonkeyPatch.context() as patch,
        scratch_server(binaries=binaries, options=WRITES_WAL) as server,
    ):
        if binaries.source == "setting":
            patch.setitem(os.environ, "OPS_POSTGRES_BIN", str(binaries.bin))
        cluster = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES})
        cluster.prepare()
        twins = Twins(cluster, folder)
        with psycopg.connect(twins.url(base), autocommit=True) as owner:
            owner.execute(DEAD_ROWS if base == "plain" else "UPDATE users SET name = name; DELETE FROM checkins")
        with psycopg.connect(server.dsn(f"{twins.mark}_{base}"), autocommit=True) as admin:
            admin.execute("CREATE EXTENSION pg_walinspect SCHEMA pg_catalog")
            yield Target(twins, base, admin)


def watched(made: Target, work: Callable[[], None]) -> tuple[Seen, set[tuple[str, str]]]:
    """Do it while everything but reading is barred; the locks seen, and the kinds of WAL records written."""
    server, name = made.twins.cluster.server, f"{made.twins.mark}_{made.base}"
    start = wal_position(made.admin)
    with psycopg.connect(server.dsn(name), autocommit=True) as holder:
        but = [made.admin.info.backend_pid, holder.info.backend_pid]
        with all_but_reading_barred(holder), locks_watched(server, name, but=but) as seen:
            work()
    return seen, wal_kinds(made.admin, start)


def test_a_target_feels_no_lock_and_no_write() -> None:
    probed = next(one for one in corpus() if one.name == PROBES)
    with target(find_binaries(), "plain") as made:

        def all_that_is_asked_of_a_target() -> None:
            with shadow(made.url, rows="all"):
                pass
            rehearse(made.url, made.twins.scripts(probed), rows="none")

        seen, kinds = watched(made, all_that_is_asked_of_a_target)
        start = wal_position(made.admin)
        made.admin.execute("INSERT INTO shop.assets VALUES (99, 'written')")
        written = wal_kinds(made.admin, start)
    assert seen.locks == set()
    assert seen.sessions > 3
    assert kinds - BY_READING - BY_ITSELF == set()
    assert ("Heap", "INSERT") in written


@only_in_full
@pytest.mark.campaign
@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("base", ["plain", "deployed"])
def test_targets_feel_no_lock_and_no_write(major: int, base: str) -> None:
    try:
        binaries = complete_binaries(major)
    except NoServer as error:
        pytest.skip(str(error))
    assert base in BASES
    scripts = [one for one in corpus() if one.base == base]
    drawn = Random(SEED).sample(scripts, LARGE)
    with target(binaries, base) as made:
        for rows in get_args(RowPolicy):
            seen, kinds = watched(made, partial(rehearse_all, made, drawn, rows))
            assert seen.locks == set()
            assert seen.sessions > LARGE
            assert kinds - BY_READING - BY_ITSELF == set()


def rehearse_all(made: Target, scripts: Sequence[CorpusScript], rows: RowPolicy) -> None:
    for one in scripts:
        rehearse(made.url, made.twins.scripts(one), rows=rows)
