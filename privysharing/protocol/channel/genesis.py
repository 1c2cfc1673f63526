"""A channel's first configuration, and the block that holds it, shaped as configtxgen shapes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from privysharing.protocol.blocks import Block, BlockHeader, data_hash
from privysharing.protocol.channel import groups
from privysharing.protocol.channel.config import Config, ConfigEnvelope, ConfigGroup, ConfigPolicy, ConfigValue
from privysharing.protocol.channel.settings import (
    DATA_HASHING_WIDTH,
    HASHING_ALGORITHM,
    AnchorPeer,
    BatchSize,
    Capabilities,
    ConsensusType,
)
from privysharing.protocol.codec import config_values as codec
from privysharing.protocol.codec.blocks import (
    encode_last_config,
    encode_orderer_metadata,
    encode_orderer_metadata_value,
)
from privysharing.protocol.codec.configs import encode_config_envelope
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codec.msps import encode_msp_config
from privysharing.protocol.codec.policies import encode_channel_policy
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.durations import format_duration
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, compute_tx_id
from privysharing.protocol.msp.config import MspConfig
from privysharing.protocol.policies.implicit_meta import ImplicitMeta
from privysharing.protocol.policies.signature import SignaturePolicy

CONFIG_MESSAGE_VERSION = 1  # fabric common/genesis msgVersion
ADMINS = "Admins"

PolicyRule = SignaturePolicy | ImplicitMeta
Policies = Mapping[str, PolicyRule]


@dataclass(frozen=True, slots=True)
class OrgProfile:
    """One organisation's group. `endpoints` count for orderer organisations, `anchor_peers` for the others."""

    name: str
    msp: MspConfig
    policies: Policies
    anchor_peers: tuple[AnchorPeer, ...] = ()
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProfile:
    """Everything that a channel's first configuration says."""

    channel_id: str
    orderer_orgs: tuple[OrgProfile, ...]
    application_orgs: tuple[OrgProfile, ...]
    channel_policies: Policies
    orderer_policies: Policies
    application_policies: Policies
    consensus: ConsensusType
    batch_size: BatchSize
    batch_timeout_s: float
    acls: Mapping[str, str] = field(default_factory=dict)
    capabilities: Capabilities = field(default_factory=Capabilities)
    kafka_brokers: tuple[str, ...] = ()  # host:port, where the consensus is kafka


def genesis_block(profile: ChannelProfile, *, nonce: bytes, timestamp_ns: int) -> Block:
    """The first block of a channel: one CONFIG envelope that nobody signs (common/genesis).

    `nonce` is what makes two channels of one profile differ; nanoseconds since the epoch.
    """
    signature_header = SignatureHeader(creator=b"", nonce=nonce)
    channel_header = ChannelHeader(
        type=HeaderType.CONFIG,
        version=CONFIG_MESSAGE_VERSION,
        channel_id=profile.channel_id,
        tx_id=compute_tx_id(nonce, b""),
        timestamp_ns=timestamp_ns,
    )
    config = encode_config_envelope(ConfigEnvelope(Config(0, channel_group(profile)), last_update=None))
    payload = encode_payload(encode_channel_header(channel_header), encode_signature_header(signature_header), config)
    data = (encode_envelope(payload, b""),)
    metadata = encode_orderer_metadata(encode_orderer_metadata_value(last_config=0, consenter_metadata=b""))
    header = BlockHeader(number=0, previous_hash=b"", data_hash=data_hash(data))
    return Block(header, data, (metadata, encode_last_config(0), b"", b"", b""))


def channel_group(profile: ChannelProfile) -> ConfigGroup:
    """The root group of a profile's configuration (configtxgen NewChannelGroup)."""
    return _group(
        groups={groups.ORDERER: _orderer_group(profile), groups.APPLICATION: _application_group(profile)},
        values={
            "HashingAlgorithm": codec.encode_hashing_algorithm(HASHING_ALGORITHM),
            "BlockDataHashingStructure": codec.encode_data_hashing_width(DATA_HASHING_WIDTH),
            "Capabilities": codec.encode_capabilities(profile.capabilities.channel),
        },
        policies=profile.channel_policies,
    )


def _orderer_group(profile: ChannelProfile) -> ConfigGroup:
    return _group(
        groups={
            org.name: _group(
                values={"MSP": encode_msp_config(org.msp), "Endpoints": codec.encode_addresses(org.endpoints)},
                policies=org.policies,
            )
            for org in profile.orderer_orgs
        },
        values={
            "BatchSize": codec.encode_batch_size(profile.batch_size),
            "BatchTimeout": codec.encode_batch_timeout(format_duration(profile.batch_timeout_s)),
            "ChannelRestrictions": codec.encode_channel_restrictions(0),
            "Capabilities": codec.encode_capabilities(profile.capabilities.orderer),
            "ConsensusType": codec.encode_consensus_type(profile.consensus),
            **({"KafkaBrokers": codec.encode_kafka_brokers(profile.kafka_brokers)} if profile.kafka_brokers else {}),
        },
        policies=profile.orderer_policies,
    )


def _application_group(profile: ChannelProfile) -> ConfigGroup:
    values = {"Capabilities": codec.encode_capabilities(profile.capabilities.application)}
    if profile.acls:
        values["ACLs"] = codec.encode_acls(profile.acls)
    return _group(
        groups={org.name: _application_org_group(org) for org in profile.application_orgs},
        values=values,
        policies=profile.application_policies,
    )


def _application_org_group(org: OrgProfile) -> ConfigGroup:
    values = {"MSP": encode_msp_config(org.msp)}
    if org.anchor_peers:
        values["AnchorPeers"] = codec.encode_anchor_peers(org.anchor_peers)
    return _group(values=values, policies=org.policies)


def _group(
    *, values: Mapping[str, bytes], policies: Policies, groups: Mapping[str, ConfigGroup] | None = None
) -> ConfigGroup:
    return ConfigGroup(
        groups=groups or {},
        values={key: ConfigValue(value, mod_policy=ADMINS) for key, value in values.items()},
        policies={key: _config_policy(rule) for key, rule in policies.items()},
        mod_policy=ADMINS,
    )


def _config_policy(rule: PolicyRule) -> ConfigPolicy:
    policy_type, value = encode_channel_policy(rule)
    return ConfigPolicy(policy_type, value, mod_policy=ADMINS)
