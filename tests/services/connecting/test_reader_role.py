"""The reading role, made by a plain owner on every major: it reads what it must, no journal, and writes nothing."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from services.analytics.metrics import NumberState, read_analytics
from services.app_definition import load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import run_checks
from services.connecting.reader_role import new_password, readable, reader_role_sql, take_back_sql
from services.database.fingerprint import RowHash, catalog_fingerprint, row_hashes
from services.database.scram import scram_verifier
from services.errors import NotUnderstood
from services.settings import Target
from tests.campaign import only_in_full
from tests.services.connecting.other_servers import NoServer, binaries_of
from tests.services.connecting.reader_attempts import READS, STILL_POSSIBLE, TRAPS, WORDS, WRITES
from tests.services.connecting.reader_world import NOW, PASSWORD, World, reader_world

MAJORS = (15, 17, pytest.param(16, marks=only_in_full), pytest.param(18, marks=only_in_full))
CHECKS = (
    "database-direct",
    "release-schema",
    "usage-recent",
    "quota-matches-log",
    "tiers-match-rule",
    "locks-held",
    "cache-hit",
    "disk-space",
)
PUBLIC_HAD = """
select r.rolname, has_function_privilege(r.oid, 'public.rename_all()', 'EXECUTE'),
       has_function_privilege(r.oid, 'public.empty_it()', 'EXECUTE'), has_schema_privilege(r.oid, 'public', 'CREATE'),
       has_table_privilege(r.oid, 'public.notes', 'INSERT'), has_sequence_privilege(r.oid, 'public.tickets', 'USAGE'),
       has_column_privilege(r.oid, 'public.users', 'name', 'UPDATE')
from pg_roles r where rolname !~ '^(pg_|ops_)'"""


@dataclass
class Trapped:
    """A world with traps in it. before: rights and fingerprint before the role was made; rows: all there are."""

    world: World
    before: set[tuple[Any, ...]]
    others: list[tuple[Any, ...]]
    rows: dict[str, RowHash]
    listed: list[Any]


@pytest.fixture(scope="module", params=MAJORS, ids=lambda major: f"postgres-{major}")
def trapped(request: pytest.FixtureRequest) -> Iterator[Trapped]:
    try:
        binaries = binaries_of(request.param)
    except NoServer as error:
        pytest.skip(str(error))
    with reader_world(binaries) as world:
        world.release()
        world.run(TRAPS)
        others = world.admin.execute(PUBLIC_HAD).fetchall()
        before, rows = world.traces(), row_hashes(world.admin)
        world.make_reader()
        yield Trapped(world, before, others, rows, world.make_reader(password=None))


def test_it_is_made_by_an_owner_who_is_no_superuser(trapped: Trapped) -> None:
    told = trapped.world.owner.execute(
        "select rolsuper, rolcreaterole, current_setting('server_version_num')::int / 10000, current_user"
        " from pg_roles where rolname = current_user"
    ).fetchone()
    assert told is not None
    assert (told[0], told[1], told[3]) == (False, True, "postgres")
    assert trapped.world.server.binaries.version == told[2]


def test_a_hundred_ways_of_writing_are_refused_by_rights(trapped: Trapped) -> None:
    assert len(set(WRITES)) >= 100
    rights = trapped.world.traces()
    assert trapped.world.let_through(WRITES) == {}
    assert row_hashes(trapped.world.admin) == trapped.rows
    assert trapped.world.traces() == rights


def test_what_people_wrote_is_shown_in_no_way(trapped: Trapped) -> None:
    assert len(set(READS)) >= 20
    shown = {statement: trapped.world.state_of(statement)[1] for statement in READS}
    assert [statement for statement, told in shown.items() if WORDS in told or "planted@" in told] == []


def test_what_it_must_read_is_read_in_full(trapped: Trapped) -> None:
    """Tables under row-level security among them, which show nothing to a role without a policy."""
    world = trapped.world
    tables = [name for name in readable(world.app).columns if not name.startswith("public.beta_")]
    counted = {name: world.admin.execute(f"select count(*) from {name}".encode()).fetchone() for name in tables}
    assert {name: world.session().execute(f"select count(*) from {name}".encode()).fetchone() for name in tables} == (
        counted
    )
    assert counted["public.ai_usage_logs"] > (100,)
    for view in ("beta_daily_metrics", "beta_user_engagement"):
        columns = ", ".join(readable(world.app).columns[f"public.{view}"])
        query = f"select {columns} from public.{view} order by 1".encode()
        assert world.session().execute(query).fetchall() == world.admin.execute(query).fetchall() != []
    assert world.session().execute("select tier from public.get_user_tier_info('user_123')").fetchone() is not None


def test_checks_and_numbers_are_the_same_as_through_the_owner(trapped: Trapped) -> None:
    world = trapped.world
    told = {}
    for name, address in {"reader": world.reader, "owner": world.cluster.dsn()}.items():
        target = Target(name="staging", database_url=SecretStr(address))
        found = run_checks(catalogue_of(world.app), CHECKS, CheckContext.create(target, world.app, NOW), NOW)
        numbers = read_analytics(address, world.app.analytics, NOW, is_admin=True).metrics
        told[name] = [(one.check_id, one.verdict) for one in found], [(one.id, one.value, one.state) for one in numbers]
    assert told["reader"] == told["owner"]
    assert [state for _, _, state in told["reader"][1] if state is not NumberState.VALUE] == []


def test_the_script_ends_with_what_can_be_read(trapped: Trapped) -> None:
    told = {str(name): columns.split(", ") for name, columns in trapped.listed}
    assert told["public.users"] == ["id", "created_at", "is_premium", "tier_expires_at", "daily_ai_usage",
                                    "daily_usage_reset_at"]  # fmt: skip
    assert "content" not in told["public.journal_entries"]


def test_nobody_else_loses_what_everybody_had(trapped: Trapped) -> None:
    assert trapped.world.admin.execute(PUBLIC_HAD).fetchall() == trapped.others


def test_what_is_told_to_stay_possible_is_possible(trapped: Trapped) -> None:
    answers = {statement: trapped.world.state_of(statement)[0] for statement in STILL_POSSIBLE}
    trapped.world.make_reader()
    assert set(answers.values()) == {None}


def test_taken_back_it_leaves_no_trace(trapped: Trapped) -> None:
    world = trapped.world
    session = world.session()
    world.take_back()
    gone = world.traces()
    world.take_back()
    again = world.traces()
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    world.make_reader()
    assert gone == trapped.before
    assert again == trapped.before


def test_its_rights_are_no_part_of_the_fingerprint(trapped: Trapped) -> None:
    """Other people's are: what PUBLIC had, and by name has now."""
    world = trapped.world
    with_it = catalog_fingerprint(world.admin)
    assert not [fact for fact, told in with_it.facts.items() if "ops_reader" in f"{fact} {told}"]


