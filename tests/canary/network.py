"""The network that canaries are planted in: what its members know, one other organisation and the orderer do not."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import grpc

from deploy.manifest import Network, NodeEntry
from deploy.topology import ContractDefinition, PeerNode, Topology, load_topology
from deploy.wallets import network_wallet
from privysharing.sdk import Network as Connection
from privysharing.sdk import connect
from services.client.network.identities import profile_of
from tests.canary.proxies import Proxies, behind_proxies
from tests.support.live import LiveNetwork

COLLECTION, FOREIGN = "critical", "bench"


def topology() -> Topology:
    """The demo, with another peer of a member, which endorses nothing, and with a contract that has no rules."""
    demo = load_topology("demo")
    (channel,) = demo.channels
    (contract,) = channel.contracts
    private = (replace(contract.collections[0], maximum_peers=2),)
    members = [org for org in channel.members if org.msp_id in private[0].members]
    return replace(
        demo,
        peers=(*demo.peers, PeerNode("peer1", members[0], endorses=False)),
        channels=(
            replace(
                channel,
                contracts=(
                    replace(contract, collections=private),
                    ContractDefinition(FOREIGN, contract.version, private),
                ),
            ),
        ),
    )


class WatchedNetwork(LiveNetwork):
    """Nobody reaches anybody but through a proxy that writes everything down."""

    proxies: Proxies

    def __init__(self, folder: Path) -> None:
        super().__init__(topology(), folder, prepare=self._watched)

    def _watched(self, network: Network) -> Network:
        self._thought = network  # where everybody thinks that nodes are
        moved = behind_proxies(network)
        self.proxies = Proxies(network, moved)
        return moved

    @contextlib.contextmanager
    def dial(self, node: NodeEntry, label: str = "alice") -> Iterator[grpc.Channel]:
        with super().dial(self._thought.node(node.name), label) as channel:
            yield channel

    def close(self) -> None:
        self.stop()
        self.proxies.close()

    def restart(self) -> None:
        """Start again, as other processes."""
        self.processes.start()
        asyncio.run(self.processes.ready())

    def nodes_of(self, *organisations: str) -> frozenset[str]:
        """The peers of organisations, by name."""
        return frozenset(peer.name for peer in self.peers if peer.org in organisations)

    @contextlib.asynccontextmanager
    async def connect(self, label: str) -> AsyncIterator[Connection]:
        """Through the SDK, with a TLS certificate of one's own: connections are told apart by it."""
        entry, tls = network_wallet(self.network).get(label), self.tls(label)
        profile = profile_of(self.network, entry.msp_id)
        profile = dataclasses.replace(profile, tls_certificate=tls.certificate, tls_key=tls.key)
        async with connect(profile, entry.signing_identity()) as connection:
            yield connection
