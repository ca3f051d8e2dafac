"""The job in docs/pull-requests.md is real: its commands run here, on a scratch server instead of the job's service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from dashboard.cli.entry import app
from services.database.server import Server, find_binaries, scratch_server
from services.sandbox.postgres import LOGIN_ROLES, SKELETON, Cluster
from tests.campaign import only_in_full

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "pull-requests.md").read_text(encoding="utf-8")
BLOCKS = dict.fromkeys(re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL))
JOB = YAML(typ="safe").load(next(text for kind, text in BLOCKS if kind == "yaml"))["jobs"]["rehearse"]
APP = """
CREATE TABLE public.users (id uuid PRIMARY KEY, email text NOT NULL, created_at timestamptz DEFAULT now());
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
CREATE SCHEMA extensions;
"""
USES_AN_EXTENSION = """
CREATE EXTENSION pg_trgm SCHEMA extensions;
CREATE INDEX users_email_like ON public.users USING gin (email extensions.gin_trgm_ops);
"""


def steps() -> dict[str, str]:
    """The job's own commands by the step's name."""
    return {str(step["name"]): str(step["run"]) for step in JOB["steps"] if "run" in step}


def dump_command() -> str:
    return next(text for kind, text in BLOCKS if kind == "sh" and "pg_dump" in text)


@dataclass
class Runner:
    """A checkout on a machine like the job's: a repository with the dashboard in it, and a fresh Postgres."""

    repository: Path
    environment: dict[str, str]

    def step(self, command: str) -> subprocess.CompletedProcess[str]:
        """As the job runs it: bash that ends at the first failure, of a pipe too."""
        told = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
        return subprocess.run(
            told, cwd=self.repository, env=self.environment, capture_output=True, text=True, timeout=100, check=False
        )

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.repository, env=self.environment, capture_output=True, check=True)


def checkout(folder: Path, server: Server) -> Runner:
    for name in (".venv", "Makefile", "dashboard", "services", "apps", "pages"):
        (folder / name).symlink_to(ROOT / name)
    # The job's machine has a client's programs and no server; the rehearsal brings its own.
    (folder / "bin").mkdir()
    for name in ("psql", "pg_dump"):
        (folder / "bin" / name).symlink_to(find_binaries().tool(name))
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "OPS_HOME": str(folder / "home"),
        "GITHUB_BASE_REF": "main",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{part}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")},
        **{key: str(value) for key, value in JOB["env"].items()},
    }
    environment |= {"PGPORT": str(server.port), "PGUSER": "postgres", "DATABASE_URL": server.dsn("production")}
    environment["REHEARSAL_URL"] = environment["REHEARSAL_URL"].replace(":5432/", f":{server.port}/")
    return Runner(folder, environment)


def test_the_job_is_set_up_by_what_is_there() -> None:
    assert steps()["Set up"] == "make setup"
    assert re.search(r"^setup:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for file in re.findall(r"-f (services/\S+)", steps()["Restore the schema"]):
        assert (ROOT / file).is_file()


def test_it_needs_no_secret() -> None:
    assert "secrets." not in PAGE
    assert set(JOB["env"]) == {"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "REHEARSAL_URL"}


def test_every_command_on_the_page_has_the_options_that_it_names() -> None:
    known: dict[str, Any] = dict(get_command(app).commands)  # type: ignore[attr-defined]
    named = re.findall(r"-m dashboard (\w+) (.*)", "\n".join(text for _, text in BLOCKS))
    assert {command for command, _ in named} == {"lint", "rehearse"}
    for command, rest in named:
        options = {option for parameter in known[command].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options


@only_in_full
@pytest.mark.campaign
def test_its_steps_rehearse_what_a_pull_request_changes(tmp_path: Path) -> None:
    """Restored from the dump of another database, with a good change and then a bad one."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    with scratch_server() as server:
        cluster = Cluster(server, {role: f"{role}-pw" for role in LOGIN_ROLES})
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{JOB['env']['PGPASSWORD']}'")
            admin.execute("CREATE DATABASE production")
        with psycopg.connect(server.dsn("production"), autocommit=True) as production:
            production.execute(APP)
            if production.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'").fetchone():
                production.execute(USES_AN_EXTENSION)
        assert cluster.database == JOB["env"]["PGDATABASE"] != SKELETON
        runner = checkout(tmp_path, server)
        (tmp_path / "schema").mkdir()
        (tmp_path / "changes").mkdir()
        dumped = runner.step(dump_command())
        assert (dumped.returncode, dumped.stderr) == (0, "")
        runner.git("init", "-q", "-b", "main")
        runner.git("add", "schema")
        runner.git("commit", "-q", "-m", "The schema")
        runner.git("update-ref", "refs/remotes/origin/main", "main")
        restored = runner.step(steps()["Restore the schema"])
        assert restored.returncode == 0, restored.stderr
        assert indexes(server.dsn(JOB["env"]["PGDATABASE"])) == indexes(server.dsn("production"))

        change = tmp_path / "changes" / "010_users.sql"
        change.write_text("ALTER TABLE public.users ADD COLUMN IF NOT EXISTS name text;\n")
        assert pull_request(runner) == {"Find what is changed": (0, ""), "Lint": (0, ""), "Rehearse": (0, "")}
        assert (tmp_path / "changed.txt").read_text() == "changes/010_users.sql\n"

        change.write_text("SELECT 1;\nALTER TABLE public.users ALTER COLUMN mail SET NOT NULL;\n")
        code, told = pull_request(runner)["Rehearse"]
        assert code == 1
        assert "::error file=changes/010_users.sql,line=2,title=It fails::42703: " in told


def indexes(url: str) -> list[tuple[str]]:
    """The definitions of the app's own indexes."""
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1").fetchall()


def pull_request(runner: Runner) -> dict[str, tuple[int, str]]:
    """Commit what changed and take the steps that follow: their exit codes, and what they write for the review."""
    runner.git("add", "changes")
    runner.git("commit", "-q", "-m", "A change")
    done = {name: runner.step(steps()[name]) for name in ("Find what is changed", "Lint", "Rehearse")}
    return {name: (step.returncode, step.stdout) for name, step in done.items()}
