from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.gossip.message_pb2 as gossip_message_pb2

class GossipStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    GossipStream: grpc.aio.StreamStreamMultiCallable[gossip_message_pb2.Envelope, gossip_message_pb2.Envelope]
    Ping: grpc.aio.UnaryUnaryMultiCallable[gossip_message_pb2.Empty, gossip_message_pb2.Empty]

class GossipServicer:
    def GossipStream(self, request_iterator: AsyncIterator[gossip_message_pb2.Envelope], context: grpc.aio.ServicerContext[gossip_message_pb2.Envelope, gossip_message_pb2.Envelope]) -> AsyncIterator[gossip_message_pb2.Envelope]: ...
    def Ping(self, request: gossip_message_pb2.Empty, context: grpc.aio.ServicerContext[gossip_message_pb2.Empty, gossip_message_pb2.Empty]) -> Awaitable[gossip_message_pb2.Empty]: ...

def add_GossipServicer_to_server(servicer: GossipServicer, server: grpc.aio.Server) -> None: ...
