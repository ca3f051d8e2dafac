"""An app's definition: read as one object, malformed with its place, links with the target's ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.app_definition import app_names, load_app, part_of
from services.errors import NotUnderstood
from services.settings import Target
from services.yaml_file import read_yaml


def test_builds_are_told_apart_by_the_paths_they_add() -> None:
    app = load_app("pulsecheck")
    old, beta = app.paths_of("old"), app.paths_of("beta")
    assert set(old) < set(beta)
    assert app.includes("newest", "beta")
    assert not app.includes("old", "beta")


def test_the_newest_build_reads_the_variables_of_those_before_too() -> None:
    assert "SUPABASE_URL" in load_app("pulsecheck").env_of("beta")
    assert "SUPABASE_SERVICE_ROLE_KEY" not in load_app("pulsecheck").env_of("old")


@pytest.mark.parametrize("name", ["nothing", "../services", "Pulse"])
def test_an_unknown_app_names_the_known_ones(name: str) -> None:
    with pytest.raises(NotUnderstood, match="pulsecheck"):
        load_app(name)


def test_a_link_holds_the_ids_of_the_target_and_falls_back_to_the_front_page() -> None:
    links = load_app("pulsecheck").links_for(Target(name="staging", supabase_project_ref="abcdefghijklmnopqrst"))
    assert links["supabase_sql_editor"].url.endswith("/project/abcdefghijklmnopqrst/sql/new")
    assert links["railway_variables"].url == "https://railway.com/dashboard"


def test_ids_that_checks_have_found_complete_a_link() -> None:
    found = {"railway_project_id": "p", "railway_environment_id": "e"}
    links = load_app("pulsecheck").links_for(Target(name="staging", railway_service_id="s"), found)
    assert links["railway_variables"].url == "https://railway.com/project/p/service/s/variables?environmentId=e"


def test_no_link_ever_holds_a_secret() -> None:
    target = Target.model_validate({"name": "staging", "openai_key": "secret-value", "railway_token": "secret-value"})
    assert all("secret-value" not in link.url for link in load_app("pulsecheck").links_for(target).values())


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("title: x\nbuilds: [\n")
    with pytest.raises(NotUnderstood) as raised:
        read_yaml(tmp_path / "app.yaml")
    assert raised.value.place is not None
    assert raised.value.place.endswith("app.yaml:3")


def test_a_malformed_definition_names_every_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "app.yaml").write_text("what: Odd\nsurprise: 1\n")
    monkeypatch.setenv("OPS_APPS", str(tmp_path))
    with pytest.raises(NotUnderstood) as raised:
        load_app("odd")
    assert "surprise" in raised.value.what
    assert "title" in raised.value.what


def test_an_own_app_lives_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "app.yaml").write_text("title: Own\n")
    with pytest.raises(NotUnderstood):
        load_app("own")
    monkeypatch.setenv("OPS_APPS", str(tmp_path))
    app = load_app("own")
    assert (app.title, app.folder, app_names()) == ("Own", tmp_path / "own", ["own", "pulsecheck"])


def test_an_app_needs_no_module_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "app.yaml").write_text("title: Bare\nuses: [app]\n")
    monkeypatch.setenv("OPS_APPS", str(tmp_path))
    assert part_of(load_app("bare"), "checks") is None


def test_a_folder_of_apps_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_APPS", str(tmp_path / "nowhere"))
    with pytest.raises(NotUnderstood, match="nowhere") as raised:
        load_app("pulsecheck")
    assert raised.value.place == "OPS_APPS"
