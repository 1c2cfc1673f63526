"""Each node's configuration file, by Fabric's keys, with ours under `privysharing`. Paths start from its folder."""

from typing import Any

import yaml

from deploy.manifest import OrderingEntry
from deploy.places import EVERYWHERE, Places
from deploy.topology import Doors, OrdererNode, PeerNode, Topology

COPIES = 3  # of each record, as Fabric's Kafka.Topic.ReplicationFactor
STREAMS_MAX = 250  # of one kind at one node of a closed network; one that nobody reads may hold up to two blocks


def orderer_yaml(topology: Topology, node: OrdererNode, places: Places, ordering: OrderingEntry) -> str:
    """`orderer.yaml` of one ordering node."""
    foreign, kafka = _foreign(topology), bool(ordering.brokers)
    place = places.of(node)
    files = place.files
    zookeeper: dict[str, Any] = {"addresses": list(ordering.zookeepers)}
    if place.listen == EVERYWHERE:  # which is no address to tell others
        zookeeper["advertised"] = place.address
    return _yaml(
        {
            "General": {
                "ListenAddress": place.listen,
                "ListenPort": place.port,
                "LocalMSPDir": files.msp,
                "LocalMSPID": node.org.msp_id,
                **({} if foreign else {"MaxRecvMsgSize": _received_bytes_max(topology)}),
                "TLS": {
                    "Enabled": True,
                    "Certificate": f"{files.tls}/server.crt",
                    "PrivateKey": f"{files.tls}/server.key",
                    "RootCAs": [*files.tls_cas.values()],
                    "ClientAuthRequired": topology.client_auth_required,
                    "ClientRootCAs": [*files.tls_cas.values()],
                },
            },
            "FileLedger": {"Location": files.data},
            **({"Kafka": {"Topic": {"ReplicationFactor": min(COPIES, len(ordering.brokers))}}} if kafka else {}),
            "Operations": {"ListenAddress": place.operations_address},
            "Metrics": {"Provider": "prometheus"},
            "privysharing": {
                "genesis": files.channels,
                **({"zooKeeper": zookeeper} if ordering.zookeepers else {}),
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


def core_yaml(topology: Topology, node: PeerNode, places: Places) -> str:
    """`core.yaml` of one peer."""
    place = places.of(node)
    files = place.files
    contracts = {contract.name for channel in topology.channels for contract in channel.contracts}
    return _yaml(
        {
            "peer": {
                "id": node.full_name,
                "networkId": topology.name,
                "listenAddress": f"{place.listen}:{place.port}",
                "address": place.address,
                "localMspId": node.org.msp_id,
                "mspConfigPath": files.msp,
                "fileSystemPath": files.data,
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
                    "cert": {"file": f"{files.tls}/server.crt"},
                    "key": {"file": f"{files.tls}/server.key"},
                    "rootcert": {"file": f"{files.tls}/ca.crt"},
                    "clientCert": {"file": f"{files.tls}/server.crt"},
                    "clientKey": {"file": f"{files.tls}/server.key"},
                    "clientRootCAs": {"files": [*files.tls_cas.values()]},
                },
            },
            "operations": {"listenAddress": place.operations_address},
            "metrics": {"provider": "prometheus"},
            "privysharing": {
                **({} if _foreign(topology) else {"limits": {"concurrency": {"batchEndorser": STREAMS_MAX}}}),
                "endorses": node.endorses,
                "contracts": {name: name for name in sorted(contracts)} if node.endorses else {},
                "channels": [
                    {
                        "name": channel.name,
                        "genesis": f"{files.channels}/{channel.name}.block",
                        "orderers": [
                            {
                                "address": places.of(orderer).address,
                                "mspId": orderer.org.msp_id,
                                "tlsRootCert": files.tls_cas[orderer.org.name],
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


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)
