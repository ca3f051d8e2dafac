"""The beta release on every shape of production: it deploys, verifies clean, runs again, and goes without a trace."""

from __future__ import annotations

import psycopg
import pytest

from services.database.binaries import find_binaries
from services.database.fingerprint import difference
from services.database.script import split
from services.database.server import scratch_server
from services.releases.bundle import Release
from tests.apps.pulsecheck.releases.conftest import Production
from tests.apps.pulsecheck.releases.production import LEFTOVERS, SHAPES, Database, Shape, on_plain_server
from tests.campaign import sample

VARCHAR = Shape("varchar(255)", "level", rows=True, rights=False)
UUID = Shape("uuid", "score", rows=True, rights=True)


def full_cycle(database: Database, release: Release) -> None:
    """Deploy, verify, deploy again, roll back twice; each time the database is what it should be."""
    schema, catalog, rows = database.dump(), database.fingerprint(), database.row_hashes()

    database.run(release.deploy)
    assert database.red(release) == {}
    deployed = database.fingerprint()
    database.run(release.deploy)
    assert not difference(deployed, database.fingerprint())

    database.run(release.rollback)
    assert database.dump() == schema
    assert not difference(catalog, database.fingerprint())
    assert database.row_hashes() == rows
    database.run(release.rollback)
    assert not difference(catalog, database.fingerprint())


@pytest.mark.parametrize("shape", sample(SHAPES, 3, seed=20260402), ids=str)
def test_cycle_on_every_shape_of_production(production: Production, release: Release, shape: Shape) -> None:
    full_cycle(production(shape), release)


@pytest.mark.parametrize("shape", [VARCHAR, UUID], ids=str)
def test_cycle_over_what_an_earlier_attempt_left(production: Production, release: Release, shape: Shape) -> None:
    database = production(shape)
    database.run(LEFTOVERS)
    full_cycle(database, release)


def test_cycle_without_the_roles_of_supabase(plain_database: Database, release: Release) -> None:
    plain_database.run(Shape(rights=False).sql())
    full_cycle(plain_database, release)


def test_cycle_on_the_oldest_server_installed(release: Release) -> None:
    with scratch_server(binaries=find_binaries(15)) as server:
        database = on_plain_server(server)
        database.run(Shape("uuid", "score", rights=False).sql())
        full_cycle(database, release)


def test_an_interrupted_deploy_is_completed_by_the_next(production: Production, release: Release) -> None:
    statements = [statement.sql for script in release.deploy for statement in split(script)]
    database = production(VARCHAR)
    schema = database.dump()
    for end in range(1, len(statements)):
        database.run(statements[end - 1], autocommit=True)
        if end % 4 == 0:
            database.run(release.deploy)
            assert database.red(release) == {}, f"after {end} statements"
            database.run(release.rollback)
            assert database.dump() == schema, f"after {end} statements"
            for statement in statements[:end]:
                database.run(statement, autocommit=True)


def test_rollback_takes_no_object_that_others_made(production: Production, release: Release) -> None:
    database = production(VARCHAR)
    database.run(release.deploy)
    database.run("CREATE VIEW my_report AS SELECT user_id, cost_usd FROM ai_usage_logs")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist, match="my_report"):
        database.run(release.rollback)
    assert database.rows("SELECT count(*) FROM my_report") == [(0,)]
    assert database.red(release) == {}


def test_a_second_run_demotes_nobody_and_keeps_tuned_limits(production: Production, release: Release) -> None:
    database = production(VARCHAR)
    database.run(release.deploy)
    database.run("UPDATE users SET is_premium = true, daily_ai_usage = 4 WHERE name = 'Ada'")
    database.run("UPDATE user_tier_limits SET daily_ai_limit = 99 WHERE tier_name = 'beta'")
    before = database.row_hashes()
    database.run(release.deploy)
    assert database.row_hashes() == before


def test_columns_that_were_there_keep_their_values_and_stay(production: Production, release: Release) -> None:
    database = production(VARCHAR)
    database.run("ALTER TABLE users ADD COLUMN is_premium boolean DEFAULT false; UPDATE users SET is_premium = true")
    database.run(release.deploy)
    database.run(release.rollback)
    assert database.rows("SELECT DISTINCT is_premium FROM users") == [(True,)]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (VARCHAR, "user_id is character varying(255), levels are mood_level, energy_level, stress_level"),
        (UUID, "user_id is uuid, levels are mood_score, energy_score, stress_score"),
    ],
    ids=str,
)
def test_notices_tell_what_was_found_and_done(
    production: Production, release: Release, shape: Shape, told: str
) -> None:
    notices = production(shape).run(release.deploy)
    assert any(told in notice for notice in notices)
    columns = "is_premium, tier_expires_at, daily_ai_usage, daily_usage_reset_at"
    assert f"NOTICE: users: columns added: {columns}; found and kept: none" in notices
    assert "NOTICE: ai_usage_logs: created" in notices


def test_a_warning_says_when_users_could_promote_themselves(production: Production, release: Release) -> None:
    notices = production(UUID).run(release.deploy)
    assert any(notice.startswith("WARNING: users.is_premium: anon and authenticated may UPDATE") for notice in notices)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("DROP TABLE journal_entries", "public.journal_entries.user_id is missing"),
        ("CREATE TABLE beta_daily_metrics (x integer)", "public.beta_daily_metrics is there as another kind of object"),
        (
            "CREATE TABLE ai_usage_logs (id uuid, user_id uuid, created_at timestamptz)",
            "user_id is uuid, and the app needs",
        ),
        ('CREATE TABLE ai_usage_logs (id uuid, user_id text, "timestamp" timestamptz)', "has no column created_at"),
        ("ALTER TABLE users ADD COLUMN is_premium text", "public.users.is_premium is text"),
    ],
)
def test_the_guard_refuses_before_anything_is_touched(
    production: Production, release: Release, spoil: str, told: str
) -> None:
    database = production(VARCHAR)
    database.run(spoil)
    before = database.fingerprint()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not fit this database") as refused:
        database.run(release.deploy[:1])
    assert told in str(refused.value)
    assert not difference(before, database.fingerprint())


def test_the_guard_names_the_owner_where_we_may_not_change_users(production: Production, release: Release) -> None:
    database = production(VARCHAR)
    with psycopg.connect(database.admin) as admin:
        admin.execute("ALTER TABLE users OWNER TO supabase_auth_admin")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="belongs to supabase_auth_admin"):
        database.run(release.deploy)


def test_the_release_leaves_row_level_security_of_the_journal_alone(production: Production, release: Release) -> None:
    database = production(VARCHAR)
    database.run(release.deploy)
    assert database.rows("SELECT relrowsecurity FROM pg_class WHERE relname = 'journal_entries'") == [(False,)]


def test_nothing_is_dropped_or_back_dated_by_the_deploy(release: Release) -> None:
    text = "\n".join(script.sql for script in release.deploy).upper()
    assert "DROP " not in text
    assert "CASCADE" not in text


def test_the_rollback_uses_no_cascade(release: Release) -> None:
    code = "\n".join(
        line for script in release.rollback for line in script.sql.splitlines() if not line.lstrip().startswith("--")
    )
    assert "CASCADE" not in code.upper()
