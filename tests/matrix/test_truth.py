"""The table of truth is whole: a row for every fault, a column for every check, nothing said twice."""

from __future__ import annotations

from apps.pulsecheck.twin.definition import TWIN
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.sandbox.faults import faults_of
from tests.matrix.claims import ALL_CLAIMS, FAIL, HOLDS, KNOWN, PASS, UNKNOWN, Row, cell, claims
from tests.matrix.truth import TRUTH

CHECKS = frozenset(catalogue_of(load_app("pulsecheck")).ids)
MOST_ARGUED = 0.1
# What no fault here can bend: our own store tells of the first two, and there is no TLS in a world on loopback.
NOT_OF_THE_WORLD = claims("rehearsal-fresh backup-proved certificate")


def test_every_fault_has_a_row_of_truth() -> None:
    assert set(TRUTH) == set(faults_of(TWIN))


def test_every_check_has_a_column() -> None:
    assert ALL_CLAIMS == CHECKS


def test_what_the_healthy_world_is_known_for_is_what_checks_look_at() -> None:
    assert set(KNOWN) <= CHECKS
    assert all(reason for _, reason in KNOWN.values())


def test_at_least_sixty_faults_are_told() -> None:
    assert len(TRUTH) >= 60


def test_no_row_speaks_twice_of_a_claim_or_of_one_that_no_check_makes() -> None:
    for row in TRUTH.values():
        named = row.named()
        assert len(named) == len(set(named)), row.fault
        assert set(named) <= CHECKS, row.fault


def test_every_fault_is_seen_by_some_check() -> None:
    """A fault that leaves every claim as it is would be one that nobody notices."""
    unnoticed = [row.fault for row in TRUTH.values() if not (row.false or row.unseen or row.argued)]
    assert unnoticed == []


def test_what_can_be_argued_has_a_reason_and_is_little() -> None:
    cells = [cell(row, claim) for row in TRUTH.values() for claim in CHECKS]
    assert all(one.reason for one in cells if len(one.allowed) > 1)
    assert sum(len(one.allowed) > 1 for one in cells) <= MOST_ARGUED * len(cells)


def test_a_cell_is_false_before_it_is_anything_else_and_else_what_the_healthy_world_gives() -> None:
    row = Row("made-up", "Something is wrong.", false=claims("docs-served"), unseen=claims("stats-answer"))
    assert cell(row, "docs-served").allowed == {FAIL}
    assert cell(row, "stats-answer").allowed == {UNKNOWN}
    assert cell(row, "database-direct").allowed == HOLDS == {PASS}
    assert cell(row, "admin-public").allowed == {FAIL}


def test_a_check_that_always_passes_or_always_fails_would_be_found_out() -> None:
    """Of every claim that the world can bend, some fault forbids a pass, and some fault forbids a fail."""
    for claim in CHECKS - NOT_OF_THE_WORLD:
        cells = [cell(row, claim) for row in TRUTH.values()]
        assert any(PASS not in one.allowed for one in cells), claim
        assert any(FAIL not in one.allowed for one in cells), claim
