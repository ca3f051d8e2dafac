"""What is written about PulseCheck fits together: checks, features, causes, playbooks, links, the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.checks.registry import PHASES
from services.incidents.causes import causes_of
from services.incidents.playbooks import NOT_KNOWN, playbooks_of
from services.settings import Level, Target

APP = load_app("pulsecheck")
CATALOGUE = catalogue_of(APP)
ROOT = Path(__file__).resolve().parents[3]


def test_every_check_that_the_architecture_names_is_there_and_no_other() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## Check ids of PulseCheck", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", section)) == set(CATALOGUE.ids)


def test_every_feature_and_tile_names_checks_that_are_there() -> None:
    named = [check for part in (*APP.features, *APP.watch) for check in part.checks]
    assert [check for check in named if check not in CATALOGUE] == []
    assert len(APP.features) == 10


def test_every_check_belongs_to_a_phase_and_needs_settings_that_there_are() -> None:
    for spec in CATALOGUE:
        assert spec.phases and set(spec.phases) <= set(PHASES), spec.id
        assert set(spec.needs) <= set(Target.model_fields), spec.id


def test_every_check_that_writes_needs_the_level_probe_and_says_what_it_moves() -> None:
    for spec in CATALOGUE:
        assert spec.mutates == (spec.level is Level.PROBE), spec.id
        assert not spec.mutates or spec.moves, spec.id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("stats-answer", "journal-roundtrip"),
        ("stats-answer", "rate-limit"),
        ("admin-numbers", "ai-answers"),
        ("admin-numbers", "rate-limit"),
        ("rate-limit", "journal-roundtrip"),
        ("service-reads-all", "feedback-stored"),
    ],
)
def test_what_one_counts_no_other_moves_meanwhile(one: str, other: str) -> None:
    assert CATALOGUE[one].disturbs(CATALOGUE[other])


def test_every_cause_has_a_playbook_and_speaks_of_checks_that_are_there() -> None:
    causes = causes_of(APP)
    playbooks = playbooks_of(APP)
    assert [one.id for one in causes.causes if one.playbook not in playbooks] == []
    signs = frozenset().union(*(one.checks for one in causes.causes))
    assert [check for check in (*signs, *causes.symptoms, *causes.vital) if check not in CATALOGUE] == []
    known = {one.id for one in causes.causes}
    assert [other for one in causes.causes for other in one.instead_of if other not in known] == []


def test_every_fault_of_the_sandbox_is_a_cause() -> None:
    from apps.pulsecheck.twin.definition import TWIN
    from services.sandbox.faults import faults_of

    assert set(faults_of(TWIN)) <= {one.id for one in causes_of(APP).causes}


@pytest.mark.parametrize("name", sorted(playbooks_of(APP)))
def test_every_playbook_leads_to_checks_and_links_that_are_there(name: str) -> None:
    playbook = playbooks_of(APP)[name]
    assert [s.check for s in playbook.steps if s.check and s.check not in CATALOGUE] == []
    assert [s.link for s in playbook.steps if s.link and s.link not in APP.links] == []
    slots = re.findall(r"\{([a-z0-9-]+)\.", " ".join([playbook.when, *(s.do for s in playbook.steps)]))
    assert [check for check in slots if check not in CATALOGUE] == []


def test_a_playbook_without_evidence_says_that_facts_are_not_known() -> None:
    filled = playbooks_of(APP)["admin-routes-missing"].filled({})
    assert NOT_KNOWN in filled.steps[0].do
    assert "{" not in filled.steps[0].do


def test_the_three_emergencies_of_the_guide_say_what_it_says_and_what_to_do_instead() -> None:
    for name in ("deploy-failed", "ai-canned", "admin-routes-missing"):
        playbook = playbooks_of(APP)[name]
        assert playbook.guide_says and playbook.instead, name
    assert not any("drop table" in (s.sql or "").lower() for p in playbooks_of(APP).values() for s in p.steps)


def test_every_number_and_chart_is_made_of_columns_that_its_view_has() -> None:
    views = {view.name: view for view in APP.analytics.views}
    for metric in APP.analytics.metrics:
        assert {metric.column, metric.of or metric.column} <= set(views[metric.view].columns), metric.id
    for chart in APP.analytics.charts:
        assert {chart.x, *chart.y} <= set(views[chart.view].columns), chart.id
    ids = {metric.id for metric in APP.analytics.metrics}
    assert {name for pair in APP.analytics.agreements for name in (pair.first, pair.second)} <= ids
