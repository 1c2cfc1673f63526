"""Where each node of a network is: where it listens, where others find it, where it finds what it starts with.

Two ways ship. `local`: processes of this machine on ports of their own, which share the network's folder. `contained`:
one machine each, as containers and pods have it, named as the node is; each finds a folder of its own with what it
needs and nothing else. Whoever runs nodes under other names makes a `Places` of his own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from deploy import layout
from deploy.kafka.settings import HostOf
from deploy.ports import HOST, choose_ports
from deploy.topology import Node, Organisation, PeerNode, Topology

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - in a container whose networks say who gets there
CONFIGURATION: Final = PurePosixPath("/etc/privysharing")  # of a node that has a machine of its own
DATA: Final = PurePosixPath("/var/lib/privysharing")
# fabric sampleconfig/orderer.yaml and core.yaml: General.ListenPort, peer.listenAddress; operations.
ORDERER_PORTS: Final = (7050, 8443)
PEER_PORTS: Final = (7051, 9443)


class Placing(StrEnum):
    """The ways that ship, by name."""

    LOCAL = "local"
    CONTAINERS = "containers"


@dataclass(frozen=True, slots=True)
class Files:
    """What a node's configuration says of where its files are: absolute, or from the configuration's folder."""

    msp: str
    tls: str
    channels: str
    data: str
    tls_cas: Mapping[str, str]  # by organisation


@dataclass(frozen=True, slots=True)
class Place:
    """One node's. `host` is what others call it, and `names` what its TLS certificate says beside its full name."""

    host: str
    port: int
    operations_port: int
    listen: str
    operations_host: str
    files: Files
    command: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where others find its service."""
        return f"{self.host}:{self.port}"

    @property
    def operations_address(self) -> str:
        """Where it answers its operator."""
        return f"{self.operations_host}:{self.operations_port}"


@dataclass(frozen=True, slots=True)
class Places:
    """Every node's, by full name. With `alone`, each gets a folder that needs no other.

    `kafka` says on which machines the network's own brokers and ensemble nodes are; without it, on this one.
    """

    nodes: Mapping[str, Place]
    alone: bool = False
    kafka: HostOf | None = None

    def of(self, node: Node) -> Place:
        """A node's."""
        return self.nodes[node.full_name]

    @property
    def addresses(self) -> dict[str, str]:
        """Where others find each node, by full name."""
        return {name: place.address for name, place in self.nodes.items()}


def local(topology: Topology, base_port: int | None = None) -> Places:
    """This machine: free ports, or those from `base_port` on."""
    names = [node.full_name for node in topology.nodes]
    ports = choose_ports([f"{name}{use}" for name in names for use in ("", "/operations")], base_port)
    return Places(
        {
            node.full_name: Place(
                host=HOST,
                port=ports[node.full_name],
                operations_port=ports[f"{node.full_name}/operations"],
                listen=HOST,
                operations_host=HOST,
                files=_shared_files(topology, node),
                command=(_program(node), "--config", str(layout.node_config_file(node))),
            )
            for node in topology.nodes
        }
    )


def contained(topology: Topology) -> Places:
    """A machine for each node, which others call by the node's full name, on the ports that Fabric has.

    Operations are for its own organisation: it answers them under a name that only that organisation's network knows.
    """
    return Places(
        {
            node.full_name: own_machine(topology, node, node.full_name, operations_host=f"operations.{node.full_name}")
            for node in topology.nodes
        },
        alone=True,
        kafka=lambda kind, number: f"{kind}{number}",
    )


def own_machine(
    topology: Topology, node: Node, host: str, *, operations_host: str = EVERYWHERE, names: tuple[str, ...] = ()
) -> Place:
    """A node alone on a machine that others call `host`; further `names` are for its TLS certificate."""
    port, operations_port = PEER_PORTS if isinstance(node, PeerNode) else ORDERER_PORTS
    return Place(
        host=host,
        port=port,
        operations_port=operations_port,
        listen=EVERYWHERE,
        operations_host=operations_host,
        files=Files(
            msp=str(CONFIGURATION / layout.OWN_MSP),
            tls=str(CONFIGURATION / layout.OWN_TLS),
            channels=str(CONFIGURATION / layout.CHANNELS),
            data=str(DATA),
            tls_cas={org.name: str(CONFIGURATION / layout.own_tls_ca_file(org)) for org in topology.organisations},
        ),
        command=(_program(node), "--config", str(CONFIGURATION / layout.config_name(node))),
        names=tuple(dict.fromkeys((host, *names))),
    )


def _shared_files(topology: Topology, node: Node) -> Files:
    crypto = layout.node_crypto_folder(topology, node)
    here = layout.node_folder(node)

    def relative(path: PurePosixPath) -> str:
        return os.path.relpath(path, here)

    def tls_ca(org: Organisation) -> str:
        return relative(layout.tls_ca_file(topology, org))

    return Files(
        msp=relative(crypto / "msp"),
        tls=relative(crypto / "tls"),
        channels=relative(layout.CHANNELS),
        data=layout.DATA,
        tls_cas={org.name: tls_ca(org) for org in topology.organisations},
    )


def _program(node: Node) -> str:
    return "privy-peer" if isinstance(node, PeerNode) else "privy-orderer"
