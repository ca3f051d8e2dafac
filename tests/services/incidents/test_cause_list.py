"""The page of causes: every cause, what decides it, and nothing that is no longer known."""

from __future__ import annotations

from pathlib import Path

from services.app_definition import load_app
from services.incidents.cause_list import deciding_checks, markdown
from services.incidents.causes import causes_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "causes.md"
CAUSES = causes_of(load_app("pulsecheck"))


def test_the_documentation_has_every_cause() -> None:
    """`python -m dashboard diagnose --causes --markdown > docs/causes.md` writes it anew."""
    assert PAGE.read_text(encoding="utf-8").strip() == markdown(CAUSES).strip()


def test_every_cause_is_decided_by_a_check() -> None:
    assert all(deciding_checks(cause) for cause in CAUSES.causes)
