"""Many calls over one stream: the server's half of privysharing.v1's batches, whatever is called.

Every item is a call of its own: it is answered when its answer is there, in any order, and a slow one delays no other.
A sender may have `window` calls unanswered, of so many bytes together; what exceeds that is refused at once, and may be
sent again. All streams of a service share the bytes of what waits, for an answer or to be taken, fairly among those who
send (see `shares`): a call beyond that is refused likewise, and answers beyond it end their stream. Whoever breaks the
rules of the stream itself (bytes that are no request, an id that is in use, too many items in a message) loses it too.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from dataclasses import dataclass

import grpc

from privysharing.protocol.batches import ITEMS_MAX, BatchAnswer, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.batches import encode_batch_response, parse_batch_request
from privysharing.protocol.errors import MalformedMessage
from services.runtime.callers import NOBODY, Caller
from services.runtime.shares import Room, Shares

MESSAGE_BYTES = 1024 * 1024  # a message that has grown so far takes no further answer
_MS = 0.001
_SWEEP_LEAST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What one stream may leave unanswered, or not take."""

    window: int = 1024  # items
    bytes_max: int = 16 * 1024 * 1024  # of their payloads, unless there is but one
    unsent_max: int = 2048  # answers that wait for the sender to take them: beyond it, nothing more is read from him
    unsent_bytes_max: int = 8 * 1024 * 1024
    all_bytes_max: int = 128 * 1024 * 1024  # of all streams' unanswered calls together
    all_unsent_bytes_max: int = 128 * 1024 * 1024  # of all streams' answers that wait

    def __post_init__(self) -> None:
        if (
            self.window < ITEMS_MAX
            or min(
                self.bytes_max, self.unsent_max, self.unsent_bytes_max, self.all_bytes_max, self.all_unsent_bytes_max
            )
            < 1
        ):
            raise ValueError("a window takes a whole message at least, and every other limit 1")


class BadBatch(Exception):
    """A message that breaks the rules of the stream."""

    status = grpc.StatusCode.INVALID_ARGUMENT


