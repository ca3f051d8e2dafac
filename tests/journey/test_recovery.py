"""With Supabase gone and nobody able to sign in, a recovery code brings the app back: once, told to everybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from services.access.recovery import make_codes, withdraw_codes
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.checks.runner import run_checks
from services.clients.railway import RailwayClient
from services.jobs.app_actions import ROUTES, active
from services.jobs.checking import check_context
from services.jobs.queue import JobState, enqueue, recent_jobs
from services.releases.bundle import load_release
from services.releases.ledger import pin, start_run
from services.sandbox.control import client
from services.store import audit
from tests.campaign import only_in_full
from tests.house import ROOT, House, now, wait_until, whole_house

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), only_in_full]
RELEASE = ROOT / "apps" / "pulsecheck" / "releases" / "beta-optimization"


@pytest.fixture
def came() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that notices can be sent to, and what came there."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test's output is for the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_address[1]}/hook", messages
    server.shutdown()
    server.server_close()
    thread.join()


def routes(house: House) -> Any:
    app = load_app(house.target.app)
    context = check_context(house.store, house.target, app, now())
    return run_checks(catalogue_of(app), [ROUTES], context, now())[0].facts["paths"]


def bring_out_the_new_build(house: House) -> Any:
    """A run whose pin is the build of before, and the new build serving; the paths of the old one."""
    before = routes(house)
    serving = active(RailwayClient.of(house.target))
    release = load_release(str(RELEASE))
    with house.database() as connection:
        for script in release.deploy:
            connection.execute(script.sql)
    run_id = start_run(house.store, actor=house.operator, release=release, target="sandbox", now=now())
    pinned = {"deployment_id": serving.id, "commit": serving.commit, "build": "before", "paths": before}
    pin(house.store, run_id=run_id, actor=house.operator, serving=pinned, now=now(), job_id="job-of-go")
    job = enqueue(
        house.store,
        actor=house.operator,
        kind="redeploy_app",
        target=house.target,
        payload={},
        idempotency_key="out",
        now=now(),
        run_id=run_id,
    )
    house.wait_for_job(job.id)
    assert routes(house) != before
    return before


def use(page: Page, code: str) -> None:
    page.goto("/auth/sign-in?target=sandbox&next=/rollback")
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(code)
    page.get_by_role("button", name="Use the code").click()


def test_with_supabase_gone_a_recovery_code_brings_the_app_back_and_works_once(
    tmp_path: Path, browser: Browser, came: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, messages = came
    monkeypatch.setenv("OPS_TARGETS__SANDBOX__NOTIFY_URLS", address)
    with whole_house(tmp_path) as house:
        before = bring_out_the_new_build(house)
        made = make_codes(house.store, actor="cli:root", target="sandbox", person="Ada Example", now=now(), count=2)
        code, spare = (text.get_secret_value() for _, text in made)
        for fault in ("supabase-auth-down", "supabase-paused"):
            client(house.home).break_fault(fault)

        context = browser.new_context(base_url=house.url, viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        page.goto("/")
        page.get_by_role("button", name="operator").click()
        expect(page.get_by_role("alert")).to_contain_text("A recovery code works")

        use(page, code.lower())
        expect(page.get_by_text("Ada Example signed in with a recovery code at")).to_be_visible()
        page.get_by_role("button", name="Bring the app back to").click()
        expect(page.get_by_text("its route list is the one pinned at GO").first).to_be_visible(timeout=60_000)
        (job,) = recent_jobs(house.store, "sandbox", kind="back_out_app")
        assert (job.state, job.actor.name, job.actor.way) == (JobState.PASSED, "Ada Example", "recovery")
        assert routes(house) == before

        other = browser.new_context(base_url=house.url).new_page()
        use(other, code)
        expect(other.get_by_role("alert")).to_contain_text("each is good once")
        assert withdraw_codes(house.store, actor="cli:root", target="sandbox", now=now()) == 1
        use(other, spare)
        expect(other.get_by_role("alert")).to_contain_text("was withdrawn")
        context.close()
        other.context.close()

        wait_until(lambda: bool(messages), 20, "the notice to be sent")
        assert "Ada Example signed in with a recovery code" in messages[0]["message"]
        actions = [entry.action for entry in audit.entries(house.store, target="sandbox")]
        assert {"make recovery codes", "sign-in", "recovery code refused", "notice sent"} <= set(actions)
        assert audit.first_broken(house.store) is None
        for name in house.home.rglob("*.log"):
            assert code not in name.read_text(errors="replace")
            assert address not in name.read_text(errors="replace")
