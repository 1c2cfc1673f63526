"""Blocks from an orderer or a peer, as they come."""

import contextlib
from collections.abc import AsyncGenerator

import grpc

from privysharing.protocol.codec.deliver import encode_seek_info, parse_deliver_response
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codes import HeaderType, Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import BlockAndPrivateData, DeliverResponse, FilteredBlock, SeekInfo
from privysharing.protocol.envelopes import NONCE_BYTES, ChannelHeader, SignatureHeader, TxId
from privysharing.protocol.errors import MalformedMessage
from privysharing.rpc.errors import NodeError, node_error
from privysharing.rpc.outside import Outside

ORDERER_BLOCKS = "/orderer.AtomicBroadcast/Deliver"
PEER_BLOCKS = "/protos.Deliver/Deliver"
PEER_FILTERED = "/protos.Deliver/DeliverFiltered"
PEER_WITH_PRIVATE_DATA = "/protos.Deliver/DeliverWithPrivateData"


class DeliverRefused(NodeError):
    """The node ended the delivery with a status other than SUCCESS."""

    def __init__(self, node: str, status: Status) -> None:
        super().__init__(node, f"delivery ended with {status.name}")
        self.status = status


class DeliverClient:
    """The Deliver service of one node, asked in the name of one identity.

    `tls_certificate_hash` goes into each request: nodes that require client certificates compare it with the
    connection's own.
    """

    def __init__(
        self,
        node: str,
        channel: grpc.aio.Channel,
        identity: SigningIdentity,
        tls_certificate_hash: bytes = b"",
        outside: Outside = Outside(),
    ) -> None:
        self.node = node
        self._channel = channel
        self._identity = identity
        self._tls_certificate_hash = tls_certificate_hash
        self._outside = outside

    async def blocks(self, channel_id: str, seek: SeekInfo, *, method: str) -> AsyncGenerator[bytes]:
        """Marshalled blocks, until the seek's stop. `method` is ORDERER_BLOCKS or PEER_BLOCKS.

        Raises DeliverRefused, NodeUnavailable or NodeRefused. Close the generator to hang up.
        """
        async with contextlib.aclosing(self._answers(channel_id, seek, method)) as answers:
            async for answer in answers:
                if answer.block is None:
                    raise NodeError(self.node, "delivered something that is not a block")
                yield answer.block

    async def filtered_blocks(self, channel_id: str, seek: SeekInfo) -> AsyncGenerator[FilteredBlock]:
        """Filtered blocks of a peer, until the seek's stop. Raises as `blocks` does."""
        async with contextlib.aclosing(self._answers(channel_id, seek, PEER_FILTERED)) as answers:
            async for answer in answers:
                if answer.filtered_block is None:
                    raise NodeError(self.node, "delivered something that is not a filtered block")
                yield answer.filtered_block

    async def blocks_with_private_data(self, channel_id: str, seek: SeekInfo) -> AsyncGenerator[BlockAndPrivateData]:
        """Blocks of a peer, and what we may see of their private sets. Raises as `blocks` does."""
        async with contextlib.aclosing(self._answers(channel_id, seek, PEER_WITH_PRIVATE_DATA)) as answers:
            async for answer in answers:
                if answer.block_and_private_data is None:
                    raise NodeError(self.node, "delivered something that is not a block and its private data")
                yield answer.block_and_private_data

    async def _answers(self, channel_id: str, seek: SeekInfo, method: str) -> AsyncGenerator[DeliverResponse]:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = self._channel.stream_stream(method)()
        try:
            await call.write(self._request(channel_id, seek))
            async for raw in call:
                answer = parse_deliver_response(raw)
                if answer.status is None:
                    yield answer
                elif answer.status is Status.SUCCESS:
                    return
                else:
                    raise DeliverRefused(self.node, answer.status)
            raise NodeError(self.node, "hung up in the middle of a delivery")
        except grpc.aio.AioRpcError as error:
            raise node_error(self.node, error) from None
        except MalformedMessage as error:
            raise NodeError(self.node, str(error)) from None
        finally:
            call.cancel()

    def _request(self, channel_id: str, seek: SeekInfo) -> bytes:
        """A signed DELIVER_SEEK_INFO envelope. Nodes refuse one whose timestamp is far from their own clock."""
        header = ChannelHeader(
            type=HeaderType.DELIVER_SEEK_INFO,
            channel_id=channel_id,
            tx_id=TxId(""),
            timestamp_ns=self._outside.now_ns(),
            tls_cert_hash=self._tls_certificate_hash,
        )
        signature_header = SignatureHeader(self._identity.serialized, self._outside.random_bytes(NONCE_BYTES))
        payload = encode_payload(
            encode_channel_header(header), encode_signature_header(signature_header), encode_seek_info(seek)
        )
        return encode_envelope(payload, self._identity.sign(payload))
