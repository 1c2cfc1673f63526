from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.privysharing.v1.batch_pb2 as privysharing_v1_batch_pb2

class BatchEndorserStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Endorse: grpc.aio.StreamStreamMultiCallable[privysharing_v1_batch_pb2.BatchRequest, privysharing_v1_batch_pb2.BatchResponse]

class BatchEndorserServicer:
    def Endorse(self, request_iterator: AsyncIterator[privysharing_v1_batch_pb2.BatchRequest], context: grpc.aio.ServicerContext[privysharing_v1_batch_pb2.BatchRequest, privysharing_v1_batch_pb2.BatchResponse]) -> AsyncIterator[privysharing_v1_batch_pb2.BatchResponse]: ...

def add_BatchEndorserServicer_to_server(servicer: BatchEndorserServicer, server: grpc.aio.Server) -> None: ...

class BatchBroadcastStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Broadcast: grpc.aio.StreamStreamMultiCallable[privysharing_v1_batch_pb2.BatchRequest, privysharing_v1_batch_pb2.BatchResponse]

class BatchBroadcastServicer:
    def Broadcast(self, request_iterator: AsyncIterator[privysharing_v1_batch_pb2.BatchRequest], context: grpc.aio.ServicerContext[privysharing_v1_batch_pb2.BatchRequest, privysharing_v1_batch_pb2.BatchResponse]) -> AsyncIterator[privysharing_v1_batch_pb2.BatchResponse]: ...

def add_BatchBroadcastServicer_to_server(servicer: BatchBroadcastServicer, server: grpc.aio.Server) -> None: ...
