"""The peer's connections to orderers and other peers: one each for blocks of all channels, others for private data."""

import asyncio
from collections.abc import AsyncGenerator

import grpc

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekInfo
from privysharing.rpc.channels import ClientTls
from privysharing.rpc.deliver import ORDERER_BLOCKS, PEER_BLOCKS, DeliverClient
from privysharing.rpc.outside import Outside
from privysharing.rpc.private_data import PrivateDataClient
from services.peer.block_feed.sources import BlockSource, PeerSource

GRACE_SECONDS = 10.0  # for what is still asked over a connection that has been replaced


class Connections:
    """Asks other nodes in the peer's name. It shows `certificate` and `key` (PEM) on TLS connections."""

    def __init__(
        self, signer: SigningIdentity, *, tls: bool, certificate: bytes, key: bytes, outside: Outside = Outside()
    ) -> None:
        self._signer = signer
        self._tls = tls
        self._certificate = certificate
        self._key = key
        self._outside = outside
        self._channels: dict[BlockSource, grpc.aio.Channel] = {}
        self._private: dict[tuple[PeerSource, str], grpc.aio.Channel] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def blocks(self, source: BlockSource, channel_id: str, seek: SeekInfo) -> AsyncGenerator[bytes]:
        """See `block_feed.feed.BlockCalls`."""
        tls = self._tls_to(source)
        if source not in self._channels:
            self._channels[source] = self._outside.open_channel(source.address, tls)
        client = DeliverClient(source.address, self._channels[source], self._signer, _hash(tls), self._outside)
        method = PEER_BLOCKS if isinstance(source, PeerSource) else ORDERER_BLOCKS
        return client.blocks(channel_id, seek, method=method)

    def private_data(self, source: PeerSource, channel_id: str) -> PrivateDataClient:
        """See `private_data.fellows.PeerCalls`."""
        tls = self._tls_to(source)
        if (old := self._private.pop((source, channel_id), None)) is not None:
            closing = asyncio.create_task(old.close(GRACE_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        channel = self._outside.open_channel(source.address, tls, shared=False)
        self._private[source, channel_id] = channel
        return PrivateDataClient(source.address, channel, self._signer, _hash(tls), self._outside)

    def _tls_to(self, source: BlockSource) -> ClientTls | None:
        return ClientTls(source.tls_roots, self._certificate, self._key) if self._tls else None

    async def close(self) -> None:
        """Close every connection."""
        for closing in self._closing:
            closing.cancel()
        for channel in (*self._channels.values(), *self._private.values()):
            await channel.close()


def _hash(tls: ClientTls | None) -> bytes:
    return tls.certificate_hash if tls else b""
