"""The configurations of brokers and ensemble nodes, as their own files say it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.ports import HOST

BROKER, ZOOKEEPER = "broker", "zookeeper"
CONTROLLERS_MAX: Final = 3  # of a cluster without ZooKeeper: so many brokers keep its metadata too
SESSION_MS: Final = 6_000  # how long ZooKeeper believes a broker that it does not hear: a killed one's topics wait
TICK_MS: Final = 1_500
# As Fabric's guide to Kafka asks: more than any channel's AbsoluteMaxBytes, and what a record has around its envelope.
MESSAGE_BYTES_MAX: Final = 99 * 1024 * 1024

HostOf = Callable[[str, int], str]  # where a member is, by its kind and number
# Of members that have a machine each: what serves, what followers ask the leader, what elects one.
BROKER_PORTS: Final = (9092, 9093, 0)
ZOOKEEPER_PORTS: Final = (2181, 2888, 3888)


@dataclass(frozen=True, slots=True)
class Member:
    """A broker or an ensemble node. `port` of `host` serves; `election` and `quorum` are for its fellows."""

    kind: str
    number: int
    port: int
    quorum: int = 0
    election: int = 0
    host: str = field(default=HOST, kw_only=True)

    @property
    def name(self) -> str:
        """Its name in the cluster, and its folder's."""
        return f"{self.kind}{self.number}"

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"{self.host}:{self.port}"


def zookeeper_settings(member: Member, ensemble: Sequence[Member]) -> dict[str, str | int]:
    """`zoo.cfg`. Its `myid` is its number and one."""
    settings: dict[str, str | int] = {
        "dataDir": "data",
        "clientPort": member.port,
        "clientPortAddress": member.host,
        "tickTime": TICK_MS,
        "initLimit": 20,
        "syncLimit": 6,
        "maxClientCnxns": 0,
        "autopurge.purgeInterval": 1,
        "admin.enableServer": "false",
        "4lw.commands.whitelist": "srvr",
    }
    if len(ensemble) > 1:
        for each in ensemble:
            settings[f"server.{each.number + 1}"] = f"{each.host}:{each.quorum}:{each.election}"
    return settings


def broker_settings(
    member: Member, brokers: Sequence[Member], ensemble: Sequence[Member], *, kraft: bool
) -> dict[str, str | int]:
    """`server.properties`."""
    copies = min(3, len(brokers))
    return {
        "listeners": f"PLAINTEXT://{member.address}",
        "advertised.listeners": f"PLAINTEXT://{member.address}",
        "log.dirs": "data",
        "default.replication.factor": copies,
        "min.insync.replicas": max(1, copies - 1),
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        "auto.create.topics.enable": "false",  # orderers make topics as they need them
        "log.retention.ms": -1,  # an orderer that starts anew reads from the first record
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
        # Acknowledged means replicated; a single broker has nobody to replicate to, and makes it durable.
        **({"log.flush.interval.messages": 1} if len(brokers) == 1 else {}),
        "controlled.shutdown.max.retries": 1,
        "controlled.shutdown.retry.backoff.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.replica.fetchers": 1,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
        "group.initial.rebalance.delay.ms": 0,
        **(_kraft(member, brokers) if kraft else _with_zookeeper(member, ensemble)),
    }


def _with_zookeeper(member: Member, ensemble: Sequence[Member]) -> dict[str, str | int]:
    return {
        "broker.id": member.number,
        "zookeeper.connect": ",".join(each.address for each in ensemble),
        "zookeeper.session.timeout.ms": SESSION_MS,
        "zookeeper.connection.timeout.ms": 60_000,
    }


def _kraft(member: Member, brokers: Sequence[Member]) -> dict[str, str | int]:
    controllers = brokers[:CONTROLLERS_MAX]
    settings: dict[str, str | int] = {
        "node.id": member.number,
        "process.roles": "broker",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(f"{each.number}@{each.host}:{each.quorum}" for each in controllers),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "broker.session.timeout.ms": SESSION_MS,
    }
    if member in controllers:
        settings["process.roles"] = "broker,controller"
        settings["listeners"] = f"PLAINTEXT://{member.address},CONTROLLER://{member.host}:{member.quorum}"
    return settings


def properties(settings: Mapping[str, str | int]) -> str:
    """As Java reads them."""
    return "".join(f"{key}={value}\n" for key, value in settings.items())
