"""The examination as a whole: what it looks at on the sandbox alone and where there is more to lose."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.cli.examination import each_of, kept_in, machine_problems
from services.settings import Problem, Settings, SettingsNotUnderstood, Target

SANDBOX = Target(name="sandbox", production=False, fault_control_url="http://127.0.0.1:1")


def settings(tmp_path: Path, *targets: Target, store: str | None = None) -> Settings:
    url = store or f"sqlite:///{tmp_path}/ops/store.sqlite3"
    return Settings(home=tmp_path / "ops", store_url=url, targets={one.name: one for one in targets})


def test_the_sandbox_alone_has_nothing_to_lose(tmp_path: Path) -> None:
    assert list(machine_problems(settings(tmp_path, SANDBOX), {"RAILWAY_PROJECT_ID": "p"})) == []


@pytest.mark.parametrize("target", [Target(name="live"), Target(name="staging", production=False)])
def test_with_a_real_target_the_disk_counts(tmp_path: Path, target: Target) -> None:
    found = list(machine_problems(settings(tmp_path, SANDBOX, target), {}))
    assert [problem.exit_code for problem in found if problem.place == "OPS_HOME"] == [1]  # below /tmp


def test_what_we_keep_lies_in_our_folder_and_where_the_store_is(tmp_path: Path) -> None:
    assert kept_in(settings(tmp_path)) == {tmp_path / "ops"}
    assert kept_in(settings(tmp_path, store="sqlite:////srv/ops.sqlite3")) == {tmp_path / "ops", Path("/srv")}
    assert kept_in(settings(tmp_path, store="postgresql://u@h/d")) == {tmp_path / "ops"}


def test_the_problems_of_the_settings_are_told_one_by_one() -> None:
    error = SettingsNotUnderstood([Problem("f.toml:3", "a.b", "is odd", "mend it"), Problem("OPS_X", "", "is", "do")])
    one, two = each_of(error)
    assert one.to_json() == {
        "what": "a.b is odd.",
        "means": "Nothing is started.",
        "do": "Mend it.",
        "place": "f.toml:3",
    }
    assert two.what == "OPS_X is."
    assert {one.exit_code, two.exit_code} == {64}
