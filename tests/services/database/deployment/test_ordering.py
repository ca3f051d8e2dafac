"""The order of a deploy: long work goes before the first strong lock only where it provably commutes."""

from __future__ import annotations

import pytest

from services.database.deployment.ordering import in_order, ordered
from services.database.fingerprint import Fingerprint
from services.database.script import read_scripts
from services.errors import NotUnderstood
from tests.services.database.app_database import script

CATALOG = Fingerprint.of(
    {
        "relation public.users": "r p owner postgres replica d",
        "relation public.notes": "r p owner postgres rls replica d",
        "relation public.moods": "v p owner postgres replica n",
        "function public.score(integer)": "sql",
    }
)
STRONG = "ALTER TABLE users ADD COLUMN n int;"
NEW = "CREATE TABLE IF NOT EXISTS logs (id int, at timestamptz DEFAULT now());"
FILL = "INSERT INTO logs SELECT g FROM generate_series(1, 9) AS g;"


def order(*statements: str) -> tuple[int, ...] | None:
    return ordered(read_scripts(script("\n".join(statements))).statements, CATALOG)


def test_rows_and_indexes_of_a_new_table_go_before_the_first_strong_lock():
    assert order(STRONG, NEW, FILL, "CREATE INDEX ON logs (id);", "GRANT SELECT ON logs TO x;") == (1, 2, 3, 0, 4)


def test_a_copy_of_a_plain_table_goes_before_the_lock_on_another():
    assert order("ALTER TABLE notes ADD COLUMN n int;", "CREATE TABLE copy AS SELECT * FROM users;") == (1, 0)


@pytest.mark.parametrize(
    "statements",
    [
        (NEW, FILL, STRONG),  # it is before it already
        (STRONG, NEW),  # nothing long
        (STRONG, FILL),  # a table that is not the script's own
        (STRONG, "CREATE TABLE copy AS SELECT * FROM users;"),  # reads what is altered
        (STRONG, "CREATE TABLE copy AS SELECT * FROM moods;"),  # what a view reads is not in its name
        (STRONG, "CREATE TABLE copy AS SELECT * FROM notes;"),  # what a policy calls neither
        (STRONG, "CREATE TABLE copy AS SELECT score(1);"),  # what a function reads neither
        (STRONG, "CREATE TABLE copy AS SELECT dblink('');"),
        (STRONG, "DO $$ BEGIN NULL; END $$;", NEW, FILL),  # a block may do anything
        (STRONG, "SET search_path = other;", NEW, FILL),
        (STRONG, "UPDATE users SET n = 1;", NEW, FILL),  # its triggers may do anything
        (STRONG, NEW, "CREATE TRIGGER t AFTER INSERT ON logs EXECUTE FUNCTION f();", FILL),
        (STRONG, "CREATE TABLE logs (u int REFERENCES users (id));", FILL),  # locks users itself
        (STRONG, "CREATE TABLE users (id int);", "INSERT INTO users VALUES (1);"),
        ("ALTER TABLE users ADD FOREIGN KEY (n) REFERENCES logs (id);", NEW, FILL),
        ("ALTER TABLE users DROP COLUMN n CASCADE;", NEW, FILL),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO x;", STRONG, NEW, "VACUUM logs;"),
    ],
)
def test_what_is_in_doubt_stays_where_it_is(statements: tuple[str, ...]):
    assert order(*statements) is None


def test_only_a_true_order_of_the_statements_is_taken():
    statements = read_scripts(script("SELECT 1; SELECT 2;")).statements
    assert in_order(statements, (1, 0)) == statements[::-1]
    assert in_order(statements, None) == statements
    with pytest.raises(NotUnderstood, match="order"):
        in_order(statements, (0, 0))
