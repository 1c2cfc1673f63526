"""Closed and open loops of calls over the SDK."""

import asyncio
import itertools
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from bench.meter import Tally
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Call, Channel
from privysharing.sdk.commits import CommitListener
from privysharing.sdk.errors import CommitRefused, ContractRefused, OrderingRefused, SdkError

Attempt = Callable[[int], Awaitable[None]]  # one numbered call; raises SdkError when it fails
RATE_MAX = 10_000.0  # what has not been answered when the time is over is waited for
_One = Callable[[int, float], Coroutine[None, None, None]]  # the same, tallied, and timed from a moment on


@dataclass(frozen=True, slots=True)
class Load:
    """`in_flight` callers that each wait for their answer, or `rate` calls a second whatever the answers do.

    They begin `warmup_s` before the duration does.
    """

    duration_s: float
    in_flight: int
    rate: float | None = None
    warmup_s: float = 0.0

    def __post_init__(self) -> None:
        rate = 1.0 if self.rate is None else self.rate
        if not (0 < self.duration_s < math.inf and 0 <= self.warmup_s < math.inf and self.in_flight >= 1):
            raise ValueError("needed: seconds above 0, a warm-up of 0 s or more, and 1 or more calls in flight")
        if not 0 < rate <= RATE_MAX:
            raise ValueError(f"needed: a rate above 0 and up to {RATE_MAX:g} calls a second; found: {rate:g}")


async def run(attempt: Attempt, load: Load, tally: Tally) -> None:
    """Apply a load. Stragglers are waited for. Latencies are those of calls that began in the duration.

    At a given rate, a call's latency counts from when it was due: a client that falls behind hides no wait. What an
    attempt raises besides SdkError ends the run.
    """
    first = time.perf_counter()
    start = first + load.warmup_s
    end = start + load.duration_s

    async def one(number: int, began: float) -> None:
        try:
            await attempt(number)
        except SdkError as error:
            tally.failures[failure_code(error)] += 1
            tally.retryable += error.retryable
        else:
            now = time.perf_counter()
            tally.succeeded += 1
            if began >= start:
                tally.latencies_s.append(now - began)
            if start <= now <= end:
                tally.in_time += 1

    if load.rate is None:
        await _closed(one, load.in_flight, end)
    else:
        await _open(one, load.rate, first, end)


async def _closed(one: _One, in_flight: int, end: float) -> None:
    numbers = itertools.count()

    async def caller() -> None:
        while (now := time.perf_counter()) < end:
            await one(next(numbers), now)

    async with asyncio.TaskGroup() as callers:
        for _ in range(in_flight):
            callers.create_task(caller())


async def _open(one: _One, rate: float, start: float, end: float) -> None:
    async with asyncio.TaskGroup() as calls:
        for number in itertools.count():
            due = start + number / rate
            if due >= end:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.create_task(one(number, due))


async def commit_everywhere(channel: Channel, call: Call, listeners: list[CommitListener]) -> TxId:
    """Endorse, order, and wait until every peer has found the transaction valid."""
    endorsed = await channel.endorse(call)
    await channel.order(endorsed.envelope)
    wait = channel.timeouts.commit
    for listener in listeners:
        verdict = await listener.verdict(endorsed.tx_id, wait)
        if verdict.code is not TxCode.VALID:
            raise CommitRefused(endorsed.tx_id, verdict.code, verdict.block_num)
    return endorsed.tx_id


def failure_code(error: SdkError) -> str:
    """What a failure counts as: the verdict, the contract's code, the node's status, or the kind of error."""
    match error:
        case CommitRefused():
            return error.code.name
        case ContractRefused():
            return error.code
        case OrderingRefused():
            return error.status.name
    return type(error).__name__
