"""Connection profiles in the JSON form of Fabric's SDKs: the network from one organisation's point of view."""

import json
import os
from collections.abc import Mapping
from typing import Any

from deploy import layout
from deploy.enough import Enough
from deploy.material import Material
from deploy.topology import ContractDefinition, Node, Organisation, Topology


def connection_profile(
    topology: Topology,
    org: Organisation,
    material: Material,
    addresses: Mapping[str, str],
    endorsements: Mapping[str, Enough],
) -> str:
    """A profile for `org`; `addresses` by full node name, `endorsements` by channel.

    Those and the collections of contracts are additions to the format.
    """
    channels = [channel for channel in topology.channels if org in channel.organisations]
    application = layout.application_folder(topology, org)
    profile = {
        "name": f"{topology.name}-{org.name}",
        "version": "1.0.0",
        "client": {
            "organization": org.name,
            "connection": {"timeout": {"peer": {"endorser": "300"}, "orderer": "300"}},
            "tlsCerts": {
                "client": {
                    "cert": {"path": os.path.relpath(application / "client.crt", layout.PROFILES)},
                    "key": {"path": os.path.relpath(application / "client.key", layout.PROFILES)},
                }
            },
        },
        "organizations": {
            each.name: {
                "mspid": each.msp_id,
                "signingCAs": {"pem": material.organisations[each.name].ca.credential.certificate_pem.decode()},
                "peers": [peer.full_name for peer in topology.peers if peer.org == each],
                "orderers": [orderer.full_name for orderer in topology.orderers if orderer.org == each],
            }
            for each in topology.organisations
        },
        "peers": {peer.full_name: _node(peer, material, addresses) for peer in topology.peers},
        "orderers": {orderer.full_name: _node(orderer, material, addresses) for orderer in topology.orderers},
        "channels": {
            channel.name: {
                "orderers": [orderer.full_name for orderer in topology.orderers_for(org)],
                "peers": {
                    peer.full_name: {
                        "endorsingPeer": peer.endorses,
                        "chaincodeQuery": peer.endorses,
                        "ledgerQuery": True,
                        "eventSource": True,
                    }
                    for peer in topology.peers_of(channel)
                },
                "endorsements": endorsements[channel.name].channel,
                "contracts": {
                    contract.name: {"collections": _collections(contract, endorsements[channel.name])}
                    for contract in channel.contracts
                    if contract.collections
                },
            }
            for channel in channels
        },
    }
    return json.dumps(profile, indent=2) + "\n"


def _collections(contract: ContractDefinition, endorsements: Enough) -> dict[str, Any]:
    return {
        each.name: {"members": each.members, "endorsements": endorsements.collections[contract.name, each.name]}
        for each in contract.collections
    }


def _node(node: Node, material: Material, addresses: Mapping[str, str]) -> dict[str, Any]:
    return {
        "url": f"grpcs://{addresses[node.full_name]}",
        "tlsCACerts": {"pem": material.organisations[node.org.name].tls_ca.credential.certificate_pem.decode()},
        "grpcOptions": {"ssl-target-name-override": node.full_name, "hostnameOverride": node.full_name},
    }
