"""What threads post arrives on the loop, all of it, in each thread's order, and mostly together."""

import asyncio
import threading
from collections.abc import Sequence

from services.runtime.handover import Handover


async def test_everything_arrives_on_the_loop_in_each_threads_order() -> None:
    arrived: list[tuple[int, int]] = []
    here = threading.get_ident()
    done = asyncio.Event()

    def take(values: Sequence[tuple[int, int]]) -> None:
        assert threading.get_ident() == here
        arrived.extend(values)
        if len(arrived) == 4 * 5000:
            done.set()

    handover = Handover(take)

    def post(thread: int) -> None:
        for number in range(5000):
            handover.post((thread, number), more=number % 7 > 0)

    await asyncio.gather(*(asyncio.to_thread(post, thread) for thread in range(4)))
    async with asyncio.timeout(10):
        await done.wait()
    for thread in range(4):
        assert [number for each, number in arrived if each == thread] == list(range(5000))


async def test_the_loop_is_woken_once_for_what_is_posted_before_it_looks() -> None:
    arrived: list[int] = []
    wakes = 0
    handover = Handover(arrived.extend)
    loop = asyncio.get_running_loop()
    wake = loop.call_soon_threadsafe

    def counted(*arguments: object) -> object:
        nonlocal wakes
        wakes += 1
        return wake(*arguments)  # type: ignore[arg-type]

    loop.call_soon_threadsafe = counted  # type: ignore[assignment, method-assign]
    for number in range(100):
        handover.post(number)
    await asyncio.sleep(0)
    assert (arrived, wakes) == (list(range(100)), 1)
    handover.post(100)
    await asyncio.sleep(0)
    assert (arrived[-1], wakes) == (100, 2)


async def test_while_more_is_to_come_the_loop_waits_until_there_is_enough_or_no_more() -> None:
    taken: list[list[int]] = []
    handover: Handover[int] = Handover(lambda values: taken.append(list(values)), enough=3, patience_s=10)
    for number in range(5):
        handover.post(number, more=True)
        await asyncio.sleep(0.005)
    assert taken == [[0, 1, 2]]
    handover.post(5)
    await asyncio.sleep(0.005)
    assert taken == [[0, 1, 2], [3, 4, 5]]


async def test_what_was_to_come_and_does_not_is_not_waited_for_long() -> None:
    taken = asyncio.Event()
    handover: Handover[int] = Handover(lambda _: taken.set(), patience_s=0.02)
    handover.post(1, more=True)
    await asyncio.sleep(0)
    assert not taken.is_set()
    async with asyncio.timeout(5):
        await taken.wait()
