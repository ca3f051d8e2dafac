"""What is told not to be immutable is what the server refuses in an index; what is told to write instead it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.database.dangers.volatility import NotImmutable, not_immutable, type_name
from services.database.parser import parse
from services.database.server import Server, scratch_server
from tests.campaign import only_in_full
from tests.services.connecting.other_servers import binaries_of

COLUMNS = {
    "ts": "timestamptz", "p": "timestamp", "d": "date", "t": "text", "v": "varchar(20)", "n": "int", "f": "numeric",
    "a": "text[]", "j": "jsonb", "i": "interval", "u": "uuid", "b": "boolean", "m": "money", "z": "timetz",
}  # fmt: skip
LISTED = (Path(__file__).parent / "expressions.txt").read_text(encoding="utf-8").replace("\n", ";").split(";")
EXPRESSIONS = [one.strip() for one in LISTED if one.strip()]
# A whole row is refused for other reasons, and a name of a table is looked up.
NOT_ASKED = ("ROW(n, t)", "t::regclass")


def read(expression: str, major: int) -> list[NotImmutable]:
    node = parse(f"SELECT {expression}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    return not_immutable(node, COLUMNS, major)


@contextmanager
def table(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        conn.execute(f"CREATE TABLE pg_temp.things ({columns})".encode())
        yield conn


def refused(conn: psycopg.Connection[Any], expression: str) -> str | None:
    """The SQLSTATE with which the server refuses it in an index; None where it takes it."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(f"CREATE INDEX ON pg_temp.things (({expression}))".encode())
    except psycopg.Error as error:
        return error.sqlstate
    return None


def compare(server: Server, major: int) -> list[str]:
    """Expressions of which we say something else than the server."""
    wrong = []
    with table(server) as conn:
        for expression in EXPRESSIONS:
            state = refused(conn, expression)
            if expression in NOT_ASKED or state not in (None, "42P17"):
                continue  # it does not exist there, or is no value for an index
            if bool(read(expression, major)) != (state == "42P17"):
                wrong.append(expression)
    return wrong


def test_it_says_what_the_server_says(postgres_server: Server) -> None:
    assert len(EXPRESSIONS) > 120
    assert compare(postgres_server, postgres_server.binaries.version) == []


@only_in_full
@pytest.mark.campaign
@pytest.mark.parametrize("major", [15, 16, 17, 18])
def test_it_says_what_every_server_says(major: int) -> None:
    with scratch_server(binaries=binaries_of(major)) as server:
        assert compare(server, major) == []


def test_what_to_write_instead_is_taken(postgres_server: Server) -> None:
    tried = 0
    with table(postgres_server) as conn:
        for expression in EXPRESSIONS:
            for told in read(expression, postgres_server.binaries.version):
                form = told.instead
                if form.endswith(".") or form.startswith(("the plain", "a function")) or told.part != expression:
                    continue
                assert refused(conn, form) is None, f"{expression}: {form}"
                tried += 1
    assert tried >= 12


def test_a_form_that_a_newer_major_takes_is_known_by_major() -> None:
    assert [bool(read("date_trunc('day', ts, 'UTC')", major)) for major in (15, 16, 17, 18)] == [True] + [False] * 3


def test_without_the_types_it_says_may_be() -> None:
    node = parse("SELECT day::date").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    assert [one.certain for one in not_immutable(node, {}, 17)] == [False]


@pytest.mark.parametrize(
    ("written", "name"),
    [("timestamptz", "timestamp with time zone"), ("varchar(20)", "character varying"), ("INT", "integer"),
     ("timestamp(3) with time zone", "timestamp with time zone"), ("pg_catalog.int8", "bigint"), ("mood", "mood")],
)  # fmt: skip
def test_types_are_known_however_they_are_written(written: str, name: str) -> None:
    assert type_name(written) == name
