"""The blast radius told by the catalog equals what an executed drop really takes."""

from __future__ import annotations

import random
import time
from typing import Any

import psycopg
import pytest

from services.database.fingerprint import difference
from services.database.rollback import blast_radius as blast_radius_module
from services.database.rollback.blast_radius import Loss, blast_radius, blast_radius_on
from services.database.rollback.dependency_walk import Dependency, DependencyGraph
from services.errors import Unavailable
from tests.services.database.app_database import Owner, script


def told(app: Owner, sql: str) -> dict[tuple[str, str], tuple[int | None, str]]:
    return {(loss.kind, loss.object): (loss.rows, loss.effect) for loss in blast_radius(app.url, script(sql))}


def executed(app: Owner, sql: str) -> set[str]:
    """What is really gone after the statements, in the catalog's words; all is undone again."""
    before = app.fingerprint()
    app.run("BEGIN")
    app.run(sql)
    after = app.fingerprint()
    app.run("ROLLBACK")
    kinds = ("relation ", "function ", "trigger ", "policy ", "index ", "view ")
    return {_plain(fact) for fact in difference(before, after).removed if fact.startswith(kinds)}


def _plain(fact: str) -> str:
    kind, _, name = fact.partition(" ")
    if kind in ("trigger", "policy"):
        relation, _, part = name.rpartition(".")
        return f"{part} on {relation}"
    return name


def test_a_table_goes_with_everything_on_it(app: Owner):
    app.run(
        "CREATE TABLE notes (id bigserial PRIMARY KEY, u uuid REFERENCES users);"
        "INSERT INTO notes (u) SELECT id FROM users;"
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON notes USING (true);"
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION t();"
    )
    radius = told(app, "DROP TABLE notes;")
    assert radius["table", "public.notes"] == (40, "dropped")
    assert {("index", "public.notes_pkey"), ("policy", "own on public.notes"), ("trigger", "t on public.notes")} <= set(
        radius
    )
    assert ("constraint", "notes_u_fkey on public.notes") in radius


def test_cascade_takes_views_and_foreign_keys_of_others(app: Owner):
    app.run("CREATE TABLE child (u uuid REFERENCES users)")
    app.run("CREATE VIEW v AS SELECT email FROM users; CREATE VIEW w AS TABLE v")
    radius = told(app, "DROP TABLE users CASCADE")
    assert {("view", "public.v"), ("view", "public.w"), ("constraint", "child_u_fkey on public.child")} <= set(radius)
    assert ("view", "public.v") not in told(app, "DROP TABLE users")  # this the server would refuse


def test_a_column_goes_with_its_values_and_index(app: Owner):
    radius = told(app, "ALTER TABLE users DROP COLUMN email")
    assert radius["column", "public.users.email"] == (40, "dropped")
    assert ("index", "public.users_email_key") in radius
    assert ("table", "public.users") not in radius


def test_functions_whose_text_names_what_goes_are_told(app: Owner):
    body = "BEGIN RETURN (SELECT count(*) FROM users); END"
    app.run(f"CREATE FUNCTION count_users() RETURNS bigint LANGUAGE plpgsql AS '{body}'")
    app.run("CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1 AS users_of_old'")
    radius = told(app, "DROP TABLE users CASCADE")
    assert radius["function", "public.count_users()"] == (None, "breaks")
    assert ("function", "public.other()") not in radius


@pytest.mark.parametrize(
    ("sql", "rows", "effect"),
    [
        ("DELETE FROM journal_entries WHERE id <= 12", 12, "deleted"),
        (
            "DELETE FROM journal_entries e USING users u WHERE u.email = 'person1@example.com' AND e.id < 4",
            3,
            "deleted",
        ),
        (
            "WITH old AS (SELECT 5 AS id) UPDATE journal_entries e SET content = '' FROM old WHERE e.id = old.id",
            1,
            "changed",
        ),
        ("TRUNCATE journal_entries", 300, "emptied"),
        ("ALTER TABLE journal_entries ALTER mood_level TYPE smallint", 300, "changed"),
    ],
)
def test_rows_that_statements_take_are_counted_without_taking_them(app: Owner, sql, rows, effect):
    assert told(app, sql) == {("rows", "public.journal_entries"): (rows, effect)}
    assert app.value("SELECT count(*) FROM journal_entries") == 300


def test_what_is_not_there_is_no_loss(app: Owner):
    assert told(app, "DROP TABLE IF EXISTS nowhere; DROP FUNCTION IF EXISTS f(int); DELETE FROM nowhere;") == {}


def test_what_cannot_be_told_is_said(app: Owner):
    dynamic = "DO $$ DECLARE t text := 'users'; BEGIN EXECUTE 'DROP TABLE ' || t; END $$;"
    assert told(app, f"SELECT 1;\n{dynamic}") == {("statement", "change.sql:2: a DO block"): (None, "unknown")}


