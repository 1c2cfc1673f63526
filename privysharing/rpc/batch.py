"""Calls that share a stream: the sender's half of privysharing.v1's batches, and the two services over it.

Whoever has something to send puts it into one line; a writer takes all that has come, whenever the message before has
left. So messages are large under load, and nothing waits for company when there is none.
"""

import asyncio
import itertools
from collections.abc import Iterable

import grpc

from privysharing.protocol.batches import ITEMS_MAX, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.batches import encode_batch_request, parse_batch_response
from privysharing.protocol.codec.transactions import parse_proposal_response
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.transactions import ProposalResponse
from privysharing.rpc.broadcast import BroadcastAnswer, BroadcastClient, parse_broadcast_answer
from privysharing.rpc.channels import MESSAGE_BYTES_MAX
from privysharing.rpc.endorser import EndorserClient
from privysharing.rpc.errors import NodeError, NodeUnavailable, failure, node_error
from privysharing.rpc.shared_stream import SharedStream

ENDORSE = "/privysharing.v1.BatchEndorser/Endorse"
BROADCAST = "/privysharing.v1.BatchBroadcast/Broadcast"

PAYLOAD_BYTES_MAX = MESSAGE_BYTES_MAX - 64  # an item's own fields need some room
MESSAGE_BYTES = 1024 * 1024  # a message that has grown so far takes no further item
SILENCE_S = 5.0  # how long after a call's deadline a node may still say so, before its stream counts as dead

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class NotOffered(Exception):
    """The node does not know the service."""


class _Sending:
    """One call. Its answer is done, too, when its caller has given up or its time is over."""

    __slots__ = ("answer", "deadline", "payload", "sent")

    def __init__(self, payload: bytes, deadline: float, answer: "asyncio.Future[bytes]") -> None:
        self.payload = payload
        self.deadline = deadline  # of the loop's clock
        self.answer = answer
        self.sent = False  # written, or about to be


class BatchStream(SharedStream[_Sending]):
    """One batch service of one node."""

    def __init__(self, node: str, channel: grpc.aio.Channel, method: str) -> None:
        super().__init__(node, channel, method)
        self.offered = True  # until the node says that it is not
        self._unanswered: dict[int, asyncio.Future[bytes]] = {}  # written to the stream that is open
        self._ids = itertools.count(1)
        self._window = 0  # 0: the node has not shown itself on this stream
        self._heard_at = 0.0  # when the node last answered anything on this stream

    async def call(self, payload: bytes, timeout_s: float) -> bytes:
        """The node's answer to one call.

        Raises NotOffered; NodeUnavailable when the answer did not come, or another node may do better; NodeRefused
        when the node turned the call down.
        """
        if not self.offered:
            raise NotOffered
        self._admit(len(payload), PAYLOAD_BYTES_MAX, len(self._unanswered))
        loop = asyncio.get_running_loop()
        sending = _Sending(payload, loop.time() + timeout_s, loop.create_future())
        timer = loop.call_at(sending.deadline, self._expire, sending, timeout_s)
        self._line_up(sending)
        try:
            return await sending.answer
        finally:
            timer.cancel()

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
                self.offered, reason = False, NotOffered()
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
                await stream.write(encode_batch_request(items))
            else:
                self._more.clear()
                await self._more.wait()

    def _next(self) -> list[BatchItem]:
        """What the next message takes along: as much as there is, as far as the window goes."""
        now = asyncio.get_running_loop().time()
        items: list[BatchItem] = []
        size = 0
        while self._unwritten and len(items) < ITEMS_MAX and len(self._unanswered) < self._window:
            sending = self._unwritten[0]
            if items and size + len(sending.payload) > MESSAGE_BYTES:
                break
            self._unwritten.popleft()
            if not sending.answer.done():
                item = BatchItem(next(self._ids), max(1, round((sending.deadline - now) * 1000)), sending.payload)
                sending.sent = True
                self._unanswered[item.id] = sending.answer
                items.append(item)
                size += len(sending.payload)
        return items

    def _take(self, response: BatchResponse) -> None:
        if response.window is not None:
            self._window = response.window
        if response.answers:
            self._heard_at = asyncio.get_running_loop().time()
        for answer in response.answers:
            waiting = self._unanswered.pop(answer.id, None)
            if waiting is None:
                raise MalformedMessage(f"an answer to item {answer.id}, which is none")
            if waiting.done():
                continue
            if isinstance(answer.outcome, bytes):
                waiting.set_result(answer.outcome)
            else:
                waiting.set_exception(self._failure(answer.outcome))
        self._more.set()

    def _failure(self, failed: CallFailed) -> NodeError:
        code = _CODES.get(failed.code, grpc.StatusCode.UNKNOWN)
        return failure(self.node, code, failed.message or code.name)

    def _expire(self, sending: _Sending, timeout_s: float) -> None:
        if not sending.answer.done():
            late = NodeUnavailable(self.node, f"no answer within {timeout_s:g} s", sent=sending.sent)
            sending.answer.set_exception(late)
            loop = asyncio.get_running_loop()
            loop.call_later(SILENCE_S, self._hang_up_if_silent, self._stream, loop.time() - timeout_s)

    def _hang_up_if_silent(self, stream: "grpc.aio.StreamStreamCall[bytes, bytes] | None", since: float) -> None:
        """A node answers every call by its deadline, if only to say that it is over; one that does not is gone."""
        owes = bool(self._unanswered) or not self._window
        if stream is not None and stream is self._stream and owes and self._heard_at < since:
            stream.cancel()

    def _fail(self, error: Exception) -> None:
        _fail_all((sending.answer for sending in self._unwritten), error)
        _fail_all(self._unanswered.values(), error)
        self._unwritten.clear()
        self._unanswered.clear()


def _fail_all(answers: Iterable["asyncio.Future[bytes]"], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)


class BatchEndorserClient:
    """A peer's endorsements over its batch service; one by one where it has none."""

    def __init__(self, channel: grpc.aio.Channel, classic: EndorserClient) -> None:
        self._stream = BatchStream(classic.node, channel, ENDORSE)
        self._classic = classic

    async def process_proposal(self, signed_proposal: bytes, timeout_s: float) -> ProposalResponse:
        """See `EndorserClient.process_proposal`."""
        try:
            return parse_proposal_response(await self._stream.call(signed_proposal, timeout_s))
        except NotOffered:
            return await self._classic.process_proposal(signed_proposal, timeout_s)
        except MalformedMessage as error:
            raise NodeError(self._stream.node, str(error)) from None

    async def close(self) -> None:
        """End the stream for good."""
        await self._stream.close()


class BatchBroadcastClient:
    """An orderer's answers over its batch service; over one classic stream where it has none."""

    def __init__(self, channel: grpc.aio.Channel, classic: BroadcastClient) -> None:
        self._stream = BatchStream(classic.node, channel, BROADCAST)
        self._classic = classic

    async def send(self, envelope: bytes, timeout_s: float) -> BroadcastAnswer:
        """See `BroadcastClient.send`."""
        try:
            return parse_broadcast_answer(await self._stream.call(envelope, timeout_s))
        except NotOffered:
            return await self._classic.send(envelope, timeout_s)
        except MalformedMessage as error:
            raise NodeError(self._stream.node, str(error)) from None

    async def close(self) -> None:
        """End both streams for good."""
        await asyncio.gather(self._stream.close(), self._classic.close())
