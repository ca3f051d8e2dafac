"""Judging: what was said against what is so, and the figures over all cells."""

from __future__ import annotations

from services.verdict import Verdict
from tests.matrix.claims import FAIL, PASS, UNKNOWN, Argued, Row, claims
from tests.matrix.table import Table

ROW = Row(
    "made-up",
    "Nothing answers, and one thing is wrong besides.",
    false=claims("feedback-stored"),
    unseen=claims("docs-served stats-answer"),
    argued=(Argued(claims("ai-answers"), frozenset({FAIL, UNKNOWN}), "a reason"),),
    silent=True,
)


def judged(**said: Verdict) -> Table:
    table = Table()
    table.add(ROW, {claim.replace("_", "-"): verdict for claim, verdict in said.items()})
    return table


def test_a_pass_is_false_where_the_claim_is_false_or_cannot_be_seen_or_can_only_be_argued_to_be_that() -> None:
    table = judged(feedback_stored=PASS, docs_served=PASS, ai_answers=PASS, database_direct=PASS)
    assert [one.claim for one in table.false_passes] == ["feedback-stored", "docs-served", "ai-answers"]


def test_a_fail_is_false_where_the_claim_holds_or_cannot_be_seen() -> None:
    table = judged(feedback_stored=FAIL, docs_served=FAIL, ai_answers=FAIL, database_direct=FAIL, admin_public=FAIL)
    assert [one.claim for one in table.false_fails] == ["docs-served", "database-direct"]
    assert table.share(table.false_fails) == 2 / 5


def test_unknown_is_neither_but_is_counted_where_it_could_be_seen() -> None:
    table = judged(feedback_stored=UNKNOWN, docs_served=UNKNOWN, ai_answers=UNKNOWN, database_direct=UNKNOWN)
    assert (table.false_passes, table.false_fails) == ([], [])
    assert [one.claim for one in table.timid] == ["feedback-stored", "database-direct"]


def test_where_nothing_answers_only_unknown_keeps_the_rule() -> None:
    table = judged(docs_served=UNKNOWN, stats_answer=FAIL, feedback_stored=FAIL)
    assert [(one.claim, one.said) for one in table.silenced] == [("docs-served", UNKNOWN), ("stats-answer", FAIL)]
    assert "that are unknown: 1 of 2" in table.figures()


def test_the_drawn_table_marks_what_is_wrong_and_names_it() -> None:
    drawn = judged(docs_served=PASS, ai_answers=FAIL, database_direct=PASS).drawn()
    assert "made-up [P].F  P" in drawn
    assert "made-up / docs-served: said pass, the world says unknown" in drawn
    assert "false passes: 1" in drawn
