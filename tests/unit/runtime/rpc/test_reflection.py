"""Where it is configured, a server describes its services; elsewhere it says nothing of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from privysharing.wire.grpc.reflection.v1.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)
from services.orderer import rpc as orderer
from services.peer import rpc as peer
from services.runtime.config import Address
from services.runtime.grpcserver import GrpcLimits, grpc_server, listen
from services.runtime.metrics import Registry
from services.runtime.rpc import offer
from services.runtime.rpc.reflection import QUESTION_BYTES_MAX, Reflection

SERVICES = (
    orderer.SERVICE,
    orderer.BATCH_SERVICE,
    orderer.DIRECTORY_SERVICE,
    peer.ENDORSER,
    peer.BATCH_ENDORSER,
    peer.DELIVER,
    peer.PRIVATE_DATA,
)


@asynccontextmanager
async def serving(*, reflection: bool) -> AsyncIterator[int]:
    """A server that offers what all our nodes offer; gives its port."""
    server = grpc_server(Registry(), GrpcLimits())
    handlers = [grpc.method_handlers_generic_handler(service, {}) for service in SERVICES]
    offer(server, handlers, lambda: None, reflection=reflection)
    port = listen(server, Address("127.0.0.1", 0), None)
    await server.start()
    yield port
    await server.stop(None)


async def ask(port: int, *questions: bytes) -> list[ServerReflectionResponse]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.stream_stream(f"/{Reflection.SERVICE}/ServerReflectionInfo")
        return [ServerReflectionResponse.FromString(answer) async for answer in method(iter(questions))]


async def answer_to(port: int, **question: Any) -> ServerReflectionResponse:
    request = ServerReflectionRequest(host="city", **question)
    (answer,) = await ask(port, request.SerializeToString())
    assert (answer.valid_host, answer.original_request) == ("city", request)
    return answer


async def test_services_are_listed_by_name() -> None:
    async with serving(reflection=True) as port:
        answer = await answer_to(port, list_services="")
    names = [service.name for service in answer.list_services_response.service]
    assert names == sorted([*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"])


@contextmanager
def described(port: int) -> Iterator[DescriptorPool]:
    """What a client that has none of our files learns of them."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


@pytest.mark.parametrize("service", [*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"])
async def test_every_service_is_described_down_to_its_messages(service: str) -> None:
    async with serving(reflection=True) as port:

        def methods() -> list[tuple[str, str]]:
            with described(port) as pool:
                found = pool.FindServiceByName(service)
                return [(method.input_type.full_name, method.output_type.full_name) for method in found.methods]

        assert await asyncio.to_thread(methods)


async def test_a_file_comes_with_all_that_it_imports() -> None:
    async with serving(reflection=True) as port:
        by_symbol = await answer_to(port, file_containing_symbol="orderer.AtomicBroadcast.Deliver")
        by_name = await answer_to(port, file_by_filename="orderer/ab.proto")
    files = by_symbol.file_descriptor_response.file_descriptor_proto
    assert files == by_name.file_descriptor_response.file_descriptor_proto
    pool = DescriptorPool()
    for file in reversed(files):
        pool.AddSerializedFile(file)
    assert pool.FindServiceByName("orderer.AtomicBroadcast").methods_by_name["Deliver"].server_streaming


@pytest.mark.parametrize(
    "question",
    [
        {"file_by_filename": "secrets.proto"},
        {"file_by_filename": "../../../etc/passwd"},
        {"file_containing_symbol": "orderer.Nothing"},
        {"all_extension_numbers_of_type": "orderer.Nothing"},
        {"file_containing_extension": ExtensionRequest(containing_type="common.Envelope", extension_number=9)},
    ],
    ids=str,
)
async def test_what_is_not_there_is_not_found(question: dict[str, Any]) -> None:
    async with serving(reflection=True) as port:
        answer = await answer_to(port, **question)
    assert (answer.error_response.error_code, answer.error_response.error_message) == (5, "not found")


async def test_messages_have_no_extensions() -> None:
    async with serving(reflection=True) as port:
        answer = await answer_to(port, all_extension_numbers_of_type="common.Envelope")
    assert answer.all_extension_numbers_response.base_type_name == "common.Envelope"
    assert not answer.all_extension_numbers_response.extension_number


async def test_what_is_no_question_is_refused() -> None:
    async with serving(reflection=True) as port:
        (empty,) = await ask(port, b"")
        assert empty.error_response.error_code == 3
        with pytest.raises(grpc.aio.AioRpcError, match=r"not a grpc\.reflection\.v1\.ServerReflectionRequest"):
            await ask(port, b"\xff")
        long = ServerReflectionRequest(file_by_filename="x" * QUESTION_BYTES_MAX).SerializeToString()
        with pytest.raises(grpc.aio.AioRpcError, match=f"at most {QUESTION_BYTES_MAX} bytes"):
            await ask(port, long)


@pytest.mark.parametrize("service", [Reflection.SERVICE, Reflection.OLDER])
async def test_unless_it_is_asked_for_nothing_is_described(service: str) -> None:
    async with serving(reflection=False) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        # One question and one answer, on the wire as in a stream; which may find itself refused before it has asked.
        method: Any = channel.unary_unary(f"/{service}/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method(b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
