"""Connect to a network, and call the contracts on its channels.

async with connect(profile, identity) as network:
    contract = network.contract("health", "privysharing")
    receipt = await contract.submit("CreateAsset", ...)
    asset = await contract.evaluate("ReadAsset", ...)
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from privysharing.protocol.crypto import SigningIdentity
from privysharing.rpc.outside import Outside
from privysharing.sdk.channel import Channel, Timeouts
from privysharing.sdk.connections import Connections, Transport
from privysharing.sdk.profile import ConnectionProfile
from privysharing.sdk.transactions import Call, Receipt


class Contract:
    """A chaincode on a channel."""

    def __init__(self, channel: Channel, name: str) -> None:
        self.channel = channel
        self.name = name

    async def evaluate(
        self,
        function: str,
        *args: str | bytes,
        transient: Mapping[str, bytes] | None = None,
        collections: tuple[str, ...] = (),
    ) -> bytes:
        """What the function returns on one peer. Nothing is ordered. See `Call` for private data."""
        return await self.channel.evaluate(Call(self.name, function, args, transient, collections))

    async def submit(
        self,
        function: str,
        *args: str | bytes,
        transient: Mapping[str, bytes] | None = None,
        collections: tuple[str, ...] = (),
    ) -> Receipt:
        """Run the function on the endorsing peers and commit what it writes. See `Call` for private data."""
        return await self.channel.submit(Call(self.name, function, args, transient, collections))

    def salted(self, *records: Mapping[str, Any]) -> bytes:
        """Records for a field of `transient`, each with a random key and a salt, which private readings must have."""
        return self.channel.salted(*records)


class Network:
    """A network, as one identity uses it."""

    def __init__(self, connections: Connections, timeouts: Timeouts) -> None:
        self._connections = connections
        self._timeouts = timeouts
        self._channels: dict[str, Channel] = {}

    def channel(self, name: str) -> Channel:
        """A channel of the profile; ProfileError when there is none of that name."""
        if name not in self._channels:
            nodes = self._connections.profile.channel(name)
            self._channels[name] = Channel(name, nodes, self._connections, self._timeouts)
        return self._channels[name]

    def contract(self, channel: str, name: str) -> Contract:
        """A chaincode on a channel of the profile."""
        return Contract(self.channel(channel), name)

    async def close(self) -> None:
        """Stop listening and hang up."""
        for channel in self._channels.values():
            await channel.close()
        await self._connections.close()


@contextlib.asynccontextmanager
async def connect(
    profile: ConnectionProfile,
    identity: SigningIdentity,
    timeouts: Timeouts | None = None,
    transport: Transport = "batch",
    outside: Outside = Outside(),
) -> AsyncIterator[Network]:
    """A network for the length of a `with` block. Nodes are contacted when they are first needed.

    `transport`: "batch" lets calls share a stream wherever a node offers that, "unary" uses Fabric's own calls only.
    """
    network = Network(Connections(profile, identity, transport, outside), timeouts or Timeouts())
    try:
        yield network
    finally:
        await network.close()
