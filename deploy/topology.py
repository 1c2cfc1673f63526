"""Topologies: what `network.yaml` says, checked, as values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from deploy.collections import Collection
from deploy.keys import TopologyError as TopologyError
from deploy.keys import count, listed, mapping, require, require_known, text, texts
from deploy.ordering import EMBEDDED, KAFKA, ExistingKafka, Ordering, OwnKafka, Wish
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.durations import parse_duration

NETWORK_YAML = Path(__file__).with_name("network.yaml")
# Fabric's 10 MB of a transaction can hold millions of entries, which every peer decodes before it may refuse them.
CLOSED_ENVELOPE_BYTES_MAX = 2 * 1024 * 1024

_MSP_ID = re.compile(r"[A-Za-z0-9.-]+")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")
_CHANNEL_ID = re.compile(r"[a-z][a-z0-9.-]{0,248}")


class Doors(StrEnum):
    """How far a channel's configuration opens the ledger to clients."""

    CLOSED = "closed"
    FABRIC = "fabric"


@dataclass(frozen=True, slots=True)
class Organisation:
    """Somebody with a CA of its own. `users` are client identities beside the one admin."""

    name: str
    title: str
    msp_id: str
    domain: str
    users: tuple[str, ...] = ()
    root: bool = False

    def __post_init__(self) -> None:
        place = f"organisations.{self.name}"
        require(_MSP_ID.fullmatch(self.msp_id), f"{place}.msp_id", self.msp_id, "letters, digits, . and -")
        for label in self.domain.split("."):
            require(_DNS_LABEL.fullmatch(label), f"{place}.domain", self.domain, "a DNS name")
        for user in self.users:
            require(_DNS_LABEL.fullmatch(user), f"{place}.users", user, "a lower-case name")


@dataclass(frozen=True, slots=True)
class Node:
    """A process that an organisation runs."""

    name: str
    org: Organisation

    @property
    def full_name(self) -> str:
        """The node's name in the whole network, and in its certificates."""
        return f"{self.name}.{self.org.domain}"


@dataclass(frozen=True, slots=True)
class OrdererNode(Node):
    """An ordering node."""


@dataclass(frozen=True, slots=True)
class PeerNode(Node):
    """A peer. One that does not endorse validates and stores only."""

    endorses: bool = True


