"""Calls that share a stream: the sender's half of privysharing.v1's batches, and the two services over it.

Whoever has something to send puts it into one line; a writer takes all that has come, whenever the message before has
left. So messages are large under load, and nothing waits for company when there is none.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Generic, TypeVar

import grpc

from privysharing.protocol.batches import ITEMS_MAX, BatchResponse, CallFailed
from privysharing.protocol.codec.batches import encode_batch_item, parse_batch_response
from privysharing.protocol.codec.transactions import parse_proposal_response
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.transactions import ProposalResponse
from privysharing.rpc.broadcast import BroadcastAnswer, BroadcastClient, parse_broadcast_answer
from privysharing.rpc.channels import MESSAGE_BYTES_MAX
from privysharing.rpc.endorser import EndorserClient
from privysharing.rpc.errors import NodeError, NodeUnavailable, failure, node_error
from privysharing.rpc.shared_stream import Sending, SharedStream

ENDORSE = "/privysharing.v1.BatchEndorser/Endorse"
BROADCAST = "/privysharing.v1.BatchBroadcast/Broadcast"

PAYLOAD_BYTES_MAX = MESSAGE_BYTES_MAX - 64  # an item's own fields need some room
MESSAGE_BYTES = 1024 * 1024  # a message that has grown so far takes no further item
SILENCE_S = 5.0  # how long after a call's deadline a node may still say so, before its stream counts as dead

A = TypeVar("A")

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class NotOffered(NodeUnavailable):
    """The node does not know the service."""


class BatchStream(SharedStream[A]):
    """One batch service of one node. `parse` reads an answer; what it finds malformed is the node's error."""

    def __init__(self, node: str, channel: grpc.aio.Channel, method: str, parse: Callable[[bytes], A]) -> None:
        super().__init__(node, channel, method)
        self.offered: bool | None = None  # not known before the node has shown itself
        self._parse = parse
        self._unanswered: dict[int, Sending[A]] = {}  # written to the stream that is open
        self._ids = itertools.count(1)
        self._window = 0  # 0: the node has not shown itself on this stream
        self._heard_at = 0.0  # when the node last answered anything on this stream

    def call(self, payload: bytes, timeout_s: float) -> "asyncio.Future[A]":
        """The node's answer to one call, to come.

        It fails with NotOffered; NodeUnavailable when the answer did not come, or another node may do better;
        NodeRefused when the node turned the call down; NodeError when the answer is none.
        """
        return self._send(payload, timeout_s, PAYLOAD_BYTES_MAX, len(self._unanswered))

    async def _converse(self) -> None:
        """One stream, until either side ends it. What it has not answered fails; what was not written may go next."""
        # Until the node says how many: a write to one that does not know the service fails by itself, and hides why.
        self._window = 0
        self._heard_at = 0.0
        reason: Exception = NodeUnavailable(self.node, "the node ended the stream")
        try:
            async with self._opened() as stream:
                async for raw in stream:
                    self._take(parse_batch_response(raw))
        except grpc.aio.AioRpcError as error:
            reason = node_error(self.node, error)
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self.offered, reason = False, NotOffered(self.node, "the node does not know the service")
        except MalformedMessage as error:
            reason = NodeError(self.node, str(error))
        except asyncio.CancelledError:
            if self._is_ending():
                raise
            reason = NodeUnavailable(self.node, "the node fell silent")
        _fail_all(self._unanswered.values(), reason)
        self._unanswered.clear()
        if not self._window:  # the node is not there at all, and nothing has been written
            if isinstance(reason, NodeError):
                reason.sent = False
            self._fail(reason)

    async def _write(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
        while True:
            if items := self._next():
                await stream.write(b"".join(items))
            else:
                self._more.clear()
                await self._more.wait()

    def _next(self) -> list[bytes]:
        """What the next message takes along: as much as there is, as far as the window goes."""
        now = asyncio.get_running_loop().time()
        items: list[bytes] = []
        size = 0
        while self._unwritten and len(items) < ITEMS_MAX and len(self._unanswered) < self._window:
            sending = self._unwritten[0]
            if items and size + len(sending.message) > MESSAGE_BYTES:
                break
            self._unwritten.popleft()
            if not sending.answer.done():
                number = next(self._ids)
                deadline_ms = max(1, round((sending.deadline - now) * 1000))
                items.append(encode_batch_item(number, deadline_ms, sending.message))
                size += len(sending.message)
                sending.sent = True
                self._unanswered[number] = sending
            sending.message = b""  # its deadline may keep it for a while
        return items

    def _take(self, response: BatchResponse) -> None:
        if response.window is not None:
            self._window = response.window
            self.offered = True
        if response.answers:
            self._heard_at = asyncio.get_running_loop().time()
        for answer in response.answers:
            sending = self._unanswered.pop(answer.id, None)
            if sending is None:
                raise MalformedMessage(f"an answer to item {answer.id}, which is none")
            if not sending.answer.done():
                self._settle(sending.answer, answer.outcome)
        self._more.set()

    def _settle(self, answer: "asyncio.Future[A]", outcome: bytes | CallFailed) -> None:
        if not isinstance(outcome, bytes):
            code = _CODES.get(outcome.code, grpc.StatusCode.UNKNOWN)
            answer.set_exception(failure(self.node, code, outcome.message or code.name))
            return
        try:
            answer.set_result(self._parse(outcome))
        except MalformedMessage as error:
            answer.set_exception(NodeError(self.node, str(error)))

    def _expire(self, sending: Sending[A]) -> None:
        late = NodeUnavailable(self.node, f"no answer within {sending.timeout_s:g} s", sent=sending.sent)
        sending.answer.set_exception(late)
        loop = asyncio.get_running_loop()
        loop.call_later(SILENCE_S, self._hang_up_if_silent, self._stream, loop.time() - sending.timeout_s)

    def _hang_up_if_silent(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes] | None", since: float) -> None:
        """A node answers every call by its deadline, if only to say that it is over; one that does not is gone."""
        owes = bool(self._unanswered) or not self._window
        if stream is not None and stream is self._stream and owes and self._heard_at < since:
            stream.cancel()

    def _fail(self, error: Exception) -> None:
        _fail_all(self._unwritten, error)
        _fail_all(self._unanswered.values(), error)
        self._unwritten.clear()
        self._unanswered.clear()


def _fail_all(sendings: Iterable[Sending[A]], error: Exception) -> None:
    for sending in sendings:
        if not sending.answer.done():
            sending.answer.set_exception(error)


class _BatchClient(Generic[A]):
    """One service over its batch stream; as Fabric's own calls where the node has none."""

    def __init__(self, stream: BatchStream[A], classic: Callable[[bytes, float], Coroutine[None, None, A]]) -> None:
        self._stream = stream
        self._classic = classic

    def _call(self, message: bytes, timeout_s: float) -> Awaitable[A]:
        if self._stream.offered is None:
            return self._find_out(message, timeout_s)
        if self._stream.offered:
            return self._stream.call(message, timeout_s)
        return self._classic(message, timeout_s)

    async def _find_out(self, message: bytes, timeout_s: float) -> A:
        try:
            return await self._stream.call(message, timeout_s)
        except NotOffered:
            return await self._classic(message, timeout_s)


class BatchEndorserClient(_BatchClient[ProposalResponse]):
    """A peer's endorsements."""

    def __init__(self, channel: grpc.aio.Channel, classic: EndorserClient) -> None:
        stream = BatchStream(classic.node, channel, ENDORSE, parse_proposal_response)
        super().__init__(stream, classic.process_proposal)

    def process_proposal(self, signed_proposal: bytes, timeout_s: float) -> Awaitable[ProposalResponse]:
        """See `EndorserClient.process_proposal`."""
        return self._call(signed_proposal, timeout_s)

    async def close(self) -> None:
        """End the stream for good."""
        await self._stream.close()


class BatchBroadcastClient(_BatchClient[BroadcastAnswer]):
    """An orderer's answers."""

    def __init__(self, channel: grpc.aio.Channel, classic: BroadcastClient) -> None:
        stream = BatchStream(classic.node, channel, BROADCAST, parse_broadcast_answer)
        super().__init__(stream, classic.send)
        self._close_classic = classic.close

    def send(self, envelope: bytes, timeout_s: float) -> Awaitable[BroadcastAnswer]:
        """See `BroadcastClient.send`."""
        return self._call(envelope, timeout_s)

    async def close(self) -> None:
        """End both streams for good."""
        await asyncio.gather(self._stream.close(), self._close_classic())
