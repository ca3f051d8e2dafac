"""The Data API's client against the real PostgREST on a real Postgres: as anon, as the service, as a person."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jwt
import psycopg
import pytest
from pydantic import SecretStr

from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key, SupabaseClient
from services.sandbox.postgres import LOGIN_ROLES, OWNER, Cluster
from services.sandbox.postgrest import PostgRest, find_postgrest
from tests.services.clients.scripted_server import closed_port
from tests.services.sandbox.loop_thread import LoopThread

ROOT = Path(__file__).resolve().parents[3]
SECRET = "a-secret-that-is-long-enough-for-hs256-signatures"
NOW = datetime(2026, 1, 15, tzinfo=UTC)
ADA, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
DATABASE = "test_clients_rest"
SCHEMA = f"""
CREATE TABLE notes (id int PRIMARY KEY, owner uuid, body text NOT NULL);
INSERT INTO notes
  SELECT n, CASE WHEN n % 3 = 0 THEN '{ADA}'::uuid ELSE '{BOB}'::uuid END, 'b' FROM generate_series(1, 12) n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes FOR SELECT TO authenticated USING (owner = auth.uid());
CREATE TABLE open_notes (id int); INSERT INTO open_notes VALUES (1), (2);
CREATE TABLE closed (id int);
GRANT SELECT ON notes, open_notes TO anon, authenticated, service_role;
CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION nothing() RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION whoami() RETURNS text LANGUAGE sql
  AS $$ SELECT current_user::text || ' ' || coalesce(auth.uid()::text, '') $$;
