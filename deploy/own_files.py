"""What one node starts with, gathered in a folder of its own: it can be handed over without anything of any other."""

import shutil
from pathlib import Path

from deploy import layout
from deploy.topology import Node, PeerNode, Topology


def copy_own_files(topology: Topology, node: Node, folder: Path) -> None:
    """Copy a node's keys, and the certificates and first blocks that it needs, from where the network has them."""
    own = folder / layout.own_folder(node)
    own.chmod(0o700)
    crypto = folder / layout.node_crypto_folder(topology, node)
    shutil.copytree(crypto / "msp", own / layout.OWN_MSP)
    shutil.copytree(crypto / "tls", own / layout.OWN_TLS)
    for org in topology.organisations:
        _copy(folder / layout.tls_ca_file(topology, org), own / layout.own_tls_ca_file(org))
    for channel in topology.channels:
        if not isinstance(node, PeerNode) or node in topology.peers_of(channel):
            _copy(folder / layout.genesis_file(channel.name), own / layout.genesis_file(channel.name))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