@pytest.mark.parametrize(
    ("given", "taken", "let_through"),
    [
        ("grant update (mood_level) on public.journal_entries to ops_reader",
         "revoke update (mood_level) on public.journal_entries from ops_reader",
         "update public.journal_entries set mood_level = 1"),
        ("grant execute on function public.rename_all() to public",
         "revoke execute on function public.rename_all() from public", "select public.rename_all()"),
        ("grant create on schema public to ops_reader", "revoke create on schema public from ops_reader",
         "create table public.mine (id int)"),
    ],
)  # fmt: skip
def test_a_right_too_many_is_found_by_the_attempts(trapped: Trapped, given: str, taken: str, let_through: str) -> None:
    world = trapped.world
    world.run(given)
    try:
        found = world.let_through([f"begin; {let_through}; rollback"])
    finally:
        world.run(taken)
    assert let_through in WRITES
    assert list(found.values()) == [None]


def test_a_word_too_many_is_found_by_the_readings(trapped: Trapped) -> None:
    world = trapped.world
    world.run("grant select on public.journal_entries to ops_reader")
    try:
        leaks = [statement for statement in READS if WORDS in world.state_of(statement)[1]]
    finally:
        world.make_reader()
    assert len(leaks) >= 20


def test_a_column_that_became_private_is_shut_by_the_next_run(trapped: Trapped) -> None:
    world = trapped.world
    wider = world.app.model_copy(update={"also_read": {**world.app.also_read, "users": ("email",)}, "private": {}})
    world.run(reader_role_sql(wider))
    seen = world.state_of("select email from public.users")[0]
    world.make_reader()
    assert (seen, world.state_of("select email from public.users")[0]) == (None, "42501")


def test_a_role_of_somebody_elses_making_is_left_alone(trapped: Trapped) -> None:
    world = trapped.world
    world.run("create role ops_reader_of_mine")
    try:
        for script in (
            reader_role_sql(world.app, role="ops_reader_of_mine", password=PASSWORD),
            take_back_sql(role="ops_reader_of_mine"),
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="was made by somebody else"):
                world.run(script)
    finally:
        world.run("drop role ops_reader_of_mine")


def test_without_a_password_no_new_role_is_made(trapped: Trapped) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="take the SQL that sets a password"):
        trapped.world.run(reader_role_sql(trapped.world.app, role="ops_reader_two"))


# ---- the text


def test_the_password_is_not_in_the_script() -> None:
    password = new_password()
    script = reader_role_sql(load_app("pulsecheck"), password=password)
    assert password not in script
    assert "SCRAM-SHA-256$4096:" in script
    assert len(password) >= 32
    assert new_password() != password


def test_the_verifier_is_the_one_of_the_standard() -> None:
    """The example of RFC 7677: what the server keeps gives the signature with which it answers there."""
    made = scram_verifier("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    kept = base64.b64decode(made.rpartition(":")[2])
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    said = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    signature = base64.b64encode(hmac.new(kept, said.encode(), "sha256").digest()).decode()
    assert signature == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert made.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")


@pytest.mark.parametrize("name", ["postgres", "ops_reader; drop table x", "OPS_READER", "ops_reader_", "ops_reader_Ä"])
def test_a_name_that_is_not_the_readers_is_refused(name: str) -> None:
    with pytest.raises(NotUnderstood, match="is no name for the reading role"):
        reader_role_sql(load_app("pulsecheck"), role=name, password="x")


def test_a_table_that_would_end_the_quotes_is_refused() -> None:
    app = load_app("pulsecheck").model_copy(update={"also_read": {"a$ops_reader$": ("id",)}})
    with pytest.raises(NotUnderstood, match="a name that the SQL cannot hold"):
        reader_role_sql(app, password="x")


def test_nothing_private_is_among_what_is_read() -> None:
    app = load_app("pulsecheck")
    wanted = readable(app)
    assert [
        (table, column)
        for table, columns in wanted.private.items()
        for column in columns
        if column in wanted.columns.get(f"public.{table}", ())
    ] == []
    assert wanted.columns["public.users"][:2] == ("id", "created_at")
