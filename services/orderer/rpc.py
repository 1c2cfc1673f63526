"""The orderer's services over gRPC. Messages pass as bytes: what is in them is for other rooms."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Any

import grpc

from privysharing.protocol.codec.orderers import encode_live_orderers
from privysharing.protocol.codes import Status
from privysharing.protocol.orderers import LiveOrderer
from privysharing.wire.orderer import ab_pb2
from services.orderer.batches import BatchBroadcast
from services.orderer.broadcast import Broadcast
from services.orderer.delivery import Delivery
from services.orderer.intake import SUCCESS, Answer, Intake
from services.runtime.batching import BatchCalls, BatchLimits
from services.runtime.watch import ServedCall

SERVICE = "orderer.AtomicBroadcast"
BATCH_SERVICE = "privysharing.v1.BatchBroadcast"
DIRECTORY_SERVICE = "privysharing.v1.OrdererDirectory"

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

    async def broadcast(self, requests: AsyncIterator[bytes], _call: ServedCall) -> AsyncIterator[bytes]:
        """AtomicBroadcast.Broadcast."""
        async with aclosing(self._broadcast.serve(requests)) as answers:
            async for answer in answers:
                yield _encode(answer)

    def deliver(self, requests: AsyncIterator[bytes], call: ServedCall) -> AsyncGenerator[bytes]:
        """AtomicBroadcast.Deliver."""
        certificate_hash = call.caller.certificate if self._binds_to_certificate else None
        return self._delivery.serve(requests, certificate_hash, call.caller)


class BatchBroadcastRpc:
    """The servicer of privysharing.v1.BatchBroadcast."""

    def __init__(self, intake: Intake, limits: BatchLimits | None = None) -> None:
        self._calls = BatchCalls(BatchBroadcast(intake, _encode).begin, limits or BatchLimits())

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            BATCH_SERVICE, {"Broadcast": grpc.stream_stream_rpc_method_handler(self.broadcast)}
        )

    def broadcast(self, requests: AsyncIterator[bytes], call: ServedCall) -> AsyncGenerator[bytes]:
        """BatchBroadcast.Broadcast."""
        return self._calls.serve(requests, call.caller)

    def hang_up(self) -> None:
        """Take no more envelopes; what has its place in the log is answered."""
        self._calls.hang_up()


class DirectoryRpc:
    """The servicer of privysharing.v1.OrdererDirectory."""

    def __init__(self, live: Callable[[], Iterable[LiveOrderer]]) -> None:
        self._live = live

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        method: Any = grpc.unary_unary_rpc_method_handler(self.live)
        return grpc.method_handlers_generic_handler(DIRECTORY_SERVICE, {"Live": method})

    async def live(self, _request: bytes, _call: ServedCall) -> bytes:
        """OrdererDirectory.Live."""
        return encode_live_orderers(self._live())


def _encode(answer: Answer) -> bytes:
    if answer is SUCCESS:
        return _SUCCESS_BYTES
    return ab_pb2.BroadcastResponse(status=answer.status.name, info=answer.info).SerializeToString()
