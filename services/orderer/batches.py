"""Broadcast of envelopes that do not depend on each other: each has an answer of its own, in any order."""

import asyncio
from collections.abc import Callable, Sequence

from privysharing.protocol.codec.batches import encode_batch_answer
from services.orderer.chain import Chain
from services.orderer.intake import Answer, Intake, Progress
from services.runtime.batching import Call, answer_all

_Waiting = tuple[Call, Progress]


class BatchBroadcast:
    """Takes calls whose payload is an envelope. What is refused refuses nothing but itself."""

    def __init__(self, intake: Intake, encode: Callable[[Answer], bytes]) -> None:
        self._intake = intake
        self._encode = encode
        self._held_up: set[asyncio.Task[None]] = set()  # envelopes that wait for room in their channel's log

    def begin(self, calls: Sequence[Call]) -> None:
        """Judge envelopes and give them their places; each is answered once it is durable, or refused."""
        clock = self._intake.clock()
        ordered: dict[Chain, list[_Waiting]] = {}
        judged = self._intake.judge([call.payload for call in calls], clock)
        for call, progress in zip(calls, judged, strict=True):
            chain = progress.chain
            if progress.refusal is not None or chain is None:
                self._answer_all([(call, progress)])
            elif not chain.has_room:
                waiting = asyncio.create_task(self._order_later(call, progress, chain))
                self._held_up.add(waiting)
                waiting.add_done_callback(self._held_up.discard)
            elif self._order(call, progress):
                ordered.setdefault(chain, []).append((call, progress))
        for waiting_for_one_log in ordered.values():
            self._answer_when_durable(waiting_for_one_log)

    async def _order_later(self, call: Call, progress: Progress, chain: Chain) -> None:
        await chain.room()
        if call.wanted and self._order(call, progress):  # else its sender was told that it came to nothing, or has gone
            self._answer_when_durable([(call, progress)])

    def _order(self, call: Call, progress: Progress) -> bool:
        """Whether it is on its way into the log; else it is refused."""
        self._intake.order(progress)
        if progress.durable is None:
            self._answer_all([(call, progress)])
        return progress.durable is not None

    def _answer_when_durable(self, waiting: list[_Waiting]) -> None:
        """Logs store in order: when the last is durable, the others are, or it takes a look at each."""
        last = waiting[-1][1].durable
        assert last is not None
        last.add_done_callback(lambda _: self._answer_all(waiting))

    def _answer_all(self, waiting: list[_Waiting]) -> None:
        calls, settled = [], []
        for call, progress in waiting:
            if progress.durable is not None and not progress.durable.done():
                self._answer_when_durable([(call, progress)])
            else:
                calls.append(call)
                settled.append(progress)
        answers = zip(calls, self._intake.conclude(settled), strict=True)
        answer_all([(call, encode_batch_answer(call.id, self._encode(answer))) for call, answer in answers])
