"""The operations port: /metrics, /healthz, /version and /logspec, as Fabric's operators know them.

A small HTTP server in a thread of its own, so that it answers while the event loop is busy. With TLS, /metrics and
/logspec want a client certificate, and everything does when `client_auth_required`.
"""

import contextlib
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from services.runtime import metrics
from services.runtime.config import Address, ConfigError
from services.runtime.logs import Logs, LogSpec

BODY_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 32
REQUEST_SECONDS_MAX = 10.0  # of silence
CONNECTION_SECONDS_MAX = 60.0  # in all: who sends a byte at a time is never silent

_log = logging.getLogger(__name__)

HealthCheck = Callable[[], str | None]  # why the component is not well; None when it is


@dataclass(frozen=True, slots=True)
class OperationsTls:
    """Certificate and key of the port, and the roots of those who may look behind it."""

    certificate: Path
    key: Path
    client_roots: tuple[Path, ...] = ()
    client_auth_required: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers a path, and whether he wants to see a certificate when there is TLS."""

    answer: Callable[[str, bytes], Reply]  # (method, body)
    methods: tuple[str, ...] = ("GET",)
    needs_certificate: bool = False


class Operations:
    """The server. Binds when it is made, answers from `start` on; `stop` waits for the thread."""

    def __init__(self, address: Address, routes: Mapping[str, Route], tls: OperationsTls | None = None) -> None:
        """Raises ConfigError."""
        context = None if tls is None else _context(tls)
        handler = type("Handler", (_Handler,), {"routes": routes, "tls": tls})
        try:
            self._server = _Server((address.host, address.port), handler)
        except OSError as error:
            allowed = f"an address of this host with a free port ({error.strerror})"
            raise ConfigError(f"Operations.ListenAddress: {address} is not {allowed}") from error
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, name="operations", daemon=True)

    @property
    def port(self) -> int:
        """The port in use; of interest when 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(REQUEST_SECONDS_MAX)
        self._server.server_close()


def standard_routes(
    registry: metrics.Registry, logs: Logs, version: str, checks: Mapping[str, HealthCheck]
) -> dict[str, Route]:
    """What every role answers."""

    def health(_method: str, _body: bytes) -> Reply:
        now = datetime.now(UTC).isoformat()
        failed = [{"component": name, "reason": why} for name, check in checks.items() if (why := check()) is not None]
        if failed:
            return _json(503, {"status": "Service Unavailable", "time": now, "failed_checks": failed})
        return _json(200, {"status": "OK", "time": now})

    def logspec(method: str, body: bytes) -> Reply:
        if method == "GET":
            return _json(200, {"spec": logs.spec.text})
        try:
            logs.activate(LogSpec.parse(str(json.loads(body)["spec"])))
        except (ValueError, KeyError, TypeError) as error:
            return _json(400, {"error": str(error)})
        return Reply(204)

    return {
        "/metrics": Route(
            lambda _method, _body: Reply(200, registry.render().encode(), metrics.CONTENT_TYPE), needs_certificate=True
        ),
        "/healthz": Route(health),
        "/version": Route(lambda _method, _body: _json(200, {"CommitSHA": "", "Version": version})),
        "/logspec": Route(logspec, ("GET", "PUT"), needs_certificate=True),
    }


def _json(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode())


def _context(tls: OperationsTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        raise ConfigError(
            f"Operations.TLS: {tls.certificate} and {tls.key} are not a certificate and its key, in PEM ({error})"
        ) from error
    for root in tls.client_roots:
        try:
            context.load_verify_locations(root)
        except OSError as error:
            raise ConfigError(f"Operations.TLS: {root} is not a file of client roots, in PEM ({error})") from error
    context.verify_mode = ssl.CERT_REQUIRED if tls.client_auth_required else ssl.CERT_OPTIONAL
    return context


class _Server(ThreadingHTTPServer):
    """At most CONNECTIONS_MAX at a time; for one more, the oldest is closed: whoever asks is answered in no time."""

    daemon_threads = True
    request_queue_size = 4 * CONNECTIONS_MAX  # that wait to be accepted: who finds no room tries for seconds
    connection_seconds_max = CONNECTION_SECONDS_MAX
    block_on_close = False  # an idle kept-alive connection must not hold up the stop

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: dict[Any, None] = {}  # oldest first
        self._changing = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            if len(self._open) >= CONNECTIONS_MAX:
                oldest = next(iter(self._open))
                del self._open[oldest]
                _cut(oldest)
            self._open[request] = None
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        deadline = threading.Timer(self.connection_seconds_max, _cut, [request])
        deadline.daemon = True
        deadline.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            deadline.cancel()
            with self._changing:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("operations connection failed", exc_info=True)


def _cut(connection: socket.socket) -> None:
    """Let nothing more pass, below TLS: its own farewell would wait for the other side."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    routes: Mapping[str, Route]
    tls: OperationsTls | None
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "privysharing"
    sys_version = ""
    timeout = REQUEST_SECONDS_MAX

    def setup(self) -> None:
        self._began = time.monotonic()
        super().setup()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()  # here, in the connection's own thread: a slow client holds up nobody

    def do_GET(self) -> None:
        self._answer(b"")

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            self._send(_json(413, {"error": f"a body needs a length of at most {BODY_BYTES_MAX} bytes"}))
            return
        self._answer(self.rfile.read(int(length)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
        _log.debug("operations request", extra={"request": format % args})

    def _answer(self, body: bytes) -> None:
        route = self.routes.get(self.path.partition("?")[0])
        if route is None:
            self._send(_json(404, {"error": "not found"}))
        elif self.command not in route.methods:
            self._send(_json(405, {"error": f"invalid request method: {self.command}"}))
        elif self.tls is not None and route.needs_certificate and not self._has_certificate():
            self._send(Reply(401))
        else:
            self._send(route.answer(self.command, body))

    def _has_certificate(self) -> bool:
        return isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        if reply.body:
            self.send_header("Content-Type", reply.content_type)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        if time.monotonic() - self._began > self.server.connection_seconds_max / 2:
            self.send_header("Connection", "close")  # now, and not in the middle of a later answer
        self.end_headers()
        self.wfile.write(reply.body)
