"""How everything is called in a cluster: a namespace for each organisation, a Service for each node."""

import re
from typing import Final

from deploy.kafka.settings import BROKER
from deploy.places import Places, own_machine
from deploy.topology import Node, Organisation, Topology, TopologyError

KAFKA: Final = "kafka"
ZOOKEEPER: Final = "zookeeper"
# As Kubernetes is set up nearly everywhere. Only brokers and their ensemble are told it: each finds itself by the name
# that a pod's own /etc/hosts has for it.
CLUSTER_DOMAIN: Final = "cluster.local"

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def namespace_of(topology: Topology, org: Organisation) -> str:
    """An organisation's own namespace: who may read its keys is settled there."""
    return _label(f"{topology.name}-{org.name}")


def kafka_namespace(topology: Topology) -> str:
    """Where the brokers and their ensemble are."""
    return _label(f"{topology.name}-{KAFKA}")


def in_kubernetes(topology: Topology) -> Places:
    """Each node a machine of its own, called as its Service is."""
    namespaces = {org: namespace_of(topology, org) for org in topology.organisations}

    def member(kind: str, number: int) -> str:
        app = KAFKA if kind == BROKER else ZOOKEEPER
        return f"{app}-{number}.{app}.{kafka_namespace(topology)}.svc.{CLUSTER_DOMAIN}"

    def names(node: Node) -> tuple[str, ...]:
        service = f"{_label(node.name)}.{namespaces[node.org]}"
        return (f"{service}.svc", service, f"{service}.svc.{CLUSTER_DOMAIN}")

    return Places(
        {node.full_name: own_machine(topology, node, names(node)[0], names=names(node)[1:]) for node in topology.nodes},
        alone=True,
        kafka=member,
    )


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise TopologyError(f"{name!r} cannot be a name in Kubernetes; needed: a-z, 0-9 and -, 63 at most")
    return name
