from collections.abc import AsyncIterator, Awaitable

import grpc.aio

import privysharing.wire.grpc.health.v1.health_pb2 as grpc_health_v1_health_pb2

class HealthStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Check: grpc.aio.UnaryUnaryMultiCallable[grpc_health_v1_health_pb2.HealthCheckRequest, grpc_health_v1_health_pb2.HealthCheckResponse]
    Watch: grpc.aio.UnaryStreamMultiCallable[grpc_health_v1_health_pb2.HealthCheckRequest, grpc_health_v1_health_pb2.HealthCheckResponse]

class HealthServicer:
    def Check(self, request: grpc_health_v1_health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[grpc_health_v1_health_pb2.HealthCheckRequest, grpc_health_v1_health_pb2.HealthCheckResponse]) -> Awaitable[grpc_health_v1_health_pb2.HealthCheckResponse]: ...
    def Watch(self, request: grpc_health_v1_health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[grpc_health_v1_health_pb2.HealthCheckRequest, grpc_health_v1_health_pb2.HealthCheckResponse]) -> AsyncIterator[grpc_health_v1_health_pb2.HealthCheckResponse]: ...

def add_HealthServicer_to_server(servicer: HealthServicer, server: grpc.aio.Server) -> None: ...
