"""gRPC servers: mutual TLS, Fabric's limits and keepalive, Fabric's grpc_* metrics, and errors that leak nothing.

Handlers are coroutines, or async generators for streamed answers, and never touch `context.read` or `context.write`:
the watch around them counts what passes.
"""

import base64
import hashlib
import logging
import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import grpc

from services.runtime.config import Address, ConfigError
from services.runtime.metrics import Counter, Registry

# fabric internal/pkg/comm: MaxSendMsgSize, MaxRecvMsgSize and DefaultKeepaliveOptions
MESSAGE_BYTES_MAX: Final = 100 * 1024 * 1024
KEEPALIVE_INTERVAL_SECONDS: Final = 7200.0
KEEPALIVE_TIMEOUT_SECONDS: Final = 20.0
KEEPALIVE_CLIENT_INTERVAL_SECONDS: Final = 60.0  # a client that pings more often is cut off
STREAMS_PER_CONNECTION_MAX: Final = 1024

_PEM_BODY = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)

_log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"  # None: nobody serves the method


@dataclass(frozen=True, slots=True)
class ServerTls:
    """PEM of the server's certificate chain and key, and the roots that client certificates must come from."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_roots: bytes = b""
    client_auth_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcLimits:
    """What one server takes.

    `concurrency` limits calls in progress, of a service (protos.Endorser) or of one method (orderer.AtomicBroadcast/
    Deliver), which then does not count for its service.
    """

    message_bytes_max: int = MESSAGE_BYTES_MAX  # received: anybody with a certificate may send one of these
    sent_bytes_max: int = MESSAGE_BYTES_MAX
    streams_per_connection_max: int = STREAMS_PER_CONNECTION_MAX
    keepalive_interval_seconds: float = KEEPALIVE_INTERVAL_SECONDS
    keepalive_timeout_seconds: float = KEEPALIVE_TIMEOUT_SECONDS
    keepalive_client_interval_seconds: float = KEEPALIVE_CLIENT_INTERVAL_SECONDS
    concurrency: Mapping[str, int] = field(default_factory=dict)


def grpc_server(
    registry: Registry, limits: GrpcLimits = GrpcLimits(), make: Callable[..., grpc.aio.Server] = grpc.aio.server
) -> grpc.aio.Server:
    """A server without services or port; see `listen`. `make` takes what `grpc.aio.server` takes."""
    return make(
        interceptors=[_Watch(registry, limits.concurrency)],
        options=[
            ("grpc.max_receive_message_length", limits.message_bytes_max),
            ("grpc.max_send_message_length", limits.sent_bytes_max),
            ("grpc.max_concurrent_streams", limits.streams_per_connection_max),
            ("grpc.keepalive_time_ms", int(limits.keepalive_interval_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", int(limits.keepalive_timeout_seconds * 1000)),
            (
                "grpc.http2.min_ping_interval_without_data_ms",
                int(limits.keepalive_client_interval_seconds * 1000),
            ),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.so_reuseport", 0),  # a port in use is an error, not a shared port
        ],
    )


def listen(server: grpc.aio.Server, address: Address, tls: ServerTls | None, key: str = "listenAddress") -> int:
    """Bind a server before it starts; gives the port. Raises ConfigError, which names `key`."""
    try:
        if tls is None:
            return server.add_insecure_port(str(address))
        return server.add_secure_port(
            str(address),
            grpc.ssl_server_credentials(
                [(tls.key, tls.certificate)], tls.client_roots or None, tls.client_auth_required
            ),
        )
    except RuntimeError as error:
        usable = " with the TLS certificate and key given" if tls is not None else ""
        raise ConfigError(f"{key}: {address} is not an address of this host with a free port{usable}") from error


def client_certificate_hash(context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
    """SHA-256 over the DER of the caller's TLS certificate, which Fabric binds requests to; empty without one."""
    match = _PEM_BODY.search(b"".join(context.auth_context().get("x509_pem_cert", ())))
    return hashlib.sha256(base64.b64decode(match[1])).digest() if match else b""


def to_status(error: Exception) -> tuple[grpc.StatusCode, str]:
    """What a caller learns of an error: its text if its class has a gRPC `status`, else nothing."""
    status = getattr(error, "status", None)
    if isinstance(status, grpc.StatusCode):
        return status, str(error)
    return grpc.StatusCode.INTERNAL, "internal error"


