"""Where everything is in a generated network, as paths below its folder. Crypto material lies as cryptogen puts it."""

from pathlib import PurePosixPath

from deploy.topology import Node, Organisation, PeerNode, Topology

ADMIN = "Admin"
APPLICATION = "application"
CRYPTO = PurePosixPath("crypto")
ROOT_CA = CRYPTO / "root"
CHANNELS = PurePosixPath("channels")
PROFILES = PurePosixPath("profiles")
NODES = PurePosixPath("nodes")
DATA = "data"  # of a node, in its folder
KAFKA = PurePosixPath("kafka")
PROMETHEUS = PurePosixPath("prometheus")
MANIFEST = PurePosixPath("network.json")
UNSETTLED = PurePosixPath("unsettled")  # what clients have not learnt the outcome of


def organisation_folder(topology: Topology, org: Organisation) -> PurePosixPath:
    """Everything of one organisation: below peerOrganizations when it has peers, else below ordererOrganizations."""
    kind = "peerOrganizations" if any(peer.org == org for peer in topology.peers) else "ordererOrganizations"
    return CRYPTO / kind / org.domain


def user_folder(topology: Topology, org: Organisation, user: str) -> PurePosixPath:
    """A user's `msp` and `tls`."""
    return organisation_folder(topology, org) / "users" / f"{user}@{org.domain}"


def node_crypto_folder(topology: Topology, node: Node) -> PurePosixPath:
    """A node's `msp` and `tls`."""
    kind = "peers" if isinstance(node, PeerNode) else "orderers"
    return organisation_folder(topology, node.org) / kind / node.full_name


def application_folder(topology: Topology, org: Organisation) -> PurePosixPath:
    """The TLS certificate and key with which an organisation's client programs connect, whoever uses them."""
    return organisation_folder(topology, org) / APPLICATION / "tls"


def profile_file(org: Organisation) -> PurePosixPath:
    """An organisation's connection profile."""
    return PROFILES / f"{org.name}.json"


def tls_ca_file(topology: Topology, org: Organisation) -> PurePosixPath:
    """The certificate by which an organisation's nodes and users are recognised on a connection."""
    return organisation_folder(topology, org) / "tlsca" / f"tlsca.{org.domain}-cert.pem"


def genesis_file(channel: str) -> PurePosixPath:
    """A channel's first block."""
    return CHANNELS / f"{channel}.block"


def node_folder(node: Node) -> PurePosixPath:
    """A node's configuration and data."""
    return NODES / node.full_name


def config_name(node: Node) -> str:
    """A node's configuration, named as Fabric names it."""
    return "core.yaml" if isinstance(node, PeerNode) else "orderer.yaml"


def node_config_file(node: Node) -> PurePosixPath:
    """A node's configuration."""
    return node_folder(node) / config_name(node)


# What a node that has a machine of its own finds there, and nothing else: `etc` of its folder.
OWN = "etc"
OWN_MSP = PurePosixPath("msp")
OWN_TLS = PurePosixPath("tls")


def own_folder(node: Node) -> PurePosixPath:
    """Everything that a node starts with which shares no folder with others."""
    return node_folder(node) / OWN


def own_tls_ca_file(org: Organisation) -> PurePosixPath:
    """As `tls_ca_file`, below `own_folder`."""
    return OWN_TLS / "cas" / f"{org.name}.pem"
