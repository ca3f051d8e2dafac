"""A small release with each kind of step, and a run of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.access.permissions import Actor
from services.releases.bundle import Release, release_from_files
from services.releases.ledger import record_evidence, start_run
from services.store.database import Store
from services.verdict import Evidence, Verdict
from tests.services.conftest import NOON

CHECKLIST = b"""\
id: small
title: A small release
risk: low
expected_minutes: 10
phases:
  - id: before
    title: Before
    steps:
      - {id: before-1, title: Look, checks: [looks], expires: 15m}
      - {id: before-2, title: Two looks, checks: [one, two]}
      - {id: before-3, title: Read and sign, signoff: true, expires: 1d}
      - {id: before-4, title: Nice to have, checks: [nice], required: false}
  - id: during
    title: During
    steps:
      - {id: during-1, title: Rehearse, action: rehearse}
      - {id: during-2, title: Deploy, action: deploy, checks: [receipt], needs: [during-1]}
  - id: after
    title: After
    steps:
      - {id: after-1, title: Look and sign, checks: [looks], signoff: true}
"""


@pytest.fixture
def release() -> Release:
    return release_from_files(
        {
            "release.yaml": CHECKLIST,
            "deploy/010.sql": b"SELECT 1;\n",
            "verify/one.sql": b"-- Proves nothing.\nSELECT 1 WHERE false;\n",
            "rollback/010.sql": b"SELECT 2;\n",
        }
    )


@pytest.fixture
def run_id(store: Store, operator: Actor, release: Release) -> str:
    return start_run(store, actor=operator, release=release, target="staging", now=NOON)


def saw(check_id: str, verdict: Verdict = Verdict.PASS, *, at: float = 0, counts_s: float = 3600) -> Evidence:
    """Evidence of a check, taken `at` seconds after noon, that counts for `counts_s` seconds."""
    started = NOON + timedelta(seconds=at)
    expires = started + timedelta(seconds=counts_s)
    return Evidence(check_id, "staging", verdict, f"{check_id}: {verdict}", {}, {}, "", started, 1.0, 1, expires)


def settle_before(store: Store, run_id: str) -> None:
    """Give the checks of the first phase passing evidence (its sign-off is left)."""
    record_evidence(store, [saw("looks")], run_id=run_id, step_id="before-1")
    record_evidence(store, [saw("one"), saw("two")], run_id=run_id, step_id="before-2")
