"""The console answers one SELECT, masks what people wrote, ends in time, and refuses what may do more than read."""

from __future__ import annotations

import resource

import pytest
from pydantic import SecretStr

from services.access.permissions import Role
from services.console.asking import Limits
from services.errors import NotUnderstood, Refused, Unavailable
from tests.services.console.conftest import Console


def test_rows_come_back_as_the_server_writes_them(console: Console) -> None:
    reply = console.ask("SELECT id, word, NULL AS nothing, id > 1 AS more FROM plain ORDER BY id LIMIT 2")
    assert reply.columns == ("id", "word", "nothing", "more")
    assert reply.rows == (("1", "word 1", None, "f"), ("2", "word 2", None, "t"))
    assert reply.more is None and reply.masked == ()


@pytest.mark.parametrize(
    "question",
    [
        "TABLE plain",
        "VALUES (1, 2)",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
        "SELECT count(*) FILTER (WHERE id > 3) OVER () FROM plain LIMIT 1 -- why not",
        "SELECT now(), random() < 2, pg_size_pretty(pg_total_relation_size('plain'))",
        "SELECT public.reads('word 3'), doubled(), ('2'::int).doubled",
        "SELECT * FROM kept_plain LIMIT 1",
        "SELECT who(), id BETWEEN 1 AND 2, id IN (SELECT 1), CASE id WHEN 1 THEN 2 END FROM kept_plain, plain",
        "SELECT * FROM plain TABLESAMPLE SYSTEM (10) LIMIT 1",
        "SELECT rolname FROM pg_roles ORDER BY 1 LIMIT 1",
        "SELECT tier, avg(mood_level)::int FROM users LEFT JOIN journal_entries j ON user_id = name GROUP BY tier",
        "SELECT relname FROM pg_class WHERE relname = 'plain'",
        "SELECT auth.uid()",
        "SELECT word ~ 'w', word LIKE 'w%', word SIMILAR TO 'w' FROM plain LIMIT 1",
        "SELECT DISTINCT ON (word) * FROM public.plain, LATERAL (SELECT 1) x LIMIT 1;",
        "SELECT public.plain.word FROM public.plain LIMIT 1",
        "SELECT p.word, plain.word FROM plain p, plain LIMIT 1",
        "SELECT ('x'::text).upper, (now()).date, x.word FROM (SELECT id FROM plain) y, plain x LIMIT 1",
        "SELECT *, '(1,heads)'::point_of, 3::positive, '{heads}'::coin[] FROM has_positive",
        "SELECT '1'::int, now()::date, '{1}'::int[], 'plain'::regclass, '[1,2]'::int4range, 'a@b.c'::text::varchar(9)",
        "SELECT '{}'::jsonb || '{\"a\": 1}'",
        "SELECT j.tags[1], (j).mood_level, (j.extra)['a'] FROM journal_entries j",
    ],
)
def test_ordinary_questions_are_answered(console: Console, question: str) -> None:
    assert console.ask(question).columns


def test_the_rows_end_where_they_are_too_many_or_too_large(console: Console) -> None:
    few = console.ask("SELECT generate_series(1, 1000000000)", limits=Limits(rows=10))
    assert len(few.rows) == 10 and "more" in str(few.more)
    large = console.ask("SELECT repeat('x', 1000) FROM plain", limits=Limits(value_bytes=20_000))
    assert len(large.rows) < 30 and "kB" in str(large.more)


def test_values_are_cut_where_they_are_and_not_here(console: Console) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for value in ("repeat('x', 50000000)", "repeat('x', 50000000)::bytea", "to_jsonb(repeat('x', 50000000))"):
        reply = console.ask(f"SELECT {value}, 1")
        assert 900_000 < len(str(reply.rows[0][0])) <= 1_000_000 and reply.rows[0][1] == "1"
        assert reply.more == "Values of more than 1000000 characters are cut."
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 30_000
    many = console.ask("SELECT " + ", ".join(["repeat('x', 10000000)"] * 20))
    assert {len(str(value)) for value in many.rows[0]} == {50_000}