def test_names_are_found_as_the_role_finds_them(app: Owner):
    app.run('CREATE SCHEMA "Odd one"; CREATE TABLE "Odd one"."T.x" (id int); INSERT INTO "Odd one"."T.x" VALUES (1)')
    assert told(app, 'DROP TABLE "Odd one"."T.x"') == {("table", '"Odd one"."T.x"'): (1, "dropped")}


def test_looking_takes_no_strong_lock(app: Owner, blocker: psycopg.Connection):
    blocker.execute("LOCK TABLE users IN EXCLUSIVE MODE")
    assert told(app, "DROP TABLE users CASCADE")["table", "public.users"] == (40, "dropped")


@pytest.mark.parametrize("seed", range(4))
def test_the_walk_equals_an_executed_drop_on_random_schemas(app: Owner, seed: int):
    dice = random.Random(seed)
    app.run("CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    views: list[str] = []
    for number in range(12):
        parent = f", p int REFERENCES r{dice.randrange(number)}" if number and dice.random() < 0.6 else ""
        app.run(f"CREATE TABLE r{number} (id int PRIMARY KEY, a text UNIQUE, b int{parent})")
        if dice.random() < 0.5:
            app.run(f"CREATE INDEX ON r{number} (b); CREATE POLICY pol ON r{number} USING (b > 0)")
        if dice.random() < 0.5:
            app.run(f"CREATE TRIGGER trg BEFORE INSERT ON r{number} FOR EACH ROW EXECUTE FUNCTION fire()")
        source = dice.choice([f"r{number}", *views])
        app.run(f"CREATE VIEW v{number} AS SELECT id, b FROM {source}")
        views.append(f"v{number}")
        if dice.random() < 0.4:
            app.run(f"CREATE FUNCTION f{number}(v{number}) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    victims = [
        f"DROP TABLE IF EXISTS r{dice.randrange(12)} CASCADE",
        f"DROP VIEW IF EXISTS v{dice.randrange(12)} CASCADE",
    ]
    sql = "; ".join([*victims, f"ALTER TABLE IF EXISTS r{dice.randrange(12)} DROP COLUMN IF EXISTS b CASCADE"])
    kinds = {"table", "view", "index", "function", "trigger", "policy"}
    walked = {
        loss.object for loss in blast_radius(app.url, script(sql)) if loss.kind in kinds and loss.effect == "dropped"
    }
    assert walked == executed(app, sql)


def test_a_thousand_dependents_are_walked_quickly(app: Owner):
    one = "EXECUTE 'CREATE VIEW many' || i || ' AS SELECT email FROM users'"
    app.run(f"DO $$ BEGIN FOR i IN 1..500 LOOP {one}; END LOOP; END $$")
    started = time.monotonic()
    with app.conn.transaction():
        losses = blast_radius_on(app.conn, script("DROP TABLE users CASCADE"))
    assert sum(loss.kind == "view" for loss in losses) == 500
    assert time.monotonic() - started < 2


def test_the_walk_climbs_from_a_part_to_its_whole():
    table, rule, view = (1259, 10, 0), (2618, 20, 0), (1259, 30, 0)
    graph = DependencyGraph([Dependency(rule, (1259, 10, 2), "n"), Dependency(rule, view, "i")])
    assert graph.fall([table]).objects == {table, rule, view}
    assert graph.fall([table]).in_the_way == {view}
    assert graph.fall([(1259, 10, 3)]).objects == {(1259, 10, 3)}
    assert graph.fall([table], automatic_only=True).objects == {table}


def test_what_somebody_drops_while_it_is_read_is_read_again_and_else_said(app: Owner, monkeypatch: pytest.MonkeyPatch):
    honest = blast_radius_module.described

    def dropped_meanwhile(conn: psycopg.Connection[Any], fallen: Any) -> list[Loss]:
        app.run(drops.pop(0))
        return honest(conn, fallen)

    monkeypatch.setattr(blast_radius_module, "described", dropped_meanwhile)
    app.run("CREATE TABLE one (id int); CREATE TABLE two (id int); CREATE TABLE three (id int)")
    sql = script("DROP TABLE one; DROP TABLE IF EXISTS two, three")
    drops = ["DROP TABLE two", "SELECT 1"]
    assert {loss.object for loss in blast_radius(app.url, sql)} >= {"public.one", "public.three"}
    monkeypatch.setattr(
        blast_radius_module, "described", lambda conn, _: conn.execute("SELECT * FROM gone_in_between").fetchall()
    )
    with pytest.raises(Unavailable, match="being changed at this moment"):
        blast_radius(app.url, sql)
