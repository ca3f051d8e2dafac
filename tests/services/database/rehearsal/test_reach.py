"""A rehearsal acts on no other machine, whatever the target's catalog says of where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.rehearsal.reach import makes_a_way_out
from services.database.rehearsal.rehearse import rehearse
from services.database.script import Script, read_scripts
from services.database.server import THROW_AWAY, Server
from services.database.watcher import Watched
from services.verdict import Verdict


@dataclass(frozen=True)
class Far:
    """A target that writes to tables of another database, by a password of its own."""

    target: str
    remote: str
    address: str

    def rows(self) -> list[int]:
        with connect(self.remote) as conn:
            return [row[0] for row in conn.execute("SELECT id FROM things ORDER BY 1").fetchall()]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder: Path = tmp_path_factory.mktemp("far")
    folder.chmod(0o755)
    with Server.start(folder / "data", options=THROW_AWAY) as server:
        assert not server.cut_off
        with connect(server.dsn()) as conn:
            conn.execute("CREATE ROLE far LOGIN SUPERUSER PASSWORD 'pw'")
            for name in ("remote", "target"):
                conn.execute(f"CREATE DATABASE {name}".encode())
        where = f"host=127.0.0.1 port={server.port} dbname=remote user=far password=pw"
        with connect(server.dsn("remote")) as conn:
            conn.execute("CREATE TABLE things (id int)")
        with connect(server.dsn("target")) as conn:
            conn.execute(
                "CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink; CREATE SERVER far FOREIGN DATA WRAPPER"
                f" postgres_fdw OPTIONS (host '127.0.0.1', port '{server.port}', dbname 'remote');"
                "CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'far', password 'pw');"
                "CREATE FOREIGN TABLE things (id int) SERVER far; CREATE TABLE mine (id int);"
                "INSERT INTO things VALUES (0)".encode()
            )
        yield Far(server.dsn("target"), server.dsn("remote"), where)


WRITES = {
    "foreign table": "INSERT INTO things VALUES (1);",
    "dblink": "SELECT dblink_exec('{where}', 'INSERT INTO things VALUES (2)');",
    "in a block": "DO $$ BEGIN PERFORM dblink_exec('{where}', 'INSERT INTO things VALUES (3)');"
    " EXCEPTION WHEN OTHERS THEN NULL; END $$;",
    "in a trigger": "CREATE FUNCTION along() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO things VALUES (4); RETURN NEW; END $$;\n"
    "CREATE OR REPLACE TRIGGER along BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION along();",
}


@pytest.mark.parametrize("way", WRITES)
def test_nothing_is_written_elsewhere(far: Far, way: str) -> None:
    found = rehearse(far.target, [Script("change.sql", WRITES[way].format(where=far.address))], rows="all")
    assert far.rows() == [0]
    assert found.verdict is not Verdict.PASS


def test_what_is_there_is_not_known(far: Far) -> None:
    found = rehearse(far.target, [Script("change.sql", "SELECT count(*) FROM things;")], rows="all")
    assert (found.verdict, found.failure) == (Verdict.UNKNOWN, None)
    assert any("is kept from reaching other machines" in reason for reason in found.unknown_because)


def test_a_change_beside_it_is_rehearsed_as_ever(far: Far) -> None:
    found = rehearse(far.target, [Script("change.sql", "ALTER TABLE mine ADD COLUMN IF NOT EXISTS n int;")], rows="all")
    assert (found.verdict, found.unknown_because) == (Verdict.PASS, ())


class _Free(Watched):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{**more, "cut_off": False})


def test_where_the_system_cannot_cut_it_off_nothing_of_the_kind_is_run(
    far: Far, make_database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.database.server.Watched", _Free)
    found = rehearse(far.target, [Script("change.sql", "SELECT 1;")])
    assert found.verdict is Verdict.UNKNOWN
    assert "the extension dblink, the foreign server far" in found.unknown_because[0]
    plain = make_database()  # type: ignore[operator]
    program = rehearse(plain, [Script("change.sql", "CREATE TABLE t (line text);\nCOPY t FROM PROGRAM 'true';")])
    assert program.verdict is Verdict.UNKNOWN and program.statements == ()
    assert program.unknown_because[0].startswith("change.sql:2: FROM PROGRAM may reach other machines")
    assert rehearse(plain, [Script("change.sql", "CREATE TABLE IF NOT EXISTS t (line text);")]).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "text",
    [
        "CREATE  EXTENSION dblink;",
        "create server s foreign data wrapper w;",
        "COPY t TO PROGRAM 'x';",
        "CREATE LANGUAGE plsh;",
    ],
)
def test_what_makes_a_way_out_is_known_by_its_text(text: str) -> None:
    assert makes_a_way_out(read_scripts([Script("change.sql", text)]).statements)


def test_the_filter_does_not_stand_in_the_way_of_the_server_itself(far: Far) -> None:
    with psycopg.connect(far.target) as conn:
        assert conn.execute("SELECT id FROM things").fetchall() == [(0,)]
