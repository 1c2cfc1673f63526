"""Each node's configuration file, by Fabric's keys, with ours under `privysharing`. Paths start from its folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from deploy import layout
from deploy.manifest import OrderingEntry
from deploy.ports import HOST
from deploy.topology import Doors, Node, OrdererNode, PeerNode, Topology

DATA = "data"
COPIES = 3  # of each record, as Fabric's Kafka.Topic.ReplicationFactor
STREAMS_MAX = 250  # of one kind at one node of a closed network; one that nobody reads may hold up to two blocks


@dataclass(frozen=True, slots=True)
class NodePorts:
    """Where a node listens: for its service, and for operations."""

    service: int
    operations: int


def orderer_yaml(topology: Topology, node: OrdererNode, ports: NodePorts, ordering: OrderingEntry) -> str:
    """`orderer.yaml` of one ordering node."""
    foreign, kafka = _foreign(topology), bool(ordering.brokers)
    here = layout.node_folder(node)
    crypto = layout.node_crypto_folder(topology, node)
    return _yaml(
        {
            "General": {
                "ListenAddress": HOST,
                "ListenPort": ports.service,
                "LocalMSPDir": _relative(crypto / "msp", here),
                "LocalMSPID": node.org.msp_id,
                **({} if foreign else {"MaxRecvMsgSize": _received_bytes_max(topology)}),
                "TLS": {
                    "Enabled": True,
                    "Certificate": _relative(crypto / "tls" / "server.crt", here),
                    "PrivateKey": _relative(crypto / "tls" / "server.key", here),
                    "RootCAs": _all_tls_cas(topology, here),
                    "ClientAuthRequired": topology.client_auth_required,
                    "ClientRootCAs": _all_tls_cas(topology, here),
                },
            },
            "FileLedger": {"Location": DATA},
            **({"Kafka": {"Topic": {"ReplicationFactor": min(COPIES, len(ordering.brokers))}}} if kafka else {}),
            "Operations": {"ListenAddress": f"{HOST}:{ports.operations}"},
            "Metrics": {"Provider": "prometheus"},
            "privysharing": {
                "genesis": _relative(layout.CHANNELS, here),
                **({"zooKeeper": {"addresses": list(ordering.zookeepers)}} if ordering.zookeepers else {}),
                # A channel that Fabric's peers may join says nothing of Kafka.
                **({"ordering": "kafka", "kafka": {"brokers": [*ordering.brokers]}} if kafka and foreign else {}),
                **(
                    {"timeWindow": "0s"}
                    if foreign
                    else {"limits": {"concurrency": {"broadcast": STREAMS_MAX, "deliver": STREAMS_MAX}}}
                ),
            },
        }
    )


def _foreign(topology: Topology) -> bool:
    """Whether Fabric's own doors are open: then its own rules hold too.

    Foreign clients may sign long before they submit, send what our contracts never would, and open streams at will.
    """
    return all(channel.doors is Doors.FABRIC for channel in topology.channels)


def _received_bytes_max(topology: Topology) -> int:
    """Room for the largest transaction that a channel takes, beside others in a batch: anybody may send as much."""
    return 2 * max(channel.batch_size.absolute_max_bytes for channel in topology.channels)


def core_yaml(topology: Topology, node: PeerNode, ports: NodePorts, orderers: Mapping[str, NodePorts]) -> str:
    """`core.yaml` of one peer; `orderers` has the ports of the ordering nodes by full name."""
    here = layout.node_folder(node)
    crypto = layout.node_crypto_folder(topology, node)
    contracts = {contract.name for channel in topology.channels for contract in channel.contracts}
    return _yaml(
        {
            "peer": {
                "id": node.full_name,
                "networkId": topology.name,
                "listenAddress": f"{HOST}:{ports.service}",
                "address": f"{HOST}:{ports.service}",
                "localMspId": node.org.msp_id,
                "mspConfigPath": _relative(crypto / "msp", here),
                "fileSystemPath": DATA,
                **(
                    {}
                    if _foreign(topology)
                    else {
                        "maxRecvMsgSize": _received_bytes_max(topology),
                        "limits": {"concurrency": {"deliverService": STREAMS_MAX}},
                    }
                ),
                "tls": {
                    "enabled": True,
                    "clientAuthRequired": topology.client_auth_required,
                    "cert": {"file": _relative(crypto / "tls" / "server.crt", here)},
                    "key": {"file": _relative(crypto / "tls" / "server.key", here)},
                    "rootcert": {"file": _relative(crypto / "tls" / "ca.crt", here)},
                    "clientCert": {"file": _relative(crypto / "tls" / "server.crt", here)},
                    "clientKey": {"file": _relative(crypto / "tls" / "server.key", here)},
                    "clientRootCAs": {"files": _all_tls_cas(topology, here)},
                },
            },
            "operations": {"listenAddress": f"{HOST}:{ports.operations}"},
            "metrics": {"provider": "prometheus"},
            "privysharing": {
                **({} if _foreign(topology) else {"limits": {"concurrency": {"batchEndorser": STREAMS_MAX}}}),
                "endorses": node.endorses,
                "contracts": {name: name for name in sorted(contracts)} if node.endorses else {},
                "channels": [
                    {
                        "name": channel.name,
                        "genesis": _relative(layout.genesis_file(channel.name), here),
                        "orderers": [
                            {
                                "address": f"{HOST}:{orderers[orderer.full_name].service}",
                                "mspId": orderer.org.msp_id,
                                "tlsRootCert": _relative(layout.tls_ca_file(topology, orderer.org), here),
                            }
                            for orderer in topology.orderers_for(node.org)
                        ],
                    }
                    for channel in topology.channels
                    if node in topology.peers_of(channel)
                ],
            },
        }
    )


def _all_tls_cas(topology: Topology, here: PurePosixPath) -> list[str]:
    return [_relative(layout.tls_ca_file(topology, org), here) for org in topology.organisations]


def _relative(path: PurePosixPath, start: PurePosixPath) -> str:
    return os.path.relpath(path, start)


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def data_folder(node: Node) -> PurePosixPath:
    """What a node writes."""
    return layout.node_folder(node) / DATA
