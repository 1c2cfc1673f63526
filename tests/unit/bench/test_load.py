"""Loads are applied as they say, and nothing that goes wrong is lost or flattered."""

import asyncio
import time

import pytest

from bench.load import Load, failure_code, run
from bench.meter import Tally
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.sdk.errors import (
    CommitRefused,
    CommitUnknown,
    ContractRefused,
    OrderingRefused,
    Refusal,
    Unavailable,
)


async def test_a_closed_loop_keeps_so_many_calls_in_flight_and_numbers_them() -> None:
    numbers: list[int] = []
    flying = most = 0

    async def attempt(number: int) -> None:
        nonlocal flying, most
        numbers.append(number)
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.02)
        flying -= 1

    tally = Tally()
    await run(attempt, Load(0.3, in_flight=5), tally)
    assert most == 5
    assert sorted(numbers) == list(range(len(numbers)))
    assert tally.succeeded == len(tally.latencies_s) == len(numbers)
    assert len(numbers) - 5 <= tally.in_time <= len(numbers)


async def test_an_open_loop_calls_at_its_rate_whatever_the_answers_do() -> None:
    never = asyncio.Event()
    called: list[float] = []

    async def attempt(number: int) -> None:
        called.append(time.perf_counter())
        if number == 19:
            never.set()
        await never.wait()

    tally = Tally()
    await run(attempt, Load(0.2, in_flight=1, rate=100), tally)
    assert len(called) == len(tally.latencies_s) == 20


async def test_a_client_that_falls_behind_counts_the_wait_as_latency() -> None:
    async def attempt(number: int) -> None:
        if number == 0:
            time.sleep(0.2)  # noqa: ASYNC251 - it is the event loop that is to stand still

    tally = Tally()
    await run(attempt, Load(0.2, in_flight=1, rate=50), tally)
    assert len(tally.latencies_s) == 10
    assert sorted(tally.latencies_s)[5] > 0.05


async def test_what_comes_after_the_end_counts_as_done_but_not_in_time() -> None:
    async def attempt(_number: int) -> None:
        await asyncio.sleep(0.2)

    tally = Tally()
    await run(attempt, Load(0.1, in_flight=3), tally)
    assert (len(tally.latencies_s), tally.in_time) == (3, 0)


async def test_what_warms_up_counts_neither_as_done_in_time_nor_as_latency() -> None:
    async def attempt(_number: int) -> None:
        await asyncio.sleep(0.02)

    tally, warm = Tally(), Tally()
    await run(attempt, Load(0.1, in_flight=2), tally)
    await run(attempt, Load(0.1, in_flight=2, warmup_s=0.2), warm)
    assert warm.succeeded > tally.succeeded > 0
    assert 0 < warm.in_time <= warm.succeeded - 10
    assert 0 < len(warm.latencies_s) <= warm.succeeded - 10


async def test_failures_are_counted_by_what_they_are() -> None:
    errors = [
        CommitRefused(TxId("a"), TxCode.MVCC_READ_CONFLICT, 1),
        OrderingRefused(Status.SERVICE_UNAVAILABLE, "busy"),
        CommitUnknown(TxId("a"), "none came"),
        Unavailable("gone"),
        ContractRefused("peer", 403, Refusal("ACCESS_DENIED", "not you")),
    ]

    async def attempt(number: int) -> None:
        await asyncio.sleep(0.01)
        raise errors[number % 5]

    tally = Tally()
    await run(attempt, Load(0.1, in_flight=4), tally)
    assert set(tally.failures) == {
        "MVCC_READ_CONFLICT",
        "SERVICE_UNAVAILABLE",
        "CommitUnknown",
        "Unavailable",
        "ACCESS_DENIED",
    }
    assert (tally.latencies_s, tally.succeeded) == ([], 0)
    assert 0 < tally.retryable < tally.failures.total()
    assert [failure_code(error) for error in errors] == list(dict.fromkeys(map(failure_code, errors)))


@pytest.mark.parametrize("load", [Load(5, in_flight=3), Load(5, in_flight=1, rate=50)], ids=["closed", "open"])
async def test_a_defect_ends_the_run_at_once_and_is_told(load: Load) -> None:
    async def attempt(number: int) -> None:
        await asyncio.sleep(0.01)
        if number == 1:
            raise ZeroDivisionError("a defect")

    start = time.perf_counter()
    with pytest.raises(ExceptionGroup) as caught:
        await run(attempt, load, Tally())
    assert [str(error) for error in caught.value.exceptions] == ["a defect"]
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(("duration", "in_flight", "rate"), [(0, 1, None), (1, 0, None), (1, 1, 0), (1, 1, -1)])
def test_a_load_of_nothing_is_refused(duration: float, in_flight: int, rate: float | None) -> None:
    Load(1, 1, 0.5, 0)
    with pytest.raises(ValueError, match="warm-up"):
        Load(1, 1, warmup_s=-1)
    with pytest.raises(ValueError, match="above 0"):
        Load(duration, in_flight, rate)
