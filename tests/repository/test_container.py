"""The recipes for running it elsewhere say what is true: what the image holds, as whom it runs, what is left out."""

from __future__ import annotations

import re
import shlex
import tomllib
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dashboard.cli.entry import app as command_line

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOC = (ROOT / "docs" / "running-elsewhere.md").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile: its word and the rest, continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def copied() -> list[tuple[str, str]]:
    """(source, destination) of what comes from this folder."""
    pairs = [shlex.split(rest) for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    return [(pair[0], pair[1]) for pair in pairs]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


class TestImage:
    def test_it_is_made_of_a_slim_python_that_we_test_with(self) -> None:
        bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
        assert set(bases) == {"python:3.11-slim"}
        needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
        assert needed == ">=3.11"

    def test_nothing_is_fetched_but_exact_pins(self) -> None:
        assert not [rest for word, rest in instructions() if word == "ADD"]
        runs = [rest for word, rest in instructions() if word == "RUN"]
        assert not re.search(r"\b(curl|wget|git|apt-get)\b|https?:", " ".join(runs))
        installed = re.findall(r"pip install ([^&]*?) *(?:&|$)", " & ".join(runs))
        assert [words.split()[-2:] for words in installed] == [["-r", "/tmp/requirements.txt"]]
        pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
        assert all(re.fullmatch(r"[A-Za-z0-9_.\-\[\],]+==[0-9][\w.]*", pin) for pin in pins)

    def test_every_source_is_there_and_all_that_runs_is_copied(self) -> None:
        for source, _ in copied():
            assert (ROOT / source).exists(), source
        assert {"services", "apps", "dashboard", "pages", ".streamlit/config.toml"} <= {
            source for source, _ in copied()
        }

    def test_what_is_copied_is_let_in_and_nothing_else_is(self) -> None:
        lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
        assert lines[0] == "*"
        let_in = {line[1:] for line in lines if line.startswith("!")}
        assert let_in == {source for source, _ in copied()}
        shut_out = [line for line in lines[1:] if not line.startswith("!")]
        for secret in (".streamlit/secrets.toml", "apps/x/secrets.toml", "services/.ops"):
            assert secret not in let_in
            assert secret.startswith(".streamlit/") or any(fnmatch(secret, pattern) for pattern in shut_out), secret

    def test_it_runs_without_rights_and_signals_arrive(self) -> None:
        said = instructions()
        assert [rest for word, rest in said if word == "USER"] == ["10001:10001"]
        order = [word for word, _ in said]
        assert order.index("USER") > max(place for place, word in enumerate(order) if word == "RUN")
        (entry,) = [rest for word, rest in said if word == "ENTRYPOINT"]
        assert entry == '["python", "-m", "dashboard"]', "exec form: a shell would keep the signal to itself"
        assert ("STOPSIGNAL", "SIGTERM") in said
        assert ("VOLUME", '["/var/lib/ops"]') in said

    def test_no_secret_is_in_a_layer(self) -> None:
        told = " ".join(rest for word, rest in instructions() if word in ("ENV", "ARG", "LABEL", "RUN"))
        assert not re.search(r"PASSWORD|TOKEN|SECRET|_KEY|STORE_URL|postgres(ql)?://", told)

    def test_it_is_well_by_an_effect(self) -> None:
        (check,) = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
        assert 'CMD ["python", "deploy/healthcheck.py"]' in check


class TestCompose:
    def test_its_parts_hold_together(self, compose: dict[str, Any]) -> None:
        services = compose["services"]
        assert set(services) == {"worker", "web", "store", "proxy"}
        known = {"image", "build", "env_file", "environment", "volumes", "tmpfs", "read_only", "init", "cap_drop"}
        known |= {"security_opt", "restart", "depends_on", "logging", "command", "stop_grace_period", "healthcheck"}
        known |= {"networks", "secrets", "shm_size", "ports"}
        for name, service in services.items():
            assert set(service) <= known, name
            assert set(service["networks"]) <= set(compose["networks"]), name
            assert set(service.get("depends_on", {})) <= set(services), name
            assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"], volume

    def test_its_commands_are_ours(self, compose: dict[str, Any]) -> None:
        ours = {command.callback.__name__ for command in command_line.registered_commands if command.callback}
        for name in ("worker", "web"):
            assert compose["services"][name]["command"][0] == name
            assert name in ours

    def test_ours_write_nowhere_and_may_nothing(self, compose: dict[str, Any]) -> None:
        for name in ("worker", "web"):
            service = compose["services"][name]
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert service["init"] is True
            assert not any("docker.sock" in volume for volume in service["volumes"])

    def test_only_the_proxy_is_reached_from_outside(self, compose: dict[str, Any]) -> None:
        assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]
        assert compose["services"]["store"]["networks"] == ["inside"]
        assert compose["networks"]["inside"] == {"internal": True}

    def test_it_holds_no_secret(self, compose: dict[str, Any]) -> None:
        told = [line for line in (DEPLOY / "compose.yaml").read_text().splitlines() if "assword" in line]
        assert all("store_password" in line for line in told)
        kept_out = (DEPLOY / ".gitignore").read_text().splitlines()
        assert {"ops.env", "store_password"} <= set(kept_out)

    def test_a_deploy_has_the_time_to_reach_a_safe_point(self, compose: dict[str, Any]) -> None:
        assert compose["services"]["worker"]["stop_grace_period"] == "60s"


@pytest.mark.parametrize("part", ["worker", "web"])
def test_the_units_start_what_the_containers_start(part: str) -> None:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / f"ops-{part}.service")
    service = unit["Service"]
    assert service["ExecStart"].split()[1:4] == ["-m", "dashboard", part]
    assert (service["User"], service["Restart"], service["NoNewPrivileges"]) == ("ops", "always", "true")


def test_the_proxy_passes_on_what_the_pages_listen_on(compose: dict[str, Any]) -> None:
    port = compose["services"]["web"]["command"][2]
    assert f"reverse_proxy web:{port}" in (DEPLOY / "Caddyfile").read_text()
    assert f"PORT = {port}" in (DEPLOY / "healthcheck.py").read_text()


def test_the_recipe_names_only_variables_that_are_settings() -> None:
    from services.settings import load_settings

    block = re.search(r"cat > ops.env <<END\n(.*?)END", DOC, re.DOTALL)
    assert block is not None
    lines = [line.partition("=") for line in block[1].splitlines()]
    given = {key: value.replace("$(cat store_password)", "x").replace("...", "key") for key, _, value in lines}
    settings = load_settings({**given, "OPS_HOST": "0.0.0.0"}, ROOT)
    assert settings.heartbeat_url is not None
    assert settings.target().auth_url