class _Meters:
    """Fabric's figures for calls, streamed ones or single ones (common/grpcmetrics)."""

    def __init__(self, registry: Registry, kind: str) -> None:
        method = ["service", "method"]
        start = f"grpc_server_{kind}_request"
        self.received = registry.counter(f"{start}s_received", "The number of requests received.", method)
        self.completed = registry.counter(f"{start}s_completed", "The number of requests completed.", [*method, "code"])
        self.duration = registry.histogram(f"{start}_duration", "The time to complete a request.", [*method, "code"])


class _Watch(grpc.aio.ServerInterceptor):
    """Counts calls, holds them to their service's limit, and translates what they raise."""

    def __init__(self, registry: Registry, concurrency: Mapping[str, int]) -> None:
        self._unary = _Meters(registry, "unary")
        self._stream = _Meters(registry, "stream")
        method = ["service", "method"]
        self._sent = registry.counter("grpc_server_stream_messages_sent", "Messages sent on streams.", method)
        self._got = registry.counter("grpc_server_stream_messages_received", "Messages received on streams.", method)
        self._concurrency = concurrency
        self._running = dict.fromkeys(concurrency, 0)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        # A method that nobody serves has no handler, and gRPC says UNIMPLEMENTED by itself.
        return self._wrap(handler, handler_call_details.method) if handler is not None else None

    def _wrap(self, handler: Any, path: str) -> Handler:
        _, service, method = path.split("/")
        counted = path[1:] if path[1:] in self._concurrency else service
        labels = (service.replace(".", "_"), method)
        codecs = (handler.request_deserializer, handler.response_serializer)
        if not handler.request_streaming and not handler.response_streaming:
            return grpc.unary_unary_rpc_method_handler(self._single(handler.unary_unary, counted, labels), *codecs)
        if not handler.request_streaming:
            return grpc.unary_stream_rpc_method_handler(self._many(handler.unary_stream, counted, labels), *codecs)
        assert handler.response_streaming, "a stream with a single answer is not in any protocol we serve"
        return grpc.stream_stream_rpc_method_handler(self._many(handler.stream_stream, counted, labels), *codecs)

    def _single(self, behaviour: Any, counted: str, labels: tuple[str, str]) -> Any:
        async def watched(request: object, context: Any) -> object:
            async with self._call(self._unary, counted, labels, context):
                return await behaviour(request, context)

        return watched

    def _many(self, behaviour: Any, counted: str, labels: tuple[str, str]) -> Any:
        sent, got = self._sent.of(*labels), self._got.of(*labels)

        async def watched(request: Any, context: Any) -> AsyncIterator[object]:
            incoming = _count_each(request, got) if isinstance(request, AsyncIterable) else request
            call = self._call(self._stream, counted, labels, context)
            async with call, aclosing(behaviour(incoming, context)) as answers:
                async for answer in answers:
                    sent.inc()
                    yield answer

        return watched

    @asynccontextmanager
    async def _call(self, meters: _Meters, counted: str, labels: tuple[str, str], context: Any) -> AsyncIterator[None]:
        """Around one call: what it costs, whether there is room for it, and how it failed."""
        meters.received.of(*labels).inc()
        started = time.perf_counter()
        code = "Canceled"  # unless the call gets to its end
        self._running[counted] = self._running.get(counted, 0) + 1
        try:
            room = self._concurrency.get(counted)
            if room is not None and self._running[counted] > room:
                refusal = f"too many requests for /{counted}, exceeding concurrency limit ({room})"
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
            yield
            code = _go_name(context.code())
        except grpc.aio.AbortError:
            code = _go_name(context.code())
            raise
        except Exception as error:
            status, text = to_status(error)
            code = _go_name(status)
            if status is grpc.StatusCode.INTERNAL:
                _log.error("call failed", extra={"method": "/".join(labels)}, exc_info=True)
            await context.abort(status, text)
        finally:
            self._running[counted] -= 1
            meters.duration.of(*labels, code).observe(time.perf_counter() - started)
            meters.completed.of(*labels, code).inc()


async def _count_each(messages: AsyncIterable[object], got: Counter) -> AsyncIterator[object]:
    async for message in messages:
        got.inc()
        yield message


def _go_name(code: object) -> str:
    """A status as grpc-go prints it, and so Fabric's dashboards: InvalidArgument, OK, Canceled."""
    if code in (None, 0, grpc.StatusCode.OK):
        return "OK"
    if code is grpc.StatusCode.CANCELLED:
        return "Canceled"
    name = code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN"
    return name.title().replace("_", "")
