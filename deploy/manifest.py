"""`network.json`: what is in a generated network, for whoever starts it, watches it or connects to it.

Paths are relative to the network's folder, and commands are to be run from there.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from deploy import layout
from deploy.collections import Collection

FORMAT: Final = 1


class NotANetwork(ValueError):
    """The folder holds no generated network, or one of another format."""


@dataclass(frozen=True, slots=True)
class UserEntry:
    """A client identity: `msp` and `tls` are folders as cryptogen lays them out. Role: client or admin."""

    name: str
    role: str
    msp: str
    tls: str


@dataclass(frozen=True, slots=True)
class OrganisationEntry:
    """An organisation and its people."""

    name: str
    title: str
    msp_id: str
    domain: str
    folder: str
    tls_ca: str
    profile: str
    users: tuple[UserEntry, ...]


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A process to start. `role` is orderer or peer; nodes start in ascending `order`, equal ones together."""

    name: str
    role: str
    org: str
    msp_id: str
    order: int
    command: tuple[str, ...]
    config: str
    data: str
    msp: str
    tls: str
    address: str
    operations_address: str
    channels: tuple[str, ...]
    endorses: bool


@dataclass(frozen=True, slots=True)
class ContractEntry:
    """A contract to define on a channel, under the channel's default endorsement policy."""

    name: str
    version: str
    collections: tuple[Collection, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """A channel. `endorsements` equal endorsements of different endorsing peers are always enough."""

    name: str
    genesis: str
    members: tuple[str, ...]
    clients: tuple[str, ...]
    endorsement: str
    lifecycle_endorsement: str
    endorsements: int
    contracts: tuple[ContractEntry, ...]


@dataclass(frozen=True, slots=True)
class OrderingEntry:
    """Where the ordering log is: without brokers, on the disk of the one orderer.

    `cluster` is the folder of the network's own Kafka cluster; empty when there is none, or somebody else's.
    """

    brokers: tuple[str, ...] = ()
    zookeepers: tuple[str, ...] = ()
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """A generated network in `folder`."""

    folder: Path
    topology: str
    title: str
    client_auth_required: bool
    organisations: tuple[OrganisationEntry, ...]
    nodes: tuple[NodeEntry, ...]
    channels: tuple[ChannelEntry, ...]
    ordering: OrderingEntry = OrderingEntry()

    def path(self, relative: str) -> Path:
        """A path of an entry, as this process can open it."""
        return self.folder / relative

    def organisation(self, name: str) -> OrganisationEntry:
        """An organisation by name or MSP id; KeyError when the network has none such."""
        return {key: org for org in self.organisations for key in (org.name, org.msp_id)}[name]

    def node(self, name: str) -> NodeEntry:
        """A node by full name; KeyError when the network has none such."""
        return {node.name: node for node in self.nodes}[name]

    def channel(self, name: str) -> ChannelEntry:
        """A channel by name; KeyError when the network has none such."""
        return {channel.name: channel for channel in self.channels}[name]

    def user(self, org: str, name: str) -> UserEntry:
        """A user of an organisation; KeyError when it has none such."""
        return {user.name: user for user in self.organisation(org).users}[name]

    def save(self) -> None:
        """Write `network.json`."""
        facts = asdict(self)
        del facts["folder"]
        text = json.dumps({"format": FORMAT, **facts}, indent=2) + "\n"
        self.path(str(layout.MANIFEST)).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Network":
        """Read the network in `folder`; NotANetwork when there is none."""
        file = folder / layout.MANIFEST
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotANetwork(
                f"no network in {folder}: {file} does not exist; make one with: privy network up --network {folder}"
            ) from None
        except (ValueError, RecursionError) as error:
            raise NotANetwork(f"{file} is not JSON: {error}") from None
        if not isinstance(facts, dict) or facts.pop("format", None) != FORMAT:
            raise NotANetwork(f"{file} is not of format {FORMAT}; generate the network again")
        try:
            return _network(folder, facts)
        except (KeyError, TypeError) as error:
            raise NotANetwork(f"{file} is incomplete or damaged ({error}); generate the network again") from None


def _network(folder: Path, facts: dict[str, Any]) -> Network:
    return Network(
        folder=folder,
        topology=facts["topology"],
        title=facts["title"],
        client_auth_required=facts["client_auth_required"],
        organisations=tuple(
            OrganisationEntry(**{**org, "users": tuple(UserEntry(**user) for user in org["users"])})
            for org in facts["organisations"]
        ),
        nodes=tuple(
            NodeEntry(**{**node, "command": tuple(node["command"]), "channels": tuple(node["channels"])})
            for node in facts["nodes"]
        ),
        channels=tuple(
            ChannelEntry(
                **{
                    **channel,
                    "members": tuple(channel["members"]),
                    "clients": tuple(channel["clients"]),
                    "contracts": tuple(_contract(**contract) for contract in channel["contracts"]),
                }
            )
            for channel in facts["channels"]
        ),
        ordering=_ordering(**facts.get("ordering", {})),
    )


def _contract(name: str, version: str, collections: Iterable[dict[str, Any]] = ()) -> ContractEntry:
    read = (Collection(**{**each, "members": tuple(each["members"])}) for each in collections)
    return ContractEntry(name, version, tuple(read))


def _ordering(brokers: Iterable[str] = (), zookeepers: Iterable[str] = (), cluster: str = "") -> OrderingEntry:
    return OrderingEntry(tuple(brokers), tuple(zookeepers), cluster)
