"""Finding the session pooler: from what the Management API names, or by trying, and always by an answered SELECT."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from services.connecting.reader_role import reader_role_sql
from services.connecting.session_pooler import (
    Place,
    by_way_of,
    find_session_pooler,
    possible_places,
    reader_address,
    ref_of,
    seen_of_address,
)
from services.sandbox.postgres import OWNER
from services.settings import Target
from services.verdict import Verdict
from tests.matrix.stage import Stage
from tests.services.clients.scripted_server import closed_port

REF = "abcdefghijklmnopqrst"
POOLER = Place("aws-0-eu-central-1.pooler.supabase.com")


@pytest.fixture
def reading(before: Stage) -> Iterator[tuple[Stage, str]]:
    password = "pass@word/of:the reader"
    with psycopg.connect(before.one.world.cluster.dsn(OWNER), autocommit=True) as conn:
        conn.execute(reader_role_sql(before.app, role="ops_reader_found", password=password).encode())
    yield before, password


def test_an_address_by_way_of_the_shared_pooler_names_the_project_in_the_user() -> None:
    direct = f"postgresql://ops_reader:p%40ss@db.{REF}.supabase.co:5432/postgres?sslmode=require"
    assert by_way_of(direct, POOLER, REF) == (
        f"postgresql://ops_reader.{REF}:p%40ss@aws-0-eu-central-1.pooler.supabase.com:5432/postgres?sslmode=require"
    )
    again = by_way_of(by_way_of(direct, POOLER, REF), POOLER, REF)
    assert again.count(REF) == 1
    assert by_way_of(direct, Place("127.0.0.1", 6000), REF).startswith("postgresql://ops_reader:p%40ss@127.0.0.1:6000/")


def test_a_project_is_known_by_host_or_user() -> None:
    assert ref_of(f"postgresql://postgres:x@db.{REF}.supabase.co:5432/postgres") == REF
    assert ref_of(f"postgresql://postgres.{REF}:x@{POOLER}/postgres") == REF
    assert ref_of("postgresql://postgres:x@127.0.0.1:5432/postgres") is None


def test_the_places_to_try_are_those_of_the_region_where_it_is_known() -> None:
    assert [place.host for place in possible_places("eu-west-1")] == [
        f"aws-{number}-eu-west-1.pooler.supabase.com" for number in range(3)
    ]
    assert len(possible_places(None)) > 40


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        (f"postgresql://ops_reader.{REF}:pw@{POOLER.host}:6543/postgres", Verdict.FAIL),
        (f"postgresql://ops_reader:pw@db.{REF}.supabase.co:5432/postgres", Verdict.UNKNOWN),
        (f"postgresql://ops_reader.{REF}:pw@{POOLER}/postgres", None),
    ],
)
def test_an_address_that_will_not_do_is_told_with_the_better_one(url: str, verdict: Verdict | None) -> None:
    told = seen_of_address(url, POOLER)
    assert (told.seen.verdict if told else None) is verdict
    if told is not None:
        assert str(POOLER) in told.seen.text
        assert ":pw@" not in told.seen.text


def test_the_first_place_that_answers_is_taken(reading: tuple[Stage, str]) -> None:
    before, _ = reading
    port = before.one.world.cluster.server.port
    url = "postgresql://ops_reader_found:pass%40word%2Fof%3Athe%20reader@h/postgres"
    places = [Place("127.0.0.1", closed_port()), Place("127.0.0.1", port)]
    found = find_session_pooler(url, places, REF)
    assert found is not None
    assert f"127.0.0.1:{port}" in found
    wrong = url.replace("pass%40", "other%40")
    assert find_session_pooler(wrong, places, REF) is None


def test_the_address_of_the_reading_role_is_found_through_the_management_api(reading: tuple[Stage, str]) -> None:
    before, password = reading
    found = reader_address(before.target, password, role="ops_reader_found")
    assert found is not None
    with psycopg.connect(found) as conn:
        assert conn.execute("select current_user").fetchone() == ("ops_reader_found",)
    assert reader_address(before.target, "another password", role="ops_reader_found") is None
    assert reader_address(Target(name="t"), password) is None
