"""Both halves of a batch stream on loopback: a service that answers as a test says, and a bare sender."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import grpc

from privysharing.protocol.batches import BatchAnswer, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.batches import encode_batch_request, parse_batch_response
from privysharing.rpc.channels import open_channel
from services.runtime.batching import BatchCalls, BatchLimits, Call
from services.runtime.config import Address
from services.runtime.grpcserver import grpc_server, listen
from services.runtime.metrics import Registry

ECHO = "/test.Echo/Call"
BatchHandler = grpc.GenericRpcHandler


class Echo:
    """Answers each call with its payload; those that begin with `wait` when it is told to."""

    def __init__(self, limits: BatchLimits | None = None) -> None:
        self.calls = BatchCalls(self._begin, limits or BatchLimits())
        self.begun: list[bytes] = []
        self.messages: list[int] = []  # how many calls each brought
        self.waiting: dict[bytes, Call] = {}

    def _begin(self, calls: Sequence[Call]) -> None:
        self.messages.append(len(calls))
        for call in calls:
            self.begun.append(call.payload)
            if call.payload.startswith(b"wait"):
                self.waiting[call.payload] = call
            else:
                call.answer(call.payload)

    async def serve(self, requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        async with contextlib.aclosing(self.calls.serve(requests)) as responses:
            async for response in responses:
                yield response

    def handler(self, path: str = ECHO) -> BatchHandler:
        _, service, method = path.split("/")
        return grpc.method_handlers_generic_handler(
            service, {method: grpc.stream_stream_rpc_method_handler(self.serve)}
        )


@contextlib.asynccontextmanager
async def listening(*handlers: BatchHandler, port: int = 0) -> AsyncIterator[int]:
    """Our gRPC server with these services; the port. It ends at once and cuts every call off."""
    server = grpc_server(Registry())
    server.add_generic_rpc_handlers(handlers)
    bound = listen(server, Address("127.0.0.1", port), None)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)


@contextlib.asynccontextmanager
async def connected(*handlers: BatchHandler) -> AsyncIterator[grpc.aio.Channel]:
    """Such a server, and a channel to it."""
    async with listening(*handlers) as port:
        channel = open_channel(f"127.0.0.1:{port}", None)
        try:
            yield channel
        finally:
            await channel.close()


class Sender:
    """One end of a stream, without any manners of its own."""

    def __init__(self, channel: grpc.aio.Channel, path: str = ECHO) -> None:
        self.stream: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(path)()

    async def send(self, *items: BatchItem) -> None:
        await self.stream.write(encode_batch_request(items))

    async def response(self) -> BatchResponse | None:
        """The next response, None at the end."""
        async with asyncio.timeout(10):
            raw = await self.stream.read()
        return parse_batch_response(raw) if isinstance(raw, bytes) else None

    async def end(self) -> None:
        """Return at the good end of the stream; raise AioRpcError at any other."""
        while await self.response() is not None:
            pass

    async def answers(self, count: int) -> dict[int, bytes | CallFailed]:
        """So many answers, by id; those of each response must not be answered twice."""
        found: list[BatchAnswer] = []
        while len(found) < count:
            response = await self.response()
            assert response is not None
            found += response.answers
        assert len({answer.id for answer in found}) == len(found) == count
        return {answer.id: answer.outcome for answer in found}


def item(number: int, payload: bytes, deadline_ms: int = 0) -> BatchItem:
    return BatchItem(number, deadline_ms, payload)
