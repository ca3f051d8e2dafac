"""Connections that fail: names, certificates, addresses and keys that cannot be, each told apart from real sockets."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.clients import transport
from services.clients.http import HttpClient, Kind, Reason, UpstreamError
from tests.services.clients.scripted_server import ScriptedServer, answers

TODAY = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass
class Signer:
    """An authority of its own, whose certificate `trust` makes the clients believe in."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls) -> Signer:
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("A test authority")
        made = _builder(name, name, key, TODAY - DAY, TODAY + DAY)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return cls(name, key, made.add_extension(usage, critical=True).sign(key, hashes.SHA256()))

    def issue(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        begins: dt.datetime = TODAY - DAY,
        ends: dt.datetime = TODAY + DAY,
        by_itself: bool = False,
    ) -> Path:
        """A file with a new key and its certificate. by_itself: self-signed."""
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("a server")
        made = _builder(name, name if by_itself else self.name, key, begins, ends)
        other = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        made = made.add_extension(x509.SubjectAlternativeName([other]), critical=False)
        signed = made.sign(key if by_itself else self.key, hashes.SHA256())
        path = folder / "server.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
        return path


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: dt.datetime, ends: dt.datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.new()


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch, signer: Signer) -> None:
    """The clients believe in the test authority; verification stays on."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=signer.certificate.public_bytes(serialization.Encoding.PEM).decode())
    monkeypatch.setattr(transport, "_certificates", lambda: context)


class TlsServer:
    """One HTTPS server with the given certificate."""

    def __init__(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, args=(context,), daemon=True)
        self._thread.start()
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self, context: ssl.SSLContext) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                with plain, context.wrap_socket(plain, server_side=True) as line:
                    line.recv(65_536)
                    line.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            except OSError:
                continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[list[TlsServer]]:
    servers: list[TlsServer] = []
    yield servers
    for one in servers:
        one.close()


def ask(url: str) -> UpstreamError:
    client = HttpClient("Thing", url, call_s=2)
    try:
        with pytest.raises(UpstreamError) as raised:
            client.get("/")
    finally:
        client.close()
    return raised.value


@pytest.mark.usefixtures("trust")
def test_a_good_certificate_of_a_known_authority_is_accepted(
    signer: Signer, tmp_path: Path, serve: list[TlsServer]
) -> None:
    serve.append(TlsServer(signer.issue(tmp_path)))
    client = HttpClient("Thing", serve[0].url)
    assert client.get("/").json() == {}
    client.close()


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"begins": TODAY - 9 * DAY, "ends": TODAY - DAY}, "has expired"),
        ({"begins": TODAY + DAY, "ends": TODAY + 2 * DAY}, "is not valid yet"),
        ({"host": "other.example.com"}, "is made for another host"),
        ({"host": "127.0.0.9"}, "is made for another host"),
        ({"by_itself": True}, "is self-signed"),
    ],
)
def test_a_bad_certificate_says_what_is_wrong_with_it(
    signer: Signer, tmp_path: Path, serve: list[TlsServer], options: dict[str, object], words: str
) -> None:
    serve.append(TlsServer(signer.issue(tmp_path, **options)))  # type: ignore[arg-type]
    error = ask(serve[0].url)
    assert (error.kind, error.reason) == (Kind.UNREACHABLE, Reason.CERTIFICATE)
    assert words in error.what
    assert "never switched off" in error.do


def test_a_certificate_of_an_unknown_authority_is_refused(
    signer: Signer, tmp_path: Path, serve: list[TlsServer]
) -> None:
    serve.append(TlsServer(signer.issue(tmp_path)))
    error = ask(serve[0].url)
    assert error.reason is Reason.CERTIFICATE
    assert "issuer that is not known" in error.what


def test_https_to_a_server_without_tls_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(10)
                line.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        error = ask(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(5)
    assert (error.kind, error.reason) == (Kind.UNREACHABLE, Reason.TLS)
    assert "http://" in error.do


def test_a_name_without_an_address_is_a_matter_of_dns() -> None:
    error = ask("http://no-such-host.invalid")
    assert (error.kind, error.reason) == (Kind.UNREACHABLE, Reason.DNS)
    assert "DNS" in error.what


def test_a_name_server_that_says_nothing_keeps_nobody_longer_than_a_connection_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()

    def silent(*_: object, **__: object) -> None:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    monkeypatch.setattr(transport, "CONNECT_S", 0.2)
    began = time.monotonic()
    error = ask("http://slow.example")
    over.set()
    assert time.monotonic() - began < 1
    assert (error.kind, error.reason) == (Kind.TIMEOUT, Reason.SLOW)


def test_the_second_address_of_a_name_is_tried_where_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer(answers({"ok": True}))
    port = int(server.url.rpartition(":")[2])
    real = socket.getaddrinfo
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.77", "127.0.0.1")]

    def look_up(host: str, *more: object, **named: object) -> object:
        return places if host == "two.example" else real(host, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    client = HttpClient("Thing", f"http://two.example:{port}")
    try:
        assert client.get("/").json() == {"ok": True}
    finally:
        client.close()
        server.close()


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://", "gopher://x.example", "http://ex ample.com", "http://a:b:c/"]
)
def test_an_address_that_is_none_is_unreachable(url: str) -> None:
    error = ask(url)
    assert error.kind is Kind.UNREACHABLE
    assert error.reason in (Reason.ADDRESS, Reason.DNS)


@pytest.mark.parametrize("key", ["sk-abc\ndef", "sk-abc\r\nx: y", " sk-abc", "sk-äbc", "sk-abc\x00", ""])
def test_a_key_that_cannot_be_sent_is_not_sent_and_not_shown(key: str) -> None:
    server = ScriptedServer(answers({}))
    try:
        client = HttpClient("Thing", server.url, headers={"authorization": key})
        with pytest.raises(UpstreamError) as raised:
            client.get("/")
        client.close()
        assert server.seen == []
    finally:
        server.close()
    assert (raised.value.kind, raised.value.reason) == (Kind.UNAUTHORISED, Reason.MALFORMED_KEY)
    assert "abc" not in str(raised.value)
    assert "without line breaks" in raised.value.do
