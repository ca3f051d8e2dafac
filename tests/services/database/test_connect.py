"""Connections: one sentence for each way they fail, never the password; poolers told by how they behave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from services.database.connect import (
    connect,
    connection_parameters,
    inspect_connection,
    is_loopback,
    patient,
    place_of,
    read_only_transaction,
    resolve_url,
)
from services.database.deployment.deploy import deploy
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from tests.pooler import poolers
from tests.services.database.app_database import Owner, script

SECRET = "s3cr3t-Pass"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def web_port() -> Iterator[int]:
    """A port where something answers that is no Postgres."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(100)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(2)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost/postgres",
        "mysql://u:p@h/d",
        f"postgresql://u:{SECRET}@h:54x2/d",
        f"postgresql://u:{SECRET}@h:70000/d",
        f"postgresql://u:{SECRET}@h/d?no_such_option=1",
        f"postgresql://u:{SECRET}%zz@h/d",
    ],
)
def test_a_malformed_url_is_not_understood_and_not_repeated(url: str):
    with pytest.raises(NotUnderstood) as told:
        connect(url)
    assert SECRET not in str(told.value)


def test_nothing_listens(app: Owner):
    with pytest.raises(Unavailable, match=r"Nothing listens at 127\.0\.0\.1"):
        connect(f"postgresql://u:{SECRET}@127.0.0.1:{free_port()}/d")


def test_a_host_that_is_not_there():
    with pytest.raises(Unavailable, match="is not found"):
        connect(f"postgresql://u:{SECRET}@no-such-host.invalid/d")


def test_a_host_that_does_not_answer(silent_port: int):
    started = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer in time"):
        connect(f"postgresql://u:{SECRET}@127.0.0.1:{silent_port}/d")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("address", "deadline_s", "seconds"),
    [
        ("postgresql://u@h/d", None, "2"),
        ("postgresql://u@h/d?connect_timeout=9", None, "9"),
        ("postgresql://u@h/d?connect_timeout=9", 3, "3"),
        ("postgresql://u@h/d?connect_timeout=600", None, "60"),
        ("postgresql://u@h/d?connect_timeout=0", None, "2"),
        ("postgresql://u@h/d?connect_timeout=soon", None, "2"),
        (patient("postgresql://u@h/d"), None, "30"),
        (patient("postgresql://u@h/d?sslmode=require"), None, "30"),
    ],
)
def test_how_long_it_may_take_to_get_in(
    monkeypatch: pytest.MonkeyPatch, address: str, deadline_s: float | None, seconds: str
) -> None:
    asked: list[str] = []

    def refuse(conninfo: str, **_: object) -> None:
        asked.append(conninfo)
        raise psycopg.OperationalError("FATAL: enough")

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(OpsError):
        connect(address, deadline_s=deadline_s)
    assert psycopg.conninfo.conninfo_to_dict(asked[0])["connect_timeout"] == seconds


def test_something_else_answers(web_port: int):
    with pytest.raises(OpsError, match=r"did not speak|connection of this kind"):
        connect(f"postgresql://u:{SECRET}@127.0.0.1:{web_port}/d")


def test_a_wrong_password_is_refused_without_showing_it(app: Owner):
    with pytest.raises(Refused, match="refused the password of 'postgres'") as told:
        connect(app.url.replace(connection_parameters(app.url)["password"], SECRET))
    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None


def test_a_missing_database_and_role_are_refused(app: Owner):
    with pytest.raises(Refused, match="no database 'nowhere'"):
        connect(app.url.rsplit("/", 1)[0] + "/nowhere")
    parts = connection_parameters(app.url)
    with pytest.raises(Refused, match="'nobody'"):
        connect(f"postgresql://nobody:{SECRET}@127.0.0.1:{parts['port']}/{parts['dbname']}")


def test_a_pooler_that_knows_no_such_tenant(monkeypatch):
    def refuse(*_, **__):
        raise psycopg.OperationalError(f"FATAL: Tenant or user not found, {SECRET}")

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(Refused, match="no such project or user") as told:
        connect("postgresql://postgres.abc:x@pooler.invalid:6543/postgres")
    assert SECRET not in str(told.value)


def test_urls_from_the_environment():
    assert resolve_url("env:DB", {"DB": "postgresql://x/y"}) == "postgresql://x/y"
    assert resolve_url("postgresql://x/y", {}) == "postgresql://x/y"
    with pytest.raises(NotUnderstood, match="variable DB holds no"):
        resolve_url("env:DB", {})


