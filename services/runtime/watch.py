"""The watch around every call of a gRPC server: it counts, holds callers to limits, and translates what calls raise.

Handlers are coroutines, or async generators for streamed answers, of a request and a `ServedCall`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import grpc

from services.runtime.callers import caller_of
from services.runtime.metrics import Counter, Histogram, Registry
from services.runtime.shares import Shares
from services.runtime.stalled import Stalled

# Requests of single calls on their way in, of which gRPC holds what has come: they wait for each other beyond the first
# number, and the second is shared fairly.
ARRIVING_MAX: Final = 64
ARRIVING_SLOWLY_MAX: Final = 64

GRPC_LOGGER: Final = "grpc._cython.cygrpc"

_log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"  # None: nobody serves the method


class TooManyCalls(Exception):
    """There is no room for a call."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED


class LateRequest(Exception):
    """The request of a single call did not come."""

    status = grpc.StatusCode.DEADLINE_EXCEEDED


def to_status(error: Exception) -> tuple[grpc.StatusCode, str]:
    """What a caller learns of an error: its text if its class has a gRPC `status`, else nothing."""
    status = getattr(error, "status", None)
    if isinstance(status, grpc.StatusCode):
        return status, str(error)
    return grpc.StatusCode.INTERNAL, "internal error"


class _Meters:
    """Fabric's figures for calls, streamed ones or single ones (common/grpcmetrics)."""

    def __init__(self, registry: Registry, kind: str) -> None:
        method = ["service", "method"]
        start = f"grpc_server_{kind}_request"
        self.received = registry.counter(f"{start}s_received", "The number of requests received.", method)
        self.completed = registry.counter(f"{start}s_completed", "The number of requests completed.", [*method, "code"])
        self.duration = registry.histogram(f"{start}_duration", "The time to complete a request.", [*method, "code"])


class _Method:
    """A method that is served: what its calls are counted in, and the limit they share."""

    def __init__(self, path: str, meters: _Meters, shares: Mapping[str, Shares]) -> None:
        _, service, method = path.split("/")
        self.counted = path[1:] if path[1:] in shares else service
        self.shares = shares.get(self.counted)
        self.labels = (service.replace(".", "_"), method)
        self.received = meters.received.of(*self.labels)
        self._meters = meters
        self._ended: dict[str, tuple[Histogram, Counter]] = {}  # by code

    def completed(self, code: str, seconds: float) -> None:
        """Count a call that has ended."""
        ended = self._ended.get(code)
        if ended is None:
            labels = (*self.labels, code)
            ended = self._ended[code] = self._meters.duration.of(*labels), self._meters.completed.of(*labels)
        ended[0].observe(seconds)
        ended[1].inc()


class ServedCall:
    """One call: what its handler is given of it. Around it: what it costs, whether there is room, how it failed."""

    __slots__ = ("_code", "_context", "_has_place", "_method", "_started", "caller")

    def __init__(self, method: _Method, context: Any) -> None:
        self._method = method
        self._context = context
        self._started = time.perf_counter()
        self._has_place = False  # of those that the method has
        self._code = "Canceled"  # unless it gets to its end
        self.caller: Final = caller_of(context)  # gRPC makes a new dictionary of all it knows of him: asked but once

    async def abort(self, status: grpc.StatusCode, text: str) -> NoReturn:
        """End it. Whoever hung up meanwhile is told nothing, and gRPC's complaint about that is no error of ours."""
        self._code = _go_name(status)
        try:
            await self._context.abort(status, text)
        except grpc.aio.AbortError:
            raise
        except Exception:
            raise asyncio.CancelledError from None
        raise AssertionError("abort raises")

    def peer(self) -> str:
        """The address at the other end of the connection, in gRPC's words."""
        return str(self._context.peer())

    async def __aenter__(self) -> None:
        method = self._method
        method.received.inc()
        if method.shares is not None:
            if (refusal := method.shares.refusal(self.caller)) is not None:
                error = TooManyCalls(f"too many requests for /{method.counted}, exceeding {refusal}")
                await self.__aexit__(None, error, None)  # which raises
            method.shares.take(self.caller)
            self._has_place = True

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        method = self._method
        try:
            if error is None:
                self._code = "OK"
            elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
                status, text = to_status(error)
                if status is grpc.StatusCode.INTERNAL:
                    _log.error("call failed", extra={"method": "/".join(method.labels)}, exc_info=error)
                await self.abort(status, text)
        finally:
            if method.shares is not None and self._has_place:
                method.shares.give_back(self.caller)
            method.completed(self._code, time.perf_counter() - self._started)


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """A handler, and what gRPC is given instead."""

    handler: Any
    watched: Handler
    slow: Handler = None  # of a single call, for when many requests have begun and not come


