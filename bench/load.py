"""Closed and open loops of calls over the SDK."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.meter import Tally
from privysharing.protocol.codes import TxCode
from privysharing.sdk import Call, Channel
from privysharing.sdk.commits import CommitListener
from privysharing.sdk.errors import CommitRefused, OrderingRefused, SdkError

Attempt = Callable[[int], Awaitable[None]]  # one numbered call; raises SdkError when it fails


@dataclass(frozen=True, slots=True)
class Load:
    """`in_flight` callers that each wait for their answer, or `rate` calls a second whatever the answers do."""

    duration_s: float
    in_flight: int
    rate: float | None = None


async def run(attempt: Attempt, load: Load, tally: Tally) -> float:
    """Apply a load; returns the seconds from its first call to the end of its duration. Stragglers are waited for."""
    start = time.perf_counter()
    end = start + load.duration_s

    async def one(number: int) -> None:
        began = time.perf_counter()
        try:
            await attempt(number)
        except SdkError as error:
            tally.failures[failure_code(error)] += 1
        else:
            now = time.perf_counter()
            tally.latencies_s.append(now - began)
            if now <= end:
                tally.in_time += 1

    if load.rate is None:
        await _closed(one, load.in_flight, end)
    else:
        await _open(one, load.rate, start, end)
    return load.duration_s


async def _closed(one: Callable[[int], Awaitable[None]], in_flight: int, end: float) -> None:
    numbers = iter(range(2**62))

    async def caller() -> None:
        while time.perf_counter() < end:
            await one(next(numbers))

    await asyncio.gather(*(caller() for _ in range(in_flight)))


async def _open(one: Callable[[int], Awaitable[None]], rate: float, start: float, end: float) -> None:
    calls: set[asyncio.Task[None]] = set()
    number = 0
    while (due := start + number / rate) < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        call = asyncio.create_task(_as_coroutine(one, number))
        calls.add(call)
        call.add_done_callback(calls.discard)
        number += 1
    await asyncio.gather(*calls)


async def _as_coroutine(one: Callable[[int], Awaitable[None]], number: int) -> None:
    await one(number)


async def commit_everywhere(channel: Channel, call: Call, listeners: list[CommitListener]) -> None:
    """Endorse, order, and wait until every peer has found the transaction valid."""
    endorsed = await channel.endorse(call)
    await channel.order(endorsed.envelope)
    wait = channel.timeouts.commit
    for verdict in await asyncio.gather(*(listener.verdict(endorsed.tx_id, wait) for listener in listeners)):
        if verdict.code is not TxCode.VALID:
            raise CommitRefused(endorsed.tx_id, verdict.code, verdict.block_num)


def failure_code(error: SdkError) -> str:
    """What a failure counts as: the verdict, the orderer's status, or the kind of error."""
    if isinstance(error, CommitRefused):
        return error.code.name
    if isinstance(error, OrderingRefused):
        return error.status.name
    return type(error).__name__
