"""What orderer.yaml says about Kafka: Fabric's section `Kafka`, and ours below `privysharing`."""

import ssl
from dataclasses import dataclass, field

from services.orderer.kafka.patience import Retry
from services.runtime.config import Address, Section

SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to brokers that ask, by SASL."""

    user: str
    password: str = field(repr=False)
    mechanism: str = SASL_MECHANISMS[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooKeeperConfig:
    """Where the ensemble is. `root`: below which our own entries are; `brokers`: below which Kafka's are."""

    addresses: tuple[str, ...] = ()
    root: str = "/privysharing"
    brokers: str = "/"
    session_s: float = 6.0
    advertised: Address | None = None  # how others call this orderer, if not by the address that it listens on


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConfig:
    """How to reach brokers, and what to ask of them. `brokers`: not those that a channel's configuration names."""

    brokers: tuple[str, ...] = ()
    always: bool = False  # also for channels whose first configuration names another kind of ordering
    replication_factor: int = 3
    delivery_timeout_s: float = 5.0
    retry: Retry = Retry()
    tls: ssl.SSLContext | None = None
    login: Login | None = None
    version: tuple[int, ...] | None = None  # of the protocol; None: ask the brokers
    zookeeper: ZooKeeperConfig = ZooKeeperConfig()

    @property
    def protocol(self) -> str:
        """How brokers are spoken to."""
        return ("SASL_" if self.login else "") + ("SSL" if self.tls else "PLAINTEXT")

    @property
    def in_sync_replicas(self) -> int:
        """Of a topic that we make: one replica may be away."""
        return max(1, self.replication_factor - 1)


def kafka_config(root: Section) -> KafkaConfig:
    """Read the sections. Raises ConfigError."""
    section, ours = root.section("Kafka"), root.section("privysharing")
    section.has("Verbose")  # kafka-python's loggers have names of their own in the logging specification
    extra = ours.section("Kafka")
    return KafkaConfig(
        brokers=extra.texts("Brokers"),
        always=ours.text("Ordering", "channel", allowed=("channel", "kafka")) == "kafka",
        replication_factor=section.section("Topic").integer("ReplicationFactor", 3, least=1, most=32767),
        delivery_timeout_s=extra.seconds("DeliveryTimeout", "5s", least=0.1),
        retry=_retry(section.section("Retry")),
        tls=_tls(section.section("TLS")),
        login=_login(section.section("SASLPlain"), extra),
        version=_version(section),
        zookeeper=_zookeeper(ours.section("ZooKeeper")),
    )


def _retry(section: Section) -> Retry:
    defaults = Retry()
    section.has("LongTotal")  # there is no end to it
    timeouts = section.section("NetworkTimeouts")
    timeouts.has("WriteTimeout")  # DeliveryTimeout bounds what is written
    section.section("Metadata").has("RetryMax")
    section.section("Producer").has("RetryMax")

    def seconds(where: Section, key: str, default: float) -> float:
        return where.seconds(key, f"{default:g}s", least=0.001)

    return Retry(
        short_interval_s=seconds(section, "ShortInterval", defaults.short_interval_s),
        short_total_s=seconds(section, "ShortTotal", defaults.short_total_s),
        long_interval_s=seconds(section, "LongInterval", defaults.long_interval_s),
        dial_timeout_s=seconds(timeouts, "DialTimeout", defaults.dial_timeout_s),
        read_timeout_s=seconds(timeouts, "ReadTimeout", defaults.read_timeout_s),
        metadata_backoff_s=seconds(section.section("Metadata"), "RetryBackoff", defaults.metadata_backoff_s),
        producer_backoff_s=seconds(section.section("Producer"), "RetryBackoff", defaults.producer_backoff_s),
        consumer_backoff_s=seconds(section.section("Consumer"), "RetryBackoff", defaults.consumer_backoff_s),
    )


def _tls(section: Section) -> ssl.SSLContext | None:
    if not section.flag("Enabled", False):
        return None
    roots = section.section("RootCAs").path("File")
    certificate, key = section.section("Certificate"), section.section("PrivateKey")
    try:
        context = ssl.create_default_context(cafile=str(roots))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate.has("File"):
            context.load_cert_chain(certificate.path("File"), key.path("File"))
    except (OSError, ssl.SSLError) as error:
        raise section.error("Enabled", f"possible with these files ({error})") from error
    return context


def _login(section: Section, extra: Section) -> Login | None:
    """Fabric knows of SASL/PLAIN only; its section has our mechanisms' names and passwords, too."""
    mechanism = extra.text("SASLMechanism", SASL_MECHANISMS[0], allowed=SASL_MECHANISMS)
    if not section.flag("Enabled", False):
        return None
    return Login(section.text("User"), section.text("Password"), mechanism)


def _version(section: Section) -> tuple[int, ...] | None:
    text = section.text("Version", "")
    if not text:
        return None
    parts = text.split(".")
    if not all(part.isdecimal() for part in parts) or len(parts) < 2:
        raise section.error("Version", "the version of a protocol, such as 0.10.2.0")
    return tuple(int(part) for part in parts)


def _zookeeper(section: Section) -> ZooKeeperConfig:
    defaults = ZooKeeperConfig()
    return ZooKeeperConfig(
        addresses=section.texts("Addresses"),
        root=section.text("Root", defaults.root).rstrip("/"),
        brokers=section.text("Brokers", defaults.brokers),
        session_s=section.seconds("SessionTimeout", f"{defaults.session_s:g}s", least=1.0),
        advertised=section.address("Advertised") if section.has("Advertised") else None,
    )
