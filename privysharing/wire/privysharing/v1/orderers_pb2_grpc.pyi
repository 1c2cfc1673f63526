from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.privysharing.v1.orderers_pb2 as privysharing_v1_orderers_pb2

class OrdererDirectoryStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Live: grpc.aio.UnaryUnaryMultiCallable[privysharing_v1_orderers_pb2.LiveRequest, privysharing_v1_orderers_pb2.LiveOrderers]

class OrdererDirectoryServicer:
    def Live(self, request: privysharing_v1_orderers_pb2.LiveRequest, context: grpc.aio.ServicerContext[privysharing_v1_orderers_pb2.LiveRequest, privysharing_v1_orderers_pb2.LiveOrderers]) -> Awaitable[privysharing_v1_orderers_pb2.LiveOrderers]: ...

def add_OrdererDirectoryServicer_to_server(servicer: OrdererDirectoryServicer, server: grpc.aio.Server) -> None: ...
