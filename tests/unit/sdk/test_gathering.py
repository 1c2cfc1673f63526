"""Calls of one moment set out together; who makes one after the other never waits for anybody."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Self

import pytest
import uvloop

from privysharing.sdk.gathering import Gathering

AGES = 60.0  # a test that waits so long fails
SHORT = 0.05
CLOCK_S = 0.002  # a loop's clock may be a little old


@contextlib.asynccontextmanager
async def arriving(gathering: Gathering) -> AsyncIterator[None]:
    """One call: entered when it may begin, left when it has arrived."""
    turn = gathering.line_up()
    try:
        await turn
        yield
    finally:
        gathering.leave(turn)


class Calls:
    """Makes calls through a gathering, and remembers which began when."""

    def __init__(self, gathering: Gathering) -> None:
        self.began: dict[str, float] = {}
        self._gathering = gathering
        self._begun: dict[str, asyncio.Event] = {}
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def make(self, *names: str) -> None:
        for name in names:
            self._begun[name], self._done[name] = asyncio.Event(), asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._one(name))

    async def have_begun(self, *names: str) -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*(self._begun[name].wait() for name in names))

    async def end(self, *names: str) -> None:
        for name in names:
            self._done[name].set()
        await asyncio.gather(*(self._tasks[name] for name in names))

    def cancel(self, *names: str) -> None:
        for name in names:
            self._tasks[name].cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel(*self._tasks)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _one(self, name: str) -> None:
        async with arriving(self._gathering):
            self.began[name] = asyncio.get_running_loop().time()
            self._begun[name].set()
            await self._done[name].wait()


async def moment() -> None:
    """Whatever can begin without a timer has begun."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_call_after_the_other_never_waits() -> None:
    async with Calls(Gathering(patience_s=AGES)) as calls:
        for name in "abcde":
            calls.make(name)
            await moment()
            assert name in calls.began
            await calls.end(name)


async def test_calls_of_one_moment_begin_at_once_and_together_the_first_too() -> None:
    async with Calls(Gathering(patience_s=AGES)) as calls:
        calls.make(*"abc")
        await moment()
        assert calls.began.keys() == set("abc")


async def test_what_comes_while_a_call_is_under_way_begins_together_when_that_is_done() -> None:
    async with Calls(Gathering(patience_s=AGES)) as calls:
        calls.make("first")
        await moment()
        calls.make("b")
        await moment()
        calls.make("c")
        await moment()
        assert calls.began.keys() == {"first"}
        await calls.end("first")
        await moment()
        assert calls.began.keys() == {"first", "b", "c"}


async def test_nobody_waits_longer_for_slow_calls_than_patience_lasts() -> None:
    async with Calls(Gathering(apart_s=0, patience_s=SHORT)) as calls:
        calls.make("slow")
        await moment()
        calls.make("b", "c")
        await calls.have_begun("b", "c")
        assert calls.began["b"] - calls.began["slow"] >= SHORT - CLOCK_S
        calls.make("d")
        await calls.have_begun("d")
        assert calls.began["d"] - calls.began["b"] >= SHORT - CLOCK_S


async def test_a_slow_call_holds_up_only_those_who_come_next() -> None:
    async with Calls(Gathering(patience_s=SHORT)) as calls:
        calls.make("slow")
        await moment()
        calls.make("next")
        await calls.have_begun("next")
        assert calls.began["next"] - calls.began["slow"] >= SHORT - CLOCK_S
        await calls.end("next")
        for name in "abc":
            calls.make(name)
            await moment()
            assert name in calls.began
            await calls.end(name)


async def test_who_comes_just_when_others_begin_waits_for_them() -> None:
    async with Calls(Gathering(patience_s=AGES)) as calls:
        calls.make("first")
        await asyncio.sleep(0)  # it is about to begin
        calls.make("later")
        await moment()
        assert calls.began.keys() == {"first"}
        await calls.end("first")
        await moment()
        assert "later" in calls.began


async def test_a_company_sets_out_at_some_distance_from_the_one_before() -> None:
    async with Calls(Gathering(apart_s=SHORT, patience_s=AGES)) as calls:
        calls.make("a", "b")
        await moment()
        await calls.end("a", "b")
        calls.make("c")
        await moment()
        assert "c" not in calls.began
        calls.make("d")
        await calls.have_begun("c", "d")
        assert calls.began["c"] - calls.began["a"] >= SHORT - CLOCK_S
        assert calls.began["d"] - calls.began["c"] < SHORT


async def test_a_company_sets_out_when_all_of_the_one_before_have_arrived() -> None:
    async with Calls(Gathering(apart_s=0, patience_s=AGES)) as calls:
        calls.make("a", "b")
        await moment()
        calls.make("c")
        await calls.end("a")
        await moment()
        assert "c" not in calls.began
        await calls.end("b")
        await moment()
        assert "c" in calls.began


async def test_enough_calls_wait_for_nothing() -> None:
    async with Calls(Gathering(patience_s=AGES, enough=3)) as calls:
        calls.make("a", "b")
        await moment()
        calls.make("c", "d")
        await moment()
        assert calls.began.keys() == {"a", "b"}
        calls.make("e", "f")
        await moment()
        assert calls.began.keys() == set("abcde")  # and the next one waits again


async def test_who_gives_up_while_he_waits_holds_nobody_up() -> None:
    async with Calls(Gathering(patience_s=AGES, enough=3)) as calls:
        calls.make("a")
        await moment()
        calls.make("gone", "b")
        await moment()
        calls.cancel("gone")
        await moment()
        await calls.end("a")
        await moment()
        assert calls.began.keys() == {"a", "b"}
        await calls.end("b")
        calls.make("c")
        await moment()
        assert "c" in calls.began  # b was alone


async def test_when_all_who_waited_have_given_up_nothing_has_begun() -> None:
    async with Calls(Gathering(patience_s=AGES)) as calls:
        calls.make("a")
        await moment()
        calls.make("gone", "too")
        await moment()
        calls.cancel("gone", "too")
        await calls.end("a")
        await moment()
        calls.make("b")
        await moment()
        assert calls.began.keys() == {"a", "b"}


async def test_a_call_that_fails_is_done_like_any_other() -> None:
    gathering = Gathering(patience_s=AGES)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            async with asyncio.timeout(5), arriving(gathering):
                raise ValueError("no")


def test_a_steady_stream_makes_companies_by_itself() -> None:
    """A call each ms, which takes 4, on the loop that programs use: its timers are of whole milliseconds."""

    async def stream() -> Counter[float]:
        gathering, loop = Gathering(apart_s=SHORT), asyncio.get_running_loop()
        began: list[float] = []

        async def call() -> None:
            async with arriving(gathering):
                began.append(loop.time())
                await asyncio.sleep(0.004)

        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(call())
                await asyncio.sleep(0.001)
        return Counter(began)

    companies = uvloop.run(stream())
    assert len(companies) <= 12  # of 200 calls in four or five times SHORT; a busy machine makes fewer
