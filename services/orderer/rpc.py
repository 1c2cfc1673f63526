"""orderer.AtomicBroadcast over gRPC. Messages pass as bytes: what is in them is for other rooms."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from privysharing.protocol.codes import Status
from privysharing.wire.orderer import ab_pb2
from services.orderer.broadcast import SUCCESS, Answer, Broadcast
from services.orderer.delivery import Delivery
from services.runtime.grpcserver import client_certificate_hash

SERVICE = "orderer.AtomicBroadcast"

_SUCCESS_BYTES = ab_pb2.BroadcastResponse(status=Status.SUCCESS.name).SerializeToString()


class AtomicBroadcastRpc:
    """The servicer. `binds_to_certificate`: client certificates are required, and seek requests must name theirs."""

    def __init__(self, broadcast: Broadcast, delivery: Delivery, *, binds_to_certificate: bool) -> None:
        self._broadcast = broadcast
        self._delivery = delivery
        self._binds_to_certificate = binds_to_certificate

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Broadcast": grpc.stream_stream_rpc_method_handler(self.broadcast),
                "Deliver": grpc.stream_stream_rpc_method_handler(self.deliver),
            },
        )

    async def broadcast(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """AtomicBroadcast.Broadcast."""
        async with aclosing(self._broadcast.serve(requests)) as answers:
            async for answer in answers:
                yield _SUCCESS_BYTES if answer is SUCCESS else _encode(answer)

    async def deliver(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """AtomicBroadcast.Deliver."""
        certificate_hash = client_certificate_hash(context) if self._binds_to_certificate else None
        async with aclosing(self._delivery.serve(requests, certificate_hash)) as responses:
            async for response in responses:
                yield response


def _encode(answer: Answer) -> bytes:
    return ab_pb2.BroadcastResponse(status=answer.status.name, info=answer.info).SerializeToString()