def test_a_place_shows_neither_user_nor_password():
    assert place_of(f"postgresql://ann:{SECRET}@db.invalid:6000/app") == "db.invalid:6000/app"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("127.9.9.9", True),
        ("10.0.0.1", False),
        ("h.x", False),
    ],
)
def test_loopback(host: str, loopback: bool):
    assert is_loopback(f"postgresql://u@{host}:5432/d") is loopback


def test_facts_of_an_owner_and_of_a_reader(app: Owner, make_supabase_database: Callable):
    facts = inspect_connection(app.conn, app.url)
    assert (facts.user, facts.superuser, facts.may_create, facts.may_create_schema) == ("postgres", False, True, True)
    assert (facts.pooler, facts.transaction_pooler, facts.loopback) == (False, False, True)
    assert facts.major >= 15
    assert facts.size_bytes > 1_000_000
    reader = make_supabase_database().read_only
    with connect(reader) as conn:
        assert inspect_connection(conn, reader).may_create is False
    with pytest.raises(Refused, match="may not create objects"):
        deploy(reader, script("SELECT 1"), release_id="r", plan_hash="h", actor="a")


def test_a_session_has_its_limits(app: Owner):
    with connect(app.url, read_only=True, statement_timeout_s=3) as conn:
        assert conn.execute("SHOW statement_timeout").fetchone() == ("3s",)
        assert conn.execute("SHOW client_connection_check_interval").fetchone() == ("200ms",)
        assert conn.prepare_threshold is None
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("CREATE TABLE t (id int)")


@pytest.fixture
def pooler(app: Owner) -> Iterator[Callable[[str], str]]:
    """`pooler(mode)` starts pgbouncer in front of the app's database and returns its URL."""
    with poolers(app.url) as start:
        yield start


def test_a_transaction_pooler_is_refused_by_how_it_behaves(app: Owner, pooler: Callable[[str], str]):
    url = pooler("transaction")
    with pytest.raises(Refused, match=r"transaction pooler.*session pooler"):
        deploy(url, script("CREATE TABLE t (id int)"), release_id="r", plan_hash="h", actor="a")
    assert not app.exists("t")


def test_a_session_pooler_is_let_through(app: Owner, pooler: Callable[[str], str]):
    url = pooler("session")
    with connect(url) as conn:
        facts = inspect_connection(conn, url)
    assert (facts.pooler, facts.transaction_pooler) == (True, False)
    assert deploy(url, script("CREATE TABLE t (id int)"), release_id="r", plan_hash="h", actor="a").applied


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("FATAL: Tenant or user not found", "tenant"),
        ("(ENOTFOUND) tenant/user postgres.abc not found", "tenant"),
        ('FATAL: password authentication failed for user "ops"', "login"),
        ('connection to server at "fd00::1", port 5432 failed: Network is unreachable', "no-route"),
        ("could not translate host name to address: Name or service not known", "dns"),
        ("FATAL: MaxClientsInSessionMode: max clients reached", "pooler-full"),
        ("FATAL: sorry, too many clients already", "connections"),
        ("FATAL: remaining connection slots are reserved", "connections"),
        ("connection refused", "refused"),
        ("connection timeout expired", "timeout"),
        ("received invalid response to SSL negotiation: H", "not-allowed"),
        ("expected authentication request from server, but received H", "not-understood"),
    ],
)
def test_each_way_of_not_getting_in_has_a_reason(said: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(OpsError) as refused:
        connect("postgresql://ops:secret@db.example.test:5432/postgres")
    assert refused.value.reason == reason
    assert "secret" not in str(refused.value)


def test_reading_through_a_transaction_pooler_leaves_nothing_on_its_servers(
    pooler: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = pooler("transaction")
    monkeypatch.setattr("services.database.connect._TRANSACTION_POOLER_PORT", connection_parameters(url)["port"])
    with connect(url, read_only=True, statement_timeout_s=1) as reader, read_only_transaction(reader, 1):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), reader.transaction():
            reader.execute("CREATE TABLE written (id int)")
        assert reader.execute("SHOW statement_timeout").fetchone() == ("1s",)
    with connect(url) as next_client:
        assert next_client.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
        assert next_client.execute("SHOW statement_timeout").fetchone() == ("0",)
