"""Who calls whom: the arrows of the architecture, as pods and ports. What is not here is refused.

Pods are told apart by namespace (whose they are) and role. The channels say who has to do with whom.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

from deploy.kafka.settings import BROKER_PORTS, ZOOKEEPER_PORTS
from deploy.kubernetes.names import kafka_namespace, namespace_of
from deploy.ordering import OwnKafka
from deploy.places import ORDERER_PORTS, PEER_PORTS
from deploy.topology import Organisation, Topology

MONITORING: Final = "monitoring"  # Prometheus is not ours: where it is by custom


class Role(StrEnum):
    """What a pod is; the value of its label app.kubernetes.io/name."""

    CLIENT = "client"
    KAFKA = "kafka"
    ORDERER = "orderer"
    PEER = "peer"
    PROMETHEUS = "prometheus"
    ZOOKEEPER = "zookeeper"


@dataclass(frozen=True, slots=True, order=True)
class Pods:
    """All pods of a role in a namespace."""

    namespace: str
    role: Role


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """Pods that call others on a port."""

    source: Pods
    target: Pods
    port: int


def arrows(topology: Topology) -> frozenset[Arrow]:
    """Every arrow of a network."""
    return frozenset([*_to_orderers(topology), *_to_peers(topology), *_to_the_log(topology), *_to_operations(topology)])


def _to_orderers(topology: Topology) -> Iterator[Arrow]:
    """Clients submit, peers fetch blocks and compare them; orderers of one log help each other out with blocks."""
    owners = [node.org for node in topology.orderers]
    orderers = _pods(topology, Role.ORDERER, owners)
    clients = _pods(topology, Role.CLIENT, [org for channel in topology.channels for org in channel.organisations])
    peers = _pods(topology, Role.PEER, [node.org for node in topology.peers])
    for source, target in [*product((*clients, *peers), orderers), *_among(topology, Role.ORDERER, owners)]:
        yield Arrow(source, target, ORDERER_PORTS[0])


def _to_peers(topology: Topology) -> Iterator[Arrow]:
    """Whoever is on a channel proposes to its members' peers, and these exchange private data."""
    for channel in topology.channels:
        clients = _pods(topology, Role.CLIENT, channel.organisations)
        owners = [peer.org for peer in topology.peers_of(channel)]
        peers = _pods(topology, Role.PEER, owners)
        for source, target in [*product(clients, peers), *_among(topology, Role.PEER, owners)]:
            yield Arrow(source, target, PEER_PORTS[0])


def _to_the_log(topology: Topology) -> Iterator[Arrow]:
    """Orderers append to the log and read it; its own cluster keeps together."""
    if not isinstance(topology.ordering, OwnKafka):
        return
    brokers, ensemble = (Pods(kafka_namespace(topology), role) for role in (Role.KAFKA, Role.ZOOKEEPER))
    for source in (*_pods(topology, Role.ORDERER, [node.org for node in topology.orderers]), brokers):
        yield Arrow(source, brokers, BROKER_PORTS[0])
        yield Arrow(source, ensemble, ZOOKEEPER_PORTS[0])
    for port in ZOOKEEPER_PORTS[1:] if topology.ordering.zookeepers > 1 else ():
        yield Arrow(ensemble, ensemble, port)


def _to_operations(topology: Topology) -> Iterator[Arrow]:
    """Prometheus asks every node."""
    prometheus = Pods(MONITORING, Role.PROMETHEUS)
    for target in _pods(topology, Role.ORDERER, [node.org for node in topology.orderers]):
        yield Arrow(prometheus, target, ORDERER_PORTS[1])
    for target in _pods(topology, Role.PEER, [node.org for node in topology.peers]):
        yield Arrow(prometheus, target, PEER_PORTS[1])


def _pods(topology: Topology, role: Role, owners: Iterable[Organisation]) -> list[Pods]:
    """Everybody's pods of a role."""
    return [Pods(namespace_of(topology, org), role) for org in dict.fromkeys(owners)]


def _among(topology: Topology, role: Role, owners: Iterable[Organisation]) -> Iterator[tuple[Pods, Pods]]:
    """Each pod and the others of its role; `owners` has one entry a pod."""
    count = Counter(owners)
    for one, other in product(count, count):
        if one != other or count[one] > 1:
            source, target = _pods(topology, role, [one]) + _pods(topology, role, [other])
            yield source, target