class Watch(grpc.aio.ServerInterceptor):
    """`concurrency`: calls in progress, of a service (protos.Endorser) or of one method (protos.Deliver/Deliver)."""

    def __init__(
        self, registry: Registry, concurrency: Mapping[str, int], *, request_seconds: float, unread_seconds: float
    ) -> None:
        self._unary = _Meters(registry, "unary")
        self._stream = _Meters(registry, "stream")
        method = ["service", "method"]
        self._sent = registry.counter("grpc_server_stream_messages_sent", "Messages sent on streams.", method)
        self._got = registry.counter("grpc_server_stream_messages_received", "Messages received on streams.", method)
        self._shares = {name: Shares(limit) for name, limit in concurrency.items()}
        self._request_seconds = request_seconds
        self._stalled = Stalled(unread_seconds)
        self._wrapped: dict[str, _Wrapped] = {}  # by path, of methods that are served
        self._arriving: set[asyncio.Task[Any]] = set()  # gRPC's, one for each call
        self._arriving_slowly = Shares(ARRIVING_SLOWLY_MAX)
        logging.getLogger(GRPC_LOGGER).addFilter(_is_news)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """What serves one call: the same for all calls of a method, as long as its handler is the same."""
        handler, path = await continuation(handler_call_details), handler_call_details.method
        if handler is None:  # nobody serves the method, and gRPC says UNIMPLEMENTED by itself
            return None
        wrapped = self._wrapped.get(path)
        if wrapped is None or wrapped.handler is not handler:
            wrapped = self._wrapped[path] = self._wrap(handler, path)
        if wrapped.slow is None:
            return wrapped.watched
        if len(self._arriving) >= ARRIVING_MAX:
            return wrapped.slow
        self._arrives()
        return wrapped.watched

    def _arrives(self) -> None:
        """A single call has begun: gRPC reads its request, and until then nobody knows whose it is."""
        task = asyncio.current_task()
        assert task is not None
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _arrived(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._arriving.discard(task)
        task.remove_done_callback(self._arriving.discard)

    def _wrap(self, handler: Any, path: str) -> _Wrapped:
        codecs = (handler.request_deserializer, handler.response_serializer)
        if not handler.request_streaming and not handler.response_streaming:
            method = _Method(path, self._unary, self._shares)
            single, slow = self._single(handler.unary_unary, method), self._slow(handler.unary_unary, method)
            return _Wrapped(
                handler,
                grpc.unary_unary_rpc_method_handler(single, *codecs),
                grpc.stream_stream_rpc_method_handler(slow, *codecs),
            )
        method = _Method(path, self._stream, self._shares)
        if not handler.request_streaming:
            many = self._many(handler.unary_stream, method)
            return _Wrapped(handler, grpc.unary_stream_rpc_method_handler(many, *codecs))
        assert handler.response_streaming, "a stream with a single answer is not in any protocol we serve"
        many = self._many(handler.stream_stream, method)
        return _Wrapped(handler, grpc.stream_stream_rpc_method_handler(many, *codecs))

    def _single(self, behaviour: Any, method: _Method) -> Any:
        """Single calls of which gRPC reads the request."""

        async def watched(request: object, context: Any) -> object:
            self._arrived()
            call = ServedCall(method, context)
            async with call:
                return await behaviour(request, call)

        return watched

    def _slow(self, behaviour: Any, method: _Method) -> Any:
        """The same when many requests have begun and not come, whose senders may have no mind to end them.

        To the caller there is no difference: single calls are streams of one message.
        """

        async def watched(requests: AsyncIterator[object], context: Any) -> AsyncIterator[object]:
            call = ServedCall(method, context)
            async with call:
                async with self._arriving_slowly.one(call.caller):
                    request = await self._request(requests)
                yield await behaviour(request, call)

        return watched

    async def _request(self, requests: AsyncIterator[object]) -> object:
        try:
            async with asyncio.timeout(self._request_seconds):
                return await anext(requests)
        except (TimeoutError, StopAsyncIteration):
            raise LateRequest("the request did not arrive in time") from None

    def _many(self, behaviour: Any, method: _Method) -> Any:
        sent, got = self._sent.of(*method.labels), self._got.of(*method.labels)

        async def watched(request: Any, context: Any) -> AsyncIterator[object]:
            incoming = _count_each(request, got) if isinstance(request, AsyncIterable) else request
            call = ServedCall(method, context)
            peer = call.peer()
            async with call, aclosing(behaviour(incoming, call)) as answers:
                async for answer in answers:
                    sent.inc()
                    waiting = self._stalled.begin(peer)
                    try:
                        yield answer
                    finally:
                        self._stalled.end(waiting)

        return watched


def _is_news(record: logging.LogRecord) -> bool:
    """Not so that somebody hung up while he was being answered: gRPC would print a screen of it for each call."""
    return not str(record.msg).startswith("ExecuteBatchError raised in core")


async def _count_each(messages: AsyncIterable[object], got: Counter) -> AsyncIterator[object]:
    async for message in messages:
        got.inc()
        yield message


def _go_name(code: grpc.StatusCode) -> str:
    """A status as grpc-go prints it, and so Fabric's dashboards: InvalidArgument, Canceled."""
    return "Canceled" if code is grpc.StatusCode.CANCELLED else code.name.title().replace("_", "")
