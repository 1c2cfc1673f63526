"""The groups of a configuration tree, read into values: the channel's own, the orderer's and the application's.

A value that no known configuration has in its place makes the whole configuration unreadable (channelconfig
StandardValues): it might change what the channel means.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from privysharing.protocol.channel.config import ConfigGroup
from privysharing.protocol.channel.errors import InvalidConfig
from privysharing.protocol.channel.settings import (
    DATA_HASHING_WIDTH,
    HASHING_ALGORITHM,
    AnchorPeer,
    BatchSize,
    ConsensusState,
    Consenter,
)
from privysharing.protocol.codec import config_values as codec
from privysharing.protocol.codec.msps import parse_msp_config
from privysharing.protocol.durations import parse_duration
from privysharing.protocol.msp.config import MspConfig

T = TypeVar("T")

CHANNEL = "Channel"
ORDERER = "Orderer"
APPLICATION = "Application"

_CHANNEL_VALUES = frozenset(
    {"HashingAlgorithm", "BlockDataHashingStructure", "OrdererAddresses", "Orderers", "Consortium", "Capabilities"}
)
_ORDERER_VALUES = frozenset(
    {
        "ConsensusType",
        "BatchSize",
        "BatchTimeout",
        "KafkaBrokers",
        "ChannelRestrictions",
        "Orderers",
        "Capabilities",
    }
)
_APPLICATION_VALUES = frozenset({"ACLs", "Capabilities"})
_ORDERER_ORG_VALUES = frozenset({"MSP", "Endpoints"})
_APPLICATION_ORG_VALUES = frozenset({"MSP", "AnchorPeers"})


@dataclass(frozen=True, slots=True)
class Org:
    """An organisation under one group; `name` is its key there, which need not be its MSP id."""

    name: str
    msp_id: str
    msp: MspConfig
    anchor_peers: tuple[AnchorPeer, ...] = ()
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrdererConfig:
    """What the channel settles about ordering."""

    batch_size: BatchSize
    batch_timeout_s: float
    consensus_type: str
    consensus_metadata: bytes = field(repr=False)
    state: ConsensusState
    consenters: tuple[Consenter, ...]
    kafka_brokers: tuple[str, ...]
    max_channels: int


def check_channel(root: ConfigGroup) -> None:
    """Refuse a channel group that holds what ours cannot mean (channelconfig NewChannelConfig)."""
    _known_values(root, _CHANNEL_VALUES, CHANNEL)
    for name in root.groups:
        if name not in {ORDERER, APPLICATION}:
            raise InvalidConfig(f"Disallowed channel group: {name}")
    for name in (ORDERER, APPLICATION):
        if name not in root.groups:
            raise InvalidConfig(f"channel configuration has no group {name}")
    if "Capabilities" not in root.groups[ORDERER].values:
        if "Capabilities" in root.values:
            raise InvalidConfig("cannot enable channel capabilities without orderer support first")
        if "Capabilities" in root.groups[APPLICATION].values:
            raise InvalidConfig("cannot enable application capabilities without orderer support first")
    algorithm = _value(root, "HashingAlgorithm", codec.parse_hashing_algorithm)
    if algorithm != HASHING_ALGORITHM:
        raise InvalidConfig(f"Unknown hashing algorithm type: {algorithm}")
    if _value(root, "BlockDataHashingStructure", codec.parse_data_hashing_width) != DATA_HASHING_WIDTH:
        raise InvalidConfig("BlockDataHashStructure width only supported at MaxUint32 in this version")


def read_capabilities(group: ConfigGroup) -> frozenset[str]:
    """What a group requires of its nodes."""
    return _value(group, "Capabilities", codec.parse_capabilities)


def read_orderer(group: ConfigGroup) -> OrdererConfig:
    """The orderer group's settings, valid ones only (channelconfig OrdererConfig.Validate)."""
    _known_values(group, _ORDERER_VALUES, ORDERER)
    consensus = _value(group, "ConsensusType", codec.parse_consensus_type)
    timeout = _value(group, "BatchTimeout", codec.parse_batch_timeout)
    try:
        timeout_s = parse_duration(timeout)
    except ValueError as error:
        raise InvalidConfig(f"Attempted to set the batch timeout to an invalid value: {error}") from None
    if timeout_s <= 0:
        raise InvalidConfig("Attempted to set the batch timeout to a non-positive value")
    return OrdererConfig(
        batch_size=_batch_size(_value(group, "BatchSize", codec.parse_batch_size)),
        batch_timeout_s=timeout_s,
        consensus_type=consensus.type,
        consensus_metadata=consensus.metadata,
        state=consensus.state,
        consenters=_value(group, "Orderers", codec.parse_consenters),
        kafka_brokers=_value(group, "KafkaBrokers", codec.parse_kafka_brokers),
        max_channels=_value(group, "ChannelRestrictions", codec.parse_channel_restrictions),
    )


