"""orderer.yaml, read once into what each room needs. Keys and defaults are Fabric's; ours are below `privysharing`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.orderers import LiveOrderer
from services.orderer.delivery import UNREAD_BLOCKS_MAX
from services.orderer.kafka.config import KafkaConfig, kafka_config
from services.runtime.batching import BatchLimits
from services.runtime.config import Address, Section
from services.runtime.diskspace import WATERMARK_BYTES
from services.runtime.grpcserver import GrpcLimits, ServerTls
from services.runtime.reporting import ReportingConfig
from services.runtime.settings import batch_limits, grpc_limits, reporting, signer

ENVIRONMENT_PREFIX = "ORDERER"
SECOND_NS = 1_000_000_000
STREAMS_MAX = 2500  # sampleconfig core.yaml peer.limits.concurrency; Fabric's orderers have no such limit


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdererConfig:
    """Everything that an orderer is told."""

    listen: Address
    tls: ServerTls | None
    limits: GrpcLimits
    batches: BatchLimits
    unread_blocks_max: int
    signer: SigningIdentity
    location: Path
    genesis: Path | None  # folder of genesis blocks of the channels to serve
    seek_window_ns: int  # how far a seek request's timestamp may be from our clock
    check_expiry: bool
    time_window_ns: int  # how far a transaction's timestamp may be from our clock; 0: any distance
    cut_interval_s: float  # blocks that are not full are at least so far apart
    disk_watermark: int  # nothing new is ordered while fewer bytes are left on the disk
    reflection: bool = False  # whether the gRPC server describes its services
    kafka: KafkaConfig = KafkaConfig()
    reporting: ReportingConfig = ReportingConfig()

    @property
    def me(self) -> LiveOrderer:
        """How others call this orderer."""
        address = self.kafka.zookeeper.advertised or self.listen
        return LiveOrderer(address.host, address.port, self.signer.msp_id)


def load(path: Path, environment: Mapping[str, str] | None = None) -> OrdererConfig:
    """Read the file and the environment. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    root = Section.load(path, ENVIRONMENT_PREFIX, environment)
    general, ours = root.section("General"), root.section("privysharing")
    limits = ours.section("Limits")
    authentication = general.section("Authentication")
    return OrdererConfig(
        listen=Address(general.text("ListenAddress", "127.0.0.1"), general.integer("ListenPort", 7050, most=65535)),
        tls=_tls(general.section("TLS")),
        limits=grpc_limits(
            general,
            message_bytes="MaxRecvMsgSize",
            sent_bytes="MaxSendMsgSize",
            keepalive="Keepalive",
            interval="ServerInterval",
            timeout="ServerTimeout",
            least_interval="ServerMinInterval",
            concurrency=_concurrency(limits.section("Concurrency")),
            ours=limits,
        ),
        batches=batch_limits(limits),
        unread_blocks_max=limits.integer("UnreadBlocks", UNREAD_BLOCKS_MAX, least=1),
        signer=signer(general, "LocalMSPDir", "LocalMSPID"),
        location=root.section("FileLedger").path("Location", "/var/hyperledger/production/orderer"),
        genesis=ours.path("Genesis") if ours.has("Genesis") else None,
        seek_window_ns=int(authentication.seconds("TimeWindow", "15m") * SECOND_NS),
        check_expiry=not authentication.flag("NoExpirationChecks", False),
        time_window_ns=int(ours.seconds("TimeWindow", "10m") * SECOND_NS),
        cut_interval_s=ours.seconds("CutInterval", "10ms"),
        disk_watermark=ours.integer("DiskWatermark", WATERMARK_BYTES),
        reflection=ours.flag("Reflection", False),
        kafka=kafka_config(root),
        reporting=reporting(
            root,
            environment,
            address="127.0.0.1:8443",
            certificate="Certificate",
            key="PrivateKey",
            client_roots="ClientRootCAs",
        ),
    )


def _concurrency(section: Section) -> dict[str, int]:
    """Streams at a time, as a peer's peer.limits.concurrency: what nobody reads may hold up a block each."""
    broadcasts = section.integer("Broadcast", STREAMS_MAX, least=1)
    return {
        "orderer.AtomicBroadcast/Broadcast": broadcasts,
        "orderer.AtomicBroadcast/Deliver": section.integer("Deliver", STREAMS_MAX, least=1),
        "privysharing.v1.BatchBroadcast": broadcasts,
    }


def _tls(section: Section) -> ServerTls | None:
    if not section.flag("Enabled", False):
        return None
    required = section.flag("ClientAuthRequired", False)
    roots = section.paths("ClientRootCAs")
    if required and not roots:
        raise section.error("ClientRootCAs", "a list of files, since ClientAuthRequired is true")
    section.has("RootCAs")  # for Fabric's replication between orderers; ours share a log
    try:
        return ServerTls(
            certificate=section.contents("Certificate"),
            key=section.contents("PrivateKey"),
            client_roots=b"\n".join(root.read_bytes() for root in roots),
            client_auth_required=required,
        )
    except OSError as error:
        raise section.error("ClientRootCAs", f"readable files ({error.strerror})") from error
