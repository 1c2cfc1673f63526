"""Topologies: what `network.yaml` says, checked, as values."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

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


class TopologyError(ValueError):
    """`network.yaml` does not describe a network; the message names the place."""


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
        _require(_MSP_ID.fullmatch(self.msp_id), f"{place}.msp_id", self.msp_id, "letters, digits, . and -")
        for label in self.domain.split("."):
            _require(_DNS_LABEL.fullmatch(label), f"{place}.domain", self.domain, "a DNS name")
        for user in self.users:
            _require(_DNS_LABEL.fullmatch(user), f"{place}.users", user, "a lower-case name")


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
        _require(_CHANNEL_ID.fullmatch(self.name), "channels", self.name, "a-z, 0-9, . and -, a letter first")
        _require(self.members, f"channels.{self.name}.members", self.members, "at least one organisation")
        _require(self.batch_timeout_s > 0, f"channels.{self.name}.batch.timeout", self.batch_timeout_s, "more than 0")

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
        _require(self.orderers, f"{place}.orderers", self.orderers, "at least one node")
        _require(self.channels, f"{place}.channels", self.channels, "at least one channel")
        names = sorted(node.full_name for node in self.nodes)
        _require(len(names) == len(set(names)), place, names, "every node named once")
        for channel in self.channels:
            absent = [org.name for org in channel.members if not self.peers_of(channel, org)]
            _require(not absent, f"{place}.channels.{channel.name}.members", absent, "members with a peer")
        roots = [org.name for org in self.organisations if org.root]
        _require(len(roots) == 1, place, roots, "exactly one organisation with root: true")

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
        key: _organisation(key, _mapping(value, f"organisations.{key}"))
        for key, value in _mapping(document.get("organisations"), "organisations").items()
    }
    topologies = _mapping(document.get("topologies"), "topologies")
    return _topology(name, _resolve(name, topologies), organisations)


def topology_names(file: Path = NETWORK_YAML) -> tuple[str, ...]:
    """What `load_topology` can load."""
    return tuple(_mapping(_document(file).get("topologies"), "topologies"))


def _document(file: Path) -> dict[str, Any]:
    try:
        return _mapping(yaml.safe_load(file.read_text(encoding="utf-8")), str(file))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise TopologyError(f"{file} is not YAML: {error}") from None


def _resolve(name: str, topologies: Mapping[str, Any], seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of a topology over those of the one that it extends."""
    _require(isinstance(name, str) and name in topologies, "topology", name, f"one of {', '.join(topologies)}")
    _require(name not in seen, f"topologies.{name}.extends", name, "a topology that does not extend itself")
    own = dict(_mapping(topologies[name], f"topologies.{name}"))
    base = own.pop("extends", None)
    return own if base is None else {**_resolve(base, topologies, (*seen, name)), **own}


def _organisation(name: str, keys: Mapping[str, Any]) -> Organisation:
    _known(keys, {"title", "msp_id", "domain", "users", "root"}, f"organisations.{name}")
    return Organisation(
        name=name,
        title=str(keys.get("title", name)),
        msp_id=_text(keys, "msp_id", f"organisations.{name}"),
        domain=_text(keys, "domain", f"organisations.{name}"),
        users=_texts(keys, "users", f"organisations.{name}"),
        root=bool(keys.get("root", False)),
    )


def _topology(name: str, keys: Mapping[str, Any], organisations: Mapping[str, Organisation]) -> Topology:
    place = f"topologies.{name}"
    _known(keys, {"title", "doors", "ordering", "orderers", "peers", "channels", "client_auth_required"}, place)
    try:
        doors = Doors(keys.get("doors", Doors.CLOSED))
    except ValueError:
        raise TopologyError(f"{place}.doors is {keys['doors']!r}; allowed: {', '.join(Doors)}") from None
    return Topology(
        name=name,
        title=str(keys.get("title", name)),
        orderers=tuple(
            OrdererNode(*_name_and_org(each, organisations, f"{place}.orderers"))
            for each in _list(keys, "orderers", place)
        ),
        peers=tuple(
            PeerNode(*_name_and_org(each, organisations, f"{place}.peers"), endorses=bool(each.get("endorses", True)))
            for each in _list(keys, "peers", place)
        ),
        channels=tuple(
            _channel(channel, _mapping(value, f"{place}.channels.{channel}"), organisations, doors)
            for channel, value in _mapping(keys.get("channels"), f"{place}.channels").items()
        ),
        client_auth_required=bool(keys.get("client_auth_required", True)),
        ordering=_ordering(keys.get("ordering", EMBEDDED), f"{place}.ordering"),
    )


