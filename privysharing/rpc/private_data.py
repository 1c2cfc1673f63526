"""Calls of a peer's PrivateData service."""

from collections.abc import Callable

import grpc

from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.private_data import Answer, Ask, Hello, Request
from privysharing.protocol.private_exchange import NONCE_BYTES, BadResponse, S, open_response, seal_request
from privysharing.rpc.errors import NodeError, node_error
from privysharing.rpc.outside import Outside

METHOD = "/privysharing.v1.PrivateData/Exchange"


class PrivateDataClient:
    """privysharing.v1.PrivateData of one peer, asked in the name of one identity.

    `tls_certificate_hash` is that of the client certificate which the channel shows.
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
        self._identity = identity
        self._tls_certificate_hash = tls_certificate_hash
        self._outside = outside
        self._exchange: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

    async def ask(self, channel_id: str, ask: Ask, find: Callable[[bytes], S], *, timeout_s: float) -> Answer:
        """The answer of whoever is there, greeted first. Raises as `exchange` does."""
        who, _ = await self.exchange(channel_id, Hello(), find, timeout_s=timeout_s)
        responder = sha256(who.serialized)
        return (await self.exchange(channel_id, ask, find, timeout_s=timeout_s, responder=responder))[1]

    async def exchange(
        self, channel_id: str, ask: Ask, find: Callable[[bytes], S], *, timeout_s: float, responder: bytes = b""
    ) -> tuple[S, Answer]:
        """The peer's answer and who it is, if `find` knows it (see `private_exchange.open_response`).

        `responder` is SHA-256 over its identity; only a Hello may leave it out. Raises NodeUnavailable,
        NodeRefused, and NodeError when the answer is not the peer's to this request.
        """
        request = Request(
            channel_id=channel_id,
            requester=self._identity.serialized,
            tls_cert_hash=self._tls_certificate_hash,
            responder=responder,
            nonce=self._outside.random_bytes(NONCE_BYTES),
            timestamp_ns=self._outside.now_ns(),
            ask=ask,
        )
        signed, request_hash = seal_request(request, self._identity)
        try:
            raw = await self._exchange(signed, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise node_error(self.node, error) from None
        try:
            return open_response(raw, request_hash, find, responder=responder)
        except BadResponse as error:
            raise NodeError(self.node, str(error)) from None
