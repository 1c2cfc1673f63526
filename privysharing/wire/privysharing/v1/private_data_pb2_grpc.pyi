from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.privysharing.v1.private_data_pb2 as privysharing_v1_private_data_pb2

class PrivateDataStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Exchange: grpc.aio.UnaryUnaryMultiCallable[privysharing_v1_private_data_pb2.SignedRequest, privysharing_v1_private_data_pb2.SignedResponse]

class PrivateDataServicer:
    def Exchange(self, request: privysharing_v1_private_data_pb2.SignedRequest, context: grpc.aio.ServicerContext[privysharing_v1_private_data_pb2.SignedRequest, privysharing_v1_private_data_pb2.SignedResponse]) -> Awaitable[privysharing_v1_private_data_pb2.SignedResponse]: ...

def add_PrivateDataServicer_to_server(servicer: PrivateDataServicer, server: grpc.aio.Server) -> None: ...