def test_what_is_not_cut_is_written_as_it_would_be_without(console: Console) -> None:
    question = """SELECT true AS b, true, ARRAY[true, NULL], ROW(NULL, NULL), ROW(true, 'x'), '1.2.3.4'::inet,
      'a  '::char(5), '{"a":  1}'::json, '{"a":  1}'::jsonb, '\\xdeadbeef'::bytea, NULL::bytea, NULL AS b,
      1.50, 'x'::name, '<a/>'::xml, '2026-01-01'::date,
      interval '1 day', 'plain'::regclass, '{}'::text[], '[1,2)'::int4range, '' AS "a ""b",
      -0.0::float8, 'NaN'::numeric, 'tails'::coin, '(1,heads)'::point_of, B'101',
      '1 2'::tsvector, 'a'::"char", int2 '1' AS last"""
    raw = console.behind.pgconn.exec_(question.encode())
    reply = console.ask(question)
    assert reply.columns == tuple((raw.fname(at) or b"").decode() for at in range(raw.nfields))
    values = [raw.get_value(0, at) for at in range(raw.nfields)]
    assert reply.rows == (tuple(None if value is None else value.decode() for value in values),)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT id, word FROM plain ORDER BY word DESC, id",
        "SELECT word FROM plain ORDER BY id % 7, id DESC OFFSET 3",
        "SELECT word AS a, word AS a FROM plain UNION ALL SELECT 'x', 'y' ORDER BY 1",
        "VALUES (2, 'x'), (1, 'y'), (3, 'z')",
    ],
)
def test_rows_keep_their_order(console: Console, question: str) -> None:
    expected = console.behind.execute(question.encode()).fetchall()[:500]
    assert [tuple(row) for row in console.ask(question).rows] == [tuple(map(str, row)) for row in expected]


def test_without_a_column_or_of_the_catalog_it_is_answered_too(console: Console) -> None:
    assert console.ask("SELECT FROM plain LIMIT 2").rows == ((), ())
    assert console.ask("SELECT * FROM pg_attribute LIMIT 2").rows
    assert console.ask("SELECT pg_catalog.array_agg(p) FROM (SELECT * FROM plain LIMIT 2) p").rows


def test_a_question_that_takes_too_long_is_not_answered(console: Console) -> None:
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        console.ask("SELECT count(*) FROM plain a, plain b, plain c, plain d", limits=Limits(deadline_s=0.2))


