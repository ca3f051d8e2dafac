"""What would help a failing statement: names from the catalog, real types, the immutable form, where a quote opened."""

from __future__ import annotations

import pytest

from services.database.failure_classes import Failure, Said, classify
from services.database.rehearsal.catalog_names import CatalogNames, Column, Function, Relation
from services.database.rehearsal.nearest import distance, nearest
from services.database.rehearsal.suggestions import suggestion
from services.database.script import Script, split

NAMES = CatalogNames(
    relations=(
        Relation("auth", "users", "r"),
        Relation("public", "users", "r"),
        Relation("public", "journal_entries", "r"),
        Relation("public", "moods", "v"),
        Relation("shop", "orders", "r"),
        Relation("shop", "Invoice", "r"),
    ),
    columns=(
        Column("public.users", "id", "uuid", True),
        Column("public.users", "userName", "text", False),
        Column("public.users", "email", "text", True),
        Column("public.journal_entries", "id", "bigint", True),
        Column("public.journal_entries", "user_id", "character varying(255)", True),
        Column("public.journal_entries", "created_at", "timestamp with time zone", False),
        Column("public.journal_entries", "seen_at", "timestamp without time zone", False),
        Column("shop.Invoice", "dueIn", "text", False),
    ),
    functions=(Function("public", "mood_of", "a text", "integer"),),
    built_in=frozenset(("lower", "gen_random_uuid")),
    types=(("public", "mood"), ("pg_catalog", "uuid")),
    schemas=("auth", "public", "shop"),
    roles=("anon", "authenticated", "postgres"),
    path=("public",),
)


def help_for(sql: str, sqlstate: str, message: str, **said) -> str | None:
    statement = split(Script("x.sql", sql))[0]
    failure = Failure("x.sql", statement.line, sqlstate, message, classify(sqlstate, message), Said(**said))
    return suggestion(failure, statement, NAMES)


