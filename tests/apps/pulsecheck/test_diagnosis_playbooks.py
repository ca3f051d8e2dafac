"""Every cause leads to a playbook, and every slot of a playbook is a fact that some check really gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.incidents.causes import Sign, causes_of
from services.incidents.playbooks import playbooks_of
from services.jobs.kinds import KINDS
from tests.services.incidents.library import library

APP = load_app("pulsecheck")
CAUSES = causes_of(APP).causes
PLAYBOOKS = playbooks_of(APP)
CHECKS = set(catalogue_of(APP).ids)
# Playbooks of the release's checklist, which no cause opens.
OF_THE_CHECKLIST = {"errors-in-the-logs", "verification-red", "score-too-low"}
SLOT = re.compile(r"\{([a-z0-9-]+)\.([a-z0-9_.]+)\}")


def paths(facts: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in facts.items():
        yield before + name
        if isinstance(value, Mapping):
            yield from paths(value, f"{before}{name}.")


def facts_of_checks() -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for seen in library().values():
        for check, one in seen.items():
            known.setdefault(check, {"summary"}).update(paths(one.facts))
    return known


def every(sign: Sign) -> Iterator[Sign]:
    yield sign
    for other in (*sign.also, *sign.unless):
        yield from every(other)


def test_every_cause_opens_a_playbook_and_every_playbook_is_opened() -> None:
    opened = {cause.playbook for cause in CAUSES}
    assert opened - set(PLAYBOOKS) == set()
    assert set(PLAYBOOKS) - opened == OF_THE_CHECKLIST


def test_causes_speak_of_checks_and_causes_that_are_there() -> None:
    signs = [one for cause in CAUSES for sign in (*cause.signs, *cause.against) for one in every(sign)]
    assert {check for sign in signs for check in sign.check} - CHECKS == set()
    assert {check for cause in CAUSES for check in cause.explains} - CHECKS == set()
    assert {other for cause in CAUSES for other in cause.instead_of} - {cause.id for cause in CAUSES} == set()


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_every_slot_of_a_playbook_is_a_fact_that_some_check_gives(name: str) -> None:
    book = PLAYBOOKS[name]
    texts = [book.when, book.instead, *(text for step in book.steps for text in (step.do, step.why))]
    known = facts_of_checks()
    slots = [(check, fact) for text in texts for check, fact in SLOT.findall(text)]
    assert [f"{check}.{fact}" for check, fact in slots if fact not in known.get(check, set())] == []


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_every_action_of_a_playbook_is_a_job_that_there_is_and_its_sql_only_reads(name: str) -> None:
    steps = PLAYBOOKS[name].steps
    assert [step.action for step in steps if step.action and step.action not in KINDS] == []
    assert [step.sql for step in steps if step.sql and not step.sql.lower().startswith("select ")] == []
