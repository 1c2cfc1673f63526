"""The network that is simulated: who is in it, with which keys, and what its channel's configuration says.

The same keys in every run, so that a seed means the same everywhere. They guard nothing.
"""

import functools
import hashlib
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.certificates import Chance, Credential
from deploy.channels import channel_profile
from deploy.collections import Collection
from deploy.material import Material
from deploy.topology import Channel, OrdererNode, PeerNode, Topology, load_topology
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.crypto import CURVE_ORDERS, SigningIdentity, to_low_s
from privysharing.protocol.envelopes import NONCE_BYTES
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.sdk.profile import ChannelNodes, ConnectionProfile, Node
from privysharing.sdk.profile import Collection as MembersOf

CHANNEL: Final = "health"
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
BEGINNING_NS: Final = int(BEGINNING.timestamp()) * 1_000_000_000
FIRST_PORT: Final = 7001

_REPEATABLE = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


@dataclass(frozen=True, slots=True, eq=False)
class RepeatableIdentity(SigningIdentity):
    """Signs the same bytes alike each time (RFC 6979)."""

    def sign(self, message: bytes) -> bytes:
        return to_low_s(self.private_key.sign(message, _REPEATABLE), self.private_key.curve)


@dataclass(frozen=True, slots=True, eq=False)
class Town:
    """One network: names of nodes lead to their addresses and identities."""

    topology: Topology
    material: Material
    ports: dict[str, int]
    genesis: Block

    @property
    def channel(self) -> Channel:
        """The one channel."""
        return self.topology.channels[0]

    @property
    def members(self) -> list[str]:
        """The peers that may hold what is private, by name."""
        (contract,) = self.channel.contracts
        msp_ids = {msp_id for collection in contract.collections for msp_id in collection.members}
        return [peer.full_name for peer in self.topology.peers if peer.org.msp_id in msp_ids]

    @property
    def told_later(self) -> list[str]:
        """Those of them that endorse nothing, and have only what others tell them."""
        endorsing = {peer.full_name for peer in self.topology.peers if peer.endorses}
        return [name for name in self.members if name not in endorsing]

    def address(self, name: str) -> str:
        """Where a node listens."""
        return f"127.0.0.1:{self.ports[name]}"

    def node_identity(self, name: str) -> SigningIdentity:
        """A node's."""
        node = next(node for node in self.topology.nodes if node.full_name == name)
        keys = self.material.organisations[node.org.name].nodes[name]
        return _identity(keys.identity, node.org.msp_id)

    def user_identity(self, org: str, user: str) -> SigningIdentity:
        """A person's; `Admin` is an organisation's administrator."""
        organisation = self.material.organisations[org]
        return _identity(organisation.users[user].identity, organisation.org.msp_id)

    def organisation(self, msp_id: str) -> str:
        """The name of an organisation."""
        return next(org.name for org in self.topology.organisations if org.msp_id == msp_id)

    def profile(self, org: str, endorsements: int) -> ConnectionProfile:
        """The network as a member of an organisation knows it."""
        msp_id = self.material.organisations[org].org.msp_id
        peers = sorted(self.topology.peers, key=lambda peer: (peer.org.name != org, not peer.endorses, peer.full_name))
        nodes = {peer.full_name: self._peer(peer) for peer in peers}
        orderers = [Node(each.full_name, "", self.address(each.full_name), b"") for each in self.topology.orderers]
        channel = ChannelNodes(
            endorsers=tuple(nodes[peer.full_name] for peer in peers if peer.endorses),
            event_sources=tuple(nodes.values()),
            orderers=tuple(orderers),
            endorsements=endorsements,
            collections={
                contract.name: {
                    each.name: MembersOf(frozenset(each.members), len(each.members)) for each in contract.collections
                }
                for contract in self.channel.contracts
            },
        )
        return ConnectionProfile(org, msp_id, {CHANNEL: channel}, b"", b"")

    def _peer(self, peer: PeerNode) -> Node:
        msp = self.material.organisations[peer.org.name].msp
        return Node(
            peer.full_name,
            peer.org.msp_id,
            self.address(peer.full_name),
            b"",
            signing_cas=b"".join((*msp.root_certs, *msp.intermediate_certs)),
        )


@functools.cache
def town(orderers: int, block_transactions: int, batch_timeout_s: float) -> Town:
    """The demo's organisations, with so many orderers, and blocks of at most so many transactions.

    As in the demo, a peer of each endorses; one more belongs to a member of the collection, and must be told.
    """
    demo = load_topology("demo")
    (channel,) = demo.channels
    (contract,) = channel.contracts
    ministry = demo.orderers[0].org
    hosts = (ministry, *channel.members)
    members = [org for org in channel.members if org.msp_id in contract.collections[0].members]
    topology = replace(
        demo,
        orderers=tuple(OrdererNode("orderer0", hosts[number]) for number in range(orderers)),
        peers=(*(peer for peer in demo.peers if peer.endorses), PeerNode("peer1", members[0], endorses=False)),
        channels=(
            replace(
                channel,
                contracts=(replace(contract, collections=tuple(map(_pushed_if_possible, contract.collections))),),
                batch_size=replace(BatchSize(), max_message_count=block_transactions),
                batch_timeout_s=batch_timeout_s,
            ),
        ),
        client_auth_required=False,
    )
    material = Material.make(topology, BEGINNING, _chance())
    ports = {node.full_name: FIRST_PORT + number for number, node in enumerate(topology.nodes)}
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    profile = channel_profile(topology, topology.channels[0], material, addresses)
    genesis = genesis_block(profile, nonce=bytes(NONCE_BYTES), timestamp_ns=BEGINNING_NS)
    return Town(topology, material, ports, genesis)


def _pushed_if_possible(collection: Collection) -> Collection:
    """A transaction goes on though nobody else can be told of its private data: who needs it finds it later."""
    return replace(collection, required_peers=0, maximum_peers=2)


def _chance() -> Chance:
    numbers = itertools.count(1)
    order = CURVE_ORDERS["secp256r1"]

    def key() -> ec.EllipticCurvePrivateKey:
        secret = hashlib.sha256(f"key {next(numbers)} of a simulation".encode()).digest()
        return ec.derive_private_key(int.from_bytes(secret) % (order - 1) + 1, ec.SECP256R1())

    return Chance(key, lambda: next(numbers), repeatable_signatures=True)


def _identity(credential: Credential, msp_id: str) -> SigningIdentity:
    loaded = load_signing_identity(credential.certificate_pem, credential.key_pem, msp_id)
    return RepeatableIdentity(loaded.msp_id, loaded.certificate_pem, loaded.serialized, loaded.private_key)
