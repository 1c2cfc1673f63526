"""gRPC servers count every call as Fabric does, hold services to their limit, and leak no error's text."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from services.runtime import watch
from services.runtime.config import Address, ConfigError
from services.runtime.grpcserver import GrpcLimits, ServerTls, grpc_server, listen
from services.runtime.metrics import Registry

ANY_PORT = Address("127.0.0.1", 0)


class Refused(Exception):
    status = grpc.StatusCode.FAILED_PRECONDITION


class Echo:
    """Answers what it is told, unless it is told to fail."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def one(self, request: bytes, context: Any) -> bytes:
        if request == b"refuse":
            raise Refused("come back later")
        if request == b"fail":
            raise RuntimeError("secret in a message")
        if request == b"wait":
            await self.release.wait()
        if request == b"long":
            return b"x" * 30_000
        return request

    async def many(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            if request == b"abort":
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
            yield request
            if request == b"wait":
                await self.release.wait()
            yield request

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "test.Echo",
            {
                "One": grpc.unary_unary_rpc_method_handler(self.one),
                "Many": grpc.stream_stream_rpc_method_handler(self.many),
            },
        )


class Running:
    def __init__(self, server: grpc.aio.Server, channel: grpc.aio.Channel, registry: Registry, echo: Echo) -> None:
        self.server, self.registry, self.echo = server, registry, echo
        self.one: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/One")
        self.many: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/test.Echo/Many")
        self.begin: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/test.Echo/One")
        self.nobody: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Nobody")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    registry, echo = Registry(), Echo()
    server = grpc_server(
        registry,
        GrpcLimits(message_bytes_max=20_000, request_seconds=0.3, concurrency={"test.Echo": 2, "test.Echo/Many": 1}),
    )
    server.add_generic_rpc_handlers((echo.handlers(),))
    port = listen(server, ANY_PORT, None)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Running(server, channel, registry, echo)
    await server.stop(None)


async def until(running: Running, sample: str) -> None:
    """Wait until the metrics page shows a sample."""
    for _ in range(500):
        if sample in running.registry.render():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"never saw {sample} in {running.registry.render()}")


