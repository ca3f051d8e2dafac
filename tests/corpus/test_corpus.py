"""Rehearsals of the corpus say what psql does on a twin with all rows: outcome, SQLSTATE, line, and all of it again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from services.database.rehearsal.shadow import shadow
from services.database.server import scratch_server
from services.sandbox.postgres import LOGIN_ROLES, Cluster
from tests.campaign import only_in_full, sample
from tests.conftest import open_folder
from tests.corpus.bases import BASES
from tests.corpus.comparing import Compared, figures, rehearsed
from tests.corpus.script_files import corpus
from tests.corpus.servers import MAJORS, complete_binaries
from tests.corpus.twin import Twins
from tests.services.connecting.other_servers import NoServer

SEED = 20260323
SAMPLED = 3
SAMPLED_BASE = "half"
REQUIRED = {
    "missing-relation", "missing-column", "type-mismatch", "not-immutable", "exists-already", "view-columns",
    "return-type", "raised", "wrong-kind", "dependents", "missing-row", "syntax", "null-value", "duplicate-row",
    "check-violation", "permission", "ambiguous", "not-in-transaction",
}  # fmt: skip
ODD_SERVER = {
    "timezone": "Asia/Tokyo",
    "DateStyle": "SQL, DMY",
    "default_text_search_config": "pg_catalog.german",
}
"""Settings that a target has and a fresh server has not, and on which what scripts mean depends."""


def test_the_corpus_holds_what_it_must() -> None:
    names = {one.name: one for one in corpus()}
    failing = {name for name, one in names.items() if one.failure}
    assert len(names) - len(failing) >= 200
    assert len(failing) >= 100
    assert {one.failure for one in names.values()} >= REQUIRED
    assert {one.base for one in corpus()} == set(BASES)
    assert sum("MERGE INTO" in one.sql for one in names.values()) >= 15
    assert len({str(one) for one in corpus()}) == len(corpus())


@pytest.fixture
def twins(supabase_cluster: Cluster) -> Iterator[Twins]:
    with open_folder() as folder:
        made = Twins(supabase_cluster, folder)
        yield made
        made.drop()


@pytest.mark.campaign
def test_a_sample_of_the_corpus_is_rehearsed_as_psql_runs_it(twins: Twins) -> None:
    drawn = sample([one for one in corpus() if one.base == SAMPLED_BASE and not one.alone], SAMPLED, seed=SEED)
    with shadow(twins.url(SAMPLED_BASE), rows="all") as copy:
        compared = [rehearsed(twins, one, copy) for one in drawn]
    assert wrong(compared) == []


@only_in_full
@pytest.mark.campaign
@pytest.mark.parametrize("major", MAJORS)
def test_the_whole_corpus_is_rehearsed_as_psql_runs_it(major: int, capsys: pytest.CaptureFixture[str]) -> None:
    with odd_server(major) as twins:
        compared = [one for base in BASES for one in on_base(twins, base)]
    with capsys.disabled():
        sys.stdout.write("\n".join(["", f"Postgres {major}: {figures(compared)}", *wrong(compared), ""]))
    assert wrong(compared) == []
    fails = {one.script.name for one in compared if one.truth.first.failed}
    passes = {one.script.name for one in compared if not one.truth.first.failed}
    assert len(passes) >= 200
    assert len(fails) >= 100
    assert {one.failure_class for one in compared if one.truth.first.failed} >= REQUIRED


def on_base(twins: Twins, base: str) -> list[Compared]:
    with shadow(twins.url(base), rows="all") as copy:
        return [rehearsed(twins, one, copy) for one in corpus() if one.base == base]


def wrong(compared: list[Compared]) -> list[str]:
    """What was said otherwise than it is, and what was said to be unknown though it could be known."""
    return [str(one) for one in compared if one.differs or (one.unknown and not one.script.unknowable)]


@contextmanager
def odd_server(major: int) -> Iterator[Twins]:
    """A target's server of this major that is set up otherwise than a fresh one, with a role that is only half ours."""
    try:
        binaries = complete_binaries(major)
    except NoServer as error:
        pytest.skip(str(error))
    with (
        pytest.MonkeyPatch.context() as patch,
        open_folder() as folder,
        scratch_server(binaries=binaries, options=ODD_SERVER) as server,
    ):
        if binaries.source == "setting":
            patch.setitem(os.environ, "OPS_POSTGRES_BIN", str(binaries.bin))
        cluster = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES})
        cluster.prepare()
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("CREATE ROLE corpus_idle NOLOGIN")
            how = " WITH SET FALSE, INHERIT FALSE" if major >= 16 else ""
            admin.execute(f"GRANT corpus_idle TO postgres{how}")
        yield Twins(cluster, Path(folder))
