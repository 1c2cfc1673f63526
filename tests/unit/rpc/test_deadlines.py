"""Whose time is over is told, nobody else is, and nobody is remembered for long."""

import asyncio
import weakref
from collections.abc import Callable

import pytest
import uvloop

from privysharing.rpc.deadlines import Deadlines


class Call:
    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()


def late(call: Call) -> None:
    call.answer.set_result("late")


async def test_time_is_over_in_the_order_of_deadlines_whoever_came_first() -> None:
    told: list[Call] = []
    deadlines = Deadlines[Call](told.append)
    now = asyncio.get_running_loop().time()
    calls = {due: Call() for due in (0.03, 0.01, 0.02)}
    for due, call in calls.items():
        deadlines.add(call, now + due)
    await asyncio.sleep(0.1)
    assert told == [calls[due] for due in sorted(calls)]


async def test_who_has_an_answer_is_left_alone_and_delays_nobody() -> None:
    deadlines = Deadlines(late)
    now = asyncio.get_running_loop().time()
    answered, patient, other = Call(), Call(), Call()
    deadlines.add(answered, now + 0.01)
    deadlines.add(patient, now + 60)
    deadlines.add(other, now + 0.02)
    answered.answer.set_result("in time")
    async with asyncio.timeout(5):
        assert await other.answer == "late"
    assert answered.answer.result() == "in time"
    assert not patient.answer.done()
    deadlines.close()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_time_that_is_over_already_stops_nobodys_clock(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """uvloop makes no timer of what is due: it has no time then."""

    async def wait() -> None:
        deadlines = Deadlines(late)
        now = asyncio.get_running_loop().time()
        calls = [Call() for _ in range(3)]
        for call, due in zip(calls, (now, now - 1, now + 0.01), strict=True):
            deadlines.add(call, due)
        async with asyncio.timeout(5):
            assert [await call.answer for call in calls] == ["late"] * 3

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(wait())


async def test_after_the_end_nobodys_time_is_over() -> None:
    deadlines = Deadlines(late)
    call = Call()
    deadlines.add(call, asyncio.get_running_loop().time() + 0.01)
    deadlines.close()
    await asyncio.sleep(0.05)
    assert not call.answer.done()


async def test_those_that_were_answered_are_forgotten_long_before_their_time() -> None:
    deadlines = Deadlines(late)
    due = asyncio.get_running_loop().time() + 3600
    alive: weakref.WeakSet[Call] = weakref.WeakSet()
    waits = Call()
    deadlines.add(waits, due)
    for _ in range(10_000):
        call = Call()
        alive.add(call)
        deadlines.add(call, due)
        call.answer.set_result("in time")
    assert len(alive) <= 2048
    assert not waits.answer.done()
    deadlines.close()
