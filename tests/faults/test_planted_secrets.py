"""500 secrets and e-mail addresses planted in answers, errors, logs, rows and settings: none is seen anywhere after."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st

from dashboard import composition, context, nav
from dashboard.cli.entry import main
from dashboard.edge.cookies import cookie_name
from services.access.permissions import Actor, Role
from services.access.sessions import open_session
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.errors import OpsError
from services.jobs.handlers import make_worker
from services.jobs.queue import enqueue
from services.releases.bundle import load_release
from services.releases.ledger import start_run
from services.releases.record import rendered, run_record
from services.sandbox.deployment import LogLine
from services.sandbox.disturbance import Disturbance, Reply
from services.settings import Settings, load_settings
from services.settings.text_rules import of_another_kind
from services.store.database import Store, open_store
from tests.app_test import AppTest
from tests.faults.planted import Planted, plant
from tests.house import ROOT
from tests.pages.conftest import texts
from tests.services.sandbox.twin_world import TwinWorld, twin_world

COUNT = 500
SEED = 20260305
FULL = os.environ.get("OPS_CAMPAIGN") == "full"
PAGES = tuple(page.path for page in nav.REGISTRY)
PARTS = {"/verification": ("queries", "checks", "trends"), "/history": ("Runs", "Jobs", "Audit")}
DOORS = ("app", "supabase", "openai", "railway", "status")
SECRET_FIELDS = (
    "supabase_anon_key",
    "supabase_service_key",
    "supabase_access_token",
    "railway_token",
    "openai_key",
)


def bodies(planted: Sequence[Planted]) -> list[Reply]:
    """Answers that quote what was planted, as services do: in messages, details, pages, odd keys and headers."""
    words = " ".join(one.text for one in planted)
    half = len(planted) // 2
    first, second = (" ".join(one.text for one in part) for part in (planted[:half], planted[half:]))
    error = {"message": f"no, {words}", "code": "42501", "hint": first, "details": second, "msg": words}
    nested = {"error": {"message": f"Incorrect API key provided: {words}", "type": "x", "code": "invalid_api_key"}}
    graph = {"errors": [{"message": f"Problem processing request {words}", "extensions": {"with": words}}]}
    return [
        Reply.json(500, {**error, "detail": words, **graph}),
        Reply.json(401, {**nested, **error}),
        Reply.json(403, {**error, "missing_permissions": [one.text for one in planted[:4]]}),
        Reply.page(200, f"<html><title>{first}</title><body>{words}</body></html>"),
        Reply.json(200, {one.text: one.text for one in planted}),
        Reply.json(200, [{"message": words, "name": first, "id": second, "status": first}]),
    ]


@dataclass
class Stage:
    world: TwinWorld
    home: Path
    settings: Settings
    store: Store

    def actor(self, role: Role) -> Actor:
        return Actor(f"sandbox:{role.value}", role.value.capitalize(), role, "sandbox")

    def job(self, kind: str, payload: dict[str, object], target: str = "sandbox") -> None:
        worker = make_worker(self.store, lambda: self.settings, watch=False)
        now = datetime.now(UTC)
        actor = Actor(f"{target}:admin", "Admin", Role.ADMIN, target)
        asked = enqueue(
            self.store,
            actor=actor,
            kind=kind,
            target=self.settings.target(target),
            payload=payload,
            idempotency_key=f"{kind}-{now.timestamp()}",
            now=now,
        )
        worker.run_job(asked.id)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with twin_world("after") as world:
        from services.sandbox.keys import write_json
        from services.sandbox.target_file import target_values

        home = world.world.home.parent
        write_json(home / "targets" / "sandbox.json", target_values(world.world, "http://127.0.0.1:1"))
        settings = load_settings({"OPS_HOME": str(home)}, ROOT)
        store = open_store(settings.store_url)
        yield Stage(world, home, settings, store)
        store.close()


def in_rows(world: TwinWorld, planted: Sequence[Planted]) -> None:
    """The app's usage log quotes them as its errors, and people have those that are addresses as their own."""
    for number, one in enumerate(planted):
        world.sql(
            "update ai_usage_logs set error_message = coalesce(error_message, '') || %s, success = false"
            " where id = (select id from ai_usage_logs order by id offset %s limit 1)",
            f" boom {one.text}",
            number % 20,
        )
        if one.text.endswith("@example.test"):
            chosen = "(select id from users order by id offset %s limit 1)"
            world.sql(f"update users set email = %s where id = {chosen}", one.text, number % 50)


def in_logs(world: TwinWorld, planted: Sequence[Planted]) -> None:
    """The platform's logs of every deployment quote them."""
    for number, one in enumerate(planted):
        deployment = world.world.hosting.deployments[number % len(world.world.hosting.deployments)]
        lines = deployment.runtime_log if number % 2 else deployment.build_log
        lines.append(LogLine(datetime.now(UTC), "error", f"ValueError: could not use {one.text} here"))


def fitting(field: str, text: str) -> str:
    """The text as it can stand in a field: one whose shape belongs into another is refused as a mistake."""
    return f"ours-{text}" if of_another_kind(field, text) else text