class AnswersNotTaken(Exception):
    """More answers wait for a sender than there is room for."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED


def failed(status: grpc.StatusCode, message: str) -> CallFailed:
    """The outcome of a call that failed with a gRPC status."""
    return CallFailed(status.value[0], message)


BEYOND_WINDOW = failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "more calls on this stream than its window allows")
NO_ROOM = failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "more bytes of calls wait for an answer than there is room for")
TOO_LATE = failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class Call:
    """One call on some stream. Its answer counts once; on the event loop only."""

    __slots__ = ("_stream", "caller", "id", "payload")

    def __init__(self, stream: "_Stream", number: int, payload: bytes, caller: Caller) -> None:
        self._stream: _Stream | None = stream
        self.caller = caller
        self.id = number
        self.payload = payload

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits: not when it was answered, its time is over, or the sender has gone."""
        return self._stream is not None

    def answer(self, outcome: bytes | CallFailed) -> None:
        """What came of it. Of a call that nobody waits for any more, nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.settle(self, outcome)

    def drop(self) -> None:
        """Nobody waits any more."""
        self._stream = None


# Begins calls, and answers each in its own time. It must not wait.
Begin = Callable[[Sequence[Call]], None]


class BatchCalls:
    """All streams of one service."""

    def __init__(self, begin: Begin, limits: BatchLimits = BatchLimits()) -> None:
        self._begin = begin
        self._limits = limits
        self._unanswered = Shares(limits.all_bytes_max)
        self._unsent = Shares(limits.all_unsent_bytes_max)
        self._streams: dict[_Stream, None] = {}  # in the order in which they began

    async def serve(self, requests: AsyncIterable[bytes], caller: Caller = NOBODY) -> AsyncGenerator[bytes]:
        """The responses on one stream: the first one announces the window. Raises BadBatch, AnswersNotTaken."""
        stream = _Stream(self._begin, self._limits, Room(self._unanswered, caller), Room(self._unsent, caller))
        self._streams[stream] = None
        stream.reader = asyncio.create_task(stream.read(requests))
        try:
            yield encode_batch_response(BatchResponse((), self._limits.window))
            while answers := await stream.answers():
                yield encode_batch_response(BatchResponse(answers))
        finally:
            del self._streams[stream]
            stream.close()
            await asyncio.gather(stream.reader, return_exceptions=True)

    def hang_up(self) -> None:
        """Take nothing more: each stream ends when what it has begun is answered."""
        for stream in self._streams:
            stream.hang_up()


class _Stream:
    """What one stream owes."""

    reader: "asyncio.Task[None]"

    def __init__(self, begin: Begin, limits: BatchLimits, unanswered: Room, unsent: Room) -> None:
        self._begin = begin
        self._limits = limits
        self._open: dict[int, Call] = {}
        self._open_bytes = unanswered
        self._deadlines = _Deadlines()
        self._unsent: deque[BatchAnswer] = deque()
        self._unsent_bytes = unsent
        self._changed = asyncio.Event()  # for whoever sends
        self._room = asyncio.Event()  # for whoever reads
        self._ended = False  # nothing more is read
        self._fault: Exception | None = None  # what ended it, if something did

    async def read(self, requests: AsyncIterable[bytes]) -> None:
        """Begin what comes, until nothing more does."""
        try:
            async for raw in requests:
                self._take(_items(raw))
                while self._behind:
                    self._room.clear()
                    await self._room.wait()
        except Exception as fault:
            self._fault = fault
        finally:
            self._ended = True
            self._changed.set()

    async def answers(self) -> list[BatchAnswer]:
        """What is ready, as soon as there is anything; nothing when the stream is to end. Raises BadBatch."""
        while not self._unsent:
            if self._fault is not None:
                raise self._fault
            if self._ended and not self._open:
                return []
            self._changed.clear()
            await self._changed.wait()
        return self._next()

    def settle(self, call: Call, outcome: bytes | CallFailed) -> None:
        """A call has its answer."""
        del self._open[call.id]
        self._open_bytes.give_back(len(call.payload))
        call.payload = b""  # its deadline may keep the call for a while
        self._say(call.id, outcome)

    def hang_up(self) -> None:
        """Read nothing more."""
        self._ended = True
        self.reader.cancel()
        self._changed.set()

    def close(self) -> None:
        """Nobody waits for anything any more."""
        self.reader.cancel()
        self._deadlines.close()
        for call in self._open.values():
            call.drop()
        self._open.clear()
        self._open_bytes.clear()
        self._drop_answers()

    @property
    def _behind(self) -> bool:
        """Whether the sender does not take his answers."""
        return len(self._unsent) > self._limits.unsent_max or self._unsent_bytes.taken > self._limits.unsent_bytes_max

    def _take(self, items: Sequence[BatchItem]) -> None:
        begun = []
        for item in items:
            if item.id in self._open:
                raise BadBatch(f"item {item.id} has no answer yet, and its id comes again")
            refusal = self._refusal(len(item.payload))
            if refusal is None:
                call = self._open[item.id] = Call(self, item.id, item.payload, self._open_bytes.caller)
                self._open_bytes.take(len(item.payload))
                begun.append(call)
                if item.deadline_ms:
                    self._deadlines.add(call, item.deadline_ms)
            else:
                self._say(item.id, refusal)
        if begun:
            self._begin(begun)

    def _refusal(self, size: int) -> CallFailed | None:
        if not self._open:
            return None
        if len(self._open) >= self._limits.window or self._open_bytes.taken + size > self._limits.bytes_max:
            return BEYOND_WINDOW
        return None if self._open_bytes.has(size) else NO_ROOM

    def _say(self, number: int, outcome: bytes | CallFailed) -> None:
        size = _size(outcome)
        if isinstance(self._fault, AnswersNotTaken):
            return
        if self._unsent and not self._unsent_bytes.has(size):
            self._fault = AnswersNotTaken("more answers wait to be taken than there is room for")
            self._drop_answers()
            self.reader.cancel()
        else:
            self._unsent.append(BatchAnswer(number, outcome))
            self._unsent_bytes.take(size)
        self._changed.set()

    def _drop_answers(self) -> None:
        self._unsent.clear()
        self._unsent_bytes.clear()

    def _next(self) -> list[BatchAnswer]:
        answers: list[BatchAnswer] = []
        size = 0
        while self._unsent and len(answers) < ITEMS_MAX and size < MESSAGE_BYTES:
            if answers and size + _size(self._unsent[0].outcome) > MESSAGE_BYTES:
                break
            answers.append(self._unsent.popleft())
            size += _size(answers[-1].outcome)
        self._unsent_bytes.give_back(size)
        if not self._behind:
            self._room.set()
        return answers


class _Deadlines:
    """One timer for the calls of a stream."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Call]] = []
        self._added = itertools.count()  # two calls with one deadline are told apart
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_at = _SWEEP_LEAST

    def add(self, call: Call, milliseconds: int) -> None:
        """Answer TOO_LATE to this call if it is still wanted then."""
        heapq.heappush(self._heap, (self._loop.time() + milliseconds * _MS, next(self._added), call))
        if len(self._heap) > self._sweep_at:
            self._sweep()
        due = self._heap[0][0]
        if self._timer is None or due < self._timer.when():
            self._set(due)

    def close(self) -> None:
        """Answer nothing any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._heap and (self._heap[0][0] <= now or not self._heap[0][2].wanted):
            heapq.heappop(self._heap)[2].answer(TOO_LATE)
        if self._heap:
            self._set(self._heap[0][0])

    def _sweep(self) -> None:
        """Forget those that were answered in time, which are nearly all."""
        self._heap = [each for each in self._heap if each[2].wanted]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SWEEP_LEAST, 2 * len(self._heap))


def _items(raw: bytes) -> list[BatchItem]:
    try:
        items = parse_batch_request(raw)
    except MalformedMessage as error:
        raise BadBatch(str(error)) from None
    if len(items) > ITEMS_MAX:
        raise BadBatch(f"{len(items)} items in one message; {ITEMS_MAX} are allowed")
    return items


def _size(outcome: bytes | CallFailed) -> int:
    return len(outcome) if isinstance(outcome, bytes) else len(outcome.message)
