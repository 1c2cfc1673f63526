"""Settings that every role has, under keys of its own: identity, gRPC limits, and what a process tells of itself."""

from collections.abc import Mapping
from datetime import UTC, datetime

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.signing import load_signing_identity
from services.runtime.batching import BatchLimits
from services.runtime.config import Section
from services.runtime.grpcserver import GrpcLimits
from services.runtime.logs import LogSpec
from services.runtime.operations import OperationsTls
from services.runtime.reporting import ReportingConfig

# Streams by which a server tells of itself. Watching lasts; a look at descriptions is a matter of a moment.
TELLING_STREAMS_MAX = {
    "grpc.health.v1.Health/Watch": 250,
    "grpc.reflection.v1.ServerReflection": 16,
    "grpc.reflection.v1alpha.ServerReflection": 16,
}


def signer(section: Section, folder_key: str, msp_id_key: str) -> SigningIdentity:
    """The identity in an MSP folder. Raises ConfigError, also for one that has expired (msp setupSigningIdentity)."""
    certificate = section.only_file(folder_key, "signcerts")
    key = section.only_file(folder_key, "keystore")
    try:
        identity = load_signing_identity(certificate, key, section.text(msp_id_key))
        ended = parse_certificate(certificate).not_valid_after_utc
    except ProtocolError as error:
        raise section.error(folder_key, f"the folder of a usable identity: {error}") from error
    if ended <= datetime.now(UTC):
        what = f"that of this one expired at {ended:%Y-%m-%d %H:%M:%S}Z; renew it, or set the clock"
        raise section.error(folder_key, f"the folder of an identity whose certificate is valid now: {what}")
    return identity


def grpc_limits(
    section: Section,
    *,
    message_bytes: str,
    sent_bytes: str,
    keepalive: str,
    interval: str,
    timeout: str,
    least_interval: str,
    concurrency: dict[str, int],
    ours: Section,
) -> GrpcLimits:
    """Limits of a role's gRPC server; the names are those of its keys, the last three below `keepalive`.

    `ours`: the section of limits that Fabric does not have.
    """
    pings, defaults = section.section(keepalive), GrpcLimits()
    return GrpcLimits(
        message_bytes_max=section.integer(message_bytes, defaults.message_bytes_max, least=1024, most=2**31 - 1),
        sent_bytes_max=section.integer(sent_bytes, defaults.sent_bytes_max, least=1024, most=2**31 - 1),
        keepalive_interval_seconds=pings.seconds(interval, f"{defaults.keepalive_interval_seconds:g}s"),
        keepalive_timeout_seconds=pings.seconds(timeout, f"{defaults.keepalive_timeout_seconds:g}s"),
        keepalive_client_interval_seconds=pings.seconds(
            least_interval, f"{defaults.keepalive_client_interval_seconds:g}s"
        ),
        connections_max=ours.integer("connections", defaults.connections_max, least=1, most=2**31 - 1),
        connection_seconds=section.seconds("connectionTimeout", f"{defaults.connection_seconds:g}s", least=0.001),
        idle_seconds=ours.seconds("idleTime", f"{defaults.idle_seconds:g}s", least=0.001),
        request_seconds=ours.seconds("requestTime", f"{defaults.request_seconds:g}s", least=0.001),
        unread_seconds=ours.seconds("unreadTime", f"{defaults.unread_seconds:g}s", least=0.001),
        concurrency=concurrency | TELLING_STREAMS_MAX,
    )


def batch_limits(ours: Section) -> BatchLimits:
    """Limits of a role's batch service."""
    defaults = BatchLimits()
    return BatchLimits(
        all_bytes_max=ours.integer("batchBytes", defaults.all_bytes_max, least=1),
        all_unsent_bytes_max=ours.integer("unsentBytes", defaults.all_unsent_bytes_max, least=1),
    )


def reporting(
    root: Section,
    environment: Mapping[str, str],
    *,
    address: str,
    certificate: str,
    key: str,
    client_roots: str,
) -> ReportingConfig:
    """What a role's process tells of itself; to be read last, when it is known which keys mean nothing.

    `address`: the default of its operations port. The others are names of keys, with a dot where a section is between.
    """
    operations, logging = root.section("Operations"), root.section("privysharing").section("Logging")
    return ReportingConfig(
        operations=operations.address("ListenAddress", address),
        operations_tls=_operations_tls(operations.section("TLS"), certificate, key, client_roots),
        metrics=root.section("Metrics").text("Provider", "prometheus", allowed=("prometheus", "disabled"))
        == "prometheus",
        log_spec=_log_spec(logging, environment),
        log_as_json=logging.text("Format", "console", allowed=("console", "json")) == "json",
        unused_keys=tuple(root.unused()),
    )


def _operations_tls(section: Section, certificate: str, key: str, client_roots: str) -> OperationsTls | None:
    if not section.flag("Enabled", False):
        return None
    (holder, certificate), (key_holder, key), (roots, client_roots) = (
        _within(section, path) for path in (certificate, key, client_roots)
    )
    return OperationsTls(
        holder.path(certificate),
        key_holder.path(key),
        roots.paths(client_roots),
        section.flag("ClientAuthRequired", False),
    )


def _log_spec(section: Section, environment: Mapping[str, str]) -> LogSpec:
    """The logging specification: Fabric's environment variable is the default of ours."""
    try:
        return LogSpec.parse(section.text("Spec", environment.get("FABRIC_LOGGING_SPEC", "info")))
    except ValueError as error:
        raise section.error("Spec", "such as info or info:services=debug") from error


def _within(section: Section, path: str) -> tuple[Section, str]:
    *between, key = path.split(".")
    for name in between:
        section = section.section(name)
    return section, key
