"""The watch around every call of a gRPC server: it counts, holds callers to limits, and translates what calls raise.

Handlers are coroutines, or async generators for streamed answers, and never touch `context.read` or `context.write`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeAlias

import grpc

from services.runtime.callers import caller_of
from services.runtime.metrics import Counter, Registry
from services.runtime.shares import Shares
from services.runtime.stalled import Stalled

# Requests of single calls on their way in, of which gRPC holds what has come: they wait for each other beyond the first
# number, and the second is shared fairly.
ARRIVING_MAX: Final = 64
ARRIVING_SLOWLY_MAX: Final = 64

GRPC_LOGGER: Final = "grpc._cython.cygrpc"

_log = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"  # None: nobody serves the method


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
        self._arriving: set[object] = set()
        self._arriving_slowly = Shares(ARRIVING_SLOWLY_MAX)
        logging.getLogger(GRPC_LOGGER).addFilter(_is_news)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        # A method that nobody serves has no handler, and gRPC says UNIMPLEMENTED by itself.
        return self._wrap(handler, handler_call_details.method) if handler is not None else None

    def _wrap(self, handler: Any, path: str) -> Handler:
        _, service, method = path.split("/")
        counted = path[1:] if path[1:] in self._shares else service
        labels = (service.replace(".", "_"), method)
        codecs = (handler.request_deserializer, handler.response_serializer)
        if not handler.request_streaming and not handler.response_streaming:
            if len(self._arriving) < ARRIVING_MAX:
                return grpc.unary_unary_rpc_method_handler(self._single(handler.unary_unary, counted, labels), *codecs)
            return grpc.stream_stream_rpc_method_handler(self._slow(handler.unary_unary, counted, labels), *codecs)
        if not handler.request_streaming:
            return grpc.unary_stream_rpc_method_handler(self._many(handler.unary_stream, counted, labels), *codecs)
        assert handler.response_streaming, "a stream with a single answer is not in any protocol we serve"
        return grpc.stream_stream_rpc_method_handler(self._many(handler.stream_stream, counted, labels), *codecs)

    def _single(self, behaviour: Any, counted: str, labels: tuple[str, str]) -> Any:
        """A single call of which gRPC reads the request: until then nobody knows whose it is."""
        call, task = object(), asyncio.current_task()
        self._arriving.add(call)
        if task is not None:  # gRPC's, which ends with the call
            task.add_done_callback(lambda _: self._arriving.discard(call))

        async def watched(request: object, context: Any) -> object:
            self._arriving.discard(call)
            async with self._call(self._unary, counted, labels, context):
                return await behaviour(request, context)

        return watched

    def _slow(self, behaviour: Any, counted: str, labels: tuple[str, str]) -> Any:
        """The same when many requests have begun and not come, whose senders may have no mind to end them.

        To the caller there is no difference: single calls are streams of one message.
        """

        async def watched(requests: AsyncIterator[object], context: Any) -> AsyncIterator[object]:
            async with self._call(self._unary, counted, labels, context):
                async with self._arriving_slowly.one(caller_of(context)):
                    request = await self._request(requests)
                yield await behaviour(request, context)

        return watched

    async def _request(self, requests: AsyncIterator[object]) -> object:
        try:
            async with asyncio.timeout(self._request_seconds):
                return await anext(requests)
        except (TimeoutError, StopAsyncIteration):
            raise LateRequest("the request did not arrive in time") from None

    def _many(self, behaviour: Any, counted: str, labels: tuple[str, str]) -> Any:
        sent, got = self._sent.of(*labels), self._got.of(*labels)

        async def watched(request: Any, context: Any) -> AsyncIterator[object]:
            incoming = _count_each(request, got) if isinstance(request, AsyncIterable) else request
            call, peer = self._call(self._stream, counted, labels, context), context.peer()
            async with call, aclosing(behaviour(incoming, context)) as answers:
                async for answer in answers:
                    sent.inc()
                    waiting = self._stalled.begin(peer)
                    try:
                        yield answer
                    finally:
                        self._stalled.end(waiting)

        return watched

    @asynccontextmanager
    async def _call(self, meters: _Meters, counted: str, labels: tuple[str, str], context: Any) -> AsyncIterator[None]:
        """Around one call: what it costs, whether there is room for it, and how it failed."""
        meters.received.of(*labels).inc()
        started = time.perf_counter()
        code = "Canceled"  # unless the call gets to its end
        shares, caller = self._shares.get(counted), None
        try:
            if shares is not None:
                asking = caller_of(context)
                if (refusal := shares.refusal(asking)) is not None:
                    text = f"too many requests for /{counted}, exceeding {refusal}"
                    await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text)
                caller = asking
                shares.take(caller)
            yield
            code = _go_name(context.code())
        except grpc.aio.AbortError:
            code = _go_name(context.code())
            raise
        except Exception as error:
            status, text = to_status(error)
            code = _go_name(status)
            if status is grpc.StatusCode.INTERNAL:
                _log.error("call failed", extra={"method": "/".join(labels)}, exc_info=True)
            await _abort(context, status, text)
        finally:
            if shares is not None and caller is not None:
                shares.give_back(caller)
            meters.duration.of(*labels, code).observe(time.perf_counter() - started)
            meters.completed.of(*labels, code).inc()


def _is_news(record: logging.LogRecord) -> bool:
    """Not so that somebody hung up while he was being answered: gRPC would print a screen of it for each call."""
    return not str(record.msg).startswith("ExecuteBatchError raised in core")


async def _abort(context: Any, status: grpc.StatusCode, text: str) -> None:
    """End a call. Whoever hung up meanwhile is told nothing, and gRPC's complaint about that is no error of ours."""
    try:
        await context.abort(status, text)
    except grpc.aio.AbortError:
        raise
    except Exception:
        raise asyncio.CancelledError from None


async def _count_each(messages: AsyncIterable[object], got: Counter) -> AsyncIterator[object]:
    async for message in messages:
        got.inc()
        yield message


def _go_name(code: object) -> str:
    """A status as grpc-go prints it, and so Fabric's dashboards: InvalidArgument, OK, Canceled."""
    if code in (None, 0, grpc.StatusCode.OK):
        return "OK"
    if code is grpc.StatusCode.CANCELLED:
        return "Canceled"
    name = code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN"
    return name.title().replace("_", "")
