from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.grpc.reflection.v1.reflection_pb2 as grpc_reflection_v1_reflection_pb2

class ServerReflectionStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    ServerReflectionInfo: grpc.aio.StreamStreamMultiCallable[grpc_reflection_v1_reflection_pb2.ServerReflectionRequest, grpc_reflection_v1_reflection_pb2.ServerReflectionResponse]

class ServerReflectionServicer:
    def ServerReflectionInfo(self, request_iterator: AsyncIterator[grpc_reflection_v1_reflection_pb2.ServerReflectionRequest], context: grpc.aio.ServicerContext[grpc_reflection_v1_reflection_pb2.ServerReflectionRequest, grpc_reflection_v1_reflection_pb2.ServerReflectionResponse]) -> AsyncIterator[grpc_reflection_v1_reflection_pb2.ServerReflectionResponse]: ...

def add_ServerReflectionServicer_to_server(servicer: ServerReflectionServicer, server: grpc.aio.Server) -> None: ...
