"""The gRPC channels of one client: one per node, shared by everything that talks to that node."""

import asyncio
from typing import Literal

import grpc

from privysharing.protocol.crypto import SigningIdentity
from privysharing.rpc.batch import BatchBroadcastClient, BatchEndorserClient
from privysharing.rpc.broadcast import BroadcastClient
from privysharing.rpc.channels import ClientTls
from privysharing.rpc.deliver import DeliverClient
from privysharing.rpc.endorser import EndorserClient
from privysharing.rpc.outside import Outside
from privysharing.rpc.private_data import PrivateDataClient
from privysharing.sdk.failures import RecentFailures
from privysharing.sdk.gathering import Gathering
from privysharing.sdk.profile import ConnectionProfile, Node

# How to propose and to order: many calls on a stream where a node offers it, or Fabric's own calls in any case.
Transport = Literal["batch", "unary"]
Endorsing = EndorserClient | BatchEndorserClient
Ordering = BroadcastClient | BatchBroadcastClient


class Connections:
    """Opens what is needed when it is first needed, on behalf of one identity."""

    def __init__(
        self,
        profile: ConnectionProfile,
        identity: SigningIdentity,
        transport: Transport = "batch",
        outside: Outside = Outside(),
    ) -> None:
        self.profile = profile
        self.outside = outside
        self.failures = RecentFailures(outside.monotonic)
        self.distrusted: set[str] = set()  # endorsers that have lied: none of their endorsements counts unverified
        self.gathering = Gathering()
        self._batches = transport == "batch"
        self.identity = identity
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._endorsers: dict[str, Endorsing] = {}
        self._broadcasts: dict[str, Ordering] = {}

    def endorser(self, node: Node) -> Endorsing:
        """The endorsements of a peer."""
        if node.name not in self._endorsers:
            channel = self._channel(node)
            classic = EndorserClient(node.name, channel)
            self._endorsers[node.name] = BatchEndorserClient(channel, classic) if self._batches else classic
        return self._endorsers[node.name]

    def broadcast(self, node: Node) -> Ordering:
        """The answers of an orderer to envelopes."""
        if node.name not in self._broadcasts:
            channel = self._channel(node)
            classic = BroadcastClient(node.name, channel)
            self._broadcasts[node.name] = BatchBroadcastClient(channel, classic) if self._batches else classic
        return self._broadcasts[node.name]

    def deliver(self, node: Node) -> DeliverClient:
        """The Deliver service of a peer."""
        certificate_hash = self._tls(node).certificate_hash
        return DeliverClient(node.name, self._channel(node), self.identity, certificate_hash, self.outside)

    def private_data(self, node: Node) -> PrivateDataClient:
        """The private data service of a peer."""
        certificate_hash = self._tls(node).certificate_hash
        return PrivateDataClient(node.name, self._channel(node), self.identity, certificate_hash, self.outside)

    async def close(self) -> None:
        """Close every stream and channel."""
        await asyncio.gather(*(client.close() for client in (*self._endorsers.values(), *self._broadcasts.values())))
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    def _channel(self, node: Node) -> grpc.aio.Channel:
        if node.name not in self._channels:
            opened = self.outside.open_channel(node.address, self._tls(node), server_name=node.server_name)
            self._channels[node.name] = opened
        return self._channels[node.name]

    def _tls(self, node: Node) -> ClientTls:
        return ClientTls(node.tls_ca, self.profile.tls_certificate, self.profile.tls_key)
