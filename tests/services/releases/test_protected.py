"""Which target an address belongs to, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from services.errors import Refused
from services.releases.protected import asks_for_approval, places_of, refuse_unapproved_way
from services.settings import Settings, Target

KNOWN = "postgresql://owner:pw@127.0.0.1:5432/app"
REF = "abcdefghijklmnopqrst"
PROJECT = f"postgresql://postgres:pw@db.{REF}.supabase.co:5432/postgres"


def found(url: str, known: str = KNOWN, key: str = "database_url", *, wanted: bool = True) -> bool:
    target = Target(name="staging", second_approval=wanted, **{key: SecretStr(known)})  # type: ignore[arg-type]
    there = Settings(home=Path(), store_url="", targets={"staging": target})
    return asks_for_approval(there, url, {}) is not None


@pytest.mark.parametrize("key", ["database_url", "deploy_url", "read_only_url"])
def test_any_address_of_the_target_is_its_database(key: str) -> None:
    assert found(KNOWN, key=key)
    assert not found(KNOWN, key=key, wanted=False)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://somebody@localhost/app",
        "postgresql://x:y@LOCALHOST.:5432/app?sslmode=disable",
        "postgresql://x@[::1]:5432/app",
        "postgresql://x@[::ffff:127.0.0.1]/app",
        "postgresql:///app?host=/var/run/postgresql",
        "postgresql://x@/app?host=elsewhere.example,127.0.0.1",
        "postgresql://x@elsewhere.example/app?hostaddr=127.0.0.1",
        "postgresql://x@/%61pp",
        "postgresql://app@localhost",
    ],
)
def test_one_database_however_it_is_written(url: str) -> None:
    assert found(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://x@localhost:5433/app", "postgresql://x@localhost/other", "postgresql://x@db.example/app", "mysql:"],
)
def test_another_database_is_another(url: str) -> None:
    assert not found(url)


def test_a_project_is_one_database_by_all_its_doors() -> None:
    pooler = "aws-0-eu-central-1.pooler.supabase.com"
    for port in (5432, 6543):
        assert found(f"postgresql://me.{REF}:pw@{pooler}:{port}/postgres", PROJECT)
        assert not found(f"postgresql://me.zzzzzzzzzzzzzzzzzzzz:pw@{pooler}:{port}/postgres", PROJECT)


def test_what_the_address_leaves_out_is_taken_as_libpq_takes_it() -> None:
    environ = {"PGHOST": "db.example", "PGPORT": "6000", "PGDATABASE": "app"}
    assert places_of("postgresql://", environ) == {("db.example", "6000", "app")}


@pytest.mark.parametrize(
    ("url", "service"), [("postgresql:///?service=prod", ""), ("postgresql://x@db.example/app", "prod")]
)
def test_an_address_from_a_service_file_is_not_taken_for_another(
    url: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSERVICE", service)
    for wanted in (True, False):
        target = Target(name="staging", second_approval=wanted, database_url=SecretStr(KNOWN))
        there = Settings(home=Path(), store_url="", targets={"staging": target})
        if wanted:
            with pytest.raises(Refused, match="service file"):
                refuse_unapproved_way(there, url, release_id="beta")
        else:
            refuse_unapproved_way(there, url, release_id="beta")
