"""The operations port answers as Fabric's does, and asks for a certificate where Fabric's asks."""

import contextlib
import datetime as dt
import http.client
import json
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.runtime import operations
from services.runtime.config import Address, ConfigError
from services.runtime.logs import Logs, LogSpec
from services.runtime.metrics import Registry
from services.runtime.operations import BODY_BYTES_MAX, Operations, OperationsTls, standard_routes

ANY_PORT = Address("127.0.0.1", 0)


@pytest.fixture
def health() -> dict[str, str | None]:
    return {"log": None}


@pytest.fixture
def logs() -> Iterator[Logs]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Logs(LogSpec.parse("info"), as_json=True, registry=Registry())
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def port(health: dict[str, str | None], logs: Logs) -> Iterator[int]:
    registry = Registry()
    registry.gauge("fabric_version", "The version.", ["version"]).of("1").set(1)
    server = Operations(ANY_PORT, standard_routes(registry, logs, "0.1.0", {"log": lambda: health["log"]}))
    server.start()
    yield server.port
    server.stop()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.status, answer.read()
    connection.close()
    return content


def test_metrics_are_served_as_text(port: int) -> None:
    status, body = ask(port, "GET", "/metrics")
    assert status == 200
    assert b'fabric_version{version="1"} 1' in body


def test_health_names_the_component_that_fails(port: int, health: dict[str, str | None]) -> None:
    status, body = ask(port, "GET", "/healthz")
    assert (status, json.loads(body)["status"]) == (200, "OK")
    health["log"] = "disk full"
    status, body = ask(port, "GET", "/healthz")
    assert status == 503
    assert json.loads(body)["failed_checks"] == [{"component": "log", "reason": "disk full"}]


def test_the_version_is_told(port: int) -> None:
    assert json.loads(ask(port, "GET", "/version")[1]) == {"CommitSHA": "", "Version": "0.1.0"}


def test_the_logging_specification_is_read_and_changed(port: int, logs: Logs) -> None:
    assert json.loads(ask(port, "GET", "/logspec")[1]) == {"spec": "info"}
    assert ask(port, "PUT", "/logspec", b'{"spec": "debug"}') == (204, b"")
    assert logs.spec.text == "debug"
    for bad in (b'{"spec": "loud"}', b"{}", b"[]", b"not json"):
        status, body = ask(port, "PUT", "/logspec", bad)
        assert status == 400
        assert "error" in json.loads(body)
    assert logs.spec.text == "debug"


def test_unknown_paths_wrong_methods_and_large_bodies_are_refused(port: int) -> None:
    assert ask(port, "GET", "/nothing")[0] == 404
    assert ask(port, "PUT", "/metrics", b"")[0] == 405
    assert ask(port, "PUT", "/logspec", b"x" * (BODY_BYTES_MAX + 1))[0] == 413


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


def test_with_tls_metrics_want_a_client_certificate_and_health_does_not(tmp_path: Path, logs: Logs) -> None:
    cert, key = certificate(tmp_path)
    routes = standard_routes(Registry(), logs, "0.1.0", {})
    server = Operations(ANY_PORT, routes, OperationsTls(cert, key, client_roots=(cert,)))
    server.start()
    try:
        for with_certificate, path, expected in (
            (False, "/healthz", 200),
            (False, "/version", 200),
            (False, "/metrics", 401),
            (False, "/logspec", 401),
            (True, "/metrics", 200),
            (True, "/logspec", 200),
        ):
            context = ssl.create_default_context(cafile=str(cert))
            if with_certificate:
                context.load_cert_chain(cert, key)
            connection = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
            connection.request("GET", path)
            assert connection.getresponse().status == expected, path
            connection.close()
    finally:
        server.stop()


def test_a_port_in_use_and_files_that_are_no_certificate_are_named(port: int, tmp_path: Path) -> None:
    named = rf"Operations\.ListenAddress: 127\.0\.0\.1:{port} is not an address of this host with a free port"
    with pytest.raises(ConfigError, match=named):
        Operations(Address("127.0.0.1", port), {})
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"Operations\.TLS: .*wrong\.pem .* are not a certificate and its key"):
        Operations(ANY_PORT, {}, OperationsTls(wrong, wrong))


def test_a_connection_that_says_a_byte_at_a_time_is_cut_off_in_the_end(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations._Server, "connection_seconds_max", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as slow:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 5:
                slow.sendall(b"G")
                slow.settimeout(0.05)
                try:
                    if slow.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
        assert 0.3 < time.monotonic() - began < 3
    assert ask(port, "GET", "/healthz")[0] == 200


def test_whoever_keeps_a_connection_and_asks_again_and_again_always_gets_his_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations._Server, "connection_seconds_max", 0.5)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    own_ports = set()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        connection.request("GET", "/version")
        own_ports.add(connection.sock.getsockname()[1])
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()
    assert 3 <= len(own_ports) <= 7  # it is told when to begin another one


def test_whoever_holds_every_connection_loses_the_oldest_to_the_next_who_asks(port: int) -> None:
    with contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            for _ in range(operations.CONNECTIONS_MAX)
        ]
        assert ask(port, "GET", "/healthz")[0] == 200
        assert held[0].recv(1) == b""
        held[-1].sendall(b"GET /version HTTP/1.1\r\n\r\n")
        assert held[-1].recv(12) == b"HTTP/1.1 200"