WRITTEN = ("private", "Person", "thought")


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM journal_entries",
        "SELECT content FROM public.journal_entries WHERE content IS NOT NULL",
        "SELECT upper(content) || 'x', tags FROM journal_entries j",
        "SELECT row_to_json(j) FROM journal_entries j",
        "SELECT j::text, j FROM journal_entries AS j",
        "SELECT public.journal_entries.content FROM public.journal_entries",
        "SELECT string_agg(content, ' ') FROM ONLY journal_entries",
        "SELECT (SELECT content FROM journal_entries LIMIT 1 OFFSET 3)",
        "SELECT x.a FROM journal_entries AS x(i, u, a)",
        "WITH e AS (SELECT * FROM journal_entries) SELECT * FROM e",
        "SELECT * FROM users, moods",
        "SELECT said FROM moods_of_moods",
        "SELECT m::text FROM moods m",
        "TABLE journal_entries",
        "SELECT 1 UNION ALL SELECT length(content) FROM journal_entries WHERE content LIKE '%thought%'",
        "SELECT name FROM users ORDER BY name",
        "SELECT u FROM users u",
        "SELECT * FROM camel",
        'SELECT upper("passwordHash"), c."Token", apikey FROM camel c',
        "SELECT note FROM entries",
        "SELECT e::text FROM ONLY entries e",
        "SELECT note FROM checkins",
        "SELECT * FROM half",
        "SELECT feedback_text FROM other_half",
        "SELECT string_agg(words::text, ' ') FROM ai_analyses",
    ],
)
def test_what_people_wrote_is_masked_however_it_is_asked_for(console: Console, question: str) -> None:
    for role in Role:
        reply = console.ask(question, role)
        text = str(reply.rows)
        assert not any(word in text for word in WRITTEN), text
        assert reply.masked


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM audit WHERE id < 3",
        "SELECT a, row_to_json(a) FROM audit AS a WHERE id < 3",
        "SELECT old #>> '{deep,0,phone}', (payload::jsonb) ->> 'phone', made FROM audit WHERE id < 3",
        "SELECT jsonb_path_query(old, '$.**.phone'), payload::text FROM public.audit WHERE id < 3",
        "SELECT key, value FROM audit, json_each_text(payload) WHERE id < 3 AND json_typeof(payload) = 'object'",
        "SELECT several[1] ->> 'passwordHash', texts[1] ->> 'APIKey', (kept::jsonb)['api_key'] FROM ONLY audit",
        "SELECT (person).passcode, person::text FROM audit WHERE id < 3",
        "SELECT before, told FROM audited WHERE id < 3",
        "SELECT 'private' FROM audit WHERE payload::text LIKE '%private%' OR old::text LIKE '%private%'",
        "SELECT 'private' FROM audit WHERE made LIKE '%private%' OR old @> '{\"deep\": [{}]}'",
        "SELECT old, payload, kept FROM audit_part WHERE id = 2",
    ],
)
def test_json_with_a_private_key_at_any_depth_is_masked_however_it_is_asked_for(
    console: Console, question: str
) -> None:
    for role in (Role.VIEWER, Role.ADMIN):
        reply = console.ask(question, role)
        assert "private" not in str(reply.rows), reply.rows
        assert {"public.audit.old", "public.audit_part.old"} & set(reply.masked)


def test_json_without_a_private_key_stays_as_it_is(console: Console) -> None:
    question = "SELECT id, old, several, kept, payload, made FROM audit ORDER BY id"
    rows = [tuple(None if value is None else str(value) for value in row) for row in console.ask(question).rows]
    mask = '"•••"'
    assert rows[0] == ("1", mask, '{"\\"•••\\""}', mask, mask, "•••")
    assert rows[1] == ("2", mask, None, mask, mask, None)
    raw = console.behind.execute("SELECT old::text, several::text, kept::text FROM audit WHERE id = 3").fetchone()
    assert raw is not None and rows[2] == ("3", *raw, None, None)
    assert "1e999999" in str(console.ask("SELECT payload FROM odd_json").rows)


@pytest.mark.parametrize(("role", "shown"), [(Role.OPERATOR, False), (Role.ADMIN, True)])
def test_json_with_an_address_is_shown_to_admins_alone(console: Console, role: Role, shown: bool) -> None:
    text = str(console.ask("SELECT was FROM hooks", role).rows)
    assert ("here" in text) is shown and "never" not in text


def test_a_mask_tells_whether_there_is_a_value_whatever_its_type(console: Console) -> None:
    reply = console.ask("SELECT count(mail), count(secret), count(tokens), count(phones), min(mail) FROM members")
    assert reply.rows == (("1", "1", "1", "1", "•••"),)
    assert len(reply.masked) == 4


@pytest.mark.parametrize(
    ("question", "do"),
    [
        ("SELECT m.id, m.codes, count(*) FROM members m GROUP BY m.id", "Name every column in GROUP BY"),
        ("SELECT ctid FROM members", "Leave out the server's own columns"),
    ],
)
def test_what_masks_do_not_allow_is_told(console: Console, question: str, do: str) -> None:
    with pytest.raises(NotUnderstood, match=do):
        console.ask(question)


def test_what_is_generated_from_other_columns_is_shown(console: Console) -> None:
    assert console.ask("SELECT size FROM ai_analyses").rows == (("2",),)


