"""grpc.reflection: which services a server offers, and the files that describe them, out of our own descriptor pool."""

import importlib
import pkgutil
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Final

import grpc
from google.protobuf.descriptor import FileDescriptor

import privysharing.wire
from privysharing.protocol.codec.decode import decode
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.grpc.reflection.v1.reflection_pb2 import (
    ErrorResponse,
    ExtensionNumberResponse,
    FileDescriptorResponse,
    ListServiceResponse,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceResponse,
)
from privysharing.wire.pool import POOL
from services.runtime.rpc.health import BadRequest

QUESTION_BYTES_MAX: Final = 4096  # which is echoed: nothing has so long a name


class Reflection:
    """The servicer. `services`: by full name, what is told of."""

    SERVICE: Final = "grpc.reflection.v1.ServerReflection"
    OLDER: Final = "grpc.reflection.v1alpha.ServerReflection"  # the same messages; some tools know no other

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted((*services, self.SERVICE))
        for module in pkgutil.walk_packages(privysharing.wire.__path__, f"{privysharing.wire.__name__}."):
            if module.name.endswith("_pb2"):
                importlib.import_module(module.name)  # from now on its file is in the pool

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """What a server is given."""
        method: Any = grpc.stream_stream_rpc_method_handler(self.info)
        return tuple(
            grpc.method_handlers_generic_handler(service, {"ServerReflectionInfo": method})
            for service in (self.SERVICE, self.OLDER)
        )

    async def info(self, requests: AsyncIterable[bytes], _context: Any) -> AsyncIterator[bytes]:
        """ServerReflection.ServerReflectionInfo."""
        async for raw in requests:
            if len(raw) > QUESTION_BYTES_MAX:
                raise BadRequest(f"a question has at most {QUESTION_BYTES_MAX} bytes")
            try:
                request = decode(ServerReflectionRequest, raw)
            except MalformedMessage as error:
                raise BadRequest(str(error)) from None
            answer = self._answer(request)
            answer.valid_host = request.host
            answer.original_request.CopyFrom(request)
            yield answer.SerializeToString()

    def _answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        try:
            match request.WhichOneof("message_request"):
                case "list_services":
                    names = [ServiceResponse(name=name) for name in self._services]
                    return ServerReflectionResponse(list_services_response=ListServiceResponse(service=names))
                case "file_by_filename":
                    return _described(POOL.FindFileByName(request.file_by_filename))
                case "file_containing_symbol":
                    return _described(_declaring(request.file_containing_symbol))
                case "all_extension_numbers_of_type":  # nothing here has extensions
                    name = POOL.FindMessageTypeByName(request.all_extension_numbers_of_type).full_name
                    numbers = ExtensionNumberResponse(base_type_name=name)
                    return ServerReflectionResponse(all_extension_numbers_response=numbers)
                case "file_containing_extension":
                    raise KeyError
                case _:
                    return _refused(grpc.StatusCode.INVALID_ARGUMENT, "this is no question")
        except KeyError:
            return _refused(grpc.StatusCode.NOT_FOUND, "not found")


def _declaring(symbol: str) -> FileDescriptor:
    try:
        return POOL.FindFileContainingSymbol(symbol)
    except KeyError:  # the pool does not count methods among its symbols
        return POOL.FindMethodByName(symbol).containing_service.file


def _described(file: FileDescriptor) -> ServerReflectionResponse:
    """A file and everything that it needs."""
    found: dict[str, FileDescriptor] = {}
    waiting = [file]
    while waiting:
        each = waiting.pop()
        if each.name not in found:
            found[each.name] = each
            waiting += each.dependencies
    files = [each.serialized_pb for each in found.values()]
    return ServerReflectionResponse(file_descriptor_response=FileDescriptorResponse(file_descriptor_proto=files))


def _refused(code: grpc.StatusCode, words: str) -> ServerReflectionResponse:
    number: int = code.value[0]
    return ServerReflectionResponse(error_response=ErrorResponse(error_code=number, error_message=words))
