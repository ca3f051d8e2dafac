"""The backups on the rollback page: the newest with its proof, how to take one, and whom it is encrypted to."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from services.access.permissions import Role
from services.jobs.queue import recent_jobs
from services.store.tables import backups
from tests.pages.conftest import OpenPage, open_page, texts, world
from tests.pages.world import TARGET, World

__all__ = ["open_page", "world"]

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def told(app: Any) -> str:
    return texts(app).replace("\\", "")


def encrypts_to_somebody(folder: Path) -> None:
    place = folder / "targets" / f"{TARGET}.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "backup_recipient": RECIPIENT}))


def proved(world: World, folder: Path) -> None:
    now = datetime.now(UTC)
    file = folder / "a.dump.age"
    file.write_bytes(b"12345")
    body = {
        "rows": 4143,
        "tables": 4,
        "contains": "4,143 rows of 4 tables in public.",
        "not_contained": ["Files in Supabase Storage are not in the database at all."],
        "proof": {"summary": "Restored on Postgres 17 in 0.9 s."},
        "host": socket.gethostname(),
    }
    with world.store.write() as tx:
        tx.execute(
            insert(backups).values(
                id="backup-1",
                target=TARGET,
                verdict="pass",
                started=now - timedelta(hours=3),
                finished=now - timedelta(hours=3),
                file=str(file),
                bytes=5,
                digest="ab" * 32,
                keep_until=now + timedelta(days=30),
                body=body,
            )
        )


def test_without_a_recipient_the_way_to_one_is_shown_and_no_button(open_page: OpenPage) -> None:
    app = open_page("/rollback")
    assert "No backup of ours has been restored and compared yet." in told(app)
    assert "backup --new-key" in told(app)
    assert not [button for button in app.button if button.label == "Take a backup"]


def test_the_newest_is_shown_with_its_proof_and_all_on_request(
    open_page: OpenPage, world: World, tmp_path: Path
) -> None:
    encrypts_to_somebody(tmp_path)
    proved(world, tmp_path)
    app = open_page("/rollback")
    shown = told(app)
    assert "The newest is of 3 h ago." in shown and "Restored on Postgres 17 in 0.9 s." in shown
    assert "Contains 4,143 rows of 4 tables in public. Files in Supabase Storage" in shown
    next(one for one in app.toggle if one.label == "All backups").set_value(True).run()
    (frame,) = [one.value for one in app.dataframe if "SHA-256" in one.value]
    assert list(frame["State"]) == ["in place"] and list(frame["Rows"]) == [4143]


def test_an_operator_takes_one_with_one_press_and_a_viewer_cannot(
    open_page: OpenPage, world: World, tmp_path: Path
) -> None:
    encrypts_to_somebody(tmp_path)
    for role, may in ((Role.VIEWER, False), (Role.OPERATOR, True)):
        app = open_page("/rollback", role)
        (button,) = [one for one in app.button if one.label == "Take a backup"]
        assert button.disabled is not may
    button.click().run()
    assert [one.actor.role for one in recent_jobs(world.store, TARGET, kind="backup")] == [Role.OPERATOR]
