"""Channels of generated networks, in memory: real material, a real genesis block, and everybody's signing identity."""

from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.channels import channel_profile
from deploy.material import Material
from deploy.topology import Topology, load_topology
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.msp.signing import load_signing_identity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NONCE = bytes(range(24))


@dataclass(frozen=True)
class GeneratedChannel:
    """The first channel of a topology."""

    topology: Topology
    material: Material
    genesis: Block
    config: ChannelConfig

    @classmethod
    def build(cls, topology_name: str) -> "GeneratedChannel":
        topology = load_topology(topology_name)
        material = Material.make(topology, NOW)
        addresses = {node.full_name: f"127.0.0.1:{7000 + place}" for place, node in enumerate(topology.nodes)}
        profile = channel_profile(topology, topology.channels[0], material, addresses)
        genesis = genesis_block(profile, nonce=NONCE, timestamp_ns=1_700_000_000_000_000_000)
        return cls(topology, material, genesis, ChannelConfig.from_block(genesis))

    def signer(self, org: str, name: str) -> SigningIdentity:
        """A user (`Admin`, `alice`) or a node (`peer0.medical.city`) of an organisation."""
        material = self.material.organisations[org]
        keys = {**material.users, **material.nodes}[name]
        return load_signing_identity(keys.identity.certificate_pem, keys.identity.key_pem, material.org.msp_id)

    def identity(self, org: str, name: str) -> Identity:
        """The same, as the channel sees it."""
        return self.config.msps.identity(self.signer(org, name).serialized)

    def satisfies(self, path: str, *who: tuple[str, str]) -> bool:
        """Whether these together meet a policy of the channel."""
        assert self.config.has_policy(path), path
        return self.config.policy(path).evaluate([self.identity(*each) for each in who])
