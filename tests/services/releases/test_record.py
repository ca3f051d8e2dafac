"""The record tells everything that was seen and decided, in each format, and outside text stays text."""

from __future__ import annotations

import json

import pytest

from services.access.permissions import Actor
from services.errors import NotUnderstood
from services.releases.ledger import record_evidence, sign_off
from services.releases.record import rendered, run_record
from services.store.database import Store
from tests.services.conftest import NOON
from tests.services.releases.conftest import settle_before


def test_each_step_decision_and_evidence_is_in_it(store: Store, operator: Actor, run_id: str) -> None:
    settle_before(store, run_id)
    sign_off(store, actor=operator, run_id=run_id, step_id="before-3", note="<b>read</b> ![x](y)", seen=0, now=NOON)
    record = run_record(store, run_id, NOON)
    steps = {step["id"]: step for phase in record["phases"] for step in phase["steps"]}
    assert len(steps) == 7
    assert steps["before-1"]["evidence"][0]["check_id"] == "looks"
    assert record["decisions"][0]["by"] == "Olga Operator"
    assert record["audit_chain"] == "unbroken"
    assert json.loads(rendered(record, "json")) == record
    text = rendered(record, "md").decode()
    assert "\\<b\\>read" in text
    assert "![x]" not in text
    assert rendered(record, "pdf").startswith(b"%PDF")


def test_an_unknown_format_is_a_sentence(store: Store, run_id: str) -> None:
    record_evidence(store, [])
    with pytest.raises(NotUnderstood, match="'docx'"):
        rendered(run_record(store, run_id, NOON), "docx")
