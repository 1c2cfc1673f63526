"""The peer's connections to orderers, and to peers whose blocks it compares: one each, for all its channels."""

from collections.abc import AsyncGenerator

import grpc

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekInfo
from privysharing.rpc.channels import ClientTls
from privysharing.rpc.deliver import ORDERER_BLOCKS, PEER_BLOCKS, DeliverClient
from privysharing.rpc.outside import Outside
from services.peer.block_feed.sources import BlockSource, PeerSource


class BlockConnections:
    """Asks other nodes for blocks in the peer's name. It shows `certificate` and `key` (PEM) on TLS connections."""

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
        tls = ClientTls(source.tls_roots, self._certificate, self._key) if self._tls else None
        if source not in self._channels:
            self._channels[source] = self._outside.open_channel(source.address, tls)
        certificate_hash = tls.certificate_hash if tls else b""
        client = DeliverClient(source.address, self._channels[source], self._signer, certificate_hash, self._outside)
        method = PEER_BLOCKS if isinstance(source, PeerSource) else ORDERER_BLOCKS
        return client.blocks(channel_id, seek, method=method)

    async def close(self) -> None:
        """Close every connection."""
        for channel in self._channels.values():
            await channel.close()
