"""What was asked is kept for who asked, without addresses; a question becomes a file that says what it proves."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.access.permissions import Actor, Role
from services.console.history import ask_and_note, asked_before
from services.console.saving import save_query
from services.errors import NotUnderstood, Refused
from services.releases.bundle import Release, load_release
from services.store.database import Store
from tests.migrated_store import fresh_store
from tests.services.conftest import NOON
from tests.services.console.conftest import Console

ANN = Actor("staging:1", "Ann", Role.OPERATOR, "staging", way="auth")
BOB = Actor("staging:2", "Bob", Role.VIEWER, "staging", way="auth")


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    return fresh_store(tmp_path / "store.sqlite3")


def ask(kept: Store, console: Console, text: str, actor: Actor = ANN) -> str:
    return ask_and_note(kept, actor=actor, target=console.target, app=console.app, text=text, now=NOON)[1]


def test_each_sees_their_own_questions_alone_answered_or_not(kept: Store, console: Console) -> None:
    ask(kept, console, "SELECT id FROM plain WHERE word = 'ann@example.com'")
    with pytest.raises(Refused):
        ask(kept, console, "DELETE FROM plain")
    with pytest.raises(NotUnderstood):
        ask(kept, console, "SELECT nothing FROM plain")
    told = asked_before(kept, ANN, "staging")
    assert sorted((one.outcome, one.rows) for one in told if one.rows is not None) == [("answered", 0)]
    assert {one.outcome for one in told} == {"answered", "refused", "not understood"}
    assert "ann@example.com" not in str(told)
    assert asked_before(kept, BOB, "staging") == []
    kept.close()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    (tmp_path / "small").mkdir()
    for name, text in {"deploy/010.sql": "SELECT 1;", "verify/010_old.sql": "-- Old.\nSELECT 1 WHERE false;"}.items():
        (tmp_path / "small" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "small" / name).write_text(text)
    (tmp_path / "small" / "release.yaml").write_text(
        "id: small\ntitle: Small\nrisk: low\nexpected_minutes: 5\nphases:\n  - id: before\n    title: Before\n"
        "    steps:\n      - {id: before-1, title: Read, signoff: true}\n"
    )
    return load_release(str(tmp_path / "small"), root=tmp_path)


def save(kept: Store, release: Release, actor: Actor = ANN, **more: str) -> Path:
    given = {"name": "premium_kept", "text": "SELECT * FROM users WHERE tier IS NULL;", "proves": "Nobody lost a tier."}
    return save_query(kept, release, actor=actor, target="staging", now=NOON, **{**given, **more})


def test_a_question_becomes_a_verification_query_of_the_release(kept: Store, release: Release) -> None:
    path = save(kept, release)
    assert path.name == "020_premium_kept.sql"
    again = load_release(str(path.parents[1]), root=path.parents[2])
    assert [(query.id, query.proves) for query in again.verify][1] == ("020_premium_kept", "Nobody lost a tier.")
    assert again.content_hash != release.content_hash
    kept.close()


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "../../etc"},
        {"name": "A"},
        {"proves": "x"},
        {"text": "DELETE FROM users"},
        {"text": "SELECT 1; SELECT 2"},
    ],
)
def test_what_is_no_query_is_not_saved(kept: Store, release: Release, bad: dict[str, str]) -> None:
    with pytest.raises((NotUnderstood, Refused)):
        save(kept, release, **bad)
    assert release.folder is not None
    assert [path.name for path in (release.folder / "verify").iterdir()] == ["010_old.sql"]
    kept.close()


def test_a_viewer_saves_nothing_and_no_file_is_written_over(kept: Store, release: Release) -> None:
    with pytest.raises(Refused, match="viewer"):
        save(kept, release, BOB)
    save(kept, release)
    with pytest.raises(Refused, match="cannot be written"):
        save(kept, release)
    kept.close()
