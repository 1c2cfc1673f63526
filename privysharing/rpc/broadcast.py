"""One orderer's Broadcast stream, shared by every transaction of a client."""

import asyncio
from collections import deque
from typing import Final

import grpc

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codes import Status
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.values import value
from privysharing.rpc.channels import MESSAGE_BYTES_MAX
from privysharing.rpc.errors import NodeError, NodeUnavailable, node_error
from privysharing.rpc.shared_stream import Sending, SharedStream
from privysharing.wire.orderer.ab_pb2 import BroadcastResponse

_STATUSES: Final[dict[int, Status]] = {status.value: status for status in Status}

METHOD = "/orderer.AtomicBroadcast/Broadcast"


@value
class BroadcastAnswer:
    """orderer.BroadcastResponse."""

    status: Status
    info: str


# What nearly every answer is.
_ACKNOWLEDGED: Final = BroadcastResponse(status="SUCCESS").SerializeToString()
_SUCCESS: Final = BroadcastAnswer(Status.SUCCESS, "")


class BroadcastClient(SharedStream[BroadcastAnswer]):
    """orderer.AtomicBroadcast.Broadcast on one orderer.

    Envelopes are written without waiting for earlier answers; answers come in order. An orderer ends the stream after
    any answer but SUCCESS and orders nothing that was queued behind it, so what is left is sent again on a new stream.
    """

    def __init__(self, node: str, channel: grpc.aio.Channel) -> None:
        super().__init__(node, channel, METHOD)
        self._unanswered: deque[Sending[BroadcastAnswer]] = deque()  # written to the stream that is open
        self._callers = 0

    async def send(self, envelope: bytes, timeout_s: float) -> BroadcastAnswer:
        """The orderer's answer to one envelope.

        Raises NodeUnavailable when it did not come: the envelope may or may not have been ordered. Sending it again,
        here or to another orderer, is safe, since peers commit a transaction id once. Raises NodeRefused when no
        orderer would take a message of this size.
        """
        self._callers += 1
        try:
            return await self._send(envelope, timeout_s, MESSAGE_BYTES_MAX, len(self._unanswered))
        finally:
            self._callers -= 1
            if not self._callers and self._unanswered and self._stream is not None:
                self._stream.cancel()  # nobody waits for what this stream still owes

    async def _converse(self) -> None:
        """One stream, until either side ends it. What was not answered on it is to be written again, in order."""
        async with self._opened() as stream:
            try:
                await self._read(stream)
            except grpc.aio.AioRpcError as error:
                self._fail(node_error(self.node, error))
            except MalformedMessage as error:
                self._fail(NodeError(self.node, str(error)))
            except asyncio.CancelledError:
                if self._is_ending():
                    raise
                # `send` has hung up on an orderer that let everybody's time run out: begin again with who has come
        self._unwritten.extendleft(reversed(self._unanswered))
        self._unanswered.clear()

    async def _write(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        while True:
            while self._unwritten:
                sending = self._unwritten.popleft()
                if sending.answer.done():
                    sending.message = b""
                else:
                    self._unanswered.append(sending)
                    sending.sent = True
                    await stream.write(sending.message)
            self._more.clear()
            await self._more.wait()

    async def _read(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        async for raw in stream:
            found = parse_broadcast_answer(raw)
            if not self._unanswered:
                return  # an answer to nothing: begin again on a stream of its own
            sending = self._unanswered.popleft()
            sending.message = b""
            if not sending.answer.done():
                sending.answer.set_result(found)
            if found.status is not Status.SUCCESS:
                return
        if self._unanswered:
            self._fail(NodeUnavailable(self.node, "the orderer ended the stream"))

    def _expire(self, sending: Sending[BroadcastAnswer]) -> None:
        late = f"no answer to a broadcast within {sending.timeout_s:g} s"
        sending.answer.set_exception(NodeUnavailable(self.node, late, sent=sending.sent))

    def _fail(self, error: Exception) -> None:
        for waiting in (self._unanswered, self._unwritten):
            for sending in waiting:
                if not sending.answer.done():
                    sending.answer.set_exception(error)
            waiting.clear()


def parse_broadcast_answer(raw: bytes) -> BroadcastAnswer:
    """Read an orderer.BroadcastResponse; a status that we do not know is UNKNOWN."""
    if raw == _ACKNOWLEDGED:
        return _SUCCESS
    response = decode(BroadcastResponse, raw)
    return BroadcastAnswer(_STATUSES.get(response.status, Status.UNKNOWN), response.info)
