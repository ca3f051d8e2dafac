"""Scripts: where statements end, as psql counts, and what cannot be sent to a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.database.psql_cutter import Piece, cut
from services.database.script import Control, Script, covers, load_scripts, read_scripts, split, transaction_control
from services.errors import NotUnderstood


def lines(sql: str) -> list[tuple[int, int]]:
    return [(statement.start_line, statement.line) for statement in split(Script("x.sql", sql))]


def test_a_statement_has_the_line_of_its_semicolon():
    assert lines("SELECT\n 1\n;\n\n-- note\nSELECT 2;") == [(1, 3), (6, 6)]


def test_a_last_statement_without_semicolon_has_the_last_line():
    assert lines("SELECT 1;\nSELECT 2\n\n-- the end\n\n") == [(1, 1), (2, 5)]


@pytest.mark.parametrize(
    "opening", ["CREATE TABLE t (a int;", "SELECT 'a;", "DO $$ BEGIN;", "SELECT 1 /* ;", 'SELECT "a;', "DO $x$ $$;"]
)
def test_what_is_not_closed_swallows_the_rest_of_the_file(opening):
    assert lines(f"SELECT 1;\n{opening}\nSELECT 2;\nSELECT 3;\n") == [(1, 1), (2, 4)]


def test_lines_are_right_after_text_of_several_bytes():
    assert lines("SELECT 'ü–€';\nSELECT 'é'\n;") == [(1, 1), (2, 3)]


def test_a_file_the_parser_refuses_is_cut_as_psql_cuts_it():
    body = "BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END;\nEND;"
    sql = f"SELECT 1;\nSELEC 2;\nCREATE FUNCTION f() RETURNS int {body}"
    assert lines(sql) == [(1, 1), (2, 2), (3, 4)]


def test_what_the_parser_refuses_is_sent_with_its_semicolon_as_psql_sends_it():
    sql = "SELECT 1;\nSELECT 1 + -- why\n;\nSELECT 2 +"
    assert [one.sql for one in split(Script("x.sql", sql))] == ["SELECT 1", "SELECT 1 + -- why\n;", "SELECT 2 +"]
    assert [one.line for one in split(Script("x.sql", sql))] == [1, 3, 4]


def test_quotes_hide_semicolons_in_every_style():
    sql = "SELEC; SELECT E'\\';', 'it''s;', \";\", $a$;$b$;$a$, b';' /* ; /* ; */ */ -- ;\n; SELECT 3"
    assert lines(sql) == [(1, 1), (1, 2), (2, 2)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "SELECT 1",
                "SELECT ';' AS \"a;b\"",
                "DO $x$ BEGIN PERFORM 1; END $x$",
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
                "INSERT INTO t VALUES (1, 'a''b;'), (2, E'\\';')",
                "SELECT 1 /* ; /* ; */ */ + -- ;\n 2",
                "COMMENT ON TABLE t IS 'é;'",
            ]
        ),
        min_size=1,
    ),
    st.sampled_from([";", ";\n", " ;\n\n", "\n;-- x;\n"]),
)
def test_parser_and_cutter_agree_on_valid_files(statements, end):
    raw = (end.join(statements) + end).encode()
    by_parser = [statement.line for statement in split(Script("x.sql", raw.decode()))]
    by_cutter = [raw.count(b"\n", 0, piece.terminator) + 1 for piece in cut(raw).pieces if piece.terminator is not None]
    assert by_parser == by_cutter


def test_pieces_that_leave_text_out_do_not_cover_the_file():
    assert covers(b"SELECT 1; SELECT 2", [Piece(0, 8, 8), Piece(10, 18, None)])
    assert not covers(b"SELECT 1; SELECT 2", [Piece(0, 8, 8)])


def test_own_begin_and_commit_are_left_out_and_named():
    read = read_scripts([Script("x.sql", "BEGIN;\nSELECT 1;\nCOMMIT;")])
    assert [statement.sql for statement in read.statements] == ["SELECT 1"]
    assert [odd.line for odd in read.left_out] == [1, 3]


@pytest.mark.parametrize(
    ("sql", "line", "word"),
    [
        ("SELECT 1;\n\\echo done\n", 2, "\\echo"),
        ("SELECT 1;\nROLLBACK;", 2, "ROLLBACK"),
        ("CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n\\.\n", 2, "COPY"),
        ("PREPARE TRANSACTION 'x';", 1, "prepared"),
    ],
)
def test_what_no_server_can_be_sent_is_named_with_its_line(sql, line, word):
    unsupported = read_scripts([Script("x.sql", sql)]).unsupported
    assert (unsupported[0].line, word in unsupported[0].what) == (line, True)


def test_a_backslash_inside_a_quote_is_no_meta_command():
    assert read_scripts([Script("x.sql", "SELECT 'a\\b'; SELEC;")]).unsupported == ()


def test_savepoints_are_not_transaction_control():
    assert transaction_control("SAVEPOINT a; SELECT 1; ROLLBACK TO a") is None
    assert transaction_control("SELECT 1; COMMIT") is Control.COMMIT


def test_a_folder_is_read_in_name_order(tmp_path: Path):
    for name in ("20_b.sql", "10_a.sql", "notes.txt"):
        (tmp_path / name).write_text("SELECT 1")
    assert [one.file for one in load_scripts(tmp_path)] == ["10_a.sql", "20_b.sql"]


@pytest.mark.parametrize("content", [b"SELECT '\xff'", b"SELECT 1\0"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content):
    file = tmp_path / "x.sql"
    file.write_bytes(content)
    with pytest.raises(NotUnderstood, match=r"x\.sql"):
        load_scripts(file)


def test_a_missing_path_and_an_empty_folder_are_refused(tmp_path: Path):
    with pytest.raises(NotUnderstood, match="no SQL script"):
        load_scripts(tmp_path / "nowhere")
    with pytest.raises(NotUnderstood, match=r"no \.sql file"):
        load_scripts(tmp_path)


def test_a_byte_order_mark_is_not_part_of_the_sql(tmp_path: Path):
    file = tmp_path / "x.sql"
    file.write_bytes(b"\xef\xbb\xbfSELECT 1")
    assert load_scripts(file)[0].sql == "SELECT 1"


@pytest.mark.parametrize(
    "mark", ["-- migrate:down", "-- +goose Down", "--+migrate Down", "-- Down Migration", "-- //@UNDO"]
)
def test_the_way_back_that_other_tools_keep_in_the_same_file_is_not_run(mark):
    sql = f"CREATE TABLE t (id int);\n\n{mark}\nDROP TABLE t;\n"
    (odd,) = read_scripts([Script("x.sql", sql)]).unsupported
    assert (odd.line, mark in odd.what) == (3, True)
    assert read_scripts([Script("x.sql", f"SELECT 1;\n{mark}\n")]).unsupported == ()
    assert read_scripts([Script("x.sql", f"DO $$ BEGIN\n{mark}\nNULL; END $$;\n")]).unsupported == ()
