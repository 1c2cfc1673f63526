"""Many calls over one stream: the server's half of privysharing.v1's batches, whatever is called.

Every item is a call of its own: it is answered when its answer is there, in any order, and a slow one delays no other.
A sender may have `window` calls unanswered, of so many bytes together; what exceeds that is refused at once, and may be
sent again. All streams of a service share the bytes of what waits, for an answer or to be taken, fairly among those who
send (see `shares`): a call beyond that is refused likewise, and answers beyond it end their stream. Whoever breaks the
rules of the stream itself (bytes that are no request, an id that is in use, too many items in a message) loses it too.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass

import grpc

from privysharing.protocol.batches import ITEMS_MAX, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.batches import encode_batch_answer, encode_batch_response, parse_batch_request
from privysharing.protocol.errors import MalformedMessage
from services.runtime.callers import NOBODY, Caller
from services.runtime.shares import Room, Shares

MESSAGE_BYTES = 1024 * 1024  # a message that has grown so far takes no further answer
DEADLINE_STEP_S = 0.01  # how often a stream looks for calls whose time is over, at most
_MS = 0.001


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

    __slots__ = ("_stream", "caller", "due", "id", "payload")

    def __init__(self, stream: "_Stream", item: BatchItem, caller: Caller, due: float) -> None:
        self._stream: _Stream | None = stream
        self.id, _, self.payload = item
        self.caller = caller
        self.due = due  # by the loop's clock

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits: not when it was answered, its time is over, or the sender has gone."""
        return self._stream is not None

    def answer(self, outcome: bytes | CallFailed) -> None:
        """What came of it. Of a call that nobody waits for any more, nothing."""
        if self.wanted:
            answer_all([(self, encode_batch_answer(self.id, outcome))])

    def drop(self) -> "_Stream | None":
        """Nobody waits any more; whoever did."""
        stream, self._stream = self._stream, None
        return stream


def answer_all(answers: Iterable[tuple[Call, bytes]]) -> None:
    """What came of many calls, as `encode_batch_answer` writes it; of those that nobody waits for, nothing."""
    streams: dict[_Stream, list[tuple[Call, bytes]]] = {}
    for answer in answers:
        stream = answer[0].drop()
        if stream is not None:
            streams.setdefault(stream, []).append(answer)
    for stream, its in streams.items():
        stream.settle(its)


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
            while response := await stream.response():
                yield response
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
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, Call] = {}
        self._open_bytes = unanswered
        self._timer: asyncio.TimerHandle | None = None  # for the first of their deadlines
        self._unsent: deque[bytes] = deque()  # responses of one answer each
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

    async def response(self) -> bytes:
        """What is ready, as soon as there is anything; nothing when the stream is to end. Raises BadBatch."""
        while not self._unsent:
            if self._fault is not None:
                raise self._fault
            if self._ended and not self._open:
                return b""
            self._changed.clear()
            await self._changed.wait()
        return self._next()

    def settle(self, answers: Sequence[tuple[Call, bytes]]) -> None:
        """Calls have their answers."""
        for call, _ in answers:
            del self._open[call.id]
        self._open_bytes.give_back(sum(len(call.payload) for call, _ in answers))
        self._say([answer for _, answer in answers])

    def hang_up(self) -> None:
        """Read nothing more."""
        self._ended = True
        self.reader.cancel()
        self._changed.set()

    def close(self) -> None:
        """Nobody waits for anything any more."""
        self.reader.cancel()
        if self._timer is not None:
            self._timer.cancel()
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
        """Begin the calls of a message: all of them, or each as far as there is room."""
        self._check_ids([item.id for item in items])
        size = sum(len(item.payload) for item in items)
        begun = []
        if self._refusal(len(items), size) is None:
            begun = self._admit(items, size)
        else:
            for item in items:
                size = len(item.payload)
                refusal = self._refusal(1, size) if self._open else None
                if refusal is None:
                    begun += self._admit((item,), size)
                else:
                    self._say([encode_batch_answer(item.id, refusal)])
        if begun:
            self._begin(begun)

    def _check_ids(self, ids: Sequence[int]) -> None:
        if len(set(ids)) < len(ids) or not self._open.keys().isdisjoint(ids):
            again = next(number for place, number in enumerate(ids) if number in self._open or number in ids[:place])
            raise BadBatch(f"item {again} has no answer yet, and its id comes again")

    def _refusal(self, count: int, size: int) -> CallFailed | None:
        if len(self._open) + count > self._limits.window or self._open_bytes.taken + size > self._limits.bytes_max:
            return BEYOND_WINDOW
        return None if self._open_bytes.has(size) else NO_ROOM

    def _admit(self, items: Sequence[BatchItem], size: int) -> list[Call]:
        now, caller = self._loop.time(), self._open_bytes.caller
        calls = [
            Call(self, item, caller, now + item.deadline_ms * _MS if item.deadline_ms else math.inf) for item in items
        ]
        self._open.update({call.id: call for call in calls})
        self._open_bytes.take(size)
        self._expect(min((call.due for call in calls), default=math.inf), now)
        return calls

    def _expect(self, due: float, now: float) -> None:
        """Look for calls whose time is over when the first of them may be."""
        if due < (math.inf if self._timer is None else self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(max(due, now + DEADLINE_STEP_S), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        answer_all([(call, encode_batch_answer(call.id, TOO_LATE)) for call in self._open.values() if call.due <= now])
        self._expect(min((call.due for call in self._open.values()), default=math.inf), now)

    def _say(self, answers: Sequence[bytes]) -> None:
        if isinstance(self._fault, AnswersNotTaken):
            return
        size = sum(map(len, answers))
        if (self._unsent or len(answers) > 1) and not self._unsent_bytes.has(size):
            self._fault = AnswersNotTaken("more answers wait to be taken than there is room for")
            self._drop_answers()
            self.reader.cancel()
        else:
            self._unsent.extend(answers)
            self._unsent_bytes.take(size)
        self._changed.set()

    def _drop_answers(self) -> None:
        self._unsent.clear()
        self._unsent_bytes.clear()

    def _next(self) -> bytes:
        answers: list[bytes] = []
        size = 0
        while self._unsent and len(answers) < ITEMS_MAX:
            if answers and size + len(self._unsent[0]) > MESSAGE_BYTES:
                break
            answers.append(self._unsent.popleft())
            size += len(answers[-1])
        self._unsent_bytes.give_back(size)
        if not self._behind:
            self._room.set()
        return b"".join(answers)


def _items(raw: bytes) -> list[BatchItem]:
    try:
        items = parse_batch_request(raw)
    except MalformedMessage as error:
        raise BadBatch(str(error)) from None
    if len(items) > ITEMS_MAX:
        raise BadBatch(f"{len(items)} items in one message; {ITEMS_MAX} are allowed")
    return items
