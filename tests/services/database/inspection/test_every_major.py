"""The same changes are judged the same on every major version of the server, and in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from services.database.inspection.advisors import advise
from services.database.inspection.inspect import Inspection, inspect_change
from services.database.server import scratch_server
from services.sandbox.postgres import LOGIN_ROLES, Cluster
from tests.campaign import only_in_full
from tests.services.connecting.other_servers import NoServer, binaries_of
from tests.services.database.inspection import test_access, test_functions, test_rows, test_view_totals
from tests.services.database.inspection.advisor_cases import CASES
from tests.services.database.inspection.change import BASE, Change, failures

pytestmark = only_in_full
MAJORS = (15, 16, 17, 18)
VIEWS = "".join(
    f"CREATE VIEW public.{name} AS {query};"
    for name, query in (test_view_totals.WRONG | test_view_totals.RIGHT).items()
)
CHANGES = {
    "functions": ("", test_functions.ALL),
    "rows": ("", test_rows.HARD + "".join(test_rows.FIRES.format(name) for name in test_rows.TABLES)),
    "triggers": (test_rows.LOGS, test_rows.BREAKS),
    "access": ("", test_access.OPENED),
    "shut": (test_access.BACKEND_AS_ANON, test_access.SHUT),
    "views": (test_view_totals.TABLES, VIEWS),
}
EXPECTED = {"functions": 11, "rows": 0, "triggers": 2, "access": 13, "shut": 9, "views": 4}


@dataclass
class Place:
    cluster: Cluster
    change: Change

    def inspected(self, name: str) -> Inspection:
        return inspect_change(*self.change.databases(*CHANGES[name]), budget_s=60)


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"postgres-{major}")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    try:
        binaries = binaries_of(request.param)
    except NoServer as error:
        pytest.skip(str(error))
    with scratch_server(binaries=binaries) as server:
        cluster = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES})
        cluster.prepare()
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE inspected TEMPLATE supabase_skeleton OWNER postgres")
        with psycopg.connect(server.dsn("inspected"), autocommit=True) as conn:
            conn.execute(BASE)
        with Change(cluster, "inspected") as change:
            yield Place(cluster, change)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_judged_the_same_everywhere(place: Place, name: str) -> None:
    found = failures(place.inspected(name))
    assert len(found) == EXPECTED[name], found


@pytest.mark.parametrize("rule", CASES)
def test_an_advisor_judges_the_same_everywhere(place: Place, rule: str) -> None:
    with psycopg.connect(place.cluster.server.dsn("supabase_skeleton"), autocommit=True) as conn:
        for sql, broken in zip(CASES[rule], (True, False), strict=True):
            with conn.transaction(force_rollback=True):
                before = {one.object for one in advise(conn, live=True, rules={rule})}
                conn.execute(sql.encode())
                after = {one.object for one in advise(conn, live=True, rules={rule})}
            assert bool(after - before) is broken


def test_all_advisors_can_be_asked(place: Place) -> None:
    with psycopg.connect(place.cluster.server.dsn("inspected"), autocommit=True) as conn:
        assert advise(conn, live=True) != []
