"""A newcomer connects a second world that plays production, level by level, by clicking; nothing is written before the
level that says so, and what is not granted is refused in a sentence that names it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.panels.probe_accounts import PURPOSES
from services.access.permissions import Actor, Role
from services.connecting.reader_role import ROLE
from services.errors import Refused
from services.jobs.queue import enqueue
from services.settings import Level
from tests.conftest import open_folder
from tests.house import House, now
from tests.journey.conftest import SignedIn
from tests.journey.newcomer import Newcomer
from tests.journey.second_world import SecondWorld, second_world

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NAME = "production"
ASKED_S = 300


@pytest.fixture(scope="module")
def production() -> Iterator[SecondWorld]:
    """It starts while the house does."""
    with open_folder() as home, second_world(home, NAME) as world:
        yield world


def refused(house: House, kind: str) -> str:
    """The sentence with which an admin of production is refused a job of this kind, whoever asks and however."""
    admin = Actor("test:admin", "Test Admin", Role.ADMIN, NAME)
    target = house.settings.target(NAME)
    with pytest.raises(Refused) as refusal:
        enqueue(
            house.store, actor=admin, kind=kind, target=target, payload={}, idempotency_key=f"refused/{kind}", now=now()
        )
    return str(refusal.value)


def assert_nothing_is_kept_in(page: Page, *secrets: str) -> None:
    """What was typed is neither in the document nor in any input any more."""
    held = page.content() + "".join(page.locator("input").evaluate_all("all => all.map(one => one.value)"))
    assert not [one for one in secrets if one in held]


def test_a_newcomer_connects_production_level_by_level(
    production: SecondWorld, house: House, signed_in: SignedIn, browser: Browser
) -> None:
    production.wait()
    production.log_everything()
    keys, given = production.keys, production.target
    page = signed_in("admin")
    page.goto("/settings")
    me = Newcomer(page)

    me.click(page.get_by_text("Connect a target"))
    me.fill("Name", NAME)
    me.fill("Public address of the app", given["app_url"])
    me.press("Make this target")
    me.follow(f"Go to {NAME}")
    page = me.page
    me.click(page.get_by_role("button", name=re.compile("Continue as .*who made this target")))

    me.prove("look", "answers")
    listed = me.refused()
    assert "Restart the app" in listed["platform"] and "Deploy the schema" in listed["deploy"]
    assert len(listed["observe"]) > 10 and listed["probe"]

    me.open_level("observe")
    me.press("Make the SQL")
    expect(page.get_by_text("is never shown").first).to_be_visible()
    me.settle()
    sql = page.get_by_test_id("stCode").filter(has_text="CREATE").inner_text()
    with production.owner() as editor:
        editor.execute(sql.encode())
    me.fill("Supabase project", keys["project_ref"])
    me.fill("Supabase access token", keys["observe_token"])
    me.fill("Database, as a role", f"postgresql://postgres:[YOUR-PASSWORD]@127.0.0.1:{production.port}/postgres")
    me.click(page.get_by_text("Only for a service of your own"))
    me.fill("Address of the Supabase Management API", given["supabase_management_url"])
    me.keep()
    assert_nothing_is_kept_in(page, keys["observe_token"])
    me.prove("observe", ROLE)
    me.grant("observe")
    assert "observe" not in me.refused()

    assert "platform" in refused(house, "restart")
    me.open_level("platform")
    me.fill("Railway project token", keys["railway_token"])
    me.fill("Railway service", given["railway_service_id"])
    me.click(page.get_by_text("Only for a service of your own"))
    me.fill("Address of the Railway API", given["railway_url"])
    me.keep()
    me.prove("platform", "deployment")
    me.grant("platform")

    assert production.written() == []
    assert production.writing_calls() == []
    assert any(one.user == ROLE for one in production.statements())

    me.open_level("probe")
    accounts = {one["purpose"]: one for one in keys["accounts"] if one["purpose"]}
    for row, purpose in enumerate(PURPOSES):
        if purpose in accounts:
            me.fill("E-mail", accounts[purpose]["email"], row)
            me.fill("Password", accounts[purpose]["password"], row)
    me.fill("Address of the Supabase project", given["supabase_url"])
    me.fill("Publishable (anon) key", keys["anon_key"])
    me.fill("Secret (service) key", keys["ops_service_key"])
    me.fill("OpenAI key, restricted", keys["ops_openai_key"])
    me.click(page.get_by_text("Only for a service of your own"))
    me.fill("Address of the OpenAI API", given["openai_url"])
    me.press("Keep these")
    expect(page.get_by_text(f"You are not signed in to {NAME}").first).to_be_visible()
    assert_nothing_is_kept_in(page, keys["anon_key"], keys["ops_service_key"], accounts["probe"]["password"])
    sign_in_with_an_account_of_its_own(me, next(one for one in keys["accounts"] if one["ops_role"] == "admin"))
    page = me.page
    me.prove("probe", "written")
    me.grant("probe")
    assert production.written()

    assert "deploy" in refused(house, "deploy")
    me.open_level("deploy")
    me.prove("deploy", "worker")
    me.grant("deploy")
    assert "arm" in refused(house, "deploy")
    sys.stdout.write(f"connected in {me.took_s:.0f} s with {me.clicks} clicks and {me.fields} fields\n")
    assert me.took_s < ASKED_S
    assert house.settings.target(NAME).levels == frozenset(Level)

    take_back(me, "platform")
    assert "platform" in refused(house, "restart")
    assert "Restart the app" in me.refused()["platform"]
    assert house.settings.target(NAME).railway_token is None


def sign_in_with_an_account_of_its_own(me: Newcomer, admin: Mapping[str, str]) -> None:
    """The target has got a sign-in by what was kept last: whoever made it comes in as one of its own people."""
    me.follow("Sign in again")
    me.page.get_by_label("E-mail").fill(admin["email"])
    me.page.get_by_label("Password").fill(admin["password"])
    me.click(me.page.get_by_role("button", name="Sign in", exact=True))
    me.follow_here("Settings")
    expect(me.page.locator(".st-key-level-probe").first).to_be_visible()
    me.settle()


def take_back(me: Newcomer, level: str) -> None:
    me.open_level(level)
    me.press(f"Take back {level} …")
    dialog = me.page.get_by_role("dialog")
    dialog.get_by_label("Confirmation phrase").fill(f"take back {level} from {NAME}")
    me.click(dialog.get_by_role("button", name=f"Take back {level}"))
    expect(me.page.locator(f".st-key-step-{level}").first).to_contain_text("Taken back")
