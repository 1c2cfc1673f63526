"""What a channel's configuration says, and how far it opens the ledger.

A contract's rules are worth nothing if blocks can be read past it. With closed doors, whole blocks, queries of them
and the orderer's Deliver are for peers and the organisations' admins (Readers); clients are Writers, who propose, and
see filtered events and commit status. An organisation that is on a channel as a client only reads and endorses nothing,
whatever certificates its CA may issue. Blocks count when an orderer signed them, not any member of its organisation.
"""

from collections.abc import Mapping
from typing import Final

from deploy.material import Material
from deploy.topology import Channel, Doors, Organisation, Topology
from privysharing.protocol.channel.acls import WRITERS
from privysharing.protocol.channel.genesis import ChannelProfile, OrgProfile, Policies, PolicyRule
from privysharing.protocol.channel.settings import AnchorPeer, ConsensusType
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy

# No type that Fabric knows says that an orderer keeps the log on its disk: `solo` is nearest, and asks for no metadata.
# Fabric's peers from version 3 on fetch blocks on channels of type etcdraft and BFT only (core/deliverservice), so a
# channel that such peers may join says etcdraft, and names no consenters, whatever orders.
_SOLO: Final = ConsensusType("solo")
_KAFKA: Final = ConsensusType("kafka")
_FOR_FABRIC: Final = ConsensusType("etcdraft")

CLOSED_ACLS: Final = {"event/FilteredBlock": WRITERS, "gateway/CommitStatus": WRITERS}

_GROUP_POLICIES: Final = {"Readers": "ANY Readers", "Writers": "ANY Writers", "Admins": "MAJORITY Admins"}

_CLOSED_MEMBER: Final = {
    "Readers": "OR('{msp}.admin', '{msp}.peer')",
    "Writers": "OR('{msp}.admin', '{msp}.client', '{msp}.peer')",
    "Admins": "OR('{msp}.admin')",
    "Endorsement": "OR('{msp}.peer')",
}
_CLOSED_CLIENT: Final = {
    "Readers": "OutOf(2, '{msp}.member')",  # two signatures by one principal: nobody's
    "Writers": "OR('{msp}.admin', '{msp}.client')",
    "Admins": "OR('{msp}.admin')",
    "Endorsement": "OutOf(2, '{msp}.peer')",
}
_CLOSED_ORDERER: Final = {
    "Readers": "OR('{msp}.orderer')",
    "Writers": "OR('{msp}.orderer')",
    "Admins": "OR('{msp}.admin')",
}

# fabric sampleconfig/configtx.yaml
_FABRIC_MEMBER: Final = {
    "Readers": "OR('{msp}.admin', '{msp}.peer', '{msp}.client')",
    "Writers": "OR('{msp}.admin', '{msp}.client')",
    "Admins": "OR('{msp}.admin')",
    "Endorsement": "OR('{msp}.peer')",
}
_FABRIC_ORDERER: Final = {
    "Readers": "OR('{msp}.member')",
    "Writers": "OR('{msp}.member')",
    "Admins": "OR('{msp}.admin')",
}


def channel_profile(
    topology: Topology,
    channel: Channel,
    material: Material,
    addresses: Mapping[str, str],
    kafka_brokers: tuple[str, ...] = (),
) -> ChannelProfile:
    """The first configuration of a channel; `addresses` says where others find each node, by full name.

    Without `kafka_brokers` it is not ordered through Kafka.
    """
    closed = channel.doors is Doors.CLOSED
    member = _CLOSED_MEMBER if closed else _FABRIC_MEMBER
    client = _CLOSED_CLIENT if closed else _FABRIC_MEMBER
    orderer = _CLOSED_ORDERER if closed else _FABRIC_ORDERER
    return ChannelProfile(
        channel_id=channel.name,
        orderer_orgs=tuple(
            OrgProfile(
                name=org.msp_id,
                msp=material.organisations[org.name].msp,
                policies=_org_policies(orderer, org),
                endpoints=tuple(addresses[node.full_name] for node in topology.orderers if node.org == org),
            )
            for org in dict.fromkeys(node.org for node in topology.orderers)
        ),
        application_orgs=tuple(
            OrgProfile(
                name=org.msp_id,
                msp=material.organisations[org.name].msp,
                policies=_org_policies(member if org in channel.members else client, org),
                anchor_peers=_anchor_peers(topology, channel, org, addresses),
            )
            for org in channel.organisations
        ),
        channel_policies=_group_policies(),
        orderer_policies=_group_policies() | {"BlockValidation": parse_implicit_meta("ANY Writers")},
        application_policies=_group_policies()
        | {
            "Endorsement": parse_policy(channel.endorsement),
            "LifecycleEndorsement": parse_policy(channel.lifecycle_endorsement),
        },
        consensus=(_KAFKA if kafka_brokers else _SOLO) if closed else _FOR_FABRIC,
        kafka_brokers=kafka_brokers if closed else (),
        batch_size=channel.batch_size,
        batch_timeout_s=channel.batch_timeout_s,
        acls=CLOSED_ACLS if closed else {},
    )


def _group_policies() -> dict[str, PolicyRule]:
    return {name: parse_implicit_meta(rule) for name, rule in _GROUP_POLICIES.items()}


def _org_policies(rules: Mapping[str, str], org: Organisation) -> Policies:
    return {name: parse_policy(rule.format(msp=org.msp_id)) for name, rule in rules.items()}


def _anchor_peers(
    topology: Topology, channel: Channel, org: Organisation, addresses: Mapping[str, str]
) -> tuple[AnchorPeer, ...]:
    """All peers of a member: others find them by that, and pass them private data. A client has none."""
    if org not in channel.members:
        return ()
    anchors = (addresses[peer.full_name].rpartition(":") for peer in topology.peers_of(channel, org))
    return tuple(AnchorPeer(host, int(port)) for host, _, port in anchors)
