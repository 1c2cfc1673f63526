"""The peer's connections to orderers and other peers: one each, for all its channels and whatever it asks them."""

from collections.abc import AsyncGenerator

import grpc

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekInfo
from privysharing.rpc.channels import ClientTls
from privysharing.rpc.deliver import ORDERER_BLOCKS, PEER_BLOCKS, DeliverClient
from privysharing.rpc.outside import Outside
from privysharing.rpc.private_data import PrivateDataClient
from services.peer.block_feed.sources import BlockSource, PeerSource


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

    def blocks(self, source: BlockSource, channel_id: str, seek: SeekInfo) -> AsyncGenerator[bytes]:
        """See `block_feed.feed.BlockCalls`."""
        client = DeliverClient(source.address, *self._connected(source), self._outside)
        method = PEER_BLOCKS if isinstance(source, PeerSource) else ORDERER_BLOCKS
        return client.blocks(channel_id, seek, method=method)

    def private_data(self, source: PeerSource) -> PrivateDataClient:
        """See `private_data.fellows.PeerCalls`."""
        return PrivateDataClient(source.address, *self._connected(source), self._outside)

    def _connected(self, source: BlockSource) -> tuple[grpc.aio.Channel, SigningIdentity, bytes]:
        """The connection, and with whose name and which certificate's hash requests are made over it."""
        tls = ClientTls(source.tls_roots, self._certificate, self._key) if self._tls else None
        if source not in self._channels:
            self._channels[source] = self._outside.open_channel(source.address, tls)
        return self._channels[source], self._signer, tls.certificate_hash if tls else b""

    async def close(self) -> None:
        """Close every connection."""
        for channel in self._channels.values():
            await channel.close()
