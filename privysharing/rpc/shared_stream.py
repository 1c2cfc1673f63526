"""One stream to a node that many callers share: opened when there is something to send, and again when it has ended."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import grpc

from privysharing.rpc.deadlines import Deadlines
from privysharing.rpc.errors import NodeRefused, NodeUnavailable

UNANSWERED_MAX = 10_000  # messages that one node has not answered, or not even been sent

A = TypeVar("A")  # what a message is answered with


class Sending(Generic[A]):
    """One message. Its answer is done, too, when its caller has given up or its time is over."""

    __slots__ = ("answer", "deadline", "message", "sent", "timeout_s")

    def __init__(self, message: bytes, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.message = message
        self.timeout_s = timeout_s
        self.deadline = loop.time() + timeout_s
        self.answer: asyncio.Future[A] = loop.create_future()
        self.sent = False  # written, or about to be


class SharedStream(ABC, Generic[A]):
    """A line of messages, and a task that sends them. What is answered, in which order, each service says itself."""

    def __init__(self, node: str, channel: grpc.aio.Channel, method: str) -> None:
        self.node = node
        self._open: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method)
        self._unwritten: deque[Sending[A]] = deque()
        self._deadlines = Deadlines(self._expire)
        self._more = asyncio.Event()  # there is something to write, or room for it
        self._stream: grpc.aio.StreamStreamCall[bytes, bytes] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._closed = False

    async def close(self) -> None:
        """End the stream for good. What is not answered fails with NodeUnavailable."""
        self._closed = True
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._fail(NodeUnavailable(self.node, "the client closed the stream"))
        self._deadlines.close()

    @abstractmethod
    async def _converse(self) -> None:
        """One stream, until either side ends it."""

    @abstractmethod
    async def _write(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        """Send what comes into the line, for ever."""

    @abstractmethod
    def _fail(self, error: Exception) -> None:
        """Answer everybody with an error."""

    @abstractmethod
    def _expire(self, sending: Sending[A]) -> None:
        """Answer somebody whose time is over."""

    def _send(self, message: bytes, timeout_s: float, size_max: int, unanswered: int) -> "asyncio.Future[A]":
        """Send a message when its turn comes; not one that would end the stream for everybody, or wait for ever."""
        sending: Sending[A] = Sending(message, timeout_s)
        if self._closed:
            sending.answer.set_exception(NodeUnavailable(self.node, "the client has closed the stream", sent=False))
        elif len(message) > size_max:
            found = f"a message of {len(message)} bytes is larger than max ({size_max})"
            refused = NodeRefused(self.node, grpc.StatusCode.RESOURCE_EXHAUSTED, found, sent=False)
            sending.answer.set_exception(refused)
        elif len(self._unwritten) + unanswered >= UNANSWERED_MAX:
            found = f"{UNANSWERED_MAX} messages wait for an answer already"
            sending.answer.set_exception(NodeUnavailable(self.node, found, sent=False))
        else:
            self._line_up(sending)
        return sending.answer

    def _line_up(self, sending: Sending[A]) -> None:
        self._unwritten.append(sending)
        self._deadlines.add(sending, sending.deadline)
        self._more.set()
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run())

    @asynccontextmanager
    async def _opened(self) -> "AsyncIterator[grpc.aio.StreamStreamCall[bytes, bytes]]":
        """A new stream that is written to. To cancel it ends the block, but not who waits on behind it."""
        stream = self._stream = self._open()
        writer = asyncio.create_task(self._write(stream))
        try:
            yield stream
        finally:
            self._stream = None
            writer.cancel()
            stream.cancel()
            await asyncio.gather(writer, return_exceptions=True)  # what it met, the reader has met

    def _is_ending(self) -> bool:
        """Whether a cancellation means the client's end, and not that of one stream."""
        pump = asyncio.current_task()
        return pump is None or bool(pump.cancelling())

    async def _run(self) -> None:
        """Streams one after the other, as long as there is something to send."""
        try:
            while self._unwritten:
                await self._converse()
        except Exception as defect:
            self._fail(defect)  # tell whoever waits: nobody awaits this task
        finally:
            self._fail(NodeUnavailable(self.node, "the stream was cancelled"))