CREATE FUNCTION complain() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no such tier'; END $$;
CREATE FUNCTION late() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late' USING ERRCODE = '57014'; END $$;
CREATE FUNCTION crowded() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53300'; END $$;
CREATE FUNCTION frozen() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '25006'; END $$;
CREATE FUNCTION bent() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '42804'; END $$;
"""


def seed(conn: psycopg.Connection, anchor: datetime, number: int) -> None:
    conn.execute(SCHEMA.encode())


def token(role: str, sub: str | None = None, *, secret: str = SECRET, age: timedelta = timedelta(0)) -> str:
    begins = datetime.now(UTC) - age
    claims = {"role": role, "iat": begins, "exp": begins + timedelta(hours=1), "aud": "authenticated"}
    return jwt.encode({**claims, **({"sub": sub} if sub else {})}, secret, "HS256")


class Prefix(BaseHTTPRequestHandler):
    """What stands before PostgREST at Supabase: it takes /rest/v1 away, and adds nothing."""

    target = ""

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding")}
        with httpx.Client(trust_env=False, timeout=10) as client:
            answer = client.request(
                self.command, self.target + self.path.removeprefix("/rest/v1"), content=body, headers=sent
            )
        self.send_response(answer.status_code)
        for name in ("content-type", "content-range"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def address(supabase_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = find_postgrest(ROOT)
    if program is None:
        pytest.skip("PostgREST is not installed here")
    cluster = Cluster(supabase_cluster.server, {role: f"{role}-pw" for role in LOGIN_ROLES}, DATABASE)
    cluster.fill(seed, NOW, 1)
    log = tmp_path_factory.mktemp("rest") / "postgrest.log"
    rest = PostgRest(program, port=closed_port(), database=cluster.dsn("authenticator"), jwt_secret=SECRET, log=log)
    # A loop of its own: the browser of other tests keeps one running in the main thread.
    loop = LoopThread()
    loop.run(rest.start())
    handler = type("Handler", (Prefix,), {"target": rest.url})
    front = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{front.server_port}"
    front.shutdown()
    front.server_close()
    thread.join(5)
    loop.run(rest.stop())
    loop.close()
    with psycopg.connect(supabase_cluster.server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


@pytest.fixture
def client(address: str) -> Iterator[SupabaseClient]:
    one = SupabaseClient(url=address, anon_key=token("anon"), service_key=token("service_role"))
    yield one
    one.close()


def user(sub: str) -> SecretStr:
    return SecretStr(token("authenticated", sub))


def test_each_role_sees_what_the_policies_let_it_see(client: SupabaseClient) -> None:
    seen = {
        "anon": client.rows("notes", key=Key.ANON).total,
        "service": client.rows("notes", key=Key.SERVICE).total,
        "ada": client.rows("notes", as_user=user(ADA)).total,
        "bob": client.rows("notes", as_user=user(BOB)).total,
    }
    assert seen == {"anon": 0, "service": 12, "ada": 4, "bob": 8}


def test_a_person_after_another_sees_only_their_own(client: SupabaseClient) -> None:
    for who in (ADA, BOB, ADA):
        rows = client.rows("notes", as_user=user(who), limit=100, select="owner").rows
        assert {row["owner"] for row in rows} == {who}
    assert client.rows("notes").total == 0


def test_rows_are_counted_beyond_the_page_and_filtered(client: SupabaseClient) -> None:
    found = client.rows("notes", key=Key.SERVICE, limit=2, select="id", order="id.desc", id="lt.11")
    assert ([row["id"] for row in found.rows], found.total) == ([10, 9], 10)
    assert client.rows("notes", key=Key.SERVICE, limit=0).total == 12


def test_a_function_is_called_as_who_asks(client: SupabaseClient) -> None:
    assert client.rpc("add", {"a": 2, "b": 3}) == 5
    assert client.rpc("whoami", {}, key=Key.ANON) == "anon "
    assert client.rpc("whoami", {}, key=Key.SERVICE) == "service_role "
    assert client.rpc("whoami", {}, as_user=user(ADA)) == f"authenticated {ADA}"
    assert client.rpc("nothing", {}) is None


def refused(act: object) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        act()  # type: ignore[operator]
    return raised.value


@pytest.mark.parametrize("key", list(Key))
def test_a_table_without_a_grant_is_forbidden_to_every_key(client: SupabaseClient, key: Key) -> None:
    error = refused(lambda: client.rows("closed", key=key))
    assert (error.kind, error.code) == (Kind.FORBIDDEN, "42501")
    assert "closed" in error.detail


def test_a_missing_table_column_or_function_is_missing(client: SupabaseClient) -> None:
    assert refused(lambda: client.rows("no_such_table")).kind is Kind.MISSING
    assert refused(lambda: client.rows("open_notes", select="no_such_column")).kind is Kind.MISSING
    assert refused(lambda: client.rpc("no_such_function", {})).kind is Kind.MISSING
    assert refused(lambda: client.rpc("add", {"a": 1})).kind is Kind.MISSING


@pytest.mark.parametrize(
    ("function", "kind", "code"),
    [
        ("complain", Kind.NOT_UNDERSTOOD, "P0001"),
        ("late", Kind.TIMEOUT, "57014"),
        ("crowded", Kind.SERVER_ERROR, "53300"),
        ("frozen", Kind.FORBIDDEN, "25006"),
        ("bent", Kind.NOT_UNDERSTOOD, "42804"),
    ],
)
def test_what_a_function_raises_is_told_by_its_sqlstate(
    client: SupabaseClient, function: str, kind: Kind, code: str
) -> None:
    error = refused(lambda: client.rpc(function, {}, key=Key.SERVICE))
    assert (error.kind, error.code) == (kind, code)


@pytest.mark.parametrize(
    "wrong",
    [
        token("authenticated", ADA, secret="another-secret-that-is-long-enough-for-hs256"),
        token("authenticated", ADA, age=timedelta(hours=3)),
        "not-a-token",
    ],
    ids=["forged", "expired", "malformed"],
)
def test_a_token_that_is_not_good_is_unauthorised(client: SupabaseClient, wrong: str) -> None:
    error = refused(lambda: client.rows("notes", as_user=SecretStr(wrong)))
    assert error.kind is Kind.UNAUTHORISED
    assert wrong not in str(error) + error.detail


def test_a_grant_taken_away_and_given_back_is_seen_at_once(client: SupabaseClient, supabase_cluster: Cluster) -> None:
    for statement, total in (
        ("REVOKE SELECT ON open_notes FROM anon", None),
        ("GRANT SELECT ON open_notes TO anon", 2),
    ):
        with psycopg.connect(supabase_cluster.dsn(OWNER, DATABASE)) as owner:
            owner.execute(statement.encode())
        if total is None:
            assert refused(lambda: client.rows("open_notes")).kind is Kind.FORBIDDEN
        else:
            assert client.rows("open_notes").total == total