@dataclass(frozen=True, slots=True)
class ContractDefinition:
    """A contract that a channel defines, with the channel's default endorsement policy."""

    name: str
    version: str
    collections: tuple[Collection, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: who is on it, and who must agree to what. Policies are in Fabric's policy language."""

    name: str
    members: tuple[Organisation, ...]
    clients: tuple[Organisation, ...]
    endorsement: str
    lifecycle_endorsement: str
    contracts: tuple[ContractDefinition, ...]
    doors: Doors
    batch_size: BatchSize = field(default_factory=BatchSize)
    batch_timeout_s: float = 2.0  # fabric sampleconfig/configtx.yaml, Orderer.BatchTimeout

    def __post_init__(self) -> None:
        require(_CHANNEL_ID.fullmatch(self.name), "channels", self.name, "a-z, 0-9, . and -, a letter first")
        require(self.members, f"channels.{self.name}.members", self.members, "at least one organisation")
        require(self.batch_timeout_s > 0, f"channels.{self.name}.batch.timeout", self.batch_timeout_s, "more than 0")

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """Members and clients."""
        return self.members + self.clients


@dataclass(frozen=True, slots=True)
class Topology:
    """A network to generate."""

    name: str
    title: str
    orderers: tuple[OrdererNode, ...]
    peers: tuple[PeerNode, ...]
    channels: tuple[Channel, ...]
    client_auth_required: bool = True
    ordering: Ordering = None

    def __post_init__(self) -> None:
        place = f"topologies.{self.name}"
        require(self.orderers, f"{place}.orderers", self.orderers, "at least one node")
        require(self.channels, f"{place}.channels", self.channels, "at least one channel")
        names = sorted(node.full_name for node in self.nodes)
        require(len(names) == len(set(names)), place, names, "every node named once")
        for channel in self.channels:
            absent = [org.name for org in channel.members if not self.peers_of(channel, org)]
            require(not absent, f"{place}.channels.{channel.name}.members", absent, "members with a peer")
        roots = [org.name for org in self.organisations if org.root]
        require(len(roots) == 1, place, roots, "exactly one organisation with root: true")

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in the order in which they start."""
        return (*self.orderers, *self.peers)

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """Everybody who runs a node or is on a channel, once each, in the order met."""
        met = [node.org for node in self.nodes]
        met += [org for channel in self.channels for org in channel.organisations]
        return tuple(dict.fromkeys(met))

    @property
    def root(self) -> Organisation:
        """The organisation whose root CA certifies the others' CAs."""
        return next(org for org in self.organisations if org.root)

    def ordered(self, wish: Wish) -> "Topology":
        """The same, ordered as somebody wishes."""
        return replace(self, ordering=wish.over(self.ordering))

    def orderers_for(self, org: Organisation) -> tuple[OrdererNode, ...]:
        """All orderers, an organisation's own ones first: with several organisations, all take traffic."""
        return tuple(sorted(self.orderers, key=lambda orderer: orderer.org != org))

    def peers_of(self, channel: Channel, org: Organisation | None = None) -> tuple[PeerNode, ...]:
        """The peers that keep `channel`: all, or one member's."""
        wanted = channel.members if org is None else (org,)
        return tuple(peer for peer in self.peers if peer.org in wanted)


def load_topology(name: str, file: Path = NETWORK_YAML) -> Topology:
    """Read one topology of `file`; TopologyError when it, or what it refers to, does not make sense."""
    document = _document(file)
    organisations = {
        key: _organisation(key, mapping(value, f"organisations.{key}"))
        for key, value in mapping(document.get("organisations"), "organisations").items()
    }
    topologies = mapping(document.get("topologies"), "topologies")
    return _topology(name, _resolve(name, topologies), organisations)


def topology_names(file: Path = NETWORK_YAML) -> tuple[str, ...]:
    """What `load_topology` can load."""
    return tuple(mapping(_document(file).get("topologies"), "topologies"))


def _document(file: Path) -> dict[str, Any]:
    try:
        return mapping(yaml.safe_load(file.read_text(encoding="utf-8")), str(file))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise TopologyError(f"{file} is not YAML: {error}") from None


def _resolve(name: str, topologies: Mapping[str, Any], seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of a topology over those of the one that it extends."""
    require(isinstance(name, str) and name in topologies, "topology", name, f"one of {', '.join(topologies)}")
    require(name not in seen, f"topologies.{name}.extends", name, "a topology that does not extend itself")
    own = dict(mapping(topologies[name], f"topologies.{name}"))
    base = own.pop("extends", None)
    return own if base is None else {**_resolve(base, topologies, (*seen, name)), **own}


def _organisation(name: str, keys: Mapping[str, Any]) -> Organisation:
    require_known(keys, {"title", "msp_id", "domain", "users", "root"}, f"organisations.{name}")
    return Organisation(
        name=name,
        title=str(keys.get("title", name)),
        msp_id=text(keys, "msp_id", f"organisations.{name}"),
        domain=text(keys, "domain", f"organisations.{name}"),
        users=texts(keys, "users", f"organisations.{name}"),
        root=bool(keys.get("root", False)),
    )


def _topology(name: str, keys: Mapping[str, Any], organisations: Mapping[str, Organisation]) -> Topology:
    place = f"topologies.{name}"
    require_known(keys, {"title", "doors", "ordering", "orderers", "peers", "channels", "client_auth_required"}, place)
    try:
        doors = Doors(keys.get("doors", Doors.CLOSED))
    except ValueError:
        raise TopologyError(f"{place}.doors is {keys['doors']!r}; allowed: {', '.join(Doors)}") from None
    peers = tuple(
        PeerNode(*_name_and_org(each, organisations, f"{place}.peers"), endorses=bool(each.get("endorses", True)))
        for each in listed(keys, "peers", place)
    )
    return Topology(
        name=name,
        title=str(keys.get("title", name)),
        orderers=tuple(
            OrdererNode(*_name_and_org(each, organisations, f"{place}.orderers"))
            for each in listed(keys, "orderers", place)
        ),
        peers=peers,
        channels=tuple(
            _channel(channel, mapping(value, f"{place}.channels.{channel}"), organisations, doors, peers)
            for channel, value in mapping(keys.get("channels"), f"{place}.channels").items()
        ),
        client_auth_required=bool(keys.get("client_auth_required", True)),
        ordering=_ordering(keys.get("ordering", EMBEDDED), f"{place}.ordering"),
    )


def _ordering(value: object, place: str) -> Ordering:
    if value in (EMBEDDED, KAFKA):
        return OwnKafka() if value == KAFKA else None
    known = f"{EMBEDDED}, {KAFKA}, or {KAFKA}: with brokers and zookeepers, as numbers or lists of addresses"
    require(isinstance(value, dict) and set(value) == {KAFKA}, place, value, known)
    place = f"{place}.{KAFKA}"
    keys = mapping(mapping(value, place)[KAFKA], place)
    require_known(keys, {"brokers", "zookeepers"}, place)
    if not isinstance(keys.get("brokers"), list):
        return OwnKafka(
            count(keys, "brokers", place) if "brokers" in keys else 1,
            0 if keys.get("zookeepers") == 0 else count(keys, "zookeepers", place) if "zookeepers" in keys else 1,
        )
    brokers, zookeepers = (texts(keys, key, place) for key in ("brokers", "zookeepers"))
    require(brokers, f"{place}.brokers", brokers, "at least one address")
    for address in (*brokers, *zookeepers):
        require(_ADDRESS.fullmatch(address), place, address, "host:port")
    return ExistingKafka(brokers, zookeepers)


def _channel(
    name: str,
    keys: Mapping[str, Any],
    organisations: Mapping[str, Organisation],
    doors: Doors,
    peers: Sequence[PeerNode],
) -> Channel:
    place = f"channels.{name}"
    require_known(keys, {"members", "clients", "endorsement", "lifecycle_endorsement", "contracts", "batch"}, place)
    batch = mapping(keys.get("batch", {}), f"{place}.batch")
    sizes = ("max_message_count", "absolute_max_bytes", "preferred_max_bytes")
    require_known(batch, {*sizes, "timeout"}, f"{place}.batch")
    try:
        timeout_s = parse_duration(str(batch.get("timeout", "2s")))
    except ValueError as error:
        raise TopologyError(f"{place}.batch.timeout: {error}") from None
    members = tuple(_org(org, organisations, f"{place}.members") for org in listed(keys, "members", place))
    members_peers = {org.name: (org.msp_id, sum(peer.org == org for peer in peers)) for org in members}
    return Channel(
        name=name,
        members=members,
        clients=tuple(_org(org, organisations, f"{place}.clients") for org in listed(keys, "clients", place)),
        endorsement=text(keys, "endorsement", place),
        lifecycle_endorsement=text(keys, "lifecycle_endorsement", place),
        contracts=tuple(
            _contract(contract, mapping(value, f"{place}.contracts.{contract}"), place, members_peers)
            for contract, value in mapping(keys.get("contracts", {}), f"{place}.contracts").items()
        ),
        doors=doors,
        batch_size=replace(
            _default_batch(doors), **{key: count(batch, key, f"{place}.batch") for key in sizes if key in batch}
        ),
        batch_timeout_s=timeout_s,
    )


def _contract(
    name: str, keys: Mapping[str, Any], channel: str, members: Mapping[str, tuple[str, int]]
) -> ContractDefinition:
    place = f"{channel}.contracts.{name}"
    require_known(keys, {"version", "collections"}, place)
    return ContractDefinition(
        name=name,
        version=text(keys, "version", place),
        collections=tuple(
            Collection.parse(collection, value, f"{place}.collections.{collection}", members)
            for collection, value in mapping(keys.get("collections", {}), f"{place}.collections").items()
        ),
    )


def _default_batch(doors: Doors) -> BatchSize:
    """Fabric's, but what no honest transaction of ours needs is refused before a peer has to read it."""
    return BatchSize() if doors is Doors.FABRIC else BatchSize(absolute_max_bytes=CLOSED_ENVELOPE_BYTES_MAX)


def _name_and_org(keys: object, organisations: Mapping[str, Organisation], place: str) -> tuple[str, Organisation]:
    node = mapping(keys, place)
    require_known(node, {"name", "org", "endorses"}, place)
    return text(node, "name", place), _org(node.get("org"), organisations, place)


def _org(name: object, organisations: Mapping[str, Organisation], place: str) -> Organisation:
    require(isinstance(name, str) and name in organisations, place, name, f"one of {', '.join(organisations)}")
    return organisations[str(name)]
