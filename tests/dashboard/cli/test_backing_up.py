"""The command about backups: what it refuses before anything is done, and a file taken, proved and restored by it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from services.database.backup.encryption import identities_of, new_key
from services.database.connect import connect
from tests.conftest import MakeDatabase, SupabaseDatabase
from tests.dashboard.cli.conftest import Run
from tests.services.database.app_database import APP


def test_a_new_key_is_printed_only_where_that_is_meant(run: Run, tmp_path: Path) -> None:
    refused = run("backup", "--new-key", "--json")
    assert refused.code == 1 and "--show-secret" in str(refused.error["do"])
    made = run("backup", "--new-key", "--show-secret", "--json")
    assert made.code == 0
    (identity,) = identities_of(made.document["secret"])
    assert str(identity.to_public()) == made.document["recipient"]
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text for text in kept if made.document["secret"].encode() in text]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--list", "--prune"), "Several things were asked for at once: --list, --prune."),
        (("--prove", "x.dump.age"), "Nothing was named that opens the file."),
        (("--prove", "x.dump.age", "--identity", "env:NOT_SET_HERE"), "The manifest x.dump.age.json cannot be read"),
        (("--restore", "x.dump.age", "--identity", "k"), "No database was named."),
        (("--restore", "x", "--identity", "k", "--database", "postgresql://u:pw-of-u@h/d"), "named by a variable"),
    ],
)
def test_what_cannot_be_understood_is_told_before_anything_is_done(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    answer = run("backup", *arguments, "--json")
    assert (answer.code, said in str(answer.error["what"])) == (64, True), answer.out
    assert "pw-of-u" not in answer.out + answer.err


def test_one_is_taken_listed_proved_and_restored(
    run: Run,
    make_supabase_database: Callable[[], SupabaseDatabase],
    make_database: MakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, key = make_supabase_database(), new_key()
    with connect(source.owner) as conn:
        conn.execute(APP)
    home = tmp_path / "home"
    (home / "targets").mkdir(parents=True)
    values = {"production": False, "levels": ["look", "observe", "deploy"], "deploy_url": source.owner}
    (home / "targets" / "sandbox.json").write_text(json.dumps({**values, "backup_recipient": key.recipient}))

    taken = run("backup", "--json")
    assert (taken.code, taken.document["verdict"], taken.document["rows"]) == (0, "pass", 340)
    file = Path(taken.document["file"])
    assert file.parent == home / "backups" / "sandbox" and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    (listed,) = run("backup", "--list", "--json").document["backups"]
    assert (listed["id"], listed["there"], listed["verdict"]) == (taken.document["id"], True, "pass")
    assert run("backup", "--prune", "--json").document == {"deleted": []}

    monkeypatch.setenv("MY_KEY", key.secret)
    proof = run("backup", "--prove", str(file), "--identity", "env:MY_KEY", "--json")
    assert (proof.code, proof.document["verdict"], proof.document["rows"]) == (0, "pass", 340)

    into = make_database()
    monkeypatch.setenv("FRESH", into)
    asked = ("backup", "--restore", str(file), "--identity", "env:MY_KEY", "--database", "env:FRESH", "--json")
    phrase = f"restore {taken.document['id']} into {into.rpartition('/')[2]}"
    nearly = run(*asked, "--confirm", phrase.upper())
    assert nearly.code == 64 and phrase in str(nearly.error["do"])
    done = run(*asked, "--confirm", phrase)
    assert (done.code, done.document["verdict"], done.document["rows"]) == (0, "pass", 340)
    again = run(*asked, "--confirm", phrase)
    assert again.code == 1 and "not empty" in str(again.error["what"])

    file.write_bytes(file.read_bytes()[:-100])
    cut = run("backup", "--prove", str(file), "--identity", "env:MY_KEY", "--json")
    assert cut.code == 1 and "is cut off" in str(cut.error["what"])
