"""The gRPC channels of one client: one per node, shared by everything that talks to that node."""

import asyncio

import grpc

from privysharing.protocol.crypto import SigningIdentity
from privysharing.rpc.broadcast import BroadcastClient
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.deliver import DeliverClient
from privysharing.rpc.endorser import EndorserClient
from privysharing.sdk.profile import ConnectionProfile, Node


class Connections:
    """Opens what is needed when it is first needed, on behalf of one identity."""

    def __init__(self, profile: ConnectionProfile, identity: SigningIdentity) -> None:
        self.profile = profile
        self.identity = identity
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._endorsers: dict[str, EndorserClient] = {}
        self._broadcasts: dict[str, BroadcastClient] = {}

    def endorser(self, node: Node) -> EndorserClient:
        """The Endorser service of a peer."""
        if node.name not in self._endorsers:
            self._endorsers[node.name] = EndorserClient(node.name, self._channel(node))
        return self._endorsers[node.name]

    def broadcast(self, node: Node) -> BroadcastClient:
        """The Broadcast stream of an orderer."""
        if node.name not in self._broadcasts:
            self._broadcasts[node.name] = BroadcastClient(node.name, self._channel(node))
        return self._broadcasts[node.name]

    def deliver(self, node: Node) -> DeliverClient:
        """The Deliver service of a peer."""
        return DeliverClient(node.name, self._channel(node), self.identity, self._tls(node).certificate_hash)

    async def close(self) -> None:
        """Close every stream and channel."""
        await asyncio.gather(*(client.close() for client in self._broadcasts.values()))
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    def _channel(self, node: Node) -> grpc.aio.Channel:
        if node.name not in self._channels:
            self._channels[node.name] = open_channel(node.address, self._tls(node), server_name=node.server_name)
        return self._channels[node.name]

    def _tls(self, node: Node) -> ClientTls:
        return ClientTls(node.tls_ca, self.profile.tls_certificate, self.profile.tls_key)
