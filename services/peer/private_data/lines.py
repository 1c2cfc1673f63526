"""What waits to be pushed to one peer: one message is under way at a time, and what comes meanwhile shares the next."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from privysharing.protocol.private_data import Push, PushAnswer, PushedTransaction
from privysharing.rpc.errors import NodeError
from services.peer.private_data.fellows import Fellow, Fellows

MESSAGE_BYTES: Final = 1024 * 1024  # a message that has grown so far takes no further transaction
MESSAGE_TRANSACTIONS: Final = 64
NO_TIME: Final = "no time was left"

# Told once what became of a transaction: None when it is durable there, else why it is not known to be.
Told = Callable[[str | None], None]


@dataclass(frozen=True, slots=True)
class LineLimits:
    """What may wait for one peer."""

    transactions_max: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Sending:
    """One transaction's sets for one peer, to be there at a time of the loop's clock."""

    transaction: PushedTransaction
    until: float
    told: Told = field(repr=False)


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
        self._bytes = 0
        self._sending: asyncio.Task[None] | None = None

    def put(self, sending: Sending) -> None:
        """Have it sent."""
        size = sending.transaction.size
        if len(self._waiting) >= self._limits.transactions_max or (
            self._waiting and self._bytes + size > self._limits.bytes_max
        ):
            sending.told("too much waits to be pushed to this peer")
            return
        self._waiting.append(sending)
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
                    for sending, outcome in zip(taken, outcomes, strict=True):
                        sending.told(outcome)
        finally:
            self._sending = None

    def _take(self) -> list[Sending]:
        """What the next message holds. Whatever waits for a peer that does not answer any more waits no longer."""
        taken: list[Sending] = []
        size = 0
        now = self._loop.time()
        while self._waiting and len(taken) < MESSAGE_TRANSACTIONS:
            sending = self._waiting[0]
            if taken and size + sending.transaction.size > MESSAGE_BYTES:
                break
            self._waiting.popleft()
            self._bytes -= sending.transaction.size
            if sending.until <= now:
                sending.told(NO_TIME)
            elif not self._fellow.up:
                sending.told("the peer does not answer")
            else:
                taken.append(sending)
                size += sending.transaction.size
        return taken

    async def _exchange(self, taken: Sequence[Sending]) -> Sequence[str | None]:
        push = Push(tuple(sending.transaction for sending in taken))
        try:
            answer = await self._fellows.ask(self._fellow, push, taken[0].until - self._loop.time())
        except NodeError as error:
            return [error.reason] * len(taken)
        if not isinstance(answer, PushAnswer) or len(answer.refusals) != len(taken):
            return ["its answer is no answer to a push"] * len(taken)
        return [refusal or None for refusal in answer.refusals]
