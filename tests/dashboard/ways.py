"""The edge with all ways of signing in, in this process: settings that a test may change, a store, a turned clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard.edge.gate import Gate
from dashboard.edge.guard import Guard, Surroundings
from dashboard.edge.shell import Shell
from dashboard.edge.sign_in.access import Access
from dashboard.edge.sign_in.routes import routes
from services.access.permissions import Actor, Role
from services.access.recovery import make_codes
from services.access.sessions import open_session
from services.clients.http import Kind, UpstreamError
from services.settings import QuickSignIn, Settings, Target
from services.store.database import Store
from tests.migrated_store import fresh_store

ORIGIN = "http://127.0.0.1"


@dataclass
class Edge:
    """outage: what Auth fails with instead of answering; by password everybody whose e-mail is ada@... is admin."""

    store: Store
    settings: Settings
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    outage: UpstreamError | None = None
    asked: int = 0

    def client(self, address: str = "127.0.0.1", base_url: str = ORIGIN) -> TestClient:
        return TestClient(
            self.app(), base_url=base_url, client=(address, 1), follow_redirects=False, headers={"Origin": base_url}
        )

    def app(self) -> Starlette:
        access = Access(lambda: self.settings, lambda: self.store, lambda: self.now, self._authenticate)

        def page(request: Request) -> Response:
            actor = access.actor(request.cookies, request.query_params.get("target") or self.settings.default_target)
            return PlainTextResponse(f"{actor.name}, {actor.role}, {actor.way}" if actor else "nobody")

        return Starlette(
            routes=[*routes(access), Route("/", page), Route("/rollback", page)],
            middleware=[
                Middleware(
                    Guard,
                    shell=Shell(b"", b"", "default-src 'none'"),
                    surroundings=lambda: Surroundings(frozenset(), self.settings.public_url, open=True),
                ),
                Middleware(Gate, access=access, pages=["/", "/rollback"]),
            ],
        )

    def target(self, name: str, **values: Any) -> None:
        """Add a target, or put another in its place."""
        targets = {**self.settings.targets, name: Target(name=name, **values)}
        self.settings = self.settings.model_copy(update={"targets": targets})

    def configure(self, **ours: Any) -> None:
        self.settings = self.settings.model_copy(update=ours)

    def code(self, target: str, *, days: int = 90) -> str:
        ((_, text),) = make_codes(
            self.store, actor="cli:root", target=target, person="Ada Example", now=self.now, count=1, days=days
        )
        return text.get_secret_value()

    def session(self, target: str, actor_id: str, way: str = "auth", role: Role = Role.ADMIN) -> dict[str, str]:
        """Cookies of a browser that is signed in to `target`."""
        token = open_session(self.store, Actor(actor_id, "Bo Founder", role, target, way=way), self.now)
        return {f"ops_session_{target}": token}

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def _authenticate(self, target: Target, email: str, password: str) -> Actor:
        self.asked += 1
        if self.outage is not None:
            raise self.outage
        if password != "right":
            raise UpstreamError(
                "Supabase", Kind.UNAUTHORISED, "Supabase does not know this e-mail address and password."
            )
        return Actor(f"{target.name}:{email}", email.partition("@")[0], Role.ADMIN, target.name, way="auth")


AUTH = {"auth_url": "https://own.example", "auth_anon_key": SecretStr("anon-key")}
QUICK = QuickSignIn(name="quick-admin", email="ada@example.com", password=SecretStr("right"), role="admin")


def make_edge(folder: Path) -> Edge:
    """sandbox takes quick accounts; production has an Auth of its own; fresh has nothing yet and was made by Bo."""
    edge = Edge(
        fresh_store(folder / "store.sqlite3"),
        Settings(home=folder, store_url="sqlite:///unused", targets={}, default_target="production"),
    )
    edge.target("sandbox", production=False, quick_sign_in=(QUICK,), **AUTH)
    edge.target("production", **AUTH)
    edge.target("fresh", founder="sandbox:bo")
    return edge
