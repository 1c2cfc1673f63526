"""Broadcast of envelopes that do not depend on each other: each has an answer of its own, in any order."""

import asyncio
from collections.abc import Callable, Sequence

from services.orderer.intake import Answer, Intake, Progress
from services.runtime.batching import Call


class BatchBroadcast:
    """Takes calls whose payload is an envelope. What is refused refuses nothing but itself."""

    def __init__(self, intake: Intake, encode: Callable[[Answer], bytes]) -> None:
        self._intake = intake
        self._encode = encode
        self._held_up: set[asyncio.Task[None]] = set()  # envelopes that wait for room in their channel's log

    def begin(self, calls: Sequence[Call]) -> None:
        """Judge envelopes and give them their places; each is answered once it is durable, or refused."""
        for call in calls:
            progress = self._intake.judge(call.payload)
            if progress.refusal is not None or progress.chain is None:
                self._answer(call, progress)
            elif progress.chain.has_room:
                self._order(call, progress)
            else:
                waiting = asyncio.create_task(self._order_later(call, progress))
                self._held_up.add(waiting)
                waiting.add_done_callback(self._held_up.discard)

    async def _order_later(self, call: Call, progress: Progress) -> None:
        assert progress.chain is not None
        await progress.chain.room()
        if call.wanted:  # else its sender was told that it came to nothing, or has gone
            self._order(call, progress)

    def _order(self, call: Call, progress: Progress) -> None:
        self._intake.order(progress)
        if progress.durable is None:
            self._answer(call, progress)
        else:
            progress.durable.add_done_callback(lambda _: self._answer(call, progress))

    def _answer(self, call: Call, progress: Progress) -> None:
        call.answer(self._encode(self._intake.conclude(progress)))
