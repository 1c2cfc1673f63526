"""What waits to be pushed to one peer: one message is under way at a time, and what comes meanwhile shares the next."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final, Protocol, TypeVar

from privysharing.protocol.private_data import Push, PushAnswer, PushedTransaction
from privysharing.rpc.errors import NodeError
from services.peer.private_data.fellows import Fellow, Fellows

MESSAGE_BYTES: Final = 1024 * 1024  # a message that has grown so far takes no further transaction
MESSAGE_TRANSACTIONS: Final = 128  # two hands that were endorsed together
NO_TIME: Final = "no time was left"


class Sized(Protocol):
    """Something that takes room in a message."""

    @property
    def size(self) -> int: ...


P = TypeVar("P", bound=Sized)

# Told once what became of each transaction: None when it is durable there, else why it is not known to be.
ToldEach = Callable[[Sequence[str | None]], None]


@dataclass(frozen=True, slots=True)
class LineLimits:
    """What may wait for one peer."""

    transactions_max: int
    bytes_max: int
    seconds_min: float  # that are left: with less a push is not begun


@dataclass(frozen=True, slots=True)
class Sending:
    """The sets of some transactions, for one peer, to be there at a time of the loop's clock. A message holds them."""

    transactions: Sequence[PushedTransaction]
    until: float
    told: ToldEach = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, of what may be large."""
        return sum(each.size for each in self.transactions)

    def failed(self, why: str) -> None:
        """None of them is there."""
        self.told([why] * len(self.transactions))


class PushLine:
    """See the module. On the event loop only."""

    def __init__(
        self, fellow: Fellow, fellows: Fellows, limits: LineLimits, took: Callable[[float], None] = lambda _: None
    ) -> None:
        """`took` is told how many seconds each message took."""
        self._fellow = fellow
        self._fellows = fellows
        self._limits = limits
        self._took = took
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Sending] = deque()
        self._count = 0  # of transactions that wait
        self._bytes = 0
        self._sending: asyncio.Task[None] | None = None

    def put(self, sending: Sending) -> None:
        """Have it sent."""
        count, size = len(sending.transactions), sending.size
        if self._waiting and (
            self._count + count > self._limits.transactions_max or self._bytes + size > self._limits.bytes_max
        ):
            sending.failed("too much waits to be pushed to this peer")
            return
        self._waiting.append(sending)
        self._count += count
        self._bytes += size
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._waiting:
                taken = self._take()
                if taken:
                    began = self._loop.time()
                    outcomes = await self._exchange(taken)
                    self._took(self._loop.time() - began)
                    for sending in taken:
                        sending.told([next(outcomes) for _ in sending.transactions])
        finally:
            self._sending = None

    def _take(self) -> list[Sending]:
        """What the next message holds. Whatever waits for a peer that does not answer any more waits no longer.

        A message has the time of the one in it that has least. With next to none it would fail for all of them, and
        its peer would count as one that does not answer.
        """
        taken: list[Sending] = []
        in_all = count_in_all = 0
        now = self._loop.time()
        while self._waiting:
            sending = self._waiting[0]
            count, size = len(sending.transactions), sending.size
            if taken and (count_in_all + count > MESSAGE_TRANSACTIONS or in_all + size > MESSAGE_BYTES):
                break
            self._waiting.popleft()
            self._count -= count
            self._bytes -= size
            if sending.until - now <= self._limits.seconds_min:
                sending.failed(NO_TIME)
            elif not self._fellow.up:
                sending.failed("the peer does not answer")
            else:
                taken.append(sending)
                in_all += size
                count_in_all += count
        return taken

    async def _exchange(self, taken: Sequence[Sending]) -> Iterator[str | None]:
        push = Push(tuple(transaction for sending in taken for transaction in sending.transactions))
        try:
            answer = await self._fellows.ask(self._fellow, push, taken[0].until - self._loop.time())
        except NodeError as error:
            return repeat(error.reason)
        if not isinstance(answer, PushAnswer) or len(answer.refusals) != len(push.transactions):
            return repeat("its answer is no answer to a push")
        return iter([refusal or None for refusal in answer.refusals])


def in_messages(all_to_push: Iterable[P]) -> Iterator[list[P]]:
    """The same in order, in parts of which each may fill a message."""
    part: list[P] = []
    size = 0
    for each in all_to_push:
        if part and (len(part) == MESSAGE_TRANSACTIONS or size + each.size > MESSAGE_BYTES):
            yield part
            part, size = [], 0
        part.append(each)
        size += each.size
    if part:
        yield part
