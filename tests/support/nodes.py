"""Small gRPC servers that answer as a test scripts them: the other end of a client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import grpc

from privysharing.protocol.codec.transactions import encode_proposal_response
from privysharing.protocol.codes import Status
from privysharing.protocol.transactions import ProposalResponse
from privysharing.rpc.channels import open_channel
from privysharing.wire.orderer.ab_pb2 import BroadcastResponse

Stream = Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext[bytes, bytes]], AsyncIterator[bytes]]
Unary = Callable[[bytes, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[bytes]]
Handlers = Mapping[str, "grpc.RpcMethodHandler[bytes, bytes]"]

BROADCAST = "/orderer.AtomicBroadcast/Broadcast"
FILTERED = "/protos.Deliver/DeliverFiltered"
PROCESS_PROPOSAL = "/protos.Endorser/ProcessProposal"


def streams(**by_method: Stream) -> Handlers:
    """Handlers of bidirectional streams; `broadcast`, `filtered`."""
    paths = {"broadcast": BROADCAST, "filtered": FILTERED}
    return {paths[name]: grpc.stream_stream_rpc_method_handler(handler) for name, handler in by_method.items()}


def endorser(handler: Unary) -> Handlers:
    """The handler of ProcessProposal."""
    return {PROCESS_PROPOSAL: grpc.unary_unary_rpc_method_handler(handler)}


def endorsing(answer: Callable[[], ProposalResponse]) -> Handlers:
    """An endorser that answers every proposal alike."""

    async def process(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return encode_proposal_response(answer())

    return endorser(process)


def broadcast_answer(status: int, info: str = "") -> bytes:
    """An orderer's answer to one envelope."""
    answer = BroadcastResponse(info=info)
    answer.status = status  # type: ignore[assignment] # any number travels
    return answer.SerializeToString()


SUCCESS = broadcast_answer(Status.SUCCESS)


@contextlib.asynccontextmanager
async def serving(
    handlers: Handlers, credentials: grpc.ServerCredentials | None = None, port: int = 0
) -> AsyncIterator[int]:
    """A server on a loopback port, for the length of a `with` block; it ends at once and cuts every call off."""
    server = grpc.aio.server()
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    for path, handler in handlers.items():
        _, service, method = path.split("/")
        services.setdefault(service, {})[method] = handler
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items())
    )
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)


@contextlib.asynccontextmanager
async def calling(handlers: Handlers) -> AsyncIterator[grpc.aio.Channel]:
    """A server without TLS, and a channel to it."""
    async with serving(handlers) as port:
        channel = open_channel(f"127.0.0.1:{port}", None)
        try:
            yield channel
        finally:
            await channel.close()


async def until(fact: Callable[[], object]) -> None:
    """Return once something is so."""
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110 - what is waited for happens where no event can be set
            await asyncio.sleep(0.01)


class LostErrors:
    """What an event loop was told about exceptions that nobody awaited."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.found: list[str] = []
        loop.set_exception_handler(self._record)

    def _record(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if "task" in context or "future" in context:  # not gRPC's poller, which outlives the loops of earlier tests
            self.found.append(f"{context.get('message')}: {context.get('exception')!r}")
