"""core.yaml, read once into what each room needs. Keys and defaults are Fabric's; ours are below `privysharing`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.config import MspConfig
from privysharing.protocol.private_data import WANTED_MAX
from services.peer.block_feed.feed import FeedConfig
from services.peer.block_feed.sources import OrdererSource
from services.peer.chaincode_host.host import ChaincodeConfig
from services.peer.chaincode_host.simulator import SimulationLimits
from services.peer.endorsement.endorser import EndorserConfig
from services.peer.endorsement.workers import WAITING_BYTES_MAX, WorkersConfig
from services.peer.events.delivery import UNREAD_BLOCKS_MAX
from services.peer.msp_folder import read_msp
from services.peer.private_data.exchange import ExchangeConfig
from services.peer.private_data.fellows import FellowsConfig
from services.peer.private_data.pulling import PullConfig
from services.peer.private_data.pushing import PushConfig
from services.peer.private_data.reconciler import ReconcilerConfig
from services.peer.private_data.service import ServiceConfig
from services.runtime.batching import BatchLimits
from services.runtime.config import Address, ConfigError, Section
from services.runtime.diskspace import WATERMARK_BYTES
from services.runtime.grpcserver import GrpcLimits, ServerTls
from services.runtime.process import HALF_THE_PROCESSORS, PROCESSORS
from services.runtime.reporting import ReportingConfig
from services.runtime.settings import batch_limits, grpc_limits, reporting, signer

ENVIRONMENT_PREFIX = "CORE"
SECOND_NS = 1_000_000_000
THREADS_MAX = 64


@dataclass(frozen=True, slots=True)
class TlsCertificate:
    """PEM of a certificate and its key."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChannelBootstrap:
    """A channel to join at the first start, and the orderers to follow instead of those that the channel names."""

    channel_id: str
    genesis: Block = field(repr=False)
    orderers: tuple[OrdererSource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """Everything that a peer is told."""

    listen: Address
    tls: ServerTls | None
    client_tls: TlsCertificate | None  # what it shows to orderers
    limits: GrpcLimits
    batches: BatchLimits
    unread_blocks_max: int
    signer: SigningIdentity
    msp: MspConfig
    location: Path
    disk_watermark: int  # nothing that writes is endorsed, and no block taken, with fewer bytes left
    seek_window_ns: int  # how far a seek request's timestamp may be from our clock
    crypto_threads: int
    verifier: bool  # whether another process may verify while the peer does not keep up
    feed: FeedConfig
    endorses: bool
    endorser: EndorserConfig
    endorsement_workers: WorkersConfig
    chaincode: ChaincodeConfig
    contracts: Mapping[str, str]  # chaincode name -> installed contract
    channels: tuple[ChannelBootstrap, ...]
    exchange: ExchangeConfig = field(default_factory=ExchangeConfig)
    private_data_service: ServiceConfig = field(default_factory=ServiceConfig)
    reflection: bool = False  # whether the gRPC server describes its services
    reporting: ReportingConfig = ReportingConfig()


def load(path: Path, environment: Mapping[str, str] | None = None) -> PeerConfig:
    """Read the file and the environment. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    root = Section.load(path, ENVIRONMENT_PREFIX, environment)
    peer, ours, chaincode = root.section("peer"), root.section("privysharing"), root.section("chaincode")
    for key in ("id", "networkId"):  # an operator's names for the peer
        peer.has(key)
    concurrency = peer.section("limits").section("concurrency")
    limits = ours.section("limits")
    endorsements_max = concurrency.integer("endorserService", 2500, least=1)
    execute_timeout_s = chaincode.seconds("executetimeout", "30s", least=0.001)
    simulation = SimulationLimits(
        query_results_max=root.section("ledger").section("state").integer("totalQueryLimit", 100_000, least=1)
    )
    window_s = peer.section("authentication").seconds("timewindow", "15m", least=0.001)
    return PeerConfig(
        listen=peer.address("listenAddress", "0.0.0.0:7051"),
        tls=_tls(peer.section("tls")),
        client_tls=_client_tls(peer.section("tls")),
        limits=_grpc_limits(peer, concurrency, limits),
        batches=batch_limits(limits),
        unread_blocks_max=limits.integer("unreadBlocks", UNREAD_BLOCKS_MAX, least=1),
        signer=signer(peer, "mspConfigPath", "localMspId"),
        msp=read_msp(peer.path("mspConfigPath"), peer.text("localMspId")),
        location=peer.path("fileSystemPath", "/var/hyperledger/production"),
        disk_watermark=ours.integer("diskWatermark", WATERMARK_BYTES),
        seek_window_ns=int(window_s * SECOND_NS),
        crypto_threads=peer.integer("validatorPoolSize", HALF_THE_PROCESSORS, least=1, most=THREADS_MAX),
        verifier=ours.flag("verifier", PROCESSORS > 1),
        feed=_feed(peer.section("deliveryclient")),
        endorses=ours.flag("endorses", True),
        endorser=EndorserConfig(time_window_s=window_s, limits=simulation),
        endorsement_workers=WorkersConfig(
            waiting_max=endorsements_max,
            waiting_bytes_max=limits.integer("waitingBytes", WAITING_BYTES_MAX, least=1),
            give_up_s=execute_timeout_s + 1,
        ),
        chaincode=ChaincodeConfig(execute_timeout_s=execute_timeout_s, limits=simulation),
        contracts=_contracts(ours.section("contracts")),
        channels=tuple(_channel(section) for section in ours.sections("channels")),
        exchange=_exchange(peer.section("gossip"), peer.text("address", "")),
        private_data_service=_private_data_service(limits),
        reflection=ours.flag("reflection", False),
        reporting=reporting(
            root,
            environment,
            address="127.0.0.1:9443",
            certificate="cert.file",
            key="key.file",
            client_roots="clientRootCAs.files",
        ),
    )


def _grpc_limits(peer: Section, concurrency: Section, ours: Section) -> GrpcLimits:
    """`concurrency` has Fabric's own calls, `ours` what Fabric has no key for."""
    calls = ours.section("concurrency")
    return grpc_limits(
        peer,
        message_bytes="maxRecvMsgSize",
        sent_bytes="maxSendMsgSize",
        keepalive="keepalive",
        interval="interval",
        timeout="timeout",
        least_interval="minInterval",
        concurrency={
            "protos.Deliver": concurrency.integer("deliverService", 2500, least=1),
            "privysharing.v1.BatchEndorser": calls.integer("batchEndorser", 2500, least=1),
            "privysharing.v1.PrivateData": calls.integer("privateData", 2500, least=1),
        },
        ours=ours,
    )


def _tls(section: Section) -> ServerTls | None:
    if not section.flag("enabled", False):
        return None
    required = section.flag("clientAuthRequired", False)
    roots = _files(section.section("clientRootCAs"))
    if required and not roots:
        raise section.error("clientRootCAs", "a list of files, since clientAuthRequired is true")
    section.section("rootcert").has("file")  # whom Fabric's peers trust on connections of their own
    return ServerTls(
        certificate=section.section("cert").contents("file"),
        key=section.section("key").contents("file"),
        client_roots=b"\n".join(roots),
        client_auth_required=required,
    )


def _client_tls(section: Section) -> TlsCertificate | None:
    """The client certificate, or the server's own when there is no other (core/peer GetClientCertificate)."""
    if not section.flag("enabled", False):
        return None
    certificate, key = section.section("clientCert"), section.section("clientKey")
    if not certificate.has("file") or not key.has("file"):
        certificate, key = section.section("cert"), section.section("key")
    return TlsCertificate(certificate.contents("file"), key.contents("file"))


def _files(section: Section) -> list[bytes]:
    """What is in a list of files."""
    try:
        return [path.read_bytes() for path in section.paths("files")]
    except OSError as error:
        raise section.error("files", f"readable files ({error.strerror})") from error


def _contracts(section: Section) -> dict[str, str]:
    return {name: section.text(name) for name in section.names()}


def _feed(section: Section) -> FeedConfig:
    most = section.seconds("reConnectBackoffThreshold", "5s", least=0.001)
    least = section.seconds("minimalReconnectInterval", "100ms", least=0.001)
    return FeedConfig(
        first_answer_seconds=section.seconds("connTimeout", "3s", least=0.001),
        pause_seconds_min=min(least, most),
        pause_seconds_max=most,
    )


def _exchange(gossip: Section, address: str) -> ExchangeConfig:
    """Fabric's keys for what travels between peers there by gossip."""
    private = gossip.section("pvtData")
    pause_s = private.seconds("reconcileSleepInterval", "1m", least=0.001)
    defaults = ReconcilerConfig()
    return ExchangeConfig(
        fellows=FellowsConfig(bootstrap=gossip.texts("bootstrap"), address=address),
        push=PushConfig(ack_seconds=private.seconds("pushAckTimeout", "3s", least=0.001)),
        pull=PullConfig(seconds_max=private.seconds("pullRetryThreshold", "1s", least=0.0)),
        reconciler=ReconcilerConfig(
            batch=private.integer("reconcileBatchSize", defaults.batch, least=1, most=WANTED_MAX),
            pause_seconds_min=min(defaults.pause_seconds_min, pause_s),
            pause_seconds_max=pause_s,
        ),
        erase_expired_seconds=private.seconds("eraseExpiredInterval", "10m", least=0.1),
    )


def _private_data_service(limits: Section) -> ServiceConfig:
    defaults = ServiceConfig()
    return ServiceConfig(
        calls_max=limits.integer("privateDataCalls", defaults.calls_max, least=1),
        bytes_max=limits.integer("privateDataBytes", defaults.bytes_max, least=1),
    )


def _channel(section: Section) -> ChannelBootstrap:
    try:
        genesis = parse_block(section.contents("genesis"))
    except ProtocolError as error:
        raise ConfigError(f"{section.path('genesis')} is not a block: {error}") from error
    orderers = tuple(
        OrdererSource(
            str(orderer.address("address")),
            orderer.text("mspId", ""),
            orderer.contents("tlsRootCert") if orderer.has("tlsRootCert") else b"",
        )
        for orderer in section.sections("orderers")
    )
    return ChannelBootstrap(section.text("name"), genesis, orderers)
