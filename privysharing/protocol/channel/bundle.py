"""One configuration of a channel, compiled: what the rest of the system asks about members, policies and limits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel import acls, groups
from privysharing.protocol.channel.config import Config
from privysharing.protocol.channel.errors import InvalidConfig, UnknownResource, UnsupportedCapability
from privysharing.protocol.channel.groups import OrdererConfig, Org
from privysharing.protocol.channel.policy_tree import REJECT, compile_policies
from privysharing.protocol.channel.settings import Capabilities
from privysharing.protocol.codec.configs import encode_config, parse_config_envelope
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.config import InvalidMsp
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies.policy import Policy

BLOCK_VALIDATION = "/Channel/Orderer/BlockValidation"
CHANNEL_READERS = "/Channel/Readers"
CHANNEL_WRITERS = "/Channel/Writers"

# common/capabilities: what a node of today knows
KNOWN_CAPABILITIES = Capabilities(
    channel=frozenset({"V1_1", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V3_0"}),
    orderer=frozenset({"V1_1", "V1_4_2", "V2_0"}),
    application=frozenset({"V1_1", "V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"}),
)
# Below these levels Fabric tells admins and orderers apart by other means, and endorses by other rules.
NEEDED_CAPABILITIES = Capabilities(
    channel=frozenset({"V1_4_3", "V2_0", "V3_0"}),
    orderer=frozenset(),
    application=frozenset({"V2_0", "V2_5"}),
)

CHANNEL_ID_LENGTH_MAX = 249
_CHANNEL_ID = re.compile(r"[a-z][a-z0-9.-]*")


@dataclass(frozen=True, slots=True, eq=False)
class ChannelConfig:
    """A channel's configuration at one sequence number (channelconfig Bundle). Every answer comes from that one."""

    channel_id: str
    sequence: int
    raw: bytes = field(repr=False)  # common.Config
    config: Config = field(repr=False)
    msps: MspManager = field(repr=False)
    orderer: OrdererConfig
    orderer_orgs: Mapping[str, Org] = field(repr=False)
    application_orgs: Mapping[str, Org] = field(repr=False)
    acls: Mapping[str, str]  # the channel's own rules only; `acl` knows the defaults as well
    capabilities: Capabilities
    policies: Mapping[str, Policy] = field(repr=False)

    @classmethod
    def from_block(cls, block: Block) -> "ChannelConfig":
        """From a configuration block: the genesis block or a later one."""
        if not block.data:
            raise MalformedMessage(f"block {block.header.number} holds no envelope")
        return cls.from_envelope(block.data[0])

    @classmethod
    def from_envelope(cls, raw: bytes) -> "ChannelConfig":
        """From a common.Envelope of type CONFIG. Nothing is judged but the configuration itself."""
        payload = parse_payload(parse_envelope(raw).payload)
        if payload.header.channel.type != HeaderType.CONFIG:
            raise MalformedMessage(f"envelope of type {payload.header.channel.type} holds no configuration")
        return cls.from_config(payload.header.channel.channel_id, parse_config_envelope(payload.data).config)

    @classmethod
    def from_config(cls, channel_id: str, config: Config) -> "ChannelConfig":
        """Compile a configuration; InvalidConfig when no channel could run under it."""
        check_channel_id(channel_id)
        root = config.root
        groups.check_channel(root)
        orderer, application = root.groups[groups.ORDERER], root.groups[groups.APPLICATION]
        capabilities = Capabilities(*(groups.read_capabilities(group) for group in (root, orderer, application)))
        _check_capabilities(capabilities)
        orderer_orgs, application_orgs = groups.read_orderer_orgs(orderer), groups.read_application_orgs(application)
        try:
            msps = MspManager([Msp(each) for each in groups.shared_msps(orderer_orgs, application_orgs).values()])
        except InvalidMsp as error:
            raise InvalidConfig(f"channel {channel_id}: {error}") from error
        return cls(
            channel_id=channel_id,
            sequence=config.sequence,
            raw=encode_config(config),
            config=config,
            msps=msps,
            orderer=groups.read_orderer(orderer),
            orderer_orgs=orderer_orgs,
            application_orgs=application_orgs,
            acls=groups.read_acls(application),
            capabilities=capabilities,
            policies=compile_policies(root, f"/{groups.CHANNEL}", msps),
        )

    def policy(self, path: str) -> Policy:
        """The policy at an absolute path, such as `/Channel/Application/Writers`; where none is, one that rejects."""
        return self.policies.get(path, REJECT)

    def has_policy(self, path: str) -> bool:
        """Whether the channel defines that policy."""
        return path in self.policies

    def acl(self, resource: str) -> str:
        """The path of the policy that guards a resource of this channel, such as `qscc/GetChainInfo`."""
        if resource in acls.PEER_ADMINS or resource in acls.PEER_MEMBERS:
            raise UnknownResource(f"{resource} is guarded by the peer's own organisation, not by a channel")
        path = self.acls.get(resource) or acls.DEFAULT_ACLS.get(resource)
        if path is None:
            raise UnknownResource(f"Unmapped policy for {resource}")
        return path


def check_channel_id(channel_id: str) -> None:
    """Refuse an id that Fabric, Kafka or CouchDB could not carry (configtx ValidateChannelID)."""
    if not channel_id:
        raise InvalidConfig("bad channel ID: channel ID illegal, cannot be empty")
    if len(channel_id) > CHANNEL_ID_LENGTH_MAX:
        raise InvalidConfig(f"bad channel ID: channel ID illegal, cannot be longer than {CHANNEL_ID_LENGTH_MAX}")
    if not _CHANNEL_ID.fullmatch(channel_id):
        raise InvalidConfig(f"bad channel ID: '{channel_id}' contains illegal characters")


def _check_capabilities(required: Capabilities) -> None:
    for kind in ("channel", "orderer", "application"):
        found: frozenset[str] = getattr(required, kind)
        unknown = sorted(found - getattr(KNOWN_CAPABILITIES, kind))
        if unknown:
            raise UnsupportedCapability(f"{kind.capitalize()} capability {unknown[0]} is required but not supported")
        needed: frozenset[str] = getattr(NEEDED_CAPABILITIES, kind)
        if needed and not found & needed:
            raise UnsupportedCapability(
                f"{kind.capitalize()} capabilities are {', '.join(sorted(found)) or 'none'}; "
                f"needed is one of {', '.join(sorted(needed))}"
            )
