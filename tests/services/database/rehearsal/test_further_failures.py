"""All failures after the first are told, and those that only follow from an earlier one are marked as such."""

from __future__ import annotations

import pytest

from services.database.rehearsal.further_failures import changes
from services.database.rehearsal.rehearse import rehearse, rehearse_on
from services.database.rehearsal.shadow import Shadow
from services.database.script import Script, read_scripts
from tests.services.database.app_database import Owner, script

SCRIPT = """CREATE TABLE parents (id int PRIMARY KEY, x nosuchtype);
CREATE TABLE children (p int REFERENCES parents);
CREATE INDEX ci ON children (p);
CREATE TABLE IF NOT EXISTS fine (id int);
SELECT * FROM nowhere;
SET no_such_setting = 1;
ALTER TABLE users ADD COLUMN nick text, ADD COLUMN email text;
UPDATE users SET nick = 'x';
INSERT INTO fine VALUES ('a');
"""


def test_what_follows_from_an_earlier_failure_is_marked(app: Owner):
    found = rehearse(app.url, script(SCRIPT))
    assert (found.failure.line, found.failure.sqlstate) == (1, "42704")
    assert [(one.failure.line, one.failure.sqlstate, one.follows_from) for one in found.further_failures] == [
        (2, "42P01", 1),
        (3, "42P01", 2),
        (5, "42P01", None),
        (6, "42704", None),
        (7, "42701", None),
        (8, "42703", 7),
        (9, "22P02", None),
    ]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("CREATE TABLE s.t (id int)", {"t"}),
        ("CREATE VIEW v AS SELECT 1", {"v"}),
        ("CREATE TYPE m AS ENUM ('a')", {"m"}),
        ("CREATE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS ''", {"f"}),
        ("ALTER TABLE t ADD COLUMN a int, DROP COLUMN b", {"a", "b"}),
        ("DROP FUNCTION f(int)", {"f"}),
        ("CREATE SCHEMA x", {"x"}),
        ("INSERT INTO t VALUES (1)", {"t"}),
        ("CREATE TABLE t (id int", {"t"}),
    ],
)
def test_names_that_a_statement_would_make_or_change(sql, names):
    assert names <= changes(sql)


def test_what_hangs_on_a_view_that_must_be_dropped_is_named(app_shadow: Shadow):
    sql = "CREATE VIEW high AS SELECT * FROM moods;\nCREATE OR REPLACE VIEW moods AS SELECT 1 AS one;"
    found = rehearse_on(app_shadow, read_scripts([Script("a.sql", sql)]).statements)
    assert found.failure is not None
    assert found.failure.suggestion is not None
    assert found.failure.suggestion.endswith(
        "These depend on it: view high. Drop or change them first, and make them again after it."
    )


def test_an_enum_value_that_comes_too_late_points_at_what_adds_it(app: Owner):
    app.run("CREATE TYPE tone AS ENUM ('low')")
    scripts = [
        Script("a.sql", "SELECT 1;\nALTER TYPE tone\n ADD VALUE 'high';"),
        Script("b.sql", "SELECT 'high'::tone;"),
    ]
    failure = rehearse(app.url, scripts).failure
    assert (failure.sqlstate, failure.file, failure.line) == ("55P04", "b.sql", 1)
    assert "line 2 of a.sql" in failure.suggestion and "earlier release" in failure.suggestion
    assert "after COMMIT" in failure.failure_class.means
