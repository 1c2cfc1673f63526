"""gRPC servers: mutual TLS, Fabric's limits and keepalive. What surrounds each call is in `watch`."""

import logging
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import grpc

from services.runtime.config import Address, ConfigError
from services.runtime.metrics import Registry
from services.runtime.watch import Watch

# fabric internal/pkg/comm: MaxSendMsgSize, MaxRecvMsgSize and DefaultKeepaliveOptions
MESSAGE_BYTES_MAX: Final = 100 * 1024 * 1024
KEEPALIVE_INTERVAL_SECONDS: Final = 7200.0
KEEPALIVE_TIMEOUT_SECONDS: Final = 20.0
KEEPALIVE_CLIENT_INTERVAL_SECONDS: Final = 60.0  # a client that pings more often is cut off
STREAMS_PER_CONNECTION_MAX: Final = 1024
# Ours. Whoever has shaken hands is known; until then, and without a call, a connection is worth nothing.
CONNECTIONS_MAX: Final = 2000
CONNECTION_SECONDS: Final = 10.0  # Fabric's DefaultConnectionTimeout is 5 s; a node under load may need them all
IDLE_SECONDS: Final = 1800.0
REQUEST_SECONDS: Final = 10.0
UNREAD_SECONDS: Final = 60.0
OPEN_FILES_BESIDES: Final = 256  # that a node needs for itself


_log = logging.getLogger(__name__)


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
    connections_max: int = CONNECTIONS_MAX
    connection_seconds: float = CONNECTION_SECONDS  # to shake hands
    idle_seconds: float = IDLE_SECONDS  # a connection without a call is closed after so long
    request_seconds: float = REQUEST_SECONDS  # for the request of a single call to arrive
    unread_seconds: float = UNREAD_SECONDS  # a client that does not take an answer for so long is cut off
    concurrency: Mapping[str, int] = field(default_factory=dict)


def grpc_server(
    registry: Registry, limits: GrpcLimits = GrpcLimits(), make: Callable[..., grpc.aio.Server] = grpc.aio.server
) -> grpc.aio.Server:
    """A server without services or port; see `listen`. `make` takes what `grpc.aio.server` takes."""
    return make(
        interceptors=[
            Watch(
                registry,
                limits.concurrency,
                request_seconds=limits.request_seconds,
                unread_seconds=limits.unread_seconds,
            )
        ],
        options=[
            ("grpc.max_receive_message_length", limits.message_bytes_max),
            ("grpc.max_send_message_length", limits.sent_bytes_max),
            ("grpc.max_concurrent_streams", limits.streams_per_connection_max),
            ("grpc.max_allowed_incoming_connections", _connections_max(limits)),
            ("grpc.server_handshake_timeout_ms", int(limits.connection_seconds * 1000)),
            ("grpc.max_connection_idle_ms", int(limits.idle_seconds * 1000)),
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


def _connections_max(limits: GrpcLimits) -> int:
    """Never so many that there is no file left for the ledger."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or limits.connections_max + OPEN_FILES_BESIDES <= files:
        return limits.connections_max
    fewer = max(1, files - OPEN_FILES_BESIDES)
    _log.warning("fewer connections than set, for want of open files", extra={"connections": fewer, "files": files})
    return fewer


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
