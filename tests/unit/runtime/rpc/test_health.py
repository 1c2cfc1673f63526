"""Anybody who may connect learns whether a node is well, and not why it is not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from services.runtime.config import Address
from services.runtime.grpcserver import GrpcLimits, grpc_server, listen
from services.runtime.metrics import Registry
from services.runtime.rpc import Health, offer
from services.runtime.settings import TELLING_STREAMS_MAX

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


class Node:
    """A server of one service, which may be ill."""

    def __init__(self, server: grpc.aio.Server, channel: grpc.aio.Channel) -> None:
        self.illness: str | None = None
        self.server = server
        self.stub: Any = HealthStub(channel)
        self.raw: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        handlers = (grpc.method_handlers_generic_handler("test.Echo", {}),)
        self.health: Health = offer(server, handlers, lambda: self.illness, reflection=False)

    async def check(self, service: str = "") -> int:
        answer = await self.stub.Check(HealthCheckRequest(service=service))
        return int(answer.status)

    def watch(self, service: str = "") -> Any:
        return self.stub.Watch(HealthCheckRequest(service=service))


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    server = grpc_server(Registry(), GrpcLimits(concurrency=TELLING_STREAMS_MAX | {"grpc.health.v1.Health/Watch": 2}))
    port = listen(server, Address("127.0.0.1", 0), None)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        node = Node(server, channel)
        await server.start()
        yield node
        await server.stop(None)


async def test_it_is_as_well_as_the_node_is_now(node: Node) -> None:
    services = ("", "test.Echo", "grpc.health.v1.Health")
    assert [await node.check(service) for service in services] == [SERVING] * 3
    node.illness = "the disk of /secret/place is full"
    assert [await node.check(service) for service in services] == [NOT_SERVING] * 3
    assert b"secret" not in await node.raw(b"")
    node.illness = None
    assert await node.check() == SERVING


async def test_of_a_service_that_nobody_offers_nothing_is_known(node: Node) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.check("test.Nothing")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert (await node.watch("test.Nothing").read()).status == HealthCheckResponse.SERVICE_UNKNOWN


async def test_bytes_that_are_no_question_are_refused(node: Node) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.raw(b"\xff")
    assert (refused.value.code(), refused.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "not a grpc.health.v1.HealthCheckRequest",
    )


async def test_whoever_watches_is_told_of_changes_and_of_the_end(node: Node) -> None:
    watching = node.watch("test.Echo")
    assert (await watching.read()).status == SERVING
    node.illness = "the disk is full"
    assert (await watching.read()).status == NOT_SERVING
    node.illness = None
    assert (await watching.read()).status == SERVING
    node.health.hang_up()
    assert (await watching.read()).status == NOT_SERVING
    assert await watching.read() is grpc.aio.EOF
    await asyncio.wait_for(node.server.stop(30), 5)  # nobody is left to wait for


async def test_no_more_may_watch_than_the_limit_says(node: Node) -> None:
    held = [node.watch(), node.watch()]
    assert [(await each.read()).status for each in held] == [SERVING, SERVING]
    with pytest.raises(grpc.aio.AioRpcError, match=r"too many requests for /grpc\.health\.v1\.Health/Watch"):
        await node.watch().read()
    assert await node.check() == SERVING
