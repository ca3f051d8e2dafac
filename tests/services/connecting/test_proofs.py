"""The proofs of the levels against a running world: effects seen, nothing written below probe, wrong keys told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from services.connecting.proofs import Proof, Seen, prove_level
from services.connecting.reader_role import reader_role_sql
from services.sandbox.postgres import OWNER, READ_ONLY
from services.settings import Level, ProbeAccount, Target
from services.verdict import Verdict
from tests.campaign import only_in_full
from tests.matrix.stage import Stage
from tests.services.clients.scripted_server import ScriptedServer, answers, closed_port, hangs

PASSWORD = "reader-password-of-this-test"
WRITES = re.compile(
    r"(?:statement|execute [^:]*): *(?:/\*.*?\*/)?\s*(insert|update|delete|truncate|merge|create|alter|drop|grant|"
    r"revoke|copy|call|do|refresh|comment|lock)\b",
    re.IGNORECASE,
)
HARMLESS_POSTS = {
    # Of no entry and with nothing in it: only whether the route is loaded.
    "POST /api/v1/journal/entries/00000000-0000-0000-0000-000000000000/feedback",
    "POST /v1/projects/{ref}/database/query/read-only",
    # Asked with a SELECT that is declared read-only: whether the token is let in there at all.
    "POST /v1/projects/{ref}/database/query",
}


@pytest.fixture(scope="module")
def connected(before: Stage) -> Target:
    """The world's target as a newcomer has connected it: through the reading role, with no owner's address."""
    with psycopg.connect(before.one.world.cluster.dsn(OWNER), autocommit=True) as conn:
        conn.execute(reader_role_sql(before.app, password=PASSWORD).encode())
    port = before.one.world.cluster.server.port
    reader = SecretStr(f"postgresql://ops_reader:{PASSWORD}@127.0.0.1:{port}/postgres")
    return changed(before.target, database_url=reader, deploy_url=None, levels=frozenset({Level.LOOK}))


def changed(target: Target, **values: Any) -> Target:
    return target.model_copy(update=values)


def prove(before: Stage, level: Level, target: Target, *, may_write: bool = False) -> Proof:
    return prove_level(level, target, before.app, datetime.now(UTC), may_write=may_write, store=before.store)


def line(proof: Proof, what: str) -> Seen:
    return next(one for one in proof.seen if one.what == what)


@contextmanager
def logged(before: Stage) -> Iterator[list[str]]:
    """What the world's Postgres writes to its log in the block, every statement included."""
    server = before.one.world.cluster.server
    found: list[str] = []
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        # The server's own tidying up takes numbers too.
        for setting in ("log_statement = 'all'", "log_line_prefix = '%a|%p|'", "autovacuum = off"):
            admin.execute(f"ALTER SYSTEM SET {setting}".encode())
        admin.execute("SELECT pg_reload_conf()")
        admin.execute("SELECT pg_sleep(0.2)")
        began = server.log.stat().st_size
        try:
            yield found
            admin.execute("SELECT 'the end of what is looked at'")
            found += server.log.read_bytes()[began:].decode().splitlines()
        finally:
            admin.execute("ALTER SYSTEM RESET ALL")
            admin.execute("SELECT pg_reload_conf()")


