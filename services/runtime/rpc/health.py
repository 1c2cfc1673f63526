"""grpc.health.v1.Health: yes or no. A node that is not well is so with all its services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import grpc

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.grpc.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

LOOK_SECONDS: Final = 1.0  # how soon whoever watches learns of a change

_Status = HealthCheckResponse.ServingStatus


class BadRequest(Exception):
    """The bytes are no question."""

    status = grpc.StatusCode.INVALID_ARGUMENT


class UnknownService(Exception):
    """Nobody offers it here."""

    status = grpc.StatusCode.NOT_FOUND


class Health:
    """The servicer. `services`: by full name, what the server offers."""

    SERVICE: Final = "grpc.health.v1.Health"

    def __init__(self, services: Iterable[str], illness: Callable[[], str | None]) -> None:
        self._known = {"", self.SERVICE, *services}
        self._illness = illness
        self._leaving = asyncio.Event()

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        check: Any = grpc.unary_unary_rpc_method_handler(self.check)
        watch: Any = grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.method_handlers_generic_handler(self.SERVICE, {"Check": check, "Watch": watch})

    async def check(self, request: bytes, _context: Any) -> bytes:
        """Health.Check."""
        service = _service(request)
        if service not in self._known:
            raise UnknownService("unknown service")
        return self._answer(service)

    async def watch(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        """Health.Watch."""
        service, told = _service(request), b""
        last = False
        while not last:
            last = self._leaving.is_set()
            if (answer := self._answer(service)) != told:
                yield (told := answer)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), LOOK_SECONDS)

    def hang_up(self) -> None:
        """The server is about to stop: tell whoever watches."""
        self._leaving.set()

    def _answer(self, service: str) -> bytes:
        return HealthCheckResponse(status=self._status(service)).SerializeToString()

    def _status(self, service: str) -> "_Status":
        if service not in self._known:
            return HealthCheckResponse.SERVICE_UNKNOWN
        if self._leaving.is_set() or self._illness() is not None:
            return HealthCheckResponse.NOT_SERVING
        return HealthCheckResponse.SERVING


def _service(request: bytes) -> str:
    try:
        return decode(HealthCheckRequest, request).service
    except MalformedMessage as error:
        raise BadRequest(str(error)) from None