def read_acls(group: ConfigGroup) -> dict[str, str]:
    """The application group's access rules, as absolute policy paths; an empty reference means the default."""
    _known_values(group, _APPLICATION_VALUES, APPLICATION)
    references = _value(group, "ACLs", codec.parse_acls)
    return {
        resource: reference if reference.startswith("/") else f"/{CHANNEL}/{APPLICATION}/{reference}"
        for resource, reference in references.items()
        if reference
    }


def read_orderer_orgs(group: ConfigGroup) -> dict[str, Org]:
    """The organisations that run orderers, by group name."""
    return {name: _org(name, org, _ORDERER_ORG_VALUES) for name, org in group.groups.items()}


def read_application_orgs(group: ConfigGroup) -> dict[str, Org]:
    """The organisations that use the channel, by group name."""
    return {name: _org(name, org, _APPLICATION_ORG_VALUES) for name, org in group.groups.items()}


def _org(name: str, group: ConfigGroup, known: frozenset[str]) -> Org:
    _known_values(group, known, name)
    if group.groups:
        raise InvalidConfig(f"organization {name} does not allow sub-groups")
    msp = parse_msp_config(group.values["MSP"].value if "MSP" in group.values else b"")
    if not msp.name:
        raise InvalidConfig(f"MSP for org {name} has empty MSP ID")
    return Org(
        name=name,
        msp_id=msp.name,
        msp=msp,
        anchor_peers=_value(group, "AnchorPeers", codec.parse_anchor_peers),
        endpoints=_value(group, "Endpoints", codec.parse_addresses),
    )


def _batch_size(size: BatchSize) -> BatchSize:
    for limit in ("max_message_count", "absolute_max_bytes", "preferred_max_bytes"):
        if getattr(size, limit) == 0:
            raise InvalidConfig(f"Attempted to set the batch size {limit.replace('_', ' ')} to an invalid value: 0")
    if size.preferred_max_bytes > size.absolute_max_bytes:
        raise InvalidConfig(
            f"Attempted to set the batch size preferred max bytes ({size.preferred_max_bytes}) greater than the "
            f"absolute max bytes ({size.absolute_max_bytes})."
        )
    return size


def _value(group: ConfigGroup, key: str, parse: Callable[[bytes], T]) -> T:
    """A value of a group; one that is not there reads as an empty message, as in Fabric."""
    return parse(group.values[key].value if key in group.values else b"")


def _known_values(group: ConfigGroup, known: frozenset[str], name: str) -> None:
    for key in group.values:
        if key not in known:
            raise InvalidConfig(f"Unexpected key {key} in group {name}")


def shared_msps(*orgs: Mapping[str, Org]) -> dict[str, MspConfig]:
    """One configuration per MSP id; an organisation that stands in two groups states the same in both."""
    configs: dict[str, MspConfig] = {}
    for org in (org for group in orgs for org in group.values()):
        if configs.setdefault(org.msp_id, org.msp) != org.msp:
            raise InvalidConfig(f"Attempted to define two different versions of MSP: {org.msp_id}")
    return configs
