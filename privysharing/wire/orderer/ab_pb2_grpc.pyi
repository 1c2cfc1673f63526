from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.common.common_pb2 as common_common_pb2
import privysharing.wire.orderer.ab_pb2 as orderer_ab_pb2

class AtomicBroadcastStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Broadcast: grpc.aio.StreamStreamMultiCallable[common_common_pb2.Envelope, orderer_ab_pb2.BroadcastResponse]
    Deliver: grpc.aio.StreamStreamMultiCallable[common_common_pb2.Envelope, orderer_ab_pb2.DeliverResponse]

class AtomicBroadcastServicer:
    def Broadcast(self, request_iterator: AsyncIterator[common_common_pb2.Envelope], context: grpc.aio.ServicerContext[common_common_pb2.Envelope, orderer_ab_pb2.BroadcastResponse]) -> AsyncIterator[orderer_ab_pb2.BroadcastResponse]: ...
    def Deliver(self, request_iterator: AsyncIterator[common_common_pb2.Envelope], context: grpc.aio.ServicerContext[common_common_pb2.Envelope, orderer_ab_pb2.DeliverResponse]) -> AsyncIterator[orderer_ab_pb2.DeliverResponse]: ...

def add_AtomicBroadcastServicer_to_server(servicer: AtomicBroadcastServicer, server: grpc.aio.Server) -> None: ...
