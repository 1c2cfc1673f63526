from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.common.common_pb2 as common_common_pb2
import privysharing.wire.peer.events_pb2 as peer_events_pb2

class DeliverStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Deliver: grpc.aio.StreamStreamMultiCallable[common_common_pb2.Envelope, peer_events_pb2.DeliverResponse]
    DeliverFiltered: grpc.aio.StreamStreamMultiCallable[common_common_pb2.Envelope, peer_events_pb2.DeliverResponse]
    DeliverWithPrivateData: grpc.aio.StreamStreamMultiCallable[common_common_pb2.Envelope, peer_events_pb2.DeliverResponse]

class DeliverServicer:
    def Deliver(self, request_iterator: AsyncIterator[common_common_pb2.Envelope], context: grpc.aio.ServicerContext[common_common_pb2.Envelope, peer_events_pb2.DeliverResponse]) -> AsyncIterator[peer_events_pb2.DeliverResponse]: ...
    def DeliverFiltered(self, request_iterator: AsyncIterator[common_common_pb2.Envelope], context: grpc.aio.ServicerContext[common_common_pb2.Envelope, peer_events_pb2.DeliverResponse]) -> AsyncIterator[peer_events_pb2.DeliverResponse]: ...
    def DeliverWithPrivateData(self, request_iterator: AsyncIterator[common_common_pb2.Envelope], context: grpc.aio.ServicerContext[common_common_pb2.Envelope, peer_events_pb2.DeliverResponse]) -> AsyncIterator[peer_events_pb2.DeliverResponse]: ...

def add_DeliverServicer_to_server(servicer: DeliverServicer, server: grpc.aio.Server) -> None: ...
