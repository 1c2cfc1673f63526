"""What runs for a network: each a base of `k8s/base` under a name of its own, with a folder of its own files."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from deploy import layout
from deploy.kubernetes.files import Folder
from deploy.kubernetes.names import namespace_of
from deploy.topology import Node, Organisation, PeerNode, Topology

NETWORK: Final = PurePosixPath("network")  # below the overlay: what is generated for one network and never committed


@dataclass(frozen=True, slots=True)
class Part:
    """One set of pods. `arguments` stand for those of the base, where there are any."""

    base: str
    kind: str
    folder: Folder
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in its namespace."""
        return self.folder.name


def parts_of(topology: Topology, org: Organisation, files: Collection[str]) -> list[Part]:
    """An organisation's; `files` are all files of the network, as paths below its folder."""
    parts = [_node(topology, node, files) for node in topology.nodes if node.org == org]
    if any(org in channel.organisations for channel in topology.channels):
        parts.append(_client(topology, org, files))
    if any(org in channel.members for channel in topology.channels):
        parts.append(_contracts(topology, org, files))
    return parts


def _node(topology: Topology, node: Node, files: Collection[str]) -> Part:
    own = layout.own_folder(node)
    found = {str(PurePosixPath(path).relative_to(own)): path for path in _below(files, own)}
    base = "peer" if isinstance(node, PeerNode) else "orderer"
    return Part(base, "StatefulSet", _folder(topology, node.org, node.name, found))


def _client(topology: Topology, org: Organisation, files: Collection[str]) -> Part:
    """Where an organisation's people have a command line: with their keys, and not the administrator's."""
    wallet = {f"wallet/{user}.id": f"wallet/{user}.id" for user in org.users}
    return Part("client", "Deployment", _folder(topology, org, "client", _connecting(topology, org, files) | wallet))


def _contracts(topology: Topology, org: Organisation, files: Collection[str]) -> Part:
    """What says, as the organisation's administrator, which contracts count."""
    admin = _below(files, layout.user_folder(topology, org, layout.ADMIN) / "msp")
    found = _connecting(topology, org, files) | {path: path for path in admin}
    arguments = ("network", "define", "--organisation", org.name)
    return Part("contracts", "Job", _folder(topology, org, "contracts", found), arguments)


def _connecting(topology: Topology, org: Organisation, files: Collection[str]) -> dict[str, str]:
    """What every program of an organisation needs, whoever uses it."""
    shared = [str(layout.MANIFEST), str(layout.profile_file(org))]
    return {path: path for path in (*shared, *_below(files, layout.application_folder(topology, org)))}


def _folder(topology: Topology, org: Organisation, name: str, found: Mapping[str, str]) -> Folder:
    sources = {path: str(NETWORK / source) for path, source in found.items()}
    return Folder(name, namespace_of(topology, org), sources)


def _below(files: Collection[str], folder: PurePosixPath) -> Iterator[str]:
    return (path for path in sorted(files) if PurePosixPath(path).is_relative_to(folder))