def transactions_that_wrote(before: Stage) -> int:
    """How many transactions of the server have ever changed anything: each of them takes a number, no other does."""
    with psycopg.connect(before.one.world.cluster.server.dsn(), autocommit=True) as admin:
        row = admin.execute("select pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    assert row is not None
    return int(row[0])


def test_every_proof_below_probe_writes_nothing_anywhere(before: Stage, connected: Target) -> None:
    world = before.one.world
    for door in world.doors.values():
        door.calls.clear()
    world.railway.asked.clear()
    with logged(before) as log:
        wrote = transactions_that_wrote(before)
        proofs = [prove(before, level, connected) for level in (Level.LOOK, Level.OBSERVE, Level.PLATFORM, Level.PROBE)]
        assert transactions_that_wrote(before) == wrote
    assert [proof.verdict for proof in proofs[:3]] == [Verdict.PASS] * 3
    assert proofs[3].verdict is Verdict.UNKNOWN

    ours = [one for one in log if one.startswith(("ops ", "release-cockpit"))]
    assert len(ours) > 20
    tried = [number for number, one in enumerate(ours) if WRITES.search(one)]
    refused = [one for one in ours if "permission denied" in one]
    # The one way of writing that was really tried is of no row, and was refused.
    assert [ours[number] for number in tried if "permission denied" not in ours[number + 1]] == []
    assert 0 < len(tried) <= len(refused)
    assert [one for one in log if WRITES.search(one) and one not in ours] == []

    ref = world.keys.project_ref
    doors = [door for name, door in world.doors.items() if name != "railway"]
    made = [f"{call.method} {call.path}".replace(ref, "{ref}") for door in doors for call in door.calls]
    assert [one for one in made if not one.startswith("GET ") and one not in HARMLESS_POSTS] == []
    assert len(made) > 10
    assert world.railway.asked
    assert [one for one in world.railway.asked if not one.startswith("query ")] == []


def test_looking_says_what_the_address_shows(before: Stage, connected: Target) -> None:
    alone = Target(name="prod", app_url=connected.app_url)
    proof = prove(before, Level.LOOK, alone)
    assert proof.verdict is Verdict.PASS
    assert line(proof, "API documentation is served").verdict is Verdict.PASS
    assert line(proof, "The release's routes are loaded").verdict is Verdict.FAIL
    assert line(proof, "Canned answers").verdict is Verdict.UNKNOWN
    assert [one.check_id for one in proof.evidence]


def test_an_app_that_is_not_there_proves_nothing(before: Stage) -> None:
    gone = prove(before, Level.LOOK, Target(name="prod", app_url=f"http://127.0.0.1:{closed_port()}"))
    assert gone.verdict is Verdict.UNKNOWN


def test_observing_reads_rows_through_the_role_and_is_refused_a_write(before: Stage, connected: Target) -> None:
    proof = prove(before, Level.OBSERVE, connected)
    assert proof.verdict is Verdict.PASS
    assert "60 rows of users" in proof.summary
    assert "A write was refused" in proof.summary
    assert line(proof, "Database: private columns").verdict is Verdict.PASS
    assert [one.verdict for one in proof.seen if one.what.endswith("_read")] == [Verdict.PASS] * 9
    assert line(proof, "Token: could it write?").verdict is Verdict.PASS
    assert not any("everything" in sentence for sentence in proof.could_also if "scoped" in sentence)


@only_in_full
def test_either_way_of_observing_is_enough(before: Stage, connected: Target) -> None:
    assert prove(before, Level.OBSERVE, changed(connected, supabase_access_token=None)).verdict is Verdict.PASS
    assert prove(before, Level.OBSERVE, changed(connected, database_url=None)).verdict is Verdict.PASS
    neither = prove(before, Level.OBSERVE, changed(connected, database_url=None, supabase_access_token=None))
    assert (neither.verdict, "no database_url" in neither.summary) == (Verdict.UNKNOWN, True)


def test_the_owners_address_is_refused_for_reading(before: Stage, connected: Target) -> None:
    owner = prove(
        before, Level.OBSERVE, changed(connected, database_url=SecretStr(before.one.world.cluster.dsn(OWNER)))
    )
    assert owner.verdict is Verdict.FAIL
    assert "It does not need to" in owner.summary


@only_in_full
def test_a_role_blind_by_row_level_security_is_told_by_the_tokens_count(before: Stage, connected: Target) -> None:
    cluster = before.one.world.cluster
    with psycopg.connect(cluster.dsn(OWNER), autocommit=True) as conn:
        conn.execute("alter table public.users enable row level security")
        try:
            conn.execute("drop policy if exists ops_reader_reads on public.users")
            proof = prove(before, Level.OBSERVE, connected)
        finally:
            conn.execute(reader_role_sql(before.app).encode())
            conn.execute("alter table public.users disable row level security")
            conn.execute(reader_role_sql(before.app).encode())
    assert proof.verdict is Verdict.FAIL
    assert "0 of 60 rows of users" in proof.summary


def test_a_transaction_pooler_is_told_with_what_to_use(before: Stage, connected: Target) -> None:
    ref = "abcdefghijklmnopqrst"
    url = f"postgresql://ops_reader.{ref}:pw@aws-0-eu-central-1.pooler.supabase.com:6543/postgres"
    target = changed(connected, database_url=SecretStr(url), supabase_access_token=None)
    proof = prove(before, Level.OBSERVE, target)
    assert proof.verdict is Verdict.FAIL
    assert "transaction pooler" in proof.summary
    assert "5432" in proof.summary


def test_two_projects_in_one_target_are_a_fail(before: Stage, connected: Target) -> None:
    target = changed(connected, supabase_url="https://abcdefghijklmnopqrst.example".replace(".example", ".supabase.co"))
    alone = changed(target, supabase_anon_key=None, database_url=None)
    proof = prove(before, Level.OBSERVE, alone)
    assert line(proof, "One project").verdict is Verdict.FAIL
    assert proof.verdict is Verdict.FAIL


@only_in_full
def test_a_token_with_every_right_is_told_and_one_that_is_unknown_is_refused(before: Stage, connected: Target) -> None:
    keys = before.one.world.keys
    wide = prove(
        before,
        Level.OBSERVE,
        changed(connected, supabase_access_token=SecretStr(keys.management_token), database_url=None),
    )
    assert line(wide, "Token: could it write?").verdict is Verdict.FAIL
    wrong = prove(
        before, Level.OBSERVE, changed(connected, supabase_access_token=SecretStr("sbp_" + "0" * 40), database_url=None)
    )
    assert wrong.verdict is Verdict.FAIL
    assert "every project" in " ".join(wrong.could_also)


def test_the_secret_key_in_the_place_of_the_public_one_is_refused(before: Stage, connected: Target) -> None:
    secret = SecretStr(before.one.world.keys.service_key)
    target = changed(connected, supabase_anon_key=secret, supabase_access_token=None)
    proof = prove(before, Level.OBSERVE, target)
    assert proof.verdict is Verdict.FAIL
    assert line(proof, "Publishable key").verdict is Verdict.FAIL
    assert any("past row-level security" in one for one in proof.could_also)


def test_a_scope_that_lacks_is_named_and_the_rest_still_counts(before: Stage, connected: Target) -> None:
    with scripted() as server:
        project = {"ref": "x", "name": "prod", "status": "ACTIVE_HEALTHY", "region": "eu-central-1"}
        server.does(answers({"message": "no", "missing_permissions": ["backups_read"]}, 403))
        target = changed(connected, database_url=None, supabase_management_url=server.url)
        refused = prove(before, Level.OBSERVE, target)
        server.does(answers(project))
        odd = prove(before, Level.OBSERVE, target)
    assert refused.verdict is Verdict.FAIL
    assert "backups_read" in refused.summary
    assert odd.verdict is Verdict.PASS
    assert "backups_read" in line(odd, "Token: scopes").text


def test_the_platforms_proof_names_what_the_token_reaches(before: Stage, connected: Target) -> None:
    proof = prove(before, Level.PLATFORM, connected)
    assert proof.verdict is Verdict.PASS
    assert "environment production" in proof.summary
    assert "the app's address" in proof.summary
    assert [secret for secret in before.secrets() if len(secret) > 10 and secret in str(proof)] == []


def test_the_token_of_another_app_is_no_proof(before: Stage, connected: Target) -> None:
    other = prove(before, Level.PLATFORM, changed(connected, app_url="https://other.example.com"))
    assert (other.verdict, "another service" in other.summary) == (Verdict.FAIL, True)


@only_in_full
def test_a_service_that_is_not_in_the_environment_is_no_proof(before: Stage, connected: Target) -> None:
    other = prove(before, Level.PLATFORM, changed(connected, railway_service_id="not-there"))
    assert other.verdict is not Verdict.PASS


def test_an_account_token_is_more_than_is_needed(before: Stage, connected: Target) -> None:
    token = SecretStr(before.one.world.keys.railway_account_token)
    proof = prove(before, Level.PLATFORM, changed(connected, railway_token=token))
    assert proof.verdict is Verdict.FAIL
    assert "account or a workspace" in proof.summary
    wrong = prove(before, Level.PLATFORM, changed(connected, railway_token=SecretStr("nobodys-token-at-all")))
    assert (wrong.verdict, "account" in wrong.summary) == (Verdict.FAIL, False)


def test_silence_is_unknown_and_refusal_is_a_fail(before: Stage, connected: Target) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    assert prove(before, Level.PLATFORM, changed(connected, railway_url=address)).verdict is Verdict.UNKNOWN
    silent = changed(connected, supabase_management_url=address, database_url=None)
    assert prove(before, Level.OBSERVE, silent).verdict is Verdict.UNKNOWN
    nobody = SecretStr(f"postgresql://ops_reader:x@127.0.0.1:{closed_port()}/postgres")
    assert prove(before, Level.OBSERVE, changed(connected, database_url=nobody)).verdict is Verdict.UNKNOWN
    port = before.one.world.cluster.server.port
    wrong = SecretStr(f"postgresql://{READ_ONLY}:wrong-password@127.0.0.1:{port}/postgres")
    refused = prove(before, Level.OBSERVE, changed(connected, database_url=wrong))
    assert refused.verdict is Verdict.FAIL
    assert "wrong-password" not in str(refused)


def test_probe_is_not_proved_unless_somebody_asks_for_it(before: Stage, connected: Target) -> None:
    before.one.world.doors["app"].calls.clear()
    proof = prove(before, Level.PROBE, connected)
    assert (proof.verdict, proof.by_writing_only, proof.evidence) == (Verdict.UNKNOWN, True, ())
    assert list(before.one.world.doors["app"].calls) == []


def test_what_the_proof_of_probe_writes_is_gone_again(before: Stage, connected: Target) -> None:
    tables = ("users", "journal_entries", "checkins", "ai_analyses")

    def digests() -> list[Any]:
        return [before.one.sql(f"select md5(string_agg(t::text, ',' order by t::text)) from {one} t") for one in tables]

    was = digests()
    target = changed(connected, openai_admin_key=SecretStr(before.one.world.keys.openai_admin_key))
    proof = prove(before, Level.PROBE, target, may_write=True)
    assert proof.verdict is Verdict.PASS, proof
    assert "written, found, removed, and is gone" in proof.summary
    assert line(proof, "Account for admin").text.endswith("admin of the app.")
    assert line(proof, "OpenAI key: models").verdict is Verdict.PASS
    assert line(proof, "OpenAI admin key").verdict is Verdict.PASS
    assert digests() == was


def test_keys_and_accounts_that_are_not_what_they_are_for_are_told(before: Stage, connected: Target) -> None:
    keys = before.one.world.keys
    known = {one.email.partition("@")[0]: one for one in keys.accounts}
    wrong = [
        ("viewer", "probe", "operations role"),
        ("ops-admin", "ai", "more than this purpose needs"),
        ("ops-probe", "admin", "does not make it an admin"),
        ("ops-edited-metadata", "admin", "does not make it an admin"),
    ]
    accounts = tuple(
        ProbeAccount(purpose=purpose, email=known[who].email, password=SecretStr(known[who].password))
        for who, purpose, _ in wrong
    )
    before.one.world.doors["openai"].calls.clear()
    target = changed(
        connected,
        probe_accounts=accounts,
        supabase_service_key=None,
        openai_key=SecretStr(keys.openai_admin_key),
        openai_admin_key=SecretStr(keys.ops_openai_key),
    )
    proof = prove(before, Level.PROBE, target, may_write=True)
    assert proof.verdict is Verdict.FAIL
    told = [one.text for one in proof.seen if one.what.startswith("Account for")]
    assert [said in text for (_, _, said), text in zip(wrong, told, strict=True)] == [True] * 4
    assert [one for one in accounts if one.email in str(proof)] == []
    # An admin key is used for nothing but the bill, and no other key is used for the bill.
    assert line(proof, "OpenAI key").verdict is Verdict.FAIL
    assert line(proof, "OpenAI admin key").verdict is Verdict.FAIL
    assert list(before.one.world.doors["openai"].calls) == []


def test_deploy_without_an_address_stands_on_a_worker(before: Stage, connected: Target) -> None:
    without = prove(before, Level.DEPLOY, connected)
    assert (without.verdict, "No worker" in without.summary) == (Verdict.FAIL, True)
    kept = prove(before, Level.DEPLOY, before.target)
    assert kept.verdict is Verdict.PASS
    reading = changed(connected, deploy_url=connected.database_url)
    assert prove(before, Level.DEPLOY, reading).verdict is Verdict.FAIL


def test_a_proof_is_the_same_after_a_way_through_json(before: Stage, connected: Target) -> None:
    proof = prove(before, Level.OBSERVE, changed(connected, supabase_access_token=None))
    assert Proof.from_json(proof.to_json()) == proof


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer(hangs)
    try:
        yield server
    finally:
        server.close()