@pytest.mark.parametrize(
    ("sql", "sqlstate", "message", "said", "expected"),
    [
        ("SELECT * FROM jurnal_entries", "42P01", 'relation "jurnal_entries" does not exist', {},
         "Nearest to jurnal_entries: public.journal_entries (table)."),
        ("SELECT * FROM orders", "42P01", 'relation "orders" does not exist', {},
         "It is shop.orders: write its schema."),
        ("ALTER TABLE all_orders DETACH PARTITION orders CONCURRENTLY", "42P01",
         'relation "orders" is not a partition of relation "all_orders"', {},
         "orders is there, and no partition of all_orders now: nothing is left to take off."),
        ("DO $$ BEGIN INSERT INTO users VALUES (1); END $$", "23505", "duplicate key value", {"inside": True,
         "detail": "Key (id)=(1) already exists.", "relation": "public.users"},
         "Add ON CONFLICT (id) DO NOTHING to the INSERT into public.users."),
        ("UPDATE users SET id = 1", "23505", "duplicate key value",
         {"detail": "Key (id)=(1) already exists.", "relation": "public.users"},
         "A row of public.users has that id already, and it must be unique: leave that row out."),
        ("SELECT\u200b 1", "42601", "syntax error", {"position": 1},
         "Line 1 has a character that is not seen after SELECT, U+200B ZERO WIDTH SPACE: delete it"),
        ("-- why\nCREATE TABLE t (\n\u00a0a int)", "42601", "syntax error", {"position": 27},
         "Line 3 has a character that is not seen before a, U+00A0 NO-BREAK SPACE: delete it"),
        ("SELECT '\u200b' FRM users u", "42601", "syntax error", {"position": 22}, "It is read up to line 1, before u"),
        ("UPDATE users SET emial = ''", "42703", 'column "emial" of relation "users" does not exist', {},
         "Nearest to emial: email (text) of public.users."),
        ("SELECT username FROM users", "42703", 'column "username" does not exist', {},
         'public.users has "userName": write it in double quotes.'),
        ("SELECT moodof('x')", "42883", "function moodof(unknown) does not exist", {}, "Nearest to moodof: mood_of()."),
        ("SELECT mood_of(1)", "42883", "function mood_of(integer) does not exist", {},
         "There is public.mood_of(a text): cast the arguments (integer) to these types, or write its schema."),
        ("SELECT uuid_generate_v4()", "42883", "function uuid_generate_v4() does not exist", {}, "gen_random_uuid()"),
        ("SELECT 1 FROM users u JOIN journal_entries e ON e.user_id = u.id", "42883",
         "operator does not exist: character varying = uuid", {"position": 59}, "write e.user_id = u.id::text."),
        ("ALTER TABLE journal_entries ALTER user_id TYPE uuid", "42804",
         'column "user_id" cannot be cast automatically to type uuid', {}, "USING user_id::uuid"),
        ("CREATE INDEX ON journal_entries (date(created_at))", "42P17",
         "functions in index expression must be marked IMMUTABLE", {}, "(created_at AT TIME ZONE 'UTC')::date"),
        ("CREATE OR REPLACE VIEW moods AS SELECT 1", "42P16", "cannot drop columns from view", {},
         "DROP VIEW IF EXISTS moods;\nCREATE OR REPLACE VIEW moods AS SELECT 1;"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS ''", "42P13", "cannot change return type",
         {"hint": "Use DROP FUNCTION f() first."}, "DROP FUNCTION IF EXISTS f();"),
        ("ALTER VIEW users RENAME TO people", "42809", '"users" is not a view', {}, "public.users is a table."),
        ("DROP TABLE journal_entries", "2BP01", "cannot drop table journal_entries because other objects depend on it",
         {"detail": "view moods depends on table journal_entries"}, "These depend on it: view moods."),
        ("INSERT INTO e VALUES (7)", "23503", "violates foreign key", {"detail":
         'Key (user_id)=(7) is not present in table "users".'},
         "users has no row for user_id = 7: insert that row first."),
        ("INSERT INTO e SELECT * FROM f", "23503", "violates foreign key", {"detail":
         'Key (who)=(ann@x.org) is not present in table "users".'},
         "users has no row for the who that a row refers to"),
        ("ALTER TABLE users ALTER email SET NOT NULL", "23502",
         'column "email" of relation "users" contains null values',
         {"relation": "public.users", "column": "email"}, "UPDATE public.users SET email = ... WHERE email IS NULL;"),
        ("CREATE TABLE t (a moood)", "42704", 'type "moood" does not exist', {}, "Nearest to moood: mood."),
        ("GRANT SELECT ON users TO anno", "42704", 'role "anno" does not exist', {}, "Nearest to anno: anon."),
        ("CREATE TABLE sop.x (a int)", "3F000", 'schema "sop" does not exist', {}, "Nearest: shop."),
        ("SELECT id FROM users, journal_entries", "42702", 'column reference "id" is ambiguous', {},
         "Write public.users.id or public.journal_entries.id."),
        ("\nSELEC 1", "42601", 'syntax error at or near "SELEC"', {"position": 1},
         "Line 2 begins with SELEC: write SELECT."),
        ("SELECT 1,\n (2", "42601", "syntax error at end of input", {},
         "The parenthesis opened at line 2 is never closed."),
        ("SELECT 1,\n\n $x$ a", "42601", "unterminated dollar-quoted string", {},
         "The dollar quote $x$ opened at line 3 is never closed."),
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", "P0001", "no", {}, None),
        ("INSERT INTO shop.\"Invoice\" VALUES (1) ON CONFLICT (\"dueIn\", lower(a)) WHERE a <> '' DO NOTHING", "42P10",
         "there is no unique or exclusion constraint matching the ON CONFLICT specification", {},
         "CREATE UNIQUE INDEX ON shop.\"Invoice\" (\"dueIn\", (lower(a))) WHERE a <> '';"),
        ("SELECT DISTINCT a FROM t ORDER BY b", "42P10", "for SELECT DISTINCT, ORDER BY expressions must", {}, None),
        ("SELECT * FROM Invoice", "42P01", 'relation "invoice" does not exist', {},
         'It is shop."Invoice": write it in double quotes.'),
        ('ALTER TABLE shop."Invoice" ALTER "dueIn" TYPE int', "42804",
         'column "dueIn" cannot be cast automatically to type integer', {}, 'USING "dueIn"::integer'),
        ("ALTER TABLE users ALTER email TYPE mood USING email::mood", "42804",
         'default for column "email" cannot be cast automatically to type mood', {}, "ALTER email DROP DEFAULT before"),
        ('ALTER TABLE shop."Invoice" ALTER "dueIn" SET NOT NULL', "23502", 'column "dueIn" contains null values',
         {"relation": "shop.Invoice", "column": "dueIn"},
         'UPDATE shop."Invoice" SET "dueIn" = ... WHERE "dueIn" IS NULL;'),
        ("""CREATE UNIQUE INDEX ON shop."Invoice" (("dueIn")) WHERE "dueIn" <> 'x'""", "23505", "could not create",
         {"detail": 'Key ("dueIn")=(a) is duplicated.', "relation": "shop.Invoice"},
         """FROM shop."Invoice" WHERE ("dueIn") IS NOT NULL AND ("dueIn" <> 'x') GROUP BY"""),
        ("CREATE INDEX ON journal_entries (extract(year FROM created_at))", "42P17", "must be marked IMMUTABLE", {},
         "Write extract(year FROM created_at AT TIME ZONE 'UTC') instead"),
        ("CREATE INDEX ON journal_entries (concat(id, '-', user_id))", "42P17", "must be marked IMMUTABLE", {},
         "Write COALESCE(id::text, '') || '-' || COALESCE(user_id, '') instead"),
        ("CREATE INDEX ON journal_entries (format('%s/%s', user_id, id))", "42P17", "must be marked IMMUTABLE", {},
         "Write COALESCE(user_id, '') || '/' || COALESCE(id::text, '') instead"),
        ("CREATE INDEX ON journal_entries (concat(created_at, id))", "42P17", "must be marked IMMUTABLE", {}, None),
        ("CREATE INDEX ON journal_entries ((seen_at::timestamptz))", "42P17", "must be marked IMMUTABLE", {},
         "Write (seen_at AT TIME ZONE 'UTC') instead"),
    ],
)  # fmt: skip
def test_what_helps_is_made_from_the_catalog(sql, sqlstate, message, said, expected):
    found = help_for(sql, sqlstate, message, **said)
    assert (expected in found) if expected else (found is None)


@pytest.mark.parametrize(
    ("one", "other", "steps"), [("abc", "abc", 0), ("abc", "acb", 1), ("users", "user", 1), ("", "ab", 2)]
)
def test_letters_apart(one, other, steps):
    assert distance(one, other) == steps == distance(other, one)


def test_what_is_too_far_is_not_near():
    assert nearest("user", ["users", "orders", "journal_entries"]) == ["users"]
    assert nearest("entries", ["journal_entries", "x"]) == ["journal_entries"]
    assert nearest("nowhere", ["users"]) == []
