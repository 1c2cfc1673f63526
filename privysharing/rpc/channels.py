"""gRPC channels to a node: mutual TLS, Fabric's limits and keepalive."""

import hashlib
import ssl
from dataclasses import dataclass, field

import grpc

# fabric internal/pkg/comm/config.go: MaxSendMsgSize, MaxRecvMsgSize, DefaultKeepaliveOptions.
MESSAGE_BYTES_MAX = 100 * 1024 * 1024
KEEPALIVE_INTERVAL_MS = 60_000  # servers cut off who pings more often
KEEPALIVE_TIMEOUT_MS = 20_000
# Nodes of one network are near and restart quickly; gRPC's own second to two minutes would be felt.
RECONNECT_FIRST_MS = 100
RECONNECT_MAX_MS = 3_000
# A node under load may take seconds to shake hands; who gives up earlier makes it begin again.
CONNECT_MS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM: the roots that the server's certificate must come from, and the client's own chain and key, or nothing."""

    server_roots: bytes = field(repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the client certificate's DER: what binds a signed request to this connection; else empty."""
        if not self.certificate:
            return b""
        end = b"-----END CERTIFICATE-----"
        leaf = self.certificate[: self.certificate.index(end) + len(end)].decode("ascii")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf[leaf.index("-----BEGIN CERTIFICATE-----") :])).digest()


def open_channel(
    address: str, tls: ClientTls | None, *, server_name: str | None = None, shared: bool = True
) -> grpc.aio.Channel:
    """A channel to `host:port`; connects on first use. `server_name` is what the server's certificate says instead.

    Channels to one address share a connection, and what has become of it, unless one is not `shared`.
    """
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_FIRST_MS),
        ("grpc.min_reconnect_backoff_ms", CONNECT_MS_MAX),  # how long one attempt may take, whatever its name says
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MAX_MS),
        ("grpc.enable_http_proxy", 0),
    ]
    if not shared:
        options.append(("grpc.use_local_subchannel_pool", 1))
    if server_name is not None:
        options.append(("grpc.ssl_target_name_override", server_name))
    if tls is None:
        return grpc.aio.insecure_channel(address, options)
    credentials = grpc.ssl_channel_credentials(tls.server_roots, tls.key or None, tls.certificate or None)
    return grpc.aio.secure_channel(address, credentials, options)
