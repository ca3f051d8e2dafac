"""What a change newly breaks makes its rehearsal fail, unless the script says by name that it is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from services.database.fingerprint import Fingerprint
from services.database.rehearsal.meant_breaks import broken_sentence, idle_breaks, meant_breaks, newly_broken
from services.database.rehearsal.rehearse import Rehearsal, rehearse_on
from services.database.rehearsal.result import plan_hash
from services.database.rehearsal.shadow import shadow
from services.database.script import Script, read_scripts
from services.verdict import Verdict

SHOP = """
CREATE TABLE orders (id int PRIMARY KEY, total int);
CREATE VIEW totals AS SELECT sum(total) AS total FROM orders;
CREATE FUNCTION highest() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(total) FROM orders); END';
"""
DROP = "ALTER TABLE orders DROP COLUMN IF EXISTS total CASCADE;"
MEANT = "-- breaks: public.totals\n--breaks:  public.highest()  \n"


@pytest.fixture
def rehearsed(make_database: Callable[[], str]) -> Iterator[Callable[[str], Rehearsal]]:
    url = make_database()
    with psycopg.connect(url) as conn:
        conn.execute(SHOP.encode())
    with shadow(url, rows="all") as copy:

        def rehearse(text: str) -> Rehearsal:
            found = rehearse_on(copy, read_scripts([Script("change.sql", text)]).statements, meant=meant_breaks([text]))
            copy.drop_clones()
            return found

        yield rehearse


def objects(found: Rehearsal) -> set[Any]:
    return {one["object"] for one in newly_broken(found.inspection)}


def test_what_works_no_longer_fails_the_rehearsal_and_what_is_meant_does_not(
    rehearsed: Callable[[str], Rehearsal],
) -> None:
    found = rehearsed(DROP)
    assert (found.failure, found.second_run, found.verdict) == (None, None, Verdict.FAIL)
    assert objects(found) == {"public.totals", "public.highest()"}
    half = rehearsed(f"-- breaks: public.totals\n{DROP}")
    assert (half.verdict, objects(half)) == (Verdict.FAIL, {"public.highest()"})
    meant = rehearsed(MEANT + DROP)
    assert (meant.verdict, objects(meant)) == (Verdict.PASS, set())
    assert {one["object"] for one in meant.inspection if one["meant"]} == {"public.totals", "public.highest()"}


def test_a_name_under_which_nothing_breaks_is_told(rehearsed: Callable[[str], Rehearsal]) -> None:
    def idle(found: Rehearsal) -> list[str]:
        return [one.object for one in found.advice if one.rule == "breaks-nothing"]

    assert idle(rehearsed(MEANT + DROP)) == []
    wrong = rehearsed(f"-- breaks: totals\n{DROP}")
    assert (wrong.verdict, idle(wrong)) == (Verdict.FAIL, ["totals"])
    stale = rehearsed("-- breaks: public.totals\nCREATE TABLE IF NOT EXISTS notes (id int PRIMARY KEY);")
    assert (stale.verdict, idle(stale)) == (Verdict.PASS, ["public.totals"])
    not_known = [{"object": "public.totals", "verdict": "unknown"}]
    assert idle_breaks(["public.totals"], not_known) == ()


def test_what_is_meant_is_part_of_the_plan() -> None:
    catalog = Fingerprint.of({})
    plans = {plan_hash([Script("change.sql", text)], catalog) for text in (DROP, MEANT + DROP)}
    assert len(plans) == 2


def test_only_a_comment_on_a_line_of_its_own_is_read() -> None:
    assert meant_breaks([MEANT, "SELECT 1 -- breaks: nothing", "-- it breaks: nothing"]) == {
        "public.totals",
        "public.highest()",
    }


def test_the_sentence_names_what_breaks_and_how_to_say_that_it_is_meant() -> None:
    found = [{"object": name, "verdict": "fail", "meant": name == "a"} for name in ("a", "b", "c", "d", "e")]
    assert broken_sentence(found).startswith("It runs, but b, c, d and 1 more no longer work as before.")
    assert '"-- breaks: b"' in broken_sentence(found)
    assert broken_sentence(found[:1]) == ""