def in_settings(home: Path, planted: Sequence[Planted]) -> list[str]:
    """Targets whose every secret is one of them; the names of the targets."""
    names = []
    for start in range(0, len(planted) - len(SECRET_FIELDS), len(SECRET_FIELDS)):
        name = f"planted-{start}"
        given = {field: fitting(field, one.text) for field, one in zip(SECRET_FIELDS, planted[start:], strict=False)}
        password = planted[start].secret
        document = {
            **given,
            "levels": ["look", "observe", "platform", "probe"],
            "app_url": "http://127.0.0.1:9",
            "supabase_url": "http://127.0.0.1:9",
            "supabase_management_url": "http://127.0.0.1:9",
            "supabase_project_ref": "abcdefghijklmnopqrst",
            "railway_url": "http://127.0.0.1:9",
            "openai_url": "http://127.0.0.1:9",
            "railway_status_url": "http://127.0.0.1:9",
            "supabase_status_url": "http://127.0.0.1:9",
            "openai_status_url": "http://127.0.0.1:9",
            "database_url": f"postgresql://ops:{password}@127.0.0.1:9/postgres".replace("@e", "%40e"),
        }
        (home / "targets" / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
        names.append(name)
    return names


@contextmanager
def disturbed(world: TwinWorld, reply: Reply) -> Iterator[None]:
    async def hold() -> None:
        for name in DOORS:
            world.world.doors[name].add("planted", Disturbance(reply))

    async def let_go() -> None:
        for name in DOORS:
            world.world.doors[name].remove("planted")

    world.do(hold)
    try:
        yield
    finally:
        world.do(let_go)


def shown_on_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that every page writes, draws and offers for download, for an admin."""
    monkeypatch.setenv("OPS_HOME", str(stage.home))
    monkeypatch.delenv("OPS_TARGET", raising=False)
    composition.close()
    st.cache_data.clear()
    token = open_session(stage.store, stage.actor(Role.ADMIN), datetime.now(UTC))
    monkeypatch.setattr(context, "cookies", lambda: {cookie_name("sandbox"): token})
    shown = []
    for path in PAGES:
        for part in PARTS.get(path, ("",)):
            app = AppTest.from_file(str(Path(composition.__file__).with_name("main.py")), default_timeout=40)
            app.run()
            app.query_params["target"] = "sandbox"
            if part:
                app.query_params["part"] = part
            if path != "/":
                app.switch_page(str(nav.PAGES / nav.entry(path).file))
            app.run()
            assert not app.exception
            shown.append(texts(app))
            shown.extend(frame.value.to_csv() for frame in app.dataframe)
            shown.extend(str(element.proto) for element in app.main)
    composition.close()
    return "\n".join(shown)


def on_the_command_line(stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPS_HOME", str(stage.home))
    for arguments in (["doctor"], ["check", "--json"], ["look", "http://127.0.0.1:9", "--json"], ["score", "--json"]):
        main(arguments)
    told = capsys.readouterr()
    return told.out + told.err


def test_nothing_planted_is_seen_anywhere(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    planted = plant(COUNT, SEED)
    parts = [planted[start : start + 100] for start in range(0, COUNT, 100)]
    in_rows(stage.world, parts[0])
    in_logs(stage.world, parts[1])
    names = in_settings(stage.home, parts[2])
    stage.settings = load_settings({"OPS_HOME": str(stage.home)}, ROOT)
    ids = list(catalogue_of(load_app("pulsecheck")).ids)
    release = load_release("beta-optimization", root=ROOT / "apps" / "pulsecheck" / "releases")
    run_id = start_run(
        stage.store, actor=stage.actor(Role.OPERATOR), release=release, target="sandbox", now=datetime.now(UTC)
    )
    stage.job("diagnose", {})
    for name in names if FULL else names[:1]:
        stage.job("check", {"checks": ids}, name)
    replies = bodies([*parts[3], *parts[4]])
    for number, reply in enumerate(replies):
        if FULL or number in (1, 4):
            with disturbed(stage.world, reply):
                stage.job("diagnose", {})
                if number == 1:
                    output = on_the_command_line(stage, capsys, monkeypatch)
    sentences = []
    for one in parts[2]:
        environ = {
            "OPS_HOME": str(stage.home),
            "OPS_TARGETS__ODD__RAILWAY_URL": one.text,
            "OPS_TARGETS__ODD__NO": one.text,
        }
        with pytest.raises(OpsError) as refused:
            load_settings(environ, ROOT)
        sentences.append(str(refused.value))
    record = run_record(stage.store, run_id, datetime.now(UTC))
    places = {
        "screen": shown_on_pages(stage, monkeypatch),
        "command line": output,
        "log": caplog.text,
        "errors": "\n".join(sentences),
        "export": "\n".join(rendered(record, form).decode("latin-1") for form in ("md", "json", "pdf")),
        "store": "\n".join(
            path.read_bytes().decode("latin-1")
            for path in stage.home.glob("*")
            if path.is_file() and "store" in path.name
        ),
    }
    assert all(places.values()), {place: len(text) for place, text in places.items()}
    seen = [
        (place, one.text[:14])
        for place, text in places.items()
        for one in planted
        if any(form in text for form in one.forms)
    ]
    assert not seen, f"{len(seen)} of {COUNT} seen: {seen[:10]}"
