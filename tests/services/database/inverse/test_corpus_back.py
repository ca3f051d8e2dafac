"""The way back of every script of the corpus that passes: the catalog as before, or said in words what is missing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from services.database.connect import connect
from services.database.definitions.read import read_definitions
from services.database.fingerprint import catalog_fingerprint
from services.database.inverse.rehearsed import RehearsedInverse, rehearse_inverse
from services.sandbox.postgres import Cluster
from services.verdict import Verdict
from tests.campaign import FULL, sample
from tests.conftest import open_folder
from tests.corpus.script_files import CorpusScript, corpus
from tests.corpus.twin import Twins

SEED = 20260323
DRAWN = 2
PASSING = [one for one in corpus() if one.failure is None and not one.alone and not one.runs_apart]


@pytest.fixture
def twins(supabase_cluster: Cluster) -> Iterator[Twins]:
    with open_folder() as folder:
        made = Twins(supabase_cluster, folder, mark="back")
        yield made
        made.drop()


def way_back(twins: Twins, script: CorpusScript) -> RehearsedInverse | None:
    """What came of the way back on a twin; None where the script does not pass there."""
    twins.url(script.base)
    with twins.twin(script.base) as url, connect(url) as conn:
        before, untouched = read_definitions(conn), catalog_fingerprint(conn)
        name = url.rsplit("/", 1)[1]
        text = script.text_on(name)

        def run() -> None:
            with connect(url) as session, session.transaction():
                session.execute(text.encode())

        try:
            run()
        except psycopg.Error:
            return None
        # The second time a script may refuse what is there; here only the way back is in question.
        return rehearse_inverse(conn, before, untouched, deploy_again=run)


@pytest.mark.timeout(3600)
def test_the_way_back_of_the_corpus(twins: Twins) -> None:
    drawn = PASSING if FULL else sample([one for one in PASSING if one.base == "half"], DRAWN, seed=SEED)
    wrong: list[str] = []
    counted: Counter[str] = Counter()
    for script in drawn:
        found = way_back(twins, script)
        if found is None:
            counted["did not run as one message"] += 1
            continue
        counted[found.verdict.value] += 1
        if found.verdict is Verdict.FAIL:
            wrong.append(f"{script}: {found.why}")
    sys.stderr.write(f"way back of the corpus: {dict(counted)}\n")
    assert wrong == []
