"""What is written down of evidence is the same for the same world, and can be read again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.verdict import Evidence, Verdict
from tests.matrix import recording
from tests.matrix.recording import record, recorded

NOW = datetime(2026, 5, 17, 9, 41, 3, 700, tzinfo=UTC)


def seen(now: datetime, port: str, deployment: str, took_ms: float) -> Evidence:
    return Evidence(
        check_id="deployment-state",
        target="sandbox",
        verdict=Verdict.FAIL,
        summary=f"Nothing listens at 127.0.0.1:{port} since {now.isoformat()}, asked for {took_ms:.0f} ms.",
        facts={
            "newest": {"id": deployment, "created_at": (now - timedelta(hours=3)).isoformat()},
            "serving": deployment,
            "took_ms": took_ms,
            "day": now.date().isoformat(),
            "statuses": [200] * 9,
            "share": 0.25,
        },
        input={"marker": f"ops-probe-{port}a"},
        digest="ab" * 32,
        started=now,
        took_ms=took_ms,
        check_version=1,
        expires=now + timedelta(seconds=600),
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recording, "RECORDED", tmp_path)
    return tmp_path


def test_two_recordings_of_the_same_world_are_the_same_file(folder: Path) -> None:
    first = seen(NOW, "40123", "5f0c3f6e-7f43-4a59-9a53-1f6b9a5d1c11", 212.4)
    later = NOW + timedelta(days=9, hours=4)
    second = seen(later, "38777", "0a8b5d0e-3f1c-4d7a-8c11-9b1f6b9a5d1c", 188.0)
    one = record("first", [first], NOW, {"40123": "9001"}, []).read_bytes()
    assert record("second", [second], later, {"38777": "9001"}, []).read_bytes() == one


def test_what_was_recorded_reads_as_evidence_with_its_facts(folder: Path) -> None:
    record("one", [seen(NOW, "40123", "5f0c3f6e-7f43-4a59-9a53-1f6b9a5d1c11", 212.4)], NOW, {"40123": "9001"}, [])
    again = recorded("one")["deployment-state"]
    assert (again.verdict, again.facts["share"], again.facts["took_ms"]) == (Verdict.FAIL, 0.25, 200)
    assert again.facts["newest"]["id"] == again.facts["serving"] == "00000000-0000-4000-8000-000000000001"
    assert again.facts["newest"]["created_at"] == "2026-03-01T09:00:00+00:00"
    assert (again.facts["day"], len(again.facts["statuses"])) == ("2026-03-01", 5)
    assert again.expires - again.started == timedelta(seconds=600)
    assert "127.0.0.1:9001" in again.summary


def test_a_secret_is_not_written_down(folder: Path) -> None:
    evidence = seen(NOW, "40123", "sandbox-secret", 1)
    with pytest.raises(ValueError, match="1 forbidden texts"):
        record("one", [evidence], NOW, {}, ["sandbox-secret"])
    assert list(folder.iterdir()) == []


def test_of_a_fault_only_what_differs_from_health_is_written_and_all_is_read(folder: Path) -> None:
    well = seen(NOW, "40123", "5f0c3f6e-7f43-4a59-9a53-1f6b9a5d1c11", 212.4)
    slower = seen(NOW, "40123", "5f0c3f6e-7f43-4a59-9a53-1f6b9a5d1c11", 950.0)
    other = replace(well, check_id="env-names", facts={"missing": []}, verdict=Verdict.PASS)
    ill = replace(other, facts={"missing": ["SECRET_KEY"]}, verdict=Verdict.FAIL)
    record("healthy", [well, other], NOW, {}, [])
    path = record("variable-missing", [slower, ill], NOW, {}, [])
    assert list(json.loads(path.read_text())) == ["env-names"]
    again = recorded("variable-missing")
    assert {check: one.verdict for check, one in again.items()} == {
        "deployment-state": Verdict.FAIL,
        "env-names": Verdict.FAIL,
    }
