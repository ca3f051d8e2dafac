"""Certificates shown by a real TLS server: good, ended, of another name, of nobody known; and no TLS at all."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from services.checks.standard.certificate import Certificate, certificate, judged, shown_at
from services.clients.http import HttpClient, Kind, Reason, UpstreamError
from services.verdict import Verdict
from tests.services.checks.standard.conftest import SmallApp
from tests.services.clients.test_connections import DAY, TODAY, Signer, TlsServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Serve = Callable[[Path], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(file)` shows the certificate in the file on a port of this machine."""
    servers: list[TlsServer] = []

    def start(file: Path) -> int:
        servers.append(TlsServer(file))
        return int(servers[-1].url.rpartition(":")[2])

    yield start
    for one in servers:
        one.close()


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.new()


@pytest.fixture
def trust(signer: Signer) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=signer.certificate.public_bytes(serialization.Encoding.PEM).decode())
    return context


def test_a_good_certificate_tells_its_end_and_its_issuer(
    serve: Serve, signer: Signer, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    seen = shown_at("127.0.0.1", serve(signer.issue(tmp_path, ends=TODAY + 90 * DAY)), trust)
    assert (seen.problem, seen.issuer) == ("", "A test authority")
    found = judged(seen, TODAY)
    assert (found.verdict, found.facts["days_left"]) == (Verdict.PASS, 89)


def test_a_certificate_that_has_ended(serve: Serve, signer: Signer, trust: ssl.SSLContext, tmp_path: Path) -> None:
    file = signer.issue(tmp_path, begins=TODAY - 9 * DAY, ends=TODAY - DAY)
    found = judged(shown_at("127.0.0.1", serve(file), trust), TODAY)
    assert (found.verdict, "expired" in found.facts["problem"]) == (Verdict.FAIL, True)


def test_a_certificate_of_another_name(serve: Serve, signer: Signer, trust: ssl.SSLContext, tmp_path: Path) -> None:
    found = judged(shown_at("127.0.0.1", serve(signer.issue(tmp_path, host="elsewhere.example")), trust), TODAY)
    assert (found.verdict, "mismatch" in found.facts["problem"]) == (Verdict.FAIL, True)


def test_a_certificate_that_nobody_vouches_for(serve: Serve, signer: Signer, tmp_path: Path) -> None:
    found = judged(shown_at("127.0.0.1", serve(signer.issue(tmp_path)), ssl.create_default_context()), TODAY)
    assert (found.verdict, found.facts["tls"]) == (Verdict.FAIL, True)


def test_what_speaks_no_tls_leaves_it_unknown(trust: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UpstreamError) as told:
            shown_at("127.0.0.1", int(listener.getsockname()[1]), trust)
        thread.join(5)
    assert (told.value.kind, told.value.reason) == (Kind.UNREACHABLE, Reason.TLS)


def test_nobody_there_leaves_it_unknown(trust: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    with pytest.raises(UpstreamError) as told:
        shown_at("127.0.0.1", port, trust)
    assert (told.value.kind, told.value.reason) == (Kind.UNREACHABLE, Reason.REFUSED)


def test_silence_leaves_it_unknown(trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.checks.standard.certificate.CALL_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(UpstreamError) as told:
        shown_at("127.0.0.1", int(listener.getsockname()[1]), trust)
    assert told.value.kind is Kind.TIMEOUT


@pytest.mark.parametrize(("days", "verdict"), [(14, Verdict.PASS), (13, Verdict.FAIL), (-2, Verdict.FAIL)])
def test_a_certificate_should_be_good_for_two_weeks(days: int, verdict: Verdict) -> None:
    ends = NOW + timedelta(days=days, minutes=1)
    assert judged(Certificate("app.example", ends, "", ""), NOW).verdict is verdict


@pytest.fixture
def plain() -> Iterator[str]:
    """An address that answers without TLS."""

    class Quiet(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize(("host", "verdict"), [("127.0.0.1", Verdict.PASS), ("app.example", Verdict.FAIL)])
def test_plain_http_is_right_on_this_machine_only(small_app: SmallApp, plain: str, host: str, verdict: Verdict) -> None:
    context = small_app.context(app_url=plain.replace("127.0.0.1", host))
    client = context.once("client:app-address", lambda: HttpClient("Small", plain))
    found = certificate(context)
    client.close()
    assert (found.verdict, found.facts["tls"]) == (verdict, False)


def test_an_address_that_nobody_answers_at_proves_nothing(small_app: SmallApp) -> None:
    with pytest.raises(UpstreamError):
        certificate(small_app.context(app_url="http://127.0.0.1:9"))