def test_what_others_ask_and_settings_of_roles_are_masked(console: Console) -> None:
    for source in ("pg_stat_activity", "pg_catalog.pg_stat_activity", "over_activity"):
        reply = console.ask(f"SELECT pid, query FROM {source} WHERE query IS NOT NULL", Role.ADMIN)
        assert {row[1] for row in reply.rows} == {"•••"} and reply.masked == ("pg_catalog.pg_stat_activity.query",)
    assert {str(row) for row in console.ask("SELECT rolconfig FROM pg_roles", Role.ADMIN).rows} <= {
        "(None,)",
        "('{•••}',)",
    }
    assert console.ask("SELECT state, count(*) FROM pg_stat_activity GROUP BY state").rows


def test_what_cannot_be_written_anew_as_it_was_is_refused(console: Console) -> None:
    with pytest.raises(Refused, match="cannot be written anew"):
        console.ask("SELECT (2).int4")


def test_how_many_tokens_were_used_is_shown(console: Console) -> None:
    reply = console.ask('SELECT tokens_used, "totalTokens", token_count, reverse("userEmail") FROM camel')
    assert reply.rows == (("7", "8", "9", "•••"),)


def test_a_condition_on_what_is_masked_finds_nothing_out(console: Console) -> None:
    assert console.ask("SELECT count(*) FROM journal_entries WHERE content LIKE 'a private%'").rows == (("0",),)
    assert console.ask("SELECT count(*) FROM journal_entries WHERE content IS NULL").rows == (("1",),)
    assert console.ask("SELECT max(length(content)) FROM journal_entries").rows == (("3",),)


def test_addresses_are_shown_to_admins_alone(console: Console) -> None:
    question = "SELECT email FROM users ORDER BY email LIMIT 1"
    assert "example.com" in str(console.ask(question, Role.ADMIN).rows)
    assert "example.com" not in str(console.ask(question, Role.OPERATOR).rows)
    assert "example.com" not in str(console.ask("SELECT 'person1' || '@example.com'", Role.VIEWER).rows)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("SELECT most_common_vals FROM pg_stats", "samples"),
        ("SELECT content FROM kept", "stored view"),
        ("WITH journal_entries AS (SELECT * FROM journal_entries) SELECT * FROM journal_entries", "bears the name"),
        ("SELECT * FROM journal_entries TABLESAMPLE SYSTEM (100)", "TABLESAMPLE"),
        ("SELECT payload FROM audit TABLESAMPLE SYSTEM (100)", "TABLESAMPLE"),
        ("SELECT told FROM kept_audit", "stored view"),
        ("SELECT setting FROM pg_settings", "settings"),
        ("SELECT current_setting('app.settings.jwt_secret', true)", "does more"),
        ("SELECT key_named_like_a_role()", "does more"),
        ("SELECT query_to_xml('SELECT content FROM journal_entries', true, true, '')", "more than"),
        ("SELECT table_to_xml('journal_entries', true, true, '')", "more than"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("", "no statements"),
        ("SELECT 1 WHERE $1", "parameter"),
    ],
)
def test_what_would_tell_it_another_way_is_refused(console: Console, question: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        console.ask(question)


@pytest.mark.parametrize("question", ["SELEC 1", "SELECT nothing FROM plain", "SELECT * FROM nowhere", "SELECT 'a"])
def test_what_the_server_does_not_understand_is_told_in_its_words(console: Console, question: str) -> None:
    with pytest.raises(NotUnderstood):
        console.ask(question)


def test_a_role_that_may_write_is_not_asked(console: Console) -> None:
    address = f"postgresql://postgres:{console.behind.info.password}@127.0.0.1:{console.behind.info.port}/test_console"
    owner = console.target.model_copy(update={"read_only_url": SecretStr(address)})
    with pytest.raises(Refused, match="can do more than read"):
        Console.ask(_with(console, owner), "SELECT 1")


def test_without_an_address_it_is_off(console: Console) -> None:
    without = console.target.model_copy(update={"read_only_url": None, "database_url": console.target.read_only_url})
    with pytest.raises(Refused, match="is off"):
        Console.ask(_with(console, without), "SELECT 1")


def _with(console: Console, target: object) -> Console:
    other = object.__new__(Console)
    other.target, other.app, other.behind = target, console.app, console.behind  # type: ignore[assignment]
    return other
