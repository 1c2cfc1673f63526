"""One orderer's Broadcast stream, shared by every transaction of a client."""

import asyncio
from collections import deque
from dataclasses import dataclass

import grpc

from privysharing.protocol.codes import Status
from privysharing.rpc.errors import NodeError, NodeUnavailable, node_error
from privysharing.wire.orderer.ab_pb2 import BroadcastResponse


@dataclass(frozen=True, slots=True)
class BroadcastAnswer:
    """orderer.BroadcastResponse."""

    status: Status
    info: str


class BroadcastClient:
    """orderer.AtomicBroadcast.Broadcast on one orderer.

    Envelopes are written without waiting for earlier answers; answers come in order. An orderer ends the stream after
    any answer but SUCCESS and orders nothing that was queued behind it, so what is left is sent again on a new stream.
    """

    def __init__(self, node: str, channel: grpc.aio.Channel) -> None:
        self.node = node
        self._open = channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")
        self._queue: asyncio.Queue[tuple[bytes, asyncio.Future[BroadcastAnswer]]] = asyncio.Queue()
        self._unanswered: deque[tuple[bytes, asyncio.Future[BroadcastAnswer]]] = deque()
        self._pump: asyncio.Task[None] | None = None

    async def send(self, envelope: bytes, timeout_s: float) -> BroadcastAnswer:
        """The orderer's answer to one envelope.

        Raises NodeUnavailable when it did not come: the envelope may or may not have been ordered. Sending it again,
        here or to another orderer, is safe, since peers commit a transaction id once.
        """
        answer: asyncio.Future[BroadcastAnswer] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((envelope, answer))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run())
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise NodeUnavailable(self.node, f"no answer to a broadcast within {timeout_s:g} s") from None

    async def close(self) -> None:
        """End the stream. Unanswered sends fail with NodeUnavailable."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._fail(NodeUnavailable(self.node, "the client closed the stream"))

    async def _run(self) -> None:
        """Streams one after the other, as long as there is something to send."""
        while self._unanswered or not self._queue.empty():
            stream = self._open()
            writer = asyncio.create_task(self._write(stream))
            try:
                await self._read(stream)
            except grpc.aio.AioRpcError as error:
                self._fail(node_error(self.node, error))
            finally:
                writer.cancel()
                stream.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        for envelope, _ in list(self._unanswered):
            await stream.write(envelope)
        while True:
            envelope, answer = await self._queue.get()
            if answer.done():  # its caller has given up
                continue
            self._unanswered.append((envelope, answer))
            await stream.write(envelope)

    async def _read(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        async for raw in stream:
            response = BroadcastResponse.FromString(raw)
            if not self._unanswered:
                return  # an answer to nothing: begin again on a stream of its own
            answered = self._unanswered.popleft()[1]
            if not answered.done():
                answered.set_result(BroadcastAnswer(_status(response.status), response.info))
            if response.status != Status.SUCCESS:
                return
        if self._unanswered:
            self._fail(NodeUnavailable(self.node, "the orderer ended the stream"))

    def _fail(self, error: NodeError) -> None:
        waiting = list(self._unanswered)
        self._unanswered.clear()
        while not self._queue.empty():
            waiting.append(self._queue.get_nowait())
        for _, answer in waiting:
            if not answer.done():
                answer.set_exception(error)


def _status(number: int) -> Status:
    return Status(number) if number in Status._value2member_map_ else Status.UNKNOWN
