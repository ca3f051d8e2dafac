"""A sequence stands, once rows are back, behind no place where it stood and behind no row."""

from __future__ import annotations

import pytest

from services.database.definitions.definition import Definition, Definitions
from services.database.rollback.restoring import restore
from services.database.snapshots.kept_definitions import Changed, position_of, target_of
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner
from tests.services.database.snapshots.thin_change import change

SERIAL = "CREATE TABLE t (id serial PRIMARY KEY, x int); INSERT INTO t (x) SELECT i FROM generate_series(1, 5) i;"
DOWN = "ALTER SEQUENCE t_id_seq INCREMENT -1 MINVALUE -100 MAXVALUE 100 RESTART 50; INSERT INTO t (x) VALUES (7), (8)"
AGAIN = "DROP TABLE t; CREATE TABLE t (id serial PRIMARY KEY, x int)"
TO_IDENTITY = (
    "ALTER TABLE t ALTER id DROP DEFAULT; DROP SEQUENCE t_id_seq; ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS"
    " IDENTITY (START 6)"
)


@pytest.mark.parametrize("undo", [True, False])
@pytest.mark.parametrize(
    ("before", "sql", "later", "next_one"),
    [
        ("", "TRUNCATE t RESTART IDENTITY", "", 6),
        ("", "TRUNCATE t RESTART IDENTITY", "SELECT nextval('t_id_seq')", 6),
        ("", "ALTER SEQUENCE t_id_seq RESTART", "SELECT nextval('t_id_seq')", 6),
        ("", "TRUNCATE t RESTART IDENTITY", "SELECT setval('t_id_seq', 70)", 71),
        ("", AGAIN, "INSERT INTO t (id, x) VALUES (77, 77)", 78),
        ("", TO_IDENTITY, "INSERT INTO t (x) VALUES (9), (9)", 8),
        (DOWN, "ALTER SEQUENCE t_id_seq RESTART 50", "SELECT nextval('t_id_seq')", 48),
        ("INSERT INTO t VALUES (500, 1)", "TRUNCATE t RESTART IDENTITY", "", 6),
    ],
)
def test_the_next_number_is_free(app: Owner, before: str, sql: str, later: str, next_one: int, undo: bool):
    if not undo and sql == TO_IDENTITY:
        pytest.skip("the identity stays where it is not taken back")
    app.run(SERIAL + before)
    done = change(app.url, sql)
    app.run(later)
    listener = Listener()
    told = restore(app.url, str(done.snapshot_id), undo=undo, emit=listener)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.value("SELECT nextval(pg_get_serial_sequence('t', 'id'))") == next_one
    assert [one["object"] for one in listener.of("position")] in ([], ["public.t_id_seq"])
    assert app.run("SELECT last_value FROM pg_sequences WHERE sequencename LIKE 'journal%'") == [(300,)]


@pytest.mark.parametrize(
    ("step", "was", "is_now", "wanted"), [(-1, 49, 46, 46), (-1, 49, 50, 49), (1, 5, 9, 9), (1, 5, 2, 5)]
)
def test_a_sequence_that_went_on_is_never_put_back_whichever_way_it_counts(
    step: int, was: int, is_now: int, wanted: int
):
    def standing(at: int) -> Definitions:
        text = f"SELECT pg_catalog.setval('public.s'::pg_catalog.regclass, {at}, true)"
        return Definitions.of(
            [Definition("sequence position", "sequence public.s", (text,), None, facts={"step": step})]
        )

    changed = Changed(standing(was), standing(was + 2 * -step))
    target = target_of(changed, standing(is_now), added_goes=True, same_database=True)
    (found,) = target.definitions
    assert position_of(found) == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t RENAME TO o; CREATE TABLE t (id bigint NOT NULL DEFAULT nextval('t_id_seq'), a text)"
        " PARTITION BY RANGE (id); CREATE TABLE t_all PARTITION OF t DEFAULT; INSERT INTO t SELECT * FROM o;"
        "ALTER SEQUENCE t_id_seq OWNED BY t.id; DROP TABLE o",
        "CREATE TABLE u (id bigint); ALTER SEQUENCE t_id_seq OWNED BY u.id",
    ],
)
def test_a_sequence_that_the_change_gave_to_another_column_stays(app: Owner, sql: str):
    app.run("CREATE TABLE t (id bigserial PRIMARY KEY, a text); INSERT INTO t (a) VALUES ('a'), ('b')")
    before = app.fingerprint()
    done = change(app.url, sql)
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts) == (Verdict.PASS, [])
    assert app.fingerprint().facts == before.facts
    assert app.run("INSERT INTO t (a) VALUES ('c') RETURNING id") == [(3,)]
