"""Playbooks: read from files, filled with what is known, malformed with their place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.errors import NotUnderstood
from services.incidents.playbooks import NOT_KNOWN, load_playbooks
from services.verdict import Evidence, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOOK = """
title: It is broken
when: "{thing.summary}"
steps:
  - do: "Look at {thing.names} and {thing.deep.line} and {other.names}."
    check: thing
"""


def write(folder: Path, text: str) -> Path:
    (folder / "broken.yaml").write_text(text)
    return folder


def test_slots_are_filled_with_facts_and_say_what_is_not_known(tmp_path: Path) -> None:
    book = load_playbooks(write(tmp_path, BOOK))["broken"]
    facts = {"names": ["A", "B"], "deep": {"line": 7}}
    seen = Evidence("thing", "t", Verdict.FAIL, "Gone.", facts, {}, "", NOW, 1, 1, NOW + timedelta(hours=1))
    filled = book.filled({"thing": seen})
    assert filled.when == "Gone."
    assert filled.steps[0].do == f"Look at A, B and 7 and {NOT_KNOWN}."
    assert filled.steps[0].check == "thing"


@pytest.mark.parametrize("text", ["title: x\n", BOOK + "surprise: 1\n", "[1]\n", "title: [\n"])
def test_a_malformed_playbook_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotUnderstood) as raised:
        load_playbooks(write(tmp_path, text))
    assert "broken.yaml" in str(raised.value.place)