async def failure(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def test_a_single_call_is_counted(running: Running) -> None:
    assert await running.one(b"hello") == b"hello"
    page = running.registry.render()
    assert 'grpc_server_unary_requests_received{service="test_Echo",method="One"} 1' in page
    assert 'grpc_server_unary_requests_completed{service="test_Echo",method="One",code="OK"} 1' in page
    assert 'grpc_server_unary_request_duration_count{service="test_Echo",method="One",code="OK"} 1' in page


async def test_an_error_with_a_status_keeps_its_text_and_any_other_loses_it(running: Running) -> None:
    assert await failure(running.one(b"refuse")) == (grpc.StatusCode.FAILED_PRECONDITION, "come back later")
    assert await failure(running.one(b"fail")) == (grpc.StatusCode.INTERNAL, "internal error")
    page = running.registry.render()
    assert 'completed{service="test_Echo",method="One",code="FailedPrecondition"} 1' in page
    assert 'completed{service="test_Echo",method="One",code="Internal"} 1' in page


async def test_messages_of_a_stream_are_counted_both_ways(running: Running) -> None:
    call = running.many(iter([b"a", b"b"]))
    assert [answer async for answer in call] == [b"a", b"a", b"b", b"b"]
    page = running.registry.render()
    assert 'grpc_server_stream_messages_received{service="test_Echo",method="Many"} 2' in page
    assert 'grpc_server_stream_messages_sent{service="test_Echo",method="Many"} 4' in page
    assert 'grpc_server_stream_requests_completed{service="test_Echo",method="Many",code="OK"} 1' in page


async def test_an_aborted_stream_is_counted_with_its_status(running: Running) -> None:
    call = running.many(iter([b"abort"]))
    with pytest.raises(grpc.aio.AioRpcError, match="bad"):
        _ = [answer async for answer in call]
    assert 'completed{service="test_Echo",method="Many",code="InvalidArgument"} 1' in running.registry.render()


async def test_a_cancelled_call_is_counted_as_cancelled(running: Running) -> None:
    call = running.many()
    await call.write(b"wait")
    assert await call.read() == b"wait"
    call.cancel()
    await until(running, 'method="Many",code="Canceled"} 1')


async def test_more_calls_than_the_limit_are_refused_at_once_and_room_comes_back(running: Running) -> None:
    waiting = [running.one(b"wait"), running.one(b"wait")]
    await until(running, 'received{service="test_Echo",method="One"} 2')
    expected = "too many requests for /test.Echo, exceeding concurrency limit (2)"
    assert await failure(running.one(b"hello")) == (grpc.StatusCode.RESOURCE_EXHAUSTED, expected)
    running.echo.release.set()
    assert [await call for call in waiting] == [b"wait", b"wait"]
    assert await running.one(b"hello") == b"hello"


async def test_whose_request_has_come_holds_no_place_of_those_still_on_their_way(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "ARRIVING_MAX", 1)
    served = running.one(b"wait")
    await until(running, 'received{service="test_Echo",method="One"} 1')
    first, second = running.begin(), running.begin()
    late = (grpc.StatusCode.DEADLINE_EXCEEDED, "the request did not arrive in time")
    assert await failure(second.read()) == late
    assert not first.done()
    first.cancel()
    running.echo.release.set()
    assert await served == b"wait"


async def test_a_method_with_a_limit_of_its_own_takes_no_room_from_its_service(running: Running) -> None:
    held = running.many()
    await held.write(b"wait")
    assert await held.read() == b"wait"
    second = running.many(iter([b"a"]))
    with pytest.raises(grpc.aio.AioRpcError, match=r"too many requests for /test\.Echo/Many, .* limit \(1\)"):
        _ = [answer async for answer in second]
    assert [await call for call in [running.one(b"a"), running.one(b"b")]] == [b"a", b"b"]
    running.echo.release.set()
    await held.done_writing()
    assert await held.read() == b"wait"


async def test_a_request_above_the_limit_is_refused_and_a_longer_answer_is_not(running: Running) -> None:
    code, text = await failure(running.one(b"x" * 20_001))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max (20001 vs. 20000)" in text
    assert await running.one(b"x" * 20_000)
    assert len(await running.one(b"long")) == 30_000


async def test_a_method_that_nobody_serves_is_unimplemented(running: Running) -> None:
    assert (await failure(running.nobody(b"")))[0] == grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_in_use_is_an_error(running: Running) -> None:
    first = grpc_server(Registry())
    port = listen(first, ANY_PORT, None)
    await first.start()
    named = rf"peer\.listenAddress: 127\.0\.0\.1:{port} is not an address of this host with a free port$"
    with pytest.raises(ConfigError, match=named):
        listen(grpc_server(Registry()), Address("127.0.0.1", port), None, "peer.listenAddress")
    broken = ServerTls(b"no certificate", b"no key", client_auth_required=False)
    with pytest.raises(ConfigError, match="with the TLS certificate and key given"):
        listen(grpc_server(Registry()), ANY_PORT, broken)
    await first.stop(None)


def test_no_more_connections_are_taken_than_leave_files_for_the_ledger(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    made: list[Any] = []
    grpc_server(Registry(), GrpcLimits(), lambda **settings: made.append(settings["options"]))  # type: ignore[arg-type,return-value]
    grpc_server(Registry(), GrpcLimits(connections_max=768), lambda **settings: made.append(settings["options"]))  # type: ignore[arg-type,return-value]
    assert [dict(options)["grpc.max_allowed_incoming_connections"] for options in made] == [768, 768]
    assert [record.getMessage() for record in caplog.records] == ["fewer connections than set, for want of open files"]