def _ordering(value: object, place: str) -> Ordering:
    if value in (EMBEDDED, KAFKA):
        return OwnKafka() if value == KAFKA else None
    known = f"{EMBEDDED}, {KAFKA}, or {KAFKA}: with brokers and zookeepers, as numbers or lists of addresses"
    _require(isinstance(value, dict) and set(value) == {KAFKA}, place, value, known)
    place = f"{place}.{KAFKA}"
    keys = _mapping(_mapping(value, place)[KAFKA], place)
    _known(keys, {"brokers", "zookeepers"}, place)
    if not isinstance(keys.get("brokers"), list):
        return OwnKafka(
            _count(keys, "brokers", place) if "brokers" in keys else 1,
            0 if keys.get("zookeepers") == 0 else _count(keys, "zookeepers", place) if "zookeepers" in keys else 1,
        )
    brokers, zookeepers = (_texts(keys, key, place) for key in ("brokers", "zookeepers"))
    _require(brokers, f"{place}.brokers", brokers, "at least one address")
    for address in (*brokers, *zookeepers):
        _require(_ADDRESS.fullmatch(address), place, address, "host:port")
    return ExistingKafka(brokers, zookeepers)


def _channel(name: str, keys: Mapping[str, Any], organisations: Mapping[str, Organisation], doors: Doors) -> Channel:
    place = f"channels.{name}"
    _known(keys, {"members", "clients", "endorsement", "lifecycle_endorsement", "contracts", "batch"}, place)
    batch = _mapping(keys.get("batch", {}), f"{place}.batch")
    sizes = ("max_message_count", "absolute_max_bytes", "preferred_max_bytes")
    _known(batch, {*sizes, "timeout"}, f"{place}.batch")
    try:
        timeout_s = parse_duration(str(batch.get("timeout", "2s")))
    except ValueError as error:
        raise TopologyError(f"{place}.batch.timeout: {error}") from None
    return Channel(
        name=name,
        members=tuple(_org(org, organisations, f"{place}.members") for org in _list(keys, "members", place)),
        clients=tuple(_org(org, organisations, f"{place}.clients") for org in _list(keys, "clients", place)),
        endorsement=_text(keys, "endorsement", place),
        lifecycle_endorsement=_text(keys, "lifecycle_endorsement", place),
        contracts=tuple(
            ContractDefinition(contract, _version(value, f"{place}.contracts.{contract}"))
            for contract, value in _mapping(keys.get("contracts", {}), f"{place}.contracts").items()
        ),
        doors=doors,
        batch_size=replace(
            _default_batch(doors), **{key: _count(batch, key, f"{place}.batch") for key in sizes if key in batch}
        ),
        batch_timeout_s=timeout_s,
    )


def _version(contract: object, place: str) -> str:
    return _text(_mapping(contract, place), "version", place)


def _default_batch(doors: Doors) -> BatchSize:
    """Fabric's, but what no honest transaction of ours needs is refused before a peer has to read it."""
    return BatchSize() if doors is Doors.FABRIC else BatchSize(absolute_max_bytes=CLOSED_ENVELOPE_BYTES_MAX)


def _name_and_org(keys: object, organisations: Mapping[str, Organisation], place: str) -> tuple[str, Organisation]:
    node = _mapping(keys, place)
    _known(node, {"name", "org", "endorses"}, place)
    return _text(node, "name", place), _org(node.get("org"), organisations, place)


def _org(name: object, organisations: Mapping[str, Organisation], place: str) -> Organisation:
    _require(isinstance(name, str) and name in organisations, place, name, f"one of {', '.join(organisations)}")
    return organisations[str(name)]


def _mapping(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TopologyError(f"{place} is {value!r}; needed: a mapping, with texts as keys")
    return value


def _list(keys: Mapping[str, Any], key: str, place: str) -> list[Any]:
    value = keys.get(key, [])
    _require(isinstance(value, list), f"{place}.{key}", value, "a list")
    return list(value)


def _texts(keys: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    values = _list(keys, key, place)
    _require(all(isinstance(value, str) for value in values), f"{place}.{key}", values, "a list of texts")
    return tuple(values)


def _count(keys: Mapping[str, Any], key: str, place: str) -> int:
    value = keys[key]
    whole = isinstance(value, int) and not isinstance(value, bool)
    _require(whole and 0 < value < 2**32, f"{place}.{key}", value, "a whole number from 1 to 2**32 - 1")
    return int(value)


def _text(keys: Mapping[str, Any], key: str, place: str) -> str:
    value = keys.get(key)
    _require(isinstance(value, str) and value, f"{place}.{key}", value, "a text")
    return str(value)


def _known(keys: Iterable[str], allowed: set[str], place: str) -> None:
    unknown = sorted(set(keys) - allowed)
    _require(not unknown, place, unknown, f"only the keys {', '.join(sorted(allowed))}")


def _require(condition: object, place: str, found: object, needed: str) -> None:
    if not condition:
        raise TopologyError(f"{place} is {found!r}; needed: {needed}")
