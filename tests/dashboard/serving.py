"""A running web process over a small world, with a stand-in for the Auth service that knows three people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.access.permissions import Role
from services.sandbox.held_port import held_port
from tests.pages.world import World, make_world

ROOT = Path(__file__).resolve().parents[2]


class _Auth(BaseHTTPRequestHandler):
    """Password sign-in as Supabase Auth answers it: ada@example.com has no operations role."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = str(asked.get("email", "")).split("@")[0]
        if asked.get("password") != f"{name}-pw":
            self._answer(400, {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"})
            return
        role = {"ops_role": name} if name in {role.value for role in Role} else {}
        user = {
            "id": f"00000000-0000-4000-8000-{len(name):012d}",
            "aud": "authenticated",
            "role": "authenticated",
            "email": asked["email"],
            "app_metadata": {"name": name.capitalize(), **role},
            "user_metadata": {"ops_role": "admin"},
            "created_at": "2026-01-01T00:00:00Z",
        }
        token = {"access_token": "token", "token_type": "bearer", "expires_in": 3600, "refresh_token": "again"}
        self._answer(200, {**token, "user": user})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test's output is for the test."""


@dataclass
class Served:
    """The web process: its address, its pid, its world."""

    url: str
    pid: int
    world: World

    @property
    def origin(self) -> dict[str, str]:
        return {"Origin": self.url}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, follow_redirects=False, trust_env=False, timeout=15)

    @contextmanager
    def signed_in(self, account: str = "operator") -> Iterator[httpx.Client]:
        with self.client() as client:
            answer = client.post("/auth/sign-in", data={"target": "sandbox", "account": account}, headers=self.origin)
            assert answer.status_code == 303, answer.text
            yield client


@pytest.fixture(scope="session")
def auth_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Auth)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, auth_url: str) -> Iterator[Served]:
    """One real `uvicorn dashboard.app:app` for all tests of a session."""
    home = tmp_path_factory.mktemp("home")
    world = make_world(home, supabase_url=auth_url, supabase_anon_key="anon-key")
    with held_port() as port:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OPS_")}
        command = [sys.executable, "-m", "uvicorn", "dashboard.app:app", "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(
            [*command, "--log-level", "warning", "--no-server-header"],
            cwd=ROOT,
            env={**environ, "OPS_HOME": str(home)},
            stdin=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_served(url, process)
            yield Served(url, process.pid, world)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
            world.store.close()


def wait_until_served(url: str, process: subprocess.Popen[bytes], seconds: float = 40) -> None:
    """Return when /readyz says yes; fail when the process ends or the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            if httpx.get(f"{url}/readyz", trust_env=False, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} was not ready within {seconds} s")
