from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.discovery.protocol_pb2 as discovery_protocol_pb2

class DiscoveryStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Discover: grpc.aio.UnaryUnaryMultiCallable[discovery_protocol_pb2.SignedRequest, discovery_protocol_pb2.Response]

class DiscoveryServicer:
    def Discover(self, request: discovery_protocol_pb2.SignedRequest, context: grpc.aio.ServicerContext[discovery_protocol_pb2.SignedRequest, discovery_protocol_pb2.Response]) -> Awaitable[discovery_protocol_pb2.Response]: ...

def add_DiscoveryServicer_to_server(servicer: DiscoveryServicer, server: grpc.aio.Server) -> None: ...
